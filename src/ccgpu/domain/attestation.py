"""The last verdict on a deployment's VM, as this machine remembers it."""

from dataclasses import dataclass
from typing import Literal

RecordedVerdict = Literal["accepted", "rejected"]


@dataclass(frozen=True, slots=True)
class AttestationRecord:
    """One verdict, of one boot of one VM.

    vm_id: ARM's vmId (lower case). boot_id: the kernel's id of the boot, read over the same channel
    before the evidence was collected. policy: a shipped name, or the path of a file whose SHA-256
    (hex) is `policy_sha256`. nonce: 32 bytes. host_key: the ssh-ed25519 key blob of the connection.
    at: the time of the verdict, RFC 3339 UTC. until: when an accepted one is too old for its policy
    (`max_age`); None for no limit. reasons: the codes of the checks that failed. pins: the path of
    the file of golden PCR values, whose SHA-256 (hex) is `pins_sha256`. image, config: the paths
    of an image's manifest and of the config, each with its SHA-256.
    """

    vm_id: str
    boot_id: str
    verdict: RecordedVerdict
    policy: str
    policy_sha256: str | None
    nonce: bytes
    host_key: bytes
    at: str
    until: str | None = None
    reasons: tuple[str, ...] = ()
    pins: str | None = None
    pins_sha256: str | None = None
    image: str | None = None
    image_sha256: str | None = None
    config: str | None = None
    config_sha256: str | None = None


@dataclass(frozen=True, slots=True)
class CurrentAttestation:
    """A verdict that still counts; `bundle` is the path of its evidence on this machine.

    age: seconds since the verdict. until: when it is too old for its policy; None for no limit.
    """

    verdict: RecordedVerdict
    policy: str
    at: str
    age: int
    until: str | None
    bundle: str
    reasons: tuple[str, ...] = ()
