"""The OCSP builder: a library reads the intended fields."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp as rfc6960

from ccgpu.fakeguest.evidence import ocsp
from ccgpu.fakeguest.evidence.pki import X509Extension
from support.tampering import new_rim_chain

AT = datetime(2026, 11, 22, tzinfo=UTC)
CHAIN = new_rim_chain()
CERTIFICATE, ISSUER = (x509.load_der_x509_certificate(der) for der in CHAIN.ders[:2])
SINGLE = ocsp.single_response(CERTIFICATE, ISSUER, AT, AT + timedelta(days=1))
ANSWER = ocsp.OcspResponseTemplate([SINGLE], ocsp.responder_key_hash(ISSUER))


def read(answer: ocsp.OcspResponseTemplate) -> rfc6960.OCSPResponse:
    """A library's reading of a response that the issuer signed."""
    return rfc6960.load_der_ocsp_response(answer.signed_by(CHAIN.keys[1]))


@pytest.mark.parametrize("algorithm", [hashes.SHA1(), hashes.SHA256(), hashes.SHA384()])
def test_response_matches_a_librarys_request(algorithm):
    asked = rfc6960.OCSPRequestBuilder().add_certificate(CERTIFICATE, ISSUER, algorithm).build()
    single = ocsp.single_response(CERTIFICATE, ISSUER, AT, None, algorithm.name)
    found = read(replace(ANSWER, singles=[single]))
    assert found.hash_algorithm.name == asked.hash_algorithm.name
    assert found.issuer_name_hash == asked.issuer_name_hash
    assert found.issuer_key_hash == asked.issuer_key_hash
    assert found.serial_number == asked.serial_number
    assert found.next_update_utc is None


def test_response_is_signed_by_its_responder():
    found = read(ANSWER)
    key = CHAIN.keys[1].public_key()
    key.verify(found.signature, found.tbs_response_bytes, ec.ECDSA(hashes.SHA384()))
    assert found.responder_key_hash == ocsp.responder_key_hash(ISSUER)
    assert found.this_update_utc == found.produced_at_utc == AT
    assert found.next_update_utc == AT + timedelta(days=1)
    by_name = read(replace(ANSWER, responder=ISSUER.subject))
    assert by_name.responder_name == ISSUER.subject


@pytest.mark.parametrize(
    ("changes", "status", "reason"),
    [
        ({}, rfc6960.OCSPCertStatus.GOOD, None),
        ({"status": "unknown"}, rfc6960.OCSPCertStatus.UNKNOWN, None),
        ({"status": "revoked"}, rfc6960.OCSPCertStatus.REVOKED, None),
        (
            {"status": "revoked", "reason": ocsp.HOLD},
            rfc6960.OCSPCertStatus.REVOKED,
            x509.ReasonFlags.certificate_hold,
        ),
    ],
)
def test_response_fields_are_free(changes, status, reason):
    found = read(replace(ANSWER, singles=[replace(SINGLE, **changes)]))
    assert found.certificate_status is status
    assert found.revocation_reason is reason


def test_response_includes_certificates_and_extensions():
    der = ocsp.responder_certificate(ISSUER.subject, CHAIN.key, AT, AT).signed_by(CHAIN.keys[1])
    found = read(
        replace(
            ANSWER,
            certificates=[der],
            extensions=[ocsp.nonce_extension(b"outside")],
            singles=[replace(SINGLE, extensions=[X509Extension("1.2.3.4", b"\5\0")])],
        )
    )
    assert [each.public_bytes(Encoding.DER) for each in found.certificates] == [der]
    assert [each.value.nonce for each in found.extensions] == [b"outside"]
    assert [each.oid.dotted_string for each in found.single_extensions] == ["1.2.3.4"]


def test_unsuccessful_response_has_only_a_status():
    found = read(replace(ANSWER, status=6))
    assert found.response_status is rfc6960.OCSPResponseStatus.UNAUTHORIZED
