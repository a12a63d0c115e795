"""AMD's certificate revocation lists (CRL), signed by the ARK (RFC 5280, 6.3).

Whether a list is required is for the policy. Every list that the ARK signed may revoke, of any age;
the newest one must be current.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from cryptography import x509

from ccgpu.attest import certificates
from ccgpu.attest.check import Checks, Malformed, Rule, format_value
from ccgpu.attest.roots import AmdRoots
from ccgpu.attest.snp import certificate, signatures
from ccgpu.attest.snp.certificate import PSS_SHA384
from ccgpu.attest.snp.vek import Vek

_KDS = "AMD VCEK specification (57230), 4"
_X509 = "RFC 5280, 6.3.3"

PRESENT = Rule("snp.crl.present", "AMD's revocation list is there", _KDS)
READABLE = Rule("snp.crl", "AMD's revocation list can be read", "RFC 5280, 5.1")
COMPLETE = Rule("snp.crl.complete", "the revocation list does not limit its scope", _X509)
ISSUER = Rule("snp.crl.issuer", "the revocation list is the ARK's", _X509)
ALGORITHM = Rule("snp.crl.algorithm", "the revocation list is signed in the way AMD signs", _KDS)
SIGNATURE = Rule("snp.crl.signature", "the revocation list is signed by the ARK", _X509)
WINDOW = Rule("snp.crl.window", "the revocation list is current", _X509)
AUTHORITIES_NOT_REVOKED = Rule("snp.crl.authorities", "neither ARK nor ASK is revoked", _X509)
VEK_NOT_REVOKED = Rule("snp.crl.vek", "the certificate of the key is not revoked", _X509)

_SIZE_LIMIT = 1024 * 1024


@dataclass(frozen=True, slots=True)
class AmdRevocationList:
    """A parsed revocation list; `critical`: OIDs of its critical extensions."""

    issuer: str
    this_update: datetime
    next_update: datetime | None
    serials: frozenset[int]
    critical: tuple[str, ...]
    algorithm: str
    signed: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class _CheckedList:
    """A list and its checks. `signed`: by the ARK. `whole`: it does not limit its scope."""

    crl: AmdRevocationList | None = None
    signed: bool = False
    whole: bool = False
    checks: Checks = field(default_factory=Checks)


def verify(
    lists: Sequence[bytes], vek: Vek, roots: AmdRoots | None, at: datetime, checks: Checks
) -> None:
    """Check revocation lists (DER or PEM), and that none revokes the VEK or its authorities.

    The newest list that the ARK signed must be current. A list that is unreadable or signed by
    another key is ignored, unless there is no better one: then its checks fail.
    """
    checked = [_check_list(data, roots) for data in dict.fromkeys(lists)]
    newest = _newest(checked, at)
    checks.adopt(newest.checks)
    if newest.crl is None or roots is None:  # without roots, `chain` has failed
        return
    _check_window(newest.crl, at, checks)
    counted = [each.crl for each in checked if each.crl and (each.signed or each is newest)]
    _check_not_revoked(frozenset().union(*(each.serials for each in counted)), vek, roots, checks)


def _check_list(data: bytes, roots: AmdRoots | None) -> _CheckedList:
    checks = Checks()
    crl = checks.parse(READABLE, parse, data, "a revocation list")
    if crl is None or roots is None:
        return _CheckedList(crl, checks=checks)
    ark = roots.ark
    whole = checks.record_equal(COMPLETE, (), crl.critical)
    issued = checks.record_equal(ISSUER, ark.subject, crl.issuer)
    known_algorithm = checks.record_equal(ALGORITHM, PSS_SHA384, crl.algorithm)
    signed = signatures.is_signed_by_authority(ark.spki, crl.signature, crl.signed)
    checks.record(SIGNATURE, signed, ark.subject, ark.subject if signed else "another key")
    return _CheckedList(crl, issued and known_algorithm and signed, whole, checks)


def _newest(checked: Sequence[_CheckedList], at: datetime) -> _CheckedList:
    """The newest list signed by the ARK and not of the future; the first one if there is none."""
    genuine = [(each.crl.this_update, each) for each in checked if each.crl and each.signed]
    whole = [pair for pair in genuine if pair[1].whole] or genuine
    begun = [pair for pair in whole if pair[0] <= at] or whole
    return max(begun, key=lambda pair: pair[0])[1] if begun else checked[0]


def parse(data: bytes) -> AmdRevocationList:
    """Parse a revocation list (DER or PEM, at most 1 MiB), or raise `Malformed`."""
    if len(data) > _SIZE_LIMIT:
        raise Malformed(READABLE, f"at most {_SIZE_LIMIT} bytes", f"{len(data)} bytes")
    der = certificates.read_der_of_list(data, READABLE)
    return certificates.parse_without_warnings(_parse, der, READABLE)


def _parse(data: bytes) -> AmdRevocationList:
    crl = x509.load_der_x509_crl(data)
    certificates.require_whole_bytes(crl.signature, data)
    entries = list(crl)
    return AmdRevocationList(
        issuer=crl.issuer.rfc4514_string(),
        this_update=crl.last_update_utc,
        next_update=crl.next_update_utc,
        serials=frozenset(entry.serial_number for entry in entries),
        critical=_critical(crl.extensions, *(entry.extensions for entry in entries)),
        algorithm=certificate.algorithm(crl),
        signed=crl.tbs_certlist_bytes,
        signature=crl.signature,
    )


def _critical(*extensions: x509.Extensions) -> tuple[str, ...]:
    critical = {each.oid.dotted_string for some in extensions for each in some if each.critical}
    return tuple(sorted(critical))


def _check_window(crl: AmdRevocationList, at: datetime, checks: Checks) -> None:
    start, end = crl.this_update, crl.next_update
    window = f"{format_value(start)} to {format_value(end)}"
    checks.record(WINDOW, end is not None and start <= at <= end, window, at)


def _check_not_revoked(serials: frozenset[int], vek: Vek, roots: AmdRoots, checks: Checks) -> None:
    authorities = {anchor.serial for anchor in (roots.ark, roots.ask, roots.asvk) if anchor}
    revoked = [f"{serial:#x}" for serial in sorted(authorities & serials)]
    checks.record_equal(AUTHORITIES_NOT_REVOKED, [], revoked)
    own = vek.certificate.serial
    listed = own in serials
    checks.record(
        VEK_NOT_REVOKED, not listed, "not listed", f"{own:#x} is listed" if listed else "not listed"
    )
