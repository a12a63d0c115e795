"""From NVIDIA's pinned root for manifests to the key that signed one: four certificates.

The root that a manifest brings along must be the pinned certificate, and is used for nothing: what
it signed is checked with the pinned key.
"""

from collections.abc import Sequence
from datetime import datetime

from cryptography import x509

from ccgpu.attest import certificates
from ccgpu.attest.check import Checks, Rule, shown
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
PATH_LENGTH = Rule("rim.chain.path-length", "no authority stands too high", f"{_CA} (m)")
CRITICAL = Rule("rim.chain.critical", "every critical extension is known", f"{_CA} (o)")
SIGNER = Rule("rim.signer.usage", "the signer signs data, and is no authority", "RFC 5280, 4.2.1.3")
EARLY = Rule("rim.signer.early", "the signer is valid already at the time", _X509)
EXPIRED = Rule("rim.signer.expired", "the signer is still valid at the time", _X509)

LENGTH_OF_CHAIN = 4
# NVIDIA signs manifests again before their signers expire: every two years.
_AGAIN = "fetch the manifest again: `ccgpu collateral fetch`"

Certificates = Sequence[x509.Certificate]


def verify(found: Certificates, root: Anchor, at: datetime, manifest: str, checks: Checks) -> None:
    """Check the certificates (the signer's first) of a `manifest`, as it is called, at a time."""
    _check_signer(found[0], at, manifest, checks)
    names = [usage.shown(each) for each in found]
    whole = checks.that(LENGTH, len(found) == LENGTH_OF_CHAIN, LENGTH_OF_CHAIN, names)
    actual = certificates.anchor(found[-1])
    checks.that(ROOT, actual == root, _named(root), _named(actual))
    if whole:
        _check_links(found, root, checks)
        _check_each(found, at, checks)


def _check_signer(signer: x509.Certificate, at: datetime, manifest: str, checks: Checks) -> None:
    signs = usage.signs_data(signer)
    usage.check_each(SIGNER, [signer], [signs], "signs data, is no authority", checks)
    name = usage.shown(signer)
    start, end = signer.not_valid_before_utc, signer.not_valid_after_utc
    expected = f"valid at {shown(at)}"
    early, late = at < start, at > end
    checks.that(EARLY, not early, expected, f"{name} of {manifest}, from {shown(start)}")
    since = f"{name} of {manifest}, expired {shown(end)}; {_AGAIN}"
    checks.that(EXPIRED, not late, expected, since if late else f"{name}, until {shown(end)}")


def _check_links(found: Certificates, root: Anchor, checks: Checks) -> None:
    keys = [
        *(certificates.public_key(each) for each in found[1:-1]),
        signatures.pinned_key(root.spki),
    ]
    below, above = found[:-1], found[1:]
    named = [one.issuer == other.subject for one, other in zip(below, above, strict=True)]
    usage.check_each(ISSUER, below, named, "issued by the next", checks)
    usage.check_each(ALGORITHM, found, map(usage.by_ecdsa, found), "ECDSA with SHA-384", checks)
    signed = [signatures.of_certificate(key, one) for one, key in zip(below, keys, strict=True)]
    usage.check_each(SIGNATURE, below, signed, "signed by the next", checks)


def _check_each(found: Certificates, at: datetime, checks: Checks) -> None:
    authorities = found[1:]
    on_curve = [signatures.on_p384(certificates.public_key(each)) for each in found]
    usage.check_each(KEY, found, on_curve, "keys on P-384", checks)
    valid = [each.not_valid_before_utc <= at <= each.not_valid_after_utc for each in authorities]
    usage.check_each(DATES, authorities, valid, f"valid at {shown(at)}", checks)
    are = map(usage.is_authority, authorities)
    usage.check_each(AUTHORITY, authorities, are, "authorities", checks)
    low = [usage.may_stand_above(below, each) for below, each in enumerate(authorities)]
    usage.check_each(PATH_LENGTH, authorities, low, "no higher than allowed", checks)
    usage.check_each(CRITICAL, found, map(usage.is_understood, found), "known", checks)


def _named(anchor: Anchor) -> str:
    return f"{anchor.subject}, SHA-256 {anchor.sha256.hex()}"
