"""The fifth stage of a create: release the secrets of the spec that the VM does not hold yet."""

from dataclasses import replace

from ccgpu.domain.secrets_outcome import SecretsOutcome
from ccgpu.domain.spec.secrets import SecretSource
from ccgpu.domain.spec.vm import VmSpec
from ccgpu.domain.status import State, vm_state
from ccgpu.errors import CcgpuError, UsageProblem
from ccgpu.workflows.create.context import CreateContext, CreateOptions
from ccgpu.workflows.secrets import held_secrets, release_to

_NO_VERDICT = "the spec of {} has secrets, and without attestation none is released"
_NOT_WAITING = "nothing is released with --no-wait: a further `ccgpu create {}` releases {}"


def names_of(sources: tuple[SecretSource, ...]) -> str:
    """The names of secrets, for a sentence."""
    return ", ".join(source.name for source in sources)


def require_release(spec: VmSpec, *, attested: bool) -> None:
    """Refuse a create that has secrets to release and nothing to prove the VM with.

    Raises:
        UsageProblem: It is not to attest the VM.
    """
    if spec.secrets and not attested:
        raise UsageProblem(
            _NO_VERDICT.format(spec.name),
            hint="leave out --no-attest, or leave the secrets out: --set 'secrets=[]'",
        )


def not_released_note(spec: VmSpec, *, wait: bool) -> str | None:
    """What to say of the secrets of a create that does not wait for the VM; None if nothing."""
    if wait or not spec.secrets:
        return None
    return _NOT_WAITING.format(spec.name, names_of(spec.secrets))


def source_warnings(spec: VmSpec, options: CreateOptions) -> tuple[str, ...]:
    """What a plan says of secrets whose source is not there."""
    try:
        require_sources(spec, options)
    except CcgpuError as err:
        return (f"{err}: `create` needs it for a VM that does not hold it",)
    return ()


def require_sources(spec: VmSpec, options: CreateOptions) -> None:
    """Refuse sources that are not there, before a VM is made; raises as `SecretReader` says."""
    if options.release is not None:
        options.release.of(spec.secrets).require_readable()


def release_created(context: CreateContext) -> CreateContext:
    """The fifth stage of a create. Idempotent: the VM is asked what it holds.

    What the VM holds under the same name and owner is left as it is. After a reboot it holds
    nothing. It undoes nothing: the VM stays.

    Raises: As `held_secrets` and `release_to`.
    """
    options, spec = context.request.options, context.request.spec
    vm = context.provisioned.snapshot.vm
    guest, means, wanted = options.guest, options.attest, options.release
    if not spec.secrets or guest is None or means is None or wanted is None or vm is None:
        return context
    if vm_state(vm) is State.STOPPED:
        return context.left_open()
    run, names = context.run, context.request.names
    held = {(one.name, one.owner) for one in held_secrets(run, names, guest)}
    lacking = tuple(one for one in spec.secrets if (one.name, one.owner) not in held)
    if lacking:
        try:
            release_to(run, names, guest, means, wanted.of(lacking))
        except CcgpuError:
            run.tell("note", f"{spec.name} stays, without {names_of(lacking)}")
            raise
    kept = tuple(one for one in spec.secrets if one not in lacking)
    done = SecretsOutcome(tuple(one.name for one in lacking), tuple(one.name for one in kept))
    return replace(context, outcome=replace(context.provisioned, secrets=done))
