"""The VM's TPM by one of two ways: tpm2-tools if they are installed, else bare commands.

There is no way back from a tool that fails: its message is the error.
"""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from ccgpu.templates.guest.collector.settings import CollectorError, Settings
from ccgpu.templates.guest.collector.tools import TpmTools
from ccgpu.templates.guest.collector.tpm import RawTpm

PROGRAMS, DEVICE = "usr/bin", "dev/tpmrm0"
QUOTE_TRIES = 5  # a PCR may be extended between the quote and the reading of the values


class Tpm(Protocol):
    """What is asked of a TPM. The methods are described in `RawTpm` and `TpmTools`."""

    def nv_size(self, index: int) -> int | None: ...  # noqa: D102

    def nv_read(self, index: int, size: int, start: int = 0) -> bytes: ...  # noqa: D102

    def nv_define(self, index: int, size: int) -> None: ...  # noqa: D102

    def nv_write(self, index: int, data: bytes) -> None: ...  # noqa: D102

    def pcrs(self) -> list[bytes]: ...  # noqa: D102

    def pcr_extend(self, pcr: int, digest: bytes) -> None: ...  # noqa: D102

    def quote(self, qualifying_data: bytes) -> tuple[bytes, bytes]: ...  # noqa: D102


@contextmanager
def open_tpm(settings: Settings) -> Iterator[Tpm]:
    """The TPM of the VM. With a descriptor of its own, bare commands go there."""
    limit = settings.limits["tpm"]
    if settings.tpm is not None:
        yield RawTpm(settings.tpm, limit)
        return
    device = settings.root / DEVICE
    try:
        descriptor = os.open(device, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError as err:
        raise CollectorError("tpm.absent", f"the VM has no TPM: {device} does not exist") from err
    except OSError as err:
        raise CollectorError("tpm.error", f"the TPM cannot be opened: {err}") from err
    tools = TpmTools(settings.root / PROGRAMS, device, limit)
    if tools.are_installed:
        os.close(descriptor)
        yield tools
        return
    try:
        yield RawTpm(descriptor, limit)
    finally:
        os.close(descriptor)


def write_index(tpm: Tpm, index: int, data: bytes) -> None:
    """Write the whole content of an NV index; it is defined if it does not exist."""
    size = tpm.nv_size(index)
    if size is None:
        tpm.nv_define(index, len(data))
    elif size != len(data):
        raise CollectorError(
            "tpm.error", f"NV index {index:#010x} has {size} bytes instead of {len(data)}"
        )
    tpm.nv_write(index, data)


def quote_pcrs(tpm: Tpm, qualifying_data: bytes) -> tuple[bytes, bytes, list[bytes]]:
    """TPMS_ATTEST and TPMT_SIGNATURE of all PCRs, and the values that were quoted."""
    for _ in range(QUOTE_TRIES):
        message, signature = tpm.quote(qualifying_data)
        values = tpm.pcrs()
        if message.endswith(hashlib.sha256(b"".join(values)).digest()):
            return message, signature, values
    raise CollectorError("tpm.error", "the PCRs change all the time")
