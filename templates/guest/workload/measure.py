"""What will run is told to PCR 13 and to a log before it starts (docs/trust.md).

The log is appended to first. If its last line was never extended, because the script was killed in
between, nothing of it was started, and the line is taken back. Any other difference stays, so that
nothing starts any more and every verifier refuses the VM, until it is restarted.
"""

import hashlib
import os
from collections.abc import Sequence

from ccgpu.templates.guest.collector.settings import CollectorError, Settings
from ccgpu.templates.guest.collector.vtpm import Tpm, open_tpm
from ccgpu.templates.guest.workload.base import Vm, WorkloadError, locked

LOG = "workloads.log"
LOG_LIMIT = 1024 * 1024  # bytes; the collector and the verifier take no more
EVENTS = 256  # the same
PCR = 13
START = bytes(32)


def measure(vm: Vm, line: bytes) -> bytes:
    """Append an event (a line without its newline) to the log and extend PCR 13; its new value."""
    settings = Settings(vm.root, vm.tpm, ("", 0), {"tpm": vm.limits["tpm"]})
    with locked(vm, LOG, "the start of another workload") as log, open_tpm(settings) as tpm:
        before = tpm.pcrs()[PCR]
        content = consistent_log(log, before)
        if len(content) + len(line) + 1 > LOG_LIMIT or content.count(b"\n") >= EVENTS:
            raise WorkloadError("log.full", f"the log of workloads holds {EVENTS} events or 1 MiB")
        after = extended(before, line)
        append(log, content, line)
        extend(tpm, log, len(content), before, line)
        if tpm.pcrs()[PCR] != after:
            raise mismatch("it has another value than the extension makes")
        return after


def extend(tpm: Tpm, log: int, size: int, before: bytes, line: bytes) -> None:
    """Extend PCR 13. If that fails, the log becomes `size` bytes long again."""
    try:
        tpm.pcr_extend(PCR, hashlib.sha256(line).digest())
    except CollectorError:
        now = tpm.pcrs()[PCR]  # an answer that was lost may have been a success
        if now == extended(before, line):
            return
        if now == before:
            os.ftruncate(log, size)
        raise


def consistent_log(log: int, pcr: bytes) -> bytes:
    """The content of the log, which PCR 13 confirms. A last line that it never had is dropped."""
    content = os.pread(log, LOG_LIMIT + 1, 0)
    lines = content.split(b"\n")
    is_whole = lines.pop() == b""
    if is_whole and replayed(lines) == pcr:
        return content
    kept = lines[:-1] if is_whole else lines
    if replayed(kept) != pcr:
        raise mismatch("it is not what the log of workloads makes")
    shorter = b"".join(line + b"\n" for line in kept)
    os.ftruncate(log, len(shorter))
    return shorter


def append(log: int, content: bytes, line: bytes) -> None:
    """Append a line to the log."""
    rest = line + b"\n"
    try:
        while rest:
            rest = rest[os.pwrite(log, rest, len(content) + len(line) + 1 - len(rest)) :]
    except OSError as err:
        os.ftruncate(log, len(content))
        raise WorkloadError("storage.error", f"the log of workloads: {err}") from err


def replayed(lines: Sequence[bytes]) -> bytes:
    """The value of PCR 13 after these events."""
    value = START
    for line in lines:
        value = extended(value, line)
    return value


def extended(value: bytes, line: bytes) -> bytes:
    """A PCR's value after an event (TPM2_PCR_Extend)."""
    return hashlib.sha256(value + hashlib.sha256(line).digest()).digest()


def mismatch(what: str) -> WorkloadError:
    """The error about a PCR 13 that does not tell what the log tells."""
    return WorkloadError("measure.mismatch", f"PCR 13 cannot tell what runs in this boot: {what}")
