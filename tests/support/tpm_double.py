"""A TPM in memory that knows the commands of ccgpu's scripts, and no others (big endian).

It has an attestation key, PCR values and NV indexes of any size; a real one refuses 2600 bytes.
"""

import hashlib
import struct
from collections.abc import Mapping

from cryptography.hazmat.primitives.asymmetric import rsa

from ccgpu.fakeguest.evidence import quote

NV_DEFINE, NV_WRITE, NV_READ = 0x12A, 0x137, 0x14E
QUOTE, NV_READ_PUBLIC, PCR_READ, PCR_EXTEND = 0x158, 0x169, 0x17E, 0x182
ABSENT, RETRY = 0x18B, 0x922
_SESSIONS = 0x8002
_EMPTY_PASSWORD = bytes.fromhex("00000009400000090000000000")
_OWNER = 0x40000001
_CHUNK = 1024
_HANDLES = {
    NV_DEFINE: 1,
    NV_WRITE: 2,
    NV_READ: 2,
    QUOTE: 1,
    PCR_EXTEND: 1,
}  # of commands with a session


def response(code: int, parameters: bytes = b"", *, sessions: bool = False) -> bytes:
    """A response; after an error it has no parameters."""
    if code:
        return struct.pack(">HII", 0x8001, 10, code)
    if sessions:
        parameters = struct.pack(">I", len(parameters)) + parameters + bytes.fromhex("0000010000")
    return struct.pack(">HII", 0x8002 if sessions else 0x8001, 10 + len(parameters), 0) + parameters


def split(command: bytes) -> tuple[int, bytes]:
    """The code of a command, and its handles with the parameters but without the session."""
    code, handles, session, parameters = split_session(command)
    return code, handles + (parameters if session else command[10:])


def split_session(command: bytes) -> tuple[int, bytes, bytes, bytes]:
    """The code of a command, its handles, its session and its parameters (Part 1, §18).

    Without a session all three are empty, as are those of commands that are of no interest.
    """
    tag, size, code = struct.unpack(">HII", command[:10])
    assert size == len(command)
    if tag != _SESSIONS or code not in _HANDLES:
        return code, b"", b"", b""
    body, at = command[10:], 4 * _HANDLES[code]
    end = at + 4 + int.from_bytes(body[at : at + 4], "big")
    return code, body[:at], body[at + 4 : end], body[end:]


def nv_write(index: int, offset: int, data: bytes) -> bytes:
    """The command that writes into an index."""
    body = struct.pack(">II", _OWNER, index) + struct.pack(">I", len(_EMPTY_PASSWORD) - 4)
    body += _EMPTY_PASSWORD[4:] + struct.pack(">H", len(data)) + data + struct.pack(">H", offset)
    return struct.pack(">HII", _SESSIONS, 10 + len(body), NV_WRITE) + body


class TpmDouble:
    """The TPM. `nv`: content of its indexes."""

    def __init__(self, ak: rsa.RSAPrivateKey | None, pcrs: Mapping[int, bytes]) -> None:
        self.ak, self.pcrs = ak, dict(pcrs)
        self.nv: dict[int, bytes] = {}

    def exchange(self, command: bytes) -> bytes:
        """The response to a command."""
        code, body = split(command)
        assert split_session(command)[2] in (b"", _EMPTY_PASSWORD[4:])
        if code == NV_READ_PUBLIC:
            return self._read_public(*struct.unpack(">I", body))
        if code == NV_DEFINE:
            owner, _, _, index, _, _, _, size = struct.unpack(">IHHIHIHH", body)
            assert owner == _OWNER
            self.nv[index] = bytes(size)
            return response(0, sessions=True)
        if code == NV_READ:
            return self._read(*struct.unpack(">IIHH", body))
        if code == NV_WRITE:
            owner, index, size = struct.unpack(">IIH", body[:10])
            assert (owner, len(self.nv[index])) == (_OWNER, size)
            self.nv[index] = body[10 : 10 + size]
            return response(0, sessions=True)
        if code == PCR_READ:
            (bits,) = struct.unpack("<I", body[7:] + b"\0")
            values = [self.pcrs[index] for index in range(24) if bits >> index & 1]
            listed = b"".join(struct.pack(">H", len(value)) + value for value in values)
            return response(0, bytes(4) + body + struct.pack(">I", len(values)) + listed)
        if code == PCR_EXTEND:
            index, count, algorithm = struct.unpack(">IIH", body[:10])
            assert (count, algorithm, len(body)) == (1, 0x000B, 42)
            self.pcrs[index] = hashlib.sha256(self.pcrs[index] + body[10:]).digest()
            return response(0, sessions=True)
        assert code == QUOTE
        return self._quote(body)

    def _read_public(self, index: int) -> bytes:
        if index not in self.nv:
            return response(ABSENT)
        public = struct.pack(">IHIHH", index, 0x000B, 0x20060006, 0, len(self.nv[index]))
        name = b"\x00\x22" + bytes(34)
        return response(0, struct.pack(">H", len(public)) + public + name)

    def _read(self, owner: int, index: int, size: int, offset: int) -> bytes:
        assert owner == _OWNER
        if size > _CHUNK:
            return response(0x1C4)
        if offset + size > len(self.nv[index]):
            return response(0x146)
        part = self.nv[index][offset : offset + size]
        return response(0, struct.pack(">H", size) + part, sessions=True)

    def _quote(self, body: bytes) -> bytes:
        if self.ak is None:
            return response(ABSENT)
        handle, size = struct.unpack(">IH", body[:6])
        assert handle == 0x81000003
        extra = body[6 : 6 + size]
        assert body[6 + size :] == bytes.fromhex("0014000b00000001000b03ffffff")
        message = quote.QuoteTemplate(self.pcrs, extra).raw
        signature = quote.tpmt_signature(quote.sign_quote(self.ak, message))
        return response(0, struct.pack(">H", len(message)) + message + signature, sessions=True)
