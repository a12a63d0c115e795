"""The fourth stage of a create: attest the VM, unless this machine's last verdict still counts."""

from ccgpu.domain.access import Access
from ccgpu.domain.catalog import Kind
from ccgpu.domain.spec.vm import VmSpec
from ccgpu.domain.status import State, vm_state
from ccgpu.errors import CcgpuError, UsageProblem
from ccgpu.workflows.attestation_records import current_attestation
from ccgpu.workflows.create.context import CreateContext
from ccgpu.workflows.measured_deployment import held_to_its_image

_NO_WAY = "{} is private, and `create` attests it at its end: it has to know how to reach it"
_HINT = (
    "give a host to go through: `--jump USER@HOST`; or, if this machine reaches the VM's network, "
    "`--reachable`; or do not attest it: `--no-attest`"
)
_WARNING = (
    "{} is private, and `create` attests it at its end: it needs `--jump USER@HOST`, `--reachable` "
    "or `--no-attest`"
)


def way_warnings(spec: VmSpec, access: Access) -> tuple[str, ...]:
    """What a plan says of a VM that this machine could not attest, by what the user says."""
    return (_WARNING.format(spec.name),) if spec.private and not access.by_private_address else ()


def require_way(spec: VmSpec, access: Access) -> None:
    """Refuse a private VM that this machine could not attest; raises `UsageProblem`."""
    if way_warnings(spec, access):
        raise UsageProblem(_NO_WAY.format(spec.name), hint=_HINT)


def attest_created(context: CreateContext) -> CreateContext:
    """The fourth stage of a create. Idempotent: it asks the VM again.

    A VM that is stopped is left open: a later create asks it. One that is rejected stays, with its
    GPU not ready.

    Raises: As `attest_vm` and `Attestation.require_good`.
    """
    options, vm = context.request.options, context.provisioned.snapshot.vm
    guest, means = options.guest, options.attest
    if guest is None or means is None or vm is None:
        return context
    if vm_state(vm) is State.STOPPED:
        return context.left_open()
    run, names = context.run, context.request.names
    vm_id = (vm.get("properties") or {}).get("vmId")
    means = held_to_its_image(run.cloud, names, vm, means)
    known = current_attestation(run.cloud, names, vm_id)
    same = known is not None and known.verdict == "accepted" and known.policy == means.policy_name
    if same and means.pins is None:  # golden values that are given are compared anew
        return context
    from ccgpu.workflows.attest import attest_vm  # the verifier, which no other stage needs

    try:
        judged = attest_vm(run, names, vm, guest, means)
    except CcgpuError as err:
        run.tell("failed", str(err), names.vm, Kind.VM, "attest")
        raise
    judged.require_good()
    return context
