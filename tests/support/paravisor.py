"""A paravisor in front of a TPM: it serves the HCL blob, and renews it when user-data is written.

The collector talks to one end of a pair of sockets, a thread passes every command on.
"""

import hashlib
import os
import pty
import select
import socket
import struct
import threading
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from cryptography.hazmat.primitives.asymmetric import rsa

from ccgpu.attest.hcl import layout
from ccgpu.fakeguest.evidence import hcl, snp
from ccgpu.fakeguest.evidence.amd import AmdAuthorities, SimulatedChip
from support import tpm_double
from support.tpm_sessions import HmacSessions

HCL, USER_DATA = 0x01400001, 0x01400002
_CHUNK = 1024  # bytes that a TPM reads or writes at once
Exchange = Callable[[bytes], bytes]
Fault = Callable[[int, bytes], bytes | None]


@dataclass
class Paravisor:
    """A confidential VM whose TPM is behind `exchange`.

    size: of the HCL blob; 2048 bytes hold one key. stored: the TPM has an index for the blob, which
    no real one has for 2600 bytes. ignored: how many reads of the blob's beginning do not renew it,
    though user-data was written; None: all. between: the renewal comes between two reads of its
    parts. fault: the answer to a command by its code and body, in place of the TPM's, or None.
    changes: to the SNP report. renewals: how often it was renewed.
    """

    amd: AmdAuthorities
    ak: rsa.RSAPublicKey
    exchange: Exchange
    size: int = layout.SIZES[-1]
    stored: bool = False
    vm_id: str = hcl.VM_UNIQUE_ID
    ignored: int | None = 0
    between: bool = False
    fault: Fault | None = None
    changes: dict[str, Any] = field(default_factory=dict)
    chip: SimulatedChip = field(default_factory=SimulatedChip)
    blob: bytes = b""
    commands: list[int] = field(default_factory=list)
    renewals: int = -1

    def __post_init__(self) -> None:
        self._written = bytes(64)
        self._sessions = HmacSessions()
        self.renew(self._written)

    def renew(self, user_data: bytes) -> None:
        """Make a new blob, which shows `user_data`."""
        self.renewals += 1
        claims = hcl.runtime_claims(self.ak, user_data, self.vm_id)
        if self.size < layout.SIZES[-1]:
            del claims["keys"][1]
        runtime = hcl.encode_claims(claims)
        data = hashlib.sha256(runtime).digest().ljust(64, b"\0")
        report = snp.snp_report(self.chip, **{"report_data": data, **self.changes})
        self.blob = hcl.HclBlob(report.signed_by(self.chip.key), runtime, self.size).raw
        for at in range(0, len(self.blob) if self.stored else 0, _CHUNK):
            written = self.exchange(tpm_double.nv_write(HCL, at, self.blob[at : at + _CHUNK]))
            assert written[6:10] == bytes(4), written

    @property
    def vek(self) -> bytes:
        """The certificate of the chip (DER)."""
        return self.amd.vcek(self.chip).signed_by(self.amd.ask_key)

    def answer(self, command: bytes) -> bytes:
        """The response to a command."""
        code, body = tpm_double.split(command)
        self.commands.append(code)
        if self.fault is not None and (instead := self.fault(code, body)) is not None:
            return instead
        if code == tpm_double.NV_READ and struct.unpack(">I", body[4:8]) == (HCL,):
            self._renew_on_read(*struct.unpack(">H", body[10:]))
        if not self.stored and (of_blob := self._of_blob(code, body)) is not None:
            return self._sessions.sign(command, of_blob)
        answer = self.exchange(command)
        self._sessions.remember(command, answer)
        written = code == tpm_double.NV_WRITE and struct.unpack(">I", body[4:8]) == (USER_DATA,)
        if written and answer[6:10] == bytes(4):
            self._written = body[10:74]
        return answer

    def _of_blob(self, code: int, body: bytes) -> bytes | None:
        """The response to a command about the blob's index; None for other commands."""
        if code == tpm_double.NV_READ_PUBLIC and body == struct.pack(">I", HCL):
            public = struct.pack(">IHIHH", HCL, 0x000B, 0x20060006, 0, len(self.blob))
            name = struct.pack(">H", 0x000B) + hashlib.sha256(public).digest()
            parts = [struct.pack(">H", len(part)) + part for part in (public, name)]
            return tpm_double.response(0, b"".join(parts))
        if code == tpm_double.NV_READ and struct.unpack(">I", body[4:8]) == (HCL,):
            return self._read_blob(*struct.unpack(">HH", body[8:]))
        return None

    def _read_blob(self, size: int, offset: int) -> bytes:
        if size > _CHUNK:
            return tpm_double.response(0x1C4)
        part = self.blob[offset : offset + size]
        assert len(part) == size
        return tpm_double.response(0, struct.pack(">H", size) + part, sessions=True)

    def _renew_on_read(self, offset: int) -> None:
        """Renew the blob, if the first part of it is read (or the next one: `between`)."""
        if offset != (_CHUNK if self.between else 0) or self.ignored is None:
            return
        if self.ignored:
            self.ignored -= 1
        elif self._written.hex().upper().encode() not in self.blob:
            self.renew(self._written)


class Served:
    """A paravisor that answers at a socket: `descriptor` is for the collector."""

    def __init__(self, paravisor: Paravisor) -> None:
        self._paravisor = paravisor
        self._ours, self._theirs = socket.socketpair()
        self._thread = threading.Thread(target=self._serve)
        self.problem: BaseException | None = None

    @property
    def descriptor(self) -> int:
        """The collector's end."""
        return self._theirs.fileno()

    def _serve(self) -> None:
        try:
            while command := read_message(self._ours):
                self._ours.sendall(self._paravisor.answer(command))
        except OSError:
            pass  # the collector has gone
        except BaseException as err:  # noqa: BLE001  # the test raises it
            self.problem = err
        finally:
            self._ours.close()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        err: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._theirs.shutdown(socket.SHUT_RDWR)
        self._theirs.close()
        self._thread.join()
        if self.problem is not None:
            raise self.problem


def read_message(stream: socket.socket) -> bytes:
    """One command or response of a TPM; empty at the end."""
    data, size = b"", 10
    while len(data) < size:
        part = stream.recv(size - len(data))
        if not part:
            return b""
        data += part
        if len(data) >= 10:
            size = int.from_bytes(data[2:6], "big")
    return data


@contextmanager
def served_as_device(paravisor: Paravisor, device: Path) -> Iterator[None]:
    """A paravisor that answers at `device` as if it were /dev/tpmrm0: a terminal without echo."""
    ours, theirs = pty.openpty()
    tty.setraw(theirs)
    device.parent.mkdir()
    device.symlink_to(os.ttyname(theirs))
    done = threading.Event()

    def serve() -> None:
        command = b""
        while not done.is_set():
            if not select.select([ours], [], [], 0.02)[0]:
                continue
            command += os.read(ours, 4096)
            if len(command) >= 10 and len(command) == int.from_bytes(command[2:6], "big"):
                os.write(ours, paravisor.answer(command))
                command = b""

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
        os.close(ours)
        os.close(theirs)
