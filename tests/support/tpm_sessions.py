"""The sessions in which tpm2-tools read an index: what a proxy in front of a TPM must know of them.

Source: TCG TPM 2.0 Library, Part 1, §18 and §19.6 (unbound, unsalted HMAC sessions; SHA-256).
"""

import hashlib
import hmac
import struct

from support.tpm_double import split_session

_START_AUTH_SESSION = 0x176
_PASSWORD = 0x40000009  # TPM_RS_PW
_SUCCESS = bytes(4)


class HmacSessions:
    """The sessions that have been started. The proxy answers with the TPM's last nonce again."""

    def __init__(self) -> None:
        self._nonces: dict[int, bytes] = {}

    def remember(self, command: bytes, answer: bytes) -> None:
        """Remember the TPM's nonce, if the command has started a session."""
        code = int.from_bytes(command[6:10], "big")
        if code == _START_AUTH_SESSION and answer[6:10] == _SUCCESS:
            handle, size = struct.unpack(">IH", answer[10:16])
            self._nonces[handle] = answer[16 : 16 + size]

    def sign(self, command: bytes, answer: bytes) -> bytes:
        """The proxy's own answer, signed as the session of the command wants it."""
        code, _, session, _ = split_session(command)
        if not session or answer[6:10] != _SUCCESS:
            return answer
        handle, size = struct.unpack(">IH", session[:6])
        if handle == _PASSWORD:
            return answer
        theirs, attributes = session[6 : 6 + size], session[6 + size : 7 + size]
        length = int.from_bytes(answer[10:14], "big")
        parameters = answer[14 : 14 + length]
        hashed = hashlib.sha256(_SUCCESS + struct.pack(">I", code) + parameters).digest()
        ours = self._nonces[handle]
        mac = hmac.digest(b"", hashed + ours + theirs + attributes, "sha256")
        signed = (
            struct.pack(">H", len(ours)) + ours + attributes + struct.pack(">H", len(mac)) + mac
        )
        body = answer[10:14] + parameters + signed
        return struct.pack(">HI", 0x8002, 10 + len(body)) + _SUCCESS + body
