"""The fourth stage of a create: attest the VM, unless this machine's last verdict still counts."""

from ccgpu.domain.status import State, vm_state
from ccgpu.workflows.attestation_records import current_attestation
from ccgpu.workflows.create.context import CreateContext
from ccgpu.workflows.guest_access import has_address


def attest_created(context: CreateContext) -> CreateContext:
    """The fourth stage of a create. Idempotent: it asks the VM again, and changes nothing in it.

    A VM that cannot be asked is left open: a later create asks it. One that is rejected stays, with
    its GPU not ready.

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
    known = current_attestation(run.cloud, names.deployment, vm_id)
    if known is not None and known.verdict == "accepted" and known.policy == means.policy_name:
        return context
    if not guest.access.by_private_address and not has_address(run, vm, guest.access):
        command = f"ccgpu create {names.deployment}"
        run.tell(
            "note",
            f"{names.deployment} is not attested, because it has no public address: "
            f"`{command} --jump USER@HOST` or `{command} --reachable` attests it",
        )
        return context.left_open()
    from ccgpu.workflows.attest import attest_vm  # the verifier, which no other stage needs

    attest_vm(run, names, vm, guest, means).require_good()
    return context
