"""The chain from AMD's root key (ARK) over the signing key (ASK or ASVK) to a VCEK or VLEK.

Signatures are verified with the pinned keys. Certificates of ARK and ASK that came with evidence
must be the pinned ones, and are used for nothing else.
"""

from datetime import datetime
from functools import partial

from cryptography import x509

from ccgpu.attest import certificates
from ccgpu.attest.check import Checks, Rule, format_value
from ccgpu.attest.roots import AmdRoots, Anchor
from ccgpu.attest.snp import certificate, signatures
from ccgpu.attest.snp.certificate import PSS_SHA384
from ccgpu.attest.snp.vek import Vek

_KDS = "AMD VCEK specification (57230), 3"
_X509 = "RFC 5280, 6.1.3"

CHAIN = Rule("snp.chain", "the certificates of ASK and ARK can be read", "RFC 7468, 5")
CHAIN_LENGTH = Rule("snp.chain.length", "the chain is the ASK and then the ARK", _KDS)
ASK_ANCHOR = Rule("snp.ask.pinned", "the ASK is AMD's, as pinned", _KDS)
ASK_SIGNATURE = Rule("snp.ask.signature", "the ASK is issued and signed by the ARK", _X509)
ASK_DATES = Rule("snp.ask.dates", "the ASK is valid at the time", _X509)
ARK_ANCHOR = Rule("snp.ark.pinned", "the ARK is AMD's, as pinned", _KDS)
ARK_SIGNATURE = Rule("snp.ark.signature", "the ARK is issued and signed by itself", _X509)
ARK_DATES = Rule("snp.ark.dates", "the ARK is valid at the time", _X509)
AUTHORITY = Rule("snp.vek.authority", "AMD's key that signs such certificates is pinned", _KDS)
VEK_ISSUER = Rule("snp.vek.issuer", "the certificate of the key names that authority", _X509)
VEK_ALGORITHM = Rule("snp.vek.algorithm", "it is signed in the way that AMD signs", _KDS)
VEK_SIGNATURE = Rule("snp.vek.signature", "it is signed by that authority", _X509)
VEK_DATES = Rule("snp.vek.dates", "it is valid at the time", _X509)

_MAX_CERTIFICATES = 8  # more are not parsed


def verify(
    vek: Vek, chain: bytes | None, roots: AmdRoots | None, at: datetime, checks: Checks
) -> None:
    """Check a VEK certificate against one product's anchors, at a time.

    `chain`: ASK and ARK (PEM), if they came along. `roots`: None if the product is not pinned.
    """
    own = vek.certificate
    _check_dates(VEK_DATES, own.not_before, own.not_after, at, checks)
    checks.record_equal(VEK_ALGORITHM, PSS_SHA384, own.algorithm)
    signer = authority(vek, roots)
    pinned = f"{vek.product}, {vek.kind}"
    checks.record(AUTHORITY, signer is not None, pinned, pinned if signer else None)
    if roots is None or signer is None:
        return
    if chain is not None:
        _check_authorities(chain, signer, roots.ark, at, checks)
    checks.record_equal(VEK_ISSUER, signer.subject, own.issuer)
    signed = signatures.is_signed_by_authority(signer.spki, own.signature, own.signed)
    checks.record(
        VEK_SIGNATURE, signed, signer.subject, signer.subject if signed else "another key"
    )


def authority(vek: Vek, roots: AmdRoots | None) -> Anchor | None:
    """The anchor that signs this kind of VEK: ASK for a VCEK, ASVK for a VLEK; or None."""
    if roots is None:
        return None
    return roots.ask if vek.kind == "VCEK" else roots.asvk


def _check_authorities(
    chain: bytes, ask: Anchor, ark: Anchor, at: datetime, checks: Checks
) -> None:
    load = partial(certificates.load_chain, rule=CHAIN, limit=_MAX_CERTIFICATES)
    certificates_read = checks.parse(CHAIN, load, chain, "PEM certificates")
    if certificates_read is None:
        return
    names = [each.subject.rfc4514_string() for each in certificates_read]
    if not checks.record(
        CHAIN_LENGTH, len(certificates_read) == 2, [ask.subject, ark.subject], names
    ):
        return
    signing, root = certificates_read
    _check_anchor(ASK_ANCHOR, signing, ask, checks)
    _check_issuer(ASK_SIGNATURE, signing, ark, checks)
    _check_dates(ASK_DATES, signing.not_valid_before_utc, signing.not_valid_after_utc, at, checks)
    _check_anchor(ARK_ANCHOR, root, ark, checks)
    _check_issuer(ARK_SIGNATURE, root, ark, checks)
    _check_dates(ARK_DATES, root.not_valid_before_utc, root.not_valid_after_utc, at, checks)


def _check_anchor(
    rule: Rule, authority_certificate: x509.Certificate, pinned: Anchor, checks: Checks
) -> None:
    actual = certificates.anchor_of(authority_certificate)
    checks.record(
        rule,
        actual == pinned,
        f"{pinned.subject}, SHA-256 {pinned.sha256.hex()}",
        f"{actual.subject}, SHA-256 {actual.sha256.hex()}",
    )


def _check_issuer(
    rule: Rule, authority_certificate: x509.Certificate, issuer: Anchor, checks: Checks
) -> None:
    how, name = (
        certificate.algorithm(authority_certificate),
        authority_certificate.issuer.rfc4514_string(),
    )
    signed = signatures.is_signed_by_authority(
        issuer.spki, authority_certificate.signature, authority_certificate.tbs_certificate_bytes
    )
    checks.record(
        rule,
        signed and how == PSS_SHA384 and name == issuer.subject,
        f"{issuer.subject}, {PSS_SHA384}",
        f"{name}, {how}" if signed else "another key",
    )


def _check_dates(rule: Rule, start: datetime, end: datetime, at: datetime, checks: Checks) -> None:
    checks.record(rule, start <= at <= end, f"{format_value(start)} to {format_value(end)}", at)
