"""A VM that was proven in this run: the only thing that secrets are sealed to.

It checks everything again when it seals, from the evidence and the verdict that it holds.
"""

import hashlib
import hmac
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

from ccgpu.attest.attestation import Attestation
from ccgpu.attest.binding import binding
from ccgpu.attest.check import Malformed
from ccgpu.attest.hcl import blob, claims
from ccgpu.attest.verdict_document import make_document
from ccgpu.domain.secret import Secret, require_releasable
from ccgpu.errors import (
    EvidenceRejected,
    EvidenceUnavailable,
    GuestNotReady,
    HostKeyMismatch,
    ReleaseFailed,
    TimedOut,
)
from ccgpu.guest import release
from ccgpu.guest.channel import Channel
from ccgpu.guest.release import StoredSecret
from ccgpu.workflows.fresh_evidence import BOOT_ID_TIMEOUT, read_boot_id
from ccgpu.workflows.guest_task import GuestTask

# Seconds after its nonce in which evidence counts here. What is sealed later needs a new run.
RELEASE_WINDOW = 900.0
NOTHING_SENT = "nothing was released"
_AGAIN = "run the same command again: it attests the VM anew"


@dataclass(slots=True)
class ProvenGuest:
    """A VM that was proven in this run, with a channel that only it can be at the other end of.

    task: the command's work on it. attestation: the verdict and its evidence. channel: pinned to
    the attested host key. simulated: whether its evidence may be of a simulation.
    """

    task: GuestTask
    attestation: Attestation
    channel: Channel
    simulated: bool
    _key_is_used: bool = field(default=False, init=False)

    @property
    def recipient_key(self) -> bytes:
        """The X25519 key (32 bytes) that the accepted evidence is bound to."""
        return self.require_bound_key()[1]

    @property
    def verdict_sha256(self) -> bytes:
        """SHA-256 of the verdict document, as `canonical_verdict` writes it."""
        return hashlib.sha256(canonical_verdict(self.attestation)).digest()

    def require_unchanged(self) -> None:
        """Refuse unless the verdict is good, and of this connection and of the boot that runs now.

        Raises:
            EvidenceRejected, EvidenceUnavailable: The verdict is not good.
            HostKeyMismatch: The channel is not to the VM that was attested.
            GuestNotReady: The VM has booted since, or its GPU is not ready.
            TimedOut: The evidence is too old.
        """
        judged = self.attestation
        judged.require_good()
        if judged.appraisal.simulated and not self.simulated:
            raise EvidenceRejected(f"the evidence is of a simulated VM: {NOTHING_SENT}")
        _require_ready_gpu(judged)
        if self.channel.host_key != judged.challenge.host_key:
            raise HostKeyMismatch(
                f"the connection does not show the host key that was attested: {NOTHING_SENT}"
            )
        # The record of the challenge has microseconds: its time may be rounded up.
        age = round(self.task.wall() - judged.challenge.sent_at.timestamp(), 3)
        if not 0 <= age <= RELEASE_WINDOW:
            raise TimedOut(
                f"the evidence is {age:.0f} s old, and counts for {RELEASE_WINDOW:.0f} s: "
                f"{NOTHING_SENT}",
                hint=_AGAIN,
            )
        self._require_boot()

    def release(self, secrets: Sequence[Secret]) -> tuple[StoredSecret, ...]:
        """Seal secrets to the VM's release key, and send them; the VM opens them into memory.

        The key works once, so a second call is refused: all secrets of a run go together.

        Raises:
            UsageProblem: They cannot be released together.
            ReleaseFailed: The VM did not take them, or the key has been used.
            ConnectionLost, GuestUnreachable: As `Channel` says.
            And as `require_unchanged`.
        """
        require_releasable(secrets)
        if self._key_is_used:
            raise ReleaseFailed(
                f"the VM's release key has been used: {NOTHING_SENT}", reason="used", hint=_AGAIN
            )
        self._key_is_used = True
        self.require_unchanged()
        bound, key = self.require_bound_key()
        digest = self.verdict_sha256
        sealed = release.seal(secrets, key, release.release_info(bound, digest))
        self.task.tell("wait", "releasing secrets")
        time = self.task.time_left(release.TIMEOUT, "releasing secrets")
        send = partial(release.open_in_guest, self.channel, sealed, bound, digest, timeout=time)
        stored = self.task.complete(send)
        if [(one.name, one.size, one.owner) for one in stored] != [
            (one.name, len(one.value), one.owner) for one in secrets
        ]:
            raise ReleaseFailed(
                "the VM says that it holds other secrets than were sent", reason="answer"
            )
        return stored

    def require_bound_key(self) -> tuple[bytes, bytes]:
        """B, computed anew from what this machine knows, and the recipient key that is in it.

        Raises:
            EvidenceRejected: The evidence is not bound to such a key.
        """
        judged, sent = self.attestation, self.attestation.challenge
        key = judged.evidence.claimed.recipient_key
        cpu = judged.evidence.cpu
        if len(key) != release.KEY_SIZE or cpu is None or cpu.hcl is None or sent.vm_id is None:
            raise EvidenceRejected(f"the evidence is bound to no release key: {NOTHING_SENT}")
        bound = binding(sent.nonce, sent.host_key, key, sent.vm_id)
        try:
            user_data = claims.parse(blob.parse(cpu.hcl).runtime).user_data
        except Malformed as err:
            raise EvidenceRejected(f"the claims cannot be read: {NOTHING_SENT}") from err
        if user_data is None or not hmac.compare_digest(user_data, bound):
            raise EvidenceRejected(
                f"the release key is not the one in the evidence: {NOTHING_SENT}"
            )
        return bound, key

    def _require_boot(self) -> None:
        time = self.task.time_left(BOOT_ID_TIMEOUT, "asking for the id of the boot")
        boot_id = self.task.complete(partial(read_boot_id, self.channel, time))
        if not boot_id or boot_id != self.attestation.boot_id:
            raise GuestNotReady(
                f"the VM has been started anew since it was asked: {NOTHING_SENT}", hint=_AGAIN
            )


def canonical_verdict(attestation: Attestation) -> bytes:
    """The verdict document (`ccgpu.verdict/1`): JSON in ASCII, sorted keys, no blanks."""
    document = make_document(attestation.appraisal)
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode("ascii")


def _require_ready_gpu(judged: Attestation) -> None:
    """Refuse a verdict without a policy, or whose policy wants the GPU that was not set ready."""
    policy = judged.appraisal.criteria
    if policy is None:
        raise EvidenceUnavailable(f"the verdict does not tell its policy: {NOTHING_SENT}")
    if "gpu" in policy.requires and not judged.gpu_ready:
        raise GuestNotReady(f"the GPU has not been set ready: {NOTHING_SENT}", hint=_AGAIN)
