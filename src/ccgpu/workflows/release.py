"""The gate that secrets pass: nothing is sealed but to a VM that was proven in this very run.

A new nonce, new evidence, the whole verdict, a connection that shows the attested host key, the
same VM and the same boot. Nothing that is recorded on a disk counts, and no key but the one that is
bound in the accepted evidence. Anything that fails, or cannot be told, is a refusal.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

from ccgpu.attest.attestation import Attestation
from ccgpu.azure.run import Run
from ccgpu.domain.desired import Names
from ccgpu.domain.policy_comparison import loosened_fields
from ccgpu.errors import EvidenceRejected, UsageProblem
from ccgpu.guest.channel import Channel
from ccgpu.store import policies
from ccgpu.workflows.attest import AttestMeans, attest_vm
from ccgpu.workflows.discovery.search import require_vm
from ccgpu.workflows.guest_access import GuestOptions, guest_target, vm_id_of
from ccgpu.workflows.guest_task import GuestTask
from ccgpu.workflows.measured_deployment import held_to_its_image
from ccgpu.workflows.proven import NOTHING_SENT, ProvenGuest

_AGAIN = "run the same command again: it attests the VM anew"


def find_loosened(means: AttestMeans) -> Mapping[str, str]:
    """The fields in which a policy asks for less than `default`, with both values."""
    return loosened_fields(means.policy, policies.load())


def require_release_policy(means: AttestMeans, *, allow_loosened: bool) -> str | None:
    """Refuse a policy by which no secret may be released; a note on one that was let pass.

    Nothing was sent yet. allow_loosened: the user has said that a policy will do that asks for less
    than `default`. One without the CPU never does: only its evidence is bound to the VM and its
    release key.

    Raises:
        UsageProblem: It is such a policy.
    """
    means.require_binding()
    loosened = find_loosened(means)
    told = "; ".join(f"{path}: {values}" for path, values in loosened.items())
    less = f"policy {means.policy.name} asks for less than `default` ({told})"
    if loosened and not allow_loosened:
        raise UsageProblem(
            f"{less}: {NOTHING_SENT}",
            hint="take `default` or `strict`, or give `--unsafe-allow-loosened-policy`",
        )
    if means.policy.binding != "ccgpu-bind-v1":
        raise UsageProblem(
            f"policy {means.policy.name} takes evidence that is not bound to a release key",
            hint="`binding: ccgpu-bind-v1` is needed",
        )
    return less if loosened else None


@contextmanager
def proven_guest(
    run: Run,
    names: Names,
    guest: GuestOptions,
    means: AttestMeans,
    *,
    allow_loosened: bool = False,
    seen: Callable[[Attestation], None] = lambda _: None,
) -> Iterator[ProvenGuest]:
    """Prove the VM of a deployment now, and open the channel that secrets may take.

    The VM makes a new release key, and the one before is gone. The verdict is recorded as
    `attest_vm` does. seen: called with it, whichever it is.

    Raises:
        UsageProblem: The policy is not fit for a release.
        EvidenceRejected: The verdict is `rejected`, or another VM has taken the place of this one.
        And as `attest_vm`, `Attestation.require_good` and `ProvenGuest.require_unchanged`.
    """
    vm = require_vm(run, names)
    means = held_to_its_image(run.cloud, names, vm, means)
    if note := require_release_policy(means, allow_loosened=allow_loosened):
        run.tell("note", note)
    means = replace(means, release=True)
    judged = attest_vm(run, names, vm, guest, means)
    seen(judged)
    judged.require_good()
    # Azure is asked again: the VM may have been deleted and made anew under the same name.
    vm = require_vm(run, names)
    if not judged.challenge.vm_id or vm_id_of(vm) != judged.challenge.vm_id:
        raise EvidenceRejected(
            f"another VM has taken the place of the one that was attested: {NOTHING_SENT}",
            hint=_AGAIN,
        )
    target = guest_target(run, names, vm, guest.access, guest.keys, look_for_key=False)
    target = replace(target, host_key=judged.challenge.host_key)
    task = GuestTask.of_deployment(run, names)
    with guest.channels(target) as channel:
        yield _proven(task, judged, channel, simulated=means.simulated and run.cloud.simulated)


def _proven(
    task: GuestTask, judged: Attestation, channel: Channel, *, simulated: bool
) -> ProvenGuest:
    proven = ProvenGuest(task, judged, channel, simulated)
    proven.require_bound_key()
    task.reach(proven.require_unchanged)
    return proven
