"""Compares quoted PCRs with those that a measured image leads to (docs/measured-image.md).

All of them or none: the kernel's command line, credentials, addons and extensions are in other PCRs
than the boot program, and the host can add to them without changing it.
"""

from collections.abc import Iterator, Sequence

from ccgpu.attest.check import Checks, Outcome, Rule, Verified
from ccgpu.attest.tpm_quote import QuoteResult
from ccgpu.attest.vtpm.event_changes import describe_differences
from ccgpu.attest.workload_log import PCR as WORKLOADS
from ccgpu.attest.workload_log import WorkloadLog
from ccgpu.domain.given_image import GivenImage
from ccgpu.domain.image_pcrs import CONFIG_PCR, IMAGE_PCRS, ZERO_PCRS, config_digest, replay
from ccgpu.domain.reference_values import RecordedEvent

PCRS = IMAGE_PCRS
_UAPI = "UAPI Group, Linux TPM PCR Registry"

ABSENT = Rule("policy.image.absent", "a measured image's manifest is given", "the policy")
UNQUOTED = Rule("policy.image.unquoted", "every PCR that an image pins is in the quote", _UAPI)
DIFFERS = Rule("policy.image.pcr", "a PCR is what the image leads to", _UAPI)
CONFIG = Rule(
    "policy.image.config", "the VM measured the config that is given", "docs/measured-image.md"
)
ADDED = Rule(
    "policy.image.added", "nothing was measured to a PCR that the image leaves alone", _UAPI
)
WORKLOAD = Rule(
    "policy.image.workloads",
    "PCR 13 is what the log of workloads leads to, or zero without one",
    "docs/workloads.md",
)


def check(
    found: QuoteResult,
    image: GivenImage | None,
    log: Outcome[WorkloadLog] | None,
    checks: Checks,
    *,
    required: bool,
) -> None:
    """Check every PCR that the image pins against those of a verified quote.

    `log`: that of the workloads, which the image's own software measures after the boot.
    """
    if image is None:
        if required:
            checks.record(ABSENT, False, "a manifest", None)
        return
    for index, expected in sorted(image.events.items()):
        _check_pcr(index, found, expected, log, checks)


def _check_pcr(
    index: int,
    found: QuoteResult,
    expected: Sequence[RecordedEvent],
    log: Outcome[WorkloadLog] | None,
    checks: Checks,
) -> None:
    if index not in found.pcrs:
        checks.record(UNQUOTED, False, f"PCR {index}", tuple(sorted(found.pcrs)))
        return
    value = replay(expected)
    if index == WORKLOADS and isinstance(log, Verified):
        value = log.value.pcr
    quoted = found.pcrs[index]
    same = quoted == value
    why = "" if same else _difference(index, found, expected)
    actual = f"PCR {index} {quoted.hex()}" + (f": {why}" if why else "")
    checks.record(_rule(index), same, f"PCR {index} {value.hex()}", actual)


def _rule(index: int) -> Rule:
    if index == CONFIG_PCR:
        return CONFIG
    if index == WORKLOADS:
        return WORKLOAD
    return ADDED if index in ZERO_PCRS else DIFFERS


def _difference(index: int, found: QuoteResult, expected: Sequence[RecordedEvent]) -> str:
    """The events of the log that differ; of the config, which is in no log, what is known."""
    events = [event for event in found.events if event.pcr == index]
    if index == CONFIG_PCR and not events:
        none = RecordedEvent(what="config", sha256=config_digest(None).hex())
        without = found.pcrs[index] == replay([none])
        return "the VM was given no config" if without else "the VM was given another config"
    replayed = all(event.replayed for event in events)
    if not events:
        replayed = found.pcrs[index] == bytes(32)
    return describe_differences(expected, events, replayed=replayed)


def not_proven(has_workloads: bool) -> Iterator[str]:
    """What a verdict leaves open although every byte of the image is pinned."""
    yield (
        "the image's builder: that the packages are those of the manifest is shown by building "
        "the image again from its lock"
    )
    yield (
        "ACPI tables and the serial console: they are the host's, and no compared PCR covers them"
    )
    yield (
        "what was done since the boot: by whoever may log in, by the config, and by software "
        "that was attacked"
    )
    if has_workloads:
        yield "the workloads: what they do once they run; that they were started is measured"
