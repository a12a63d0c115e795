"""Verifies the signature of a bundle: somebody whom the caller names vouches for its bytes.

It says who made or checked the file. It says nothing of the machine: only evidence does.
"""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from fnmatch import fnmatchcase

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import load_der_public_key

from ccgpu.attest.check import Checks, Malformed, Rule, format_value
from ccgpu.attest.signature import ssh_keys, sshsig
from ccgpu.attest.signature.sshsig import FORMAT, SshSignature
from ccgpu.domain import canonical_base64, hostkey
from ccgpu.domain.signers import NAMESPACE, PublicKeySigner, SignedFile, Signer, SshSigner

ABSENT = Rule(
    "bundle.signature.absent", "a signature of the bundle is at hand", "docs/evidence.md, Signed"
)
SIGNER = Rule(
    "bundle.signature.signer", "one of the given signers made the signature", "docs/evidence.md"
)
PURPOSE = Rule(
    "bundle.signature.namespace",
    "the signature was made for a bundle of ccgpu",
    "OpenSSH, PROTOCOL.sshsig, namespace",
)
VALIDITY = Rule(
    "bundle.signature.validity",
    "the signer's key is valid at the time of the verdict",
    "ssh-keygen(1), ALLOWED SIGNERS, valid-after and valid-before",
)
INVALID = Rule(
    "bundle.signature.invalid",
    "the signature is over exactly these bytes",
    "OpenSSH, PROTOCOL.sshsig; FIPS 186-5",
)
FACT = "bundle signed by"
_BARE, _OVER_THESE = "base64, as cosign writes it", "a signature over these bytes"
_SHOWN = 5  # signers that a check names


def verify(signed: SignedFile, at: datetime, checks: Checks) -> Mapping[str, str]:
    """Check the signature; returns the fact of who signed, which counts if all checks hold."""
    raw = signed.signature
    if raw is None:
        checks.record(ABSENT, False, "a signature", None)
        return {}
    checks.record(ABSENT, True, "a signature", "a signature")
    if raw.lstrip().startswith(sshsig.BEGIN):
        parsed = checks.parse(FORMAT, sshsig.parse, raw, "a signature of ssh-keygen")
        return {} if parsed is None else _verify_ssh(signed, parsed, at, checks)
    value = checks.parse(FORMAT, _decode, raw, _BARE)
    return {} if value is None else _verify_bare(signed, value, checks)


def _verify_ssh(
    signed: SignedFile, signature: SshSignature, at: datetime, checks: Checks
) -> Mapping[str, str]:
    given = [each for each in signed.signers if isinstance(each, SshSigner)]
    of_key = [each for each in given if each.fingerprint == signature.fingerprint]
    shown = hostkey.fingerprint(signature.fingerprint)
    checks.record(SIGNER, bool(of_key), _names(signed), shown)
    checks.record_equal(PURPOSE, NAMESPACE, signature.namespace)
    # One key may stand on several lines: the first one that counts is taken.
    counting = [each for each in of_key if _counts(each, at)]
    if of_key:
        checks.record(VALIDITY, bool(counting), _validity(of_key[0]), at)
    try:
        good = ssh_keys.verifies(
            signature.key, signature.signature, signature.signed_bytes(signed.data)
        )
        _record(checks, good=good)
    except ValueError as err:
        checks.record(INVALID, False, _OVER_THESE, f"cannot be verified: {err}")
    name = counting[0].name if counting else ""
    return {FACT: f"{name} {shown}".lstrip()}


def _counts(signer: SshSigner, at: datetime) -> bool:
    """Whether the line of allowed_signers is for this purpose and this time."""
    fits = any(fnmatchcase(NAMESPACE, pattern) for pattern in signer.namespaces)
    after, before = signer.valid_after, signer.valid_before
    return (
        (fits or not signer.namespaces)
        and (after is None or after <= at)
        and (before is None or at < before)
    )


def _validity(signer: SshSigner) -> str:
    words = [f"for {', '.join(signer.namespaces)}"] if signer.namespaces else []
    words += [f"after {format_value(signer.valid_after)}"] if signer.valid_after else []
    words += [f"before {format_value(signer.valid_before)}"] if signer.valid_before else []
    return " ".join(words) or "any time"


def _verify_bare(signed: SignedFile, value: bytes, checks: Checks) -> Mapping[str, str]:
    """A signature without its key: one of the given keys must have made it."""
    keys = [each for each in signed.signers if isinstance(each, PublicKeySigner)]
    wanted = _names(signed)
    checks.record(SIGNER, bool(keys), wanted, wanted if keys else "a signature that names no key")
    by = next((each for each in keys if _is_signed_by(each.spki, value, signed.data)), None)
    _record(checks, good=by is not None)
    return {} if by is None else {FACT: _name(by)}


def _record(checks: Checks, *, good: bool) -> None:
    checks.record(INVALID, good, _OVER_THESE, _OVER_THESE if good else "one over other bytes")


def _is_signed_by(spki: bytes, value: bytes, data: bytes) -> bool:
    """As cosign signs: ECDSA and RSA (PKCS #1 v1.5) with SHA-256, or Ed25519."""
    key = load_der_public_key(spki)
    try:
        match key:
            case ec.EllipticCurvePublicKey():
                key.verify(value, data, ec.ECDSA(hashes.SHA256()))
            case rsa.RSAPublicKey():
                key.verify(value, data, padding.PKCS1v15(), hashes.SHA256())
            case ed25519.Ed25519PublicKey():
                key.verify(value, data)
            case _:
                return False
    except InvalidSignature:
        return False
    return True


def _decode(raw: bytes) -> bytes:
    try:
        value = canonical_base64.decode(raw.strip())
    except ValueError as err:
        raise Malformed(FORMAT, _BARE, f"it {err}") from err
    if not value:
        raise Malformed(FORMAT, _BARE, "nothing")
    return value


def _names(signed: SignedFile) -> str:
    """The given signers, for people."""
    rest = len(signed.signers) - _SHOWN
    more = [f"{rest} more"] if rest > 0 else []
    return ", ".join([*map(_name, signed.signers[:_SHOWN]), *more])


def _name(signer: Signer) -> str:
    if isinstance(signer, SshSigner):
        return hostkey.fingerprint(signer.fingerprint)
    return f"the public key with SHA-256 {hashlib.sha256(signer.spki).hexdigest()}"
