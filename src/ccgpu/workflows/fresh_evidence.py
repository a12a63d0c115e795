"""Fresh evidence of a VM: a challenge that this machine records, and the guest's answer to it."""

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from ccgpu.attest.freshness import NONCE_BYTES
from ccgpu.domain.challenge import ChallengeRecord
from ccgpu.domain.evidence import Evidence
from ccgpu.errors import (
    EvidenceUnavailable,
    GuestNotReady,
    GuestUnreachable,
    InvalidFile,
    TimedOut,
)
from ccgpu.guest import collector, probe
from ccgpu.guest.channel import Channel, CommandRunner, Completed
from ccgpu.store import evidence as files
from ccgpu.store.challenges import Challenges
from ccgpu.workflows.guest_task import GuestTask

_SOURCE = Path("the guest's answer")
BOOT_ID_TIMEOUT = 60.0  # seconds
# Seconds that a nonce may be answered in. The script's own limit is shorter, but is not measured
# while this machine sleeps.
_NONCE_LIFETIME = 300.0


@dataclass(frozen=True, slots=True)
class FreshEvidence:
    """Evidence, the challenge that it has to answer, and the boot that was asked.

    boot_id: read before the challenge was sent, so that it is never newer than the evidence.
    """

    evidence: Evidence
    challenge: ChallengeRecord
    boot_id: str


def read_boot_id(channel: CommandRunner, timeout: float = BOOT_ID_TIMEOUT) -> str:
    """Connect, and ask the probe for the id of the boot; empty if it does not say.

    Raises:
        GuestUnreachable, HostKeyMismatch, ConnectionLost, TimedOut: As `Channel` says.
    """
    done = channel.run(probe.boot_id_command(), probe.script(), timeout=timeout)
    try:
        return "" if done.exit_code else probe.parse(done.stdout).command("boot-id").text[:64]
    except GuestNotReady:
        return ""  # the collector says what is wrong


def collect_evidence(
    task: GuestTask,
    channel: Channel,
    boot_id: str,
    vm_id: str | None,
    challenges: Challenges,
    *,
    release: bool = False,
) -> FreshEvidence:
    """Send a new nonce over a channel that is connected, and take the answer.

    Nothing but the nonce is sent. The challenge is recorded before, with the vmId that ARM or the
    user has told, and the host key of this very connection. release: the VM makes a key that
    secrets can be sealed to, and binds it.

    Raises:
        EvidenceUnavailable: The guest gave no evidence, or does not tell which boot it is of.
        GuestUnreachable, HostKeyMismatch, ConnectionLost, TimedOut: As `Channel` says.
        StateUnusable: The challenge cannot be recorded.
    """
    host_key = channel.host_key
    if host_key is None:
        raise GuestUnreachable("the VM has shown no SSH host key")
    sent_at = datetime.fromtimestamp(task.wall(), UTC)
    challenge = ChallengeRecord(secrets.token_bytes(NONCE_BYTES), vm_id, host_key, sent_at)
    challenges.write(challenge)
    argv, script = collector.command_line(challenge.nonce, release=release), collector.script()
    timeout = task.time_left(collector.TIMEOUT, "collecting evidence")
    done = task.complete(partial(channel.run, argv, script, timeout=timeout))
    if task.wall() - sent_at.timestamp() > _NONCE_LIFETIME:
        raise TimedOut(f"the evidence came more than {_NONCE_LIFETIME:.0f} s after its nonce")
    evidence = _read_answer(task, done)
    if not boot_id:
        raise EvidenceUnavailable(
            "the VM gave evidence, but does not tell the id of its boot, which a verdict is of",
            hint=task.with_name("`ccgpu doctor NAME` looks into the guest"),
        )
    return FreshEvidence(evidence, challenge, boot_id)


def _read_answer(task: GuestTask, done: Completed) -> Evidence:
    try:
        return files.check_evidence(_SOURCE, collector.parse(done).evidence())
    except EvidenceUnavailable as err:
        err.hint = task.with_name(err.hint)
        raise
    except InvalidFile as err:
        raise EvidenceUnavailable(f"the guest's evidence cannot be used: {err}") from err


def greeting_time(task: GuestTask) -> float:
    """The seconds that connecting to the VM may take."""
    return task.time_left(BOOT_ID_TIMEOUT, "connecting to the VM")
