"""Reads `--signer`: a fingerprint, public keys of SSH, allowed_signers, or a public key in PEM."""

import base64
import hashlib
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from ccgpu.domain import hostkey, sshkey
from ccgpu.domain.signers import PublicKeySigner, Signer, SshSigner
from ccgpu.errors import InvalidFile, Problem, UsageProblem
from ccgpu.store.input_files import input_name
from ccgpu.store.named_files import read_bounded

MAX_BYTES = 64 * 1024
_HINT = (
    "give a .pub file, allowed_signers (ssh-keygen(1)), a public key in PEM such as cosign.pub, "
    "or the fingerprint that `ssh-keygen -lf FILE` prints"
)
_ALGORITHM = re.compile(r"(?:ssh-|ecdsa-sha2-|sk-)[a-z0-9@.-]+")
_OPTION = re.compile(r'([a-z-]+)(?:="([^"]*)")?', re.IGNORECASE)
_OPTIONS = re.compile(rf"{_OPTION.pattern}(?:,{_OPTION.pattern})*", re.IGNORECASE)
# ssh-keygen(1), ALLOWED SIGNERS: YYYYMMDD[Z] or YYYYMMDDHHMM[SS][Z].
_TIME_FORMATS = {8: "%Y%m%d", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}


def read_signers(text: str) -> list[Signer]:
    """The signers that count.

    Raises:
        UsageProblem: `text` starts with `SHA256:`, but is no fingerprint.
        InvalidFile: The file cannot be read, or names no signer.
    """
    if text.upper().startswith("SHA256:"):
        try:
            return [SshSigner(hostkey.digest_of(text))]
        except ValueError as err:
            raise UsageProblem(f"--signer {text[:60]!a} {err}", hint=_HINT) from err
    try:
        raw = read_bounded(text, Path(), MAX_BYTES, "a file of public keys")
        if len(raw) > MAX_BYTES:
            raise ValueError(f"is larger than {MAX_BYTES} bytes")  # noqa: TRY301
        return _parse(raw)
    except ValueError as err:
        raise InvalidFile(input_name(text), [Problem("", str(err))], hint=_HINT) from err


def _parse(raw: bytes) -> list[Signer]:
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        raise ValueError("is not text") from None
    if sshkey.is_private(text):
        raise ValueError("holds a private key: name the public one, the same path with .pub")
    if "-----BEGIN PUBLIC KEY-----" in text:
        return [_parse_pem(raw)]
    lines = [line.strip() for line in text.splitlines()]
    found = [_parse_line(line) for line in lines if line and not line.startswith("#")]
    if not found:
        raise ValueError("names no signer")
    return [*found]


def _parse_pem(raw: bytes) -> PublicKeySigner:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization as to

    try:
        key = to.load_pem_public_key(raw)
    except (ValueError, UnsupportedAlgorithm):
        raise ValueError("holds no public key in PEM that can be read") from None
    der = key.public_bytes(to.Encoding.DER, to.PublicFormat.SubjectPublicKeyInfo)
    return PublicKeySigner(der)


def _parse_line(line: str) -> SshSigner:
    """A line of a .pub file, or of allowed_signers: principals, options, key type, key."""
    words = line.split()
    at = next((i for i, word in enumerate(words[:3]) if _ALGORITHM.fullmatch(word)), None)
    if at is None or len(words) < at + 2:
        raise ValueError("has a line that is neither a public key nor one of allowed_signers")
    blob = _key_blob(words[at], words[at + 1])
    options = _parse_options(words[1]) if at == 2 else {}
    return SshSigner(
        hashlib.sha256(blob).digest(),
        words[0] if at else " ".join(words[2:]),
        tuple(filter(None, options.get("namespaces", "").split(","))),
        _parse_time(options.get("valid-after")),
        _parse_time(options.get("valid-before")),
    )


def _key_blob(kind: str, encoded: str) -> bytes:
    try:
        blob = base64.b64decode(encoded, validate=True)
    except ValueError:
        raise ValueError(f"holds a {kind} key that is not whole") from None
    if not blob.startswith(len(kind).to_bytes(4) + kind.encode()):
        raise ValueError(f"holds a key that is not of its type {kind}")
    return blob


def _parse_options(text: str) -> Mapping[str, str]:
    """The options of a line. One that is unknown, or could be misread, is refused."""
    if not _OPTIONS.fullmatch(text):
        raise ValueError(f"has options that cannot be read: {text[:60]!a}")
    found = {name.lower(): value for name, value in _OPTION.findall(text)}
    for name, value in found.items():
        if name not in ("namespaces", "valid-after", "valid-before"):
            raise ValueError(f"has the option {name!a}, which ccgpu does not support")
        if not value or re.search(r"[\[!]", value):
            raise ValueError(f"has a value of {name} that cannot be read: {value[:60]!a}")
    return found


def _parse_time(text: str | None) -> datetime | None:
    if text is None:
        return None
    digits = text.removesuffix("Z").removesuffix("z")
    if digits == text or len(digits) not in _TIME_FORMATS:
        raise ValueError(
            f"has the time {text[:20]!a}: write it in UTC, as YYYYMMDDZ or YYYYMMDDHHMMSSZ"
        )
    try:
        found = datetime.strptime(digits, _TIME_FORMATS[len(digits)])  # noqa: DTZ007  # UTC below
    except ValueError:
        raise ValueError(f"has the time {text[:20]!a}, which does not exist") from None
    return found.replace(tzinfo=UTC)
