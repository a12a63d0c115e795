"""The chain of four certificates from NVIDIA's root for manifests to the signer of one.

The root in the manifest must be the pinned certificate; what it signed is verified with the pinned
key.
"""

from collections.abc import Sequence
from datetime import datetime

from cryptography import x509

from ccgpu.attest import certificates
from ccgpu.attest.check import Checks, Rule, format_value
from ccgpu.attest.gpu import signatures, usage
from ccgpu.attest.roots import Anchor

_NVIDIA = "NVIDIA RIM service: the certificates in a manifest"
_X509 = "RFC 5280, 6.1.3"
_CA = "RFC 5280, 6.1.4"

LENGTH = Rule(
    "rim.chain.length", "there are four certificates, from the signer to the root", _NVIDIA
)
ROOT = Rule("rim.chain.root", "the root is NVIDIA's for manifests, as pinned", _NVIDIA)
ISSUER = Rule("rim.chain.issuer", "each certificate names the next one as its issuer", _X509)
ALGORITHM = Rule("rim.chain.algorithm", "each is signed with ECDSA and SHA-384", _NVIDIA)
KEY = Rule("rim.chain.key", "all keys are on P-384", _NVIDIA)
SIGNATURE = Rule("rim.chain.signature", "each is signed by the key of the next one", _X509)
DATES = Rule("rim.chain.dates", "the signer's authorities are valid at the time", _X509)
AUTHORITY = Rule("rim.chain.authority", "all but the signer are authorities", f"{_CA} (k), (n)")
PATH_LENGTH = Rule("rim.chain.path-length", "no path length constraint is violated", f"{_CA} (m)")
CRITICAL = Rule("rim.chain.critical", "every critical extension is known", f"{_CA} (o)")
SIGNER_USAGE = Rule(
    "rim.signer.usage", "the signer signs data, and is no authority", "RFC 5280, 4.2.1.3"
)
SIGNER_NOT_YET_VALID = Rule("rim.signer.early", "the signer is valid already at the time", _X509)
SIGNER_EXPIRED = Rule("rim.signer.expired", "the signer is still valid at the time", _X509)

LENGTH_OF_CHAIN = 4
# NVIDIA signs manifests anew before their signers expire, every two years.
_FETCH_AGAIN = "fetch the manifest again: `ccgpu collateral fetch`"

Certificates = Sequence[x509.Certificate]


def verify(certs: Certificates, root: Anchor, at: datetime, manifest: str, checks: Checks) -> None:
    """Verify the certificates of a manifest, the signer's first; `manifest`: its name in checks."""
    _check_signer(certs[0], at, manifest, checks)
    names = [usage.describe(each) for each in certs]
    whole = checks.record(LENGTH, len(certs) == LENGTH_OF_CHAIN, LENGTH_OF_CHAIN, names)
    actual = certificates.anchor_of(certs[-1])
    checks.record(ROOT, actual == root, _format_anchor(root), _format_anchor(actual))
    if whole:
        _check_links(certs, root, checks)
        _check_each(certs, at, checks)


def _check_signer(signer: x509.Certificate, at: datetime, manifest: str, checks: Checks) -> None:
    signs = usage.signs_data(signer)
    usage.check_each(SIGNER_USAGE, [signer], [signs], "signs data, is no authority", checks)
    name = usage.describe(signer)
    start, end = signer.not_valid_before_utc, signer.not_valid_after_utc
    expected = f"valid at {format_value(at)}"
    early, late = at < start, at > end
    checks.record(
        SIGNER_NOT_YET_VALID,
        not early,
        expected,
        f"{name} of {manifest}, from {format_value(start)}",
    )
    since = f"{name} of {manifest}, expired {format_value(end)}; {_FETCH_AGAIN}"
    checks.record(
        SIGNER_EXPIRED, not late, expected, since if late else f"{name}, until {format_value(end)}"
    )


def _check_links(certs: Certificates, root: Anchor, checks: Checks) -> None:
    keys = [
        *(certificates.public_key(each) for each in certs[1:-1]),
        signatures.pinned_key(root.spki),
    ]
    below, above = certs[:-1], certs[1:]
    named = [one.issuer == other.subject for one, other in zip(below, above, strict=True)]
    usage.check_each(ISSUER, below, named, "issued by the next", checks)
    usage.check_each(
        ALGORITHM, certs, map(usage.is_signed_with_ecdsa, certs), "ECDSA with SHA-384", checks
    )
    signed = [
        signatures.is_certificate_signed_by(key, one) for one, key in zip(below, keys, strict=True)
    ]
    usage.check_each(SIGNATURE, below, signed, "signed by the next", checks)


def _check_each(certs: Certificates, at: datetime, checks: Checks) -> None:
    authorities = certs[1:]
    on_curve = [signatures.is_p384_key(certificates.public_key(each)) for each in certs]
    usage.check_each(KEY, certs, on_curve, "keys on P-384", checks)
    valid = [each.not_valid_before_utc <= at <= each.not_valid_after_utc for each in authorities]
    usage.check_each(DATES, authorities, valid, f"valid at {format_value(at)}", checks)
    are = map(usage.is_authority, authorities)
    usage.check_each(AUTHORITY, authorities, are, "authorities", checks)
    low = [usage.allows_path_length(below, each) for below, each in enumerate(authorities)]
    usage.check_each(PATH_LENGTH, authorities, low, "no higher than allowed", checks)
    usage.check_each(CRITICAL, certs, map(usage.knows_critical_extensions, certs), "known", checks)


def _format_anchor(anchor: Anchor) -> str:
    return f"{anchor.subject}, SHA-256 {anchor.sha256.hex()}"
