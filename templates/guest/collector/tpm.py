"""A TPM 2.0, spoken to in bare commands: nothing but Python is needed for it.

Source: TCG TPM 2.0 Library, Part 2 (structures) and Part 3 (commands); big endian.
"""

import os
import select
import struct
import time
from collections.abc import Sequence

from ccgpu.templates.guest.collector.settings import CollectorError

NV_HCL, NV_USER_DATA = 0x01400001, 0x01400002  # Azure CVM guest attestation design
AK = 0x81000003  # the same; the private half of HCLAkPub
OWNER = 0x40000001  # TPM_RH_OWNER
NO_SESSIONS, SESSIONS = 0x8001, 0x8002  # TPM_ST
EMPTY_PASSWORD = struct.pack(">IIHBH", 9, 0x40000009, 0, 0, 0)  # TPM_RS_PW, Part 1, §19.4
COMMANDS = {
    "NV_DefineSpace": 0x12A,
    "NV_Write": 0x137,
    "NV_Read": 0x14E,
    "Quote": 0x158,
    "NV_ReadPublic": 0x169,
    "PCR_Read": 0x17E,
    "PCR_Extend": 0x182,
}
AGAIN = (0x908, 0x90A, 0x922)  # TPM_RC_YIELDED, TPM_RC_TESTING, TPM_RC_RETRY
NO_SUCH_HANDLE = 0x18B  # TPM_RC_HANDLE of the first handle
CHUNK = 1024  # bytes of an NV index that one command reads; a TPM may refuse more
ANSWER_LIMIT = 4096  # bytes of one answer, the buffer of Linux's TPM driver
SHA256, RSASSA = 0x000B, 0x0014
PCRS = 24
PCRS_AT_ONCE = 8  # PCR_Read answers with at most so many digests
OWNER_READ_WRITE = 0x00020002  # TPMA_NV_OWNERREAD, TPMA_NV_OWNERWRITE


class TpmError(CollectorError):
    """The TPM refused a command. `rc`: its response code."""

    def __init__(self, name: str, rc: int) -> None:
        super().__init__("tpm.error", f"the TPM answers {name} with the code {rc:#05x}")
        self.rc = rc


class RawTpm:
    """A TPM behind a descriptor: a device of Linux, or a socket."""

    def __init__(self, descriptor: int, seconds: float) -> None:
        self._descriptor = descriptor
        self._seconds = seconds

    def command(
        self, name: str, handles: Sequence[int], parameters: bytes = b"", *, sessions: bool = True
    ) -> bytes:
        """The parameters of the answer. A TPM that is busy is asked again."""
        body = struct.pack(f">{len(handles)}I", *handles)
        body += (EMPTY_PASSWORD if sessions else b"") + parameters
        tag = SESSIONS if sessions else NO_SESSIONS
        whole = struct.pack(">HII", tag, 10 + len(body), COMMANDS[name]) + body
        end = time.monotonic() + self._seconds
        while True:
            code, answer = self._exchange(whole, name)
            if code == 0:
                break
            if code not in AGAIN or time.monotonic() > end:
                raise TpmError(name, code)
            time.sleep(0.02)
        if not sessions:
            return answer
        size = int.from_bytes(answer[:4], "big")
        return answer[4 : 4 + size]

    def _exchange(self, whole: bytes, name: str) -> tuple[int, bytes]:
        """Send a command; returns the response code, and what follows it."""
        answer, size = b"", 10
        end = time.monotonic() + self._seconds
        try:
            while whole:
                whole = whole[os.write(self._descriptor, whole) :]
            while len(answer) < size:
                left = max(0.0, end - time.monotonic())
                ready, _, _ = select.select([self._descriptor], [], [], left)
                part = os.read(self._descriptor, ANSWER_LIMIT) if ready else b""
                if not part:
                    what = "closed the connection" if ready else f"gives no answer to {name}"
                    raise CollectorError("tpm.error", f"the TPM {what}")
                answer += part
                if len(answer) >= 10:
                    size = int.from_bytes(answer[2:6], "big")
        except OSError as err:
            raise CollectorError("tpm.error", f"the TPM cannot be reached: {err}") from err
        if not 10 <= size == len(answer) <= ANSWER_LIMIT:
            raise CollectorError("tpm.error", f"the answer of the TPM to {name} is malformed")
        return int.from_bytes(answer[6:10], "big"), answer[10:]

    def nv_size(self, index: int) -> int | None:
        """The size of an NV index in bytes; None if it is not defined."""
        try:
            answer = self.command("NV_ReadPublic", [index], sessions=False)
        except TpmError as err:
            if err.rc == NO_SUCH_HANDLE:
                return None
            raise
        public, _ = sized(answer)  # TPMS_NV_PUBLIC: it ends with the size
        return int.from_bytes(public[-2:], "big")

    def nv_read(self, index: int, size: int, start: int = 0) -> bytes:
        """The content of an NV index of `size` bytes, from byte `start` on."""
        content = b""
        while start + len(content) < size:
            at = start + len(content)
            wanted = min(CHUNK, size - at)
            parameters = struct.pack(">HH", wanted, at)
            part, _ = sized(self.command("NV_Read", [OWNER, index], parameters))
            if len(part) != wanted:
                raise CollectorError("tpm.error", "the TPM reads less than it was asked for")
            content += part
        return content

    def nv_define(self, index: int, size: int) -> None:
        """Define an NV index that the owner reads and writes."""
        public = struct.pack(">IHIHH", index, SHA256, OWNER_READ_WRITE, 0, size)
        parameters = bytes(2) + struct.pack(">H", len(public)) + public
        self.command("NV_DefineSpace", [OWNER], parameters)

    def nv_write(self, index: int, data: bytes) -> None:
        """Write the whole content of an NV index."""
        parameters = struct.pack(">H", len(data)) + data + bytes(2)
        self.command("NV_Write", [OWNER, index], parameters)

    def pcrs(self) -> list[bytes]:
        """The values of all PCRs of the SHA-256 bank."""
        values: list[bytes] = []
        for first in range(0, PCRS, PCRS_AT_ONCE):
            bitmap = (((1 << PCRS_AT_ONCE) - 1) << first).to_bytes(3, "little")
            answer = self.command("PCR_Read", [], selection(bitmap), sessions=False)
            # pcrUpdateCounter (4), TPML_PCR_SELECTION (10), number of digests (4), digests
            if answer[4:14] != selection(bitmap):
                raise CollectorError("tpm.error", "the TPM has no complete SHA-256 bank of PCRs")
            rest = answer[18:]
            for _ in range(PCRS_AT_ONCE):
                value, rest = sized(rest)
                values.append(value)
        return values

    def pcr_extend(self, pcr: int, digest: bytes) -> None:
        """Extend a PCR of the SHA-256 bank by a digest of 32 bytes."""
        values = struct.pack(">IH", 1, SHA256) + digest  # TPML_DIGEST_VALUES
        self.command("PCR_Extend", [pcr], values)

    def quote(self, qualifying_data: bytes) -> tuple[bytes, bytes]:
        """TPMS_ATTEST and TPMT_SIGNATURE of all PCRs."""
        scheme = struct.pack(">HH", RSASSA, SHA256)
        data = struct.pack(">H", len(qualifying_data)) + qualifying_data
        return sized(self.command("Quote", [AK], data + scheme + selection(b"\xff" * 3)))


def sized(data: bytes) -> tuple[bytes, bytes]:
    """The buffer that `data` begins with (2 bytes size), and the rest."""
    end = 2 + int.from_bytes(data[:2], "big")
    if len(data) < max(2, end):
        raise CollectorError("tpm.error", "an answer of the TPM is too short")
    return data[2:end], data[end:]


def selection(bitmap: bytes) -> bytes:
    """These PCRs of the SHA-256 bank (TPML_PCR_SELECTION)."""
    return struct.pack(">IHB", 1, SHA256, len(bitmap)) + bitmap
