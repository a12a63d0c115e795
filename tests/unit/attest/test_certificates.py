"""Certificates of evidence: DER or PEM, and nothing around them."""

import hashlib
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from ccgpu.attest import certificates
from ccgpu.attest.check import Malformed, Rule
from ccgpu.fakeguest.evidence import amd as amds
from ccgpu.fakeguest.evidence import pki
from ccgpu.fakeguest.evidence.pki import CertificateTemplate, X509Extension
from support.other_spelling import respelled

_RULE = Rule("test.certificate", "a certificate of the test", "the test")
_KEY = ec.generate_private_key(ec.SECP384R1())


def _certificate(name: str = "one") -> CertificateTemplate:
    return CertificateTemplate(
        subject=amds.amd_name(name),
        issuer=amds.amd_name("issuer"),
        key=pki.public_key_info(_KEY),
        not_before=datetime(2026, 1, 1, tzinfo=UTC),
        not_after=datetime(2027, 1, 1, tzinfo=UTC),
        extensions=(X509Extension("1.2.3", b"\x05\x00"),),
        algorithm=pki.ECDSA_SHA384,
    )


_ONE, _TWO = (_certificate(name).signed_by(_KEY) for name in ("one", "two"))
_PEM = pki.pem(_ONE)


def _refused(data: bytes) -> None:
    with pytest.raises(Malformed) as caught:
        certificates.load(data, _RULE)
    assert caught.value.rule == _RULE


def _der(found: x509.Certificate) -> bytes:
    return found.public_bytes(Encoding.DER)


@pytest.mark.parametrize(
    "data",
    [_ONE, _PEM, _PEM.replace(b"\n", b"\r\n"), b"\n" + _PEM + b"\n\n", _PEM.rstrip()],
    ids=["DER", "PEM", "PEM of Windows", "PEM with empty lines", "PEM without a last line"],
)
def test_a_certificate_is_der_or_pem(data):
    assert _der(certificates.load(data, _RULE)) == _ONE


def test_the_serial_number_0_is_accepted():
    assert certificates.serial(certificates.load(_ONE, _RULE)) == 0


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"x",
        _ONE + b"\0",
        _ONE[:-1],
        b"x" + _PEM,
        _PEM + b"x",
        _PEM + b"X",
        _PEM + _PEM,
        _PEM.replace(b"CERTIFICATE", b"TRUSTED CERTIFICATE"),
        _PEM.replace(b"-----END CERTIFICATE-----", b"-----END CERTIFICATE----"),
        _PEM[:200] + b"!" + _PEM[201:],
        _PEM.replace(b"\n", b"\n\n", 1).replace(b"M", b"=", 1),
        b"-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n",
        _PEM.rstrip() + b" ",
        _PEM.rstrip() + b"\x0b",
    ],
)
def test_anything_else_is_refused(data):
    _refused(data)


@pytest.mark.parametrize("encode", [bytes, pki.pem])
def test_the_size_of_a_certificate_is_limited(encode):
    long = replace(_certificate(), extensions=(X509Extension("1.2.3", bytes(15_500)),))
    assert certificates.serial(certificates.load(encode(long.signed_by(_KEY)), _RULE)) == 0
    too_long = replace(_certificate(), extensions=(X509Extension("1.2.3", bytes(16_384)),))
    _refused(encode(too_long.signed_by(_KEY)))


def test_duplicate_extensions_are_refused():
    twice = replace(_certificate(), extensions=(X509Extension("1.2.3", b"\x05\x00"),) * 2)
    _refused(twice.signed_by(_KEY))


@pytest.mark.parametrize(
    "key",
    [
        pki.public_key_info(_KEY)[:-1] + bytes([pki.public_key_info(_KEY)[-1] ^ 1]),
        pki.element(pki.SEQUENCE, pki.element(pki.SEQUENCE, pki.oid("1.2.3")), b"\x03\x02\0\1"),
    ],
    ids=["not on its curve", "of an unknown kind"],
)
def test_an_unusable_key_is_refused(key):
    _refused(replace(_certificate(), key=key).signed_by(_KEY))


def test_an_invalid_x509_version_is_refused():
    _refused(_ONE.replace(b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x09"))


def test_a_name_of_a_forbidden_type_is_refused():
    name = b"\x06\x03\x55\x04\x03\x0c"
    assert name in _ONE
    _refused(_ONE.replace(name, name[:-1] + b"\x03"))


def test_warnings_of_cryptography_are_refusals():
    with pytest.warns(UserWarning, match="length"):
        country = x509.NameAttribute(NameOID.COUNTRY_NAME, "USA", _validate=False)
    _refused(replace(_certificate(), subject=x509.Name([country])).signed_by(_KEY))


def test_a_bundle_keeps_its_order():
    found = certificates.load_chain(pki.pem(_TWO) + _PEM, _RULE, 2)
    assert [_der(each) for each in found] == [_TWO, _ONE]


@pytest.mark.parametrize(
    "pem",
    [
        b"",
        _ONE,
        _PEM * 3,
        _PEM + b"junk\n" + _PEM,
        _PEM + pki.pem(_ONE, "X509 CRL"),
        _PEM + b" " * 70_000 + _PEM,
    ],
    ids=["empty", "DER", "too many", "junk between", "something else", "too large"],
)
def test_a_bundle_has_a_limited_number_of_certificates_and_nothing_else(pem):
    with pytest.raises(Malformed) as caught:
        certificates.load_chain(pem, _RULE, 2)
    assert caught.value.rule == _RULE


def test_an_anchor_is_one_certificate():
    one, two = (certificates.load(each, _RULE) for each in (_ONE, _TWO))
    assert certificates.anchor_of(one) == certificates.anchor_of(one)
    assert certificates.anchor_of(two) != certificates.anchor_of(one)


@pytest.mark.parametrize(
    "change",
    [{"subject": "CN=two"}, {"sha256": bytes(32)}, {"spki": b""}, {"serial": 1}],
    ids=["subject", "sha256", "spki", "serial"],
)
def test_an_anchor_is_compared_in_full(change):
    one = certificates.load(_ONE, _RULE)
    assert certificates.anchor_of(one) != replace(certificates.anchor_of(one), **change)


@given(st.binary(max_size=400) | st.binary(max_size=100).map(lambda junk: _PEM[:200] + junk))
def test_any_bytes_are_a_certificate_or_malformed(data):
    _refused(data)


@given(st.lists(st.tuples(st.integers(0, 4095), st.integers(0, 255)), max_size=4))
def test_every_loaded_certificate_can_be_read(changes):
    raw = bytearray(_ONE)
    for at, value in changes:
        raw[at % len(raw)] = value
    try:
        found = certificates.load(bytes(raw), _RULE)
    except Malformed:
        return
    assert certificates.anchor_of(found).subject == found.subject.rfc4514_string()
    assert found.extensions is not None
    assert found.not_valid_before_utc.tzinfo is UTC
    assert found.not_valid_after_utc.tzinfo is UTC


def test_trailing_bits_of_base64_are_refused():
    padded = b"=\n-----END CERTIFICATE-----\n"
    text = _PEM
    while not text.endswith(padded):  # the signature has another length now and then
        text = pki.pem(_certificate().signed_by(_KEY))
    last = text.splitlines()[-2]
    with pytest.raises(Malformed) as caught:
        certificates.load(text.replace(last, respelled(last.decode()).encode()), _RULE)
    found = "it is base64 in another than its one spelling (RFC 4648, §3.5)"
    assert (caught.value.expected, caught.value.actual) == ("base64", found)


def test_a_revocation_list_is_der_or_the_one_block_of_a_pem():
    pem = pki.pem(b"a list", "X509 CRL")
    for data in (pem, b"\r\n" + pem, pem.replace(b"\n", b"\r\n")):
        assert certificates.read_der_of_list(data, _RULE) == b"a list"
    assert certificates.read_der_of_list(b"a list", _RULE) == b"a list"


@pytest.mark.parametrize(
    ("data", "expected", "found"),
    [
        (pki.pem(b"1", "X509 CRL") * 2, "one revocation list", 2),
        (_PEM, "a revocation list in PEM, nothing else", "other data at byte 0"),
    ],
)
def test_any_other_pem_is_no_revocation_list(data, expected, found):
    with pytest.raises(Malformed) as caught:
        certificates.read_der_of_list(data, _RULE)
    refusal = caught.value
    assert (refusal.rule, refusal.expected, refusal.actual) == (_RULE, expected, found)


@pytest.mark.parametrize(
    ("data", "limit", "expected", "actual"),
    [
        (_PEM + b"\n" * 70_000, 2, "at most 2 certificates", f"{len(_PEM) + 70_000} bytes"),
        (b"\n" * 32_769, 1, "at most 1 certificates", "32769 bytes"),
        (b"\n" * 32_768, 1, "1 to 1 certificates", 0),
        (_PEM * 3, 2, "1 to 2 certificates", 3),
        (_PEM + b"junk", 2, "PEM certificates and nothing else", f"other data at byte {len(_PEM)}"),
    ],
    ids=["long", "long for one", "none", "three", "junk"],  # lengths differ from run to run
)
def test_a_refused_bundle_says_what_it_is_and_what_it_may_be(data, limit, expected, actual):
    with pytest.raises(Malformed) as caught:
        certificates.split_ders(data, _RULE, limit)
    assert (caught.value.expected, caught.value.actual) == (expected, actual)


@pytest.mark.parametrize(
    ("data", "expected", "actual"),
    [
        (b"\x30" * 16_385, "a certificate of at most 16384 bytes", "16385 bytes"),
        (pki.pem(b"\x30" * 16_385), "a certificate of at most 16384 bytes", "16385 bytes"),
    ],
)
def test_a_refused_certificate_says_why(data, expected, actual):
    with pytest.raises(Malformed) as caught:
        certificates.read_der(data, _RULE)
    assert (caught.value.expected, caught.value.actual) == (expected, actual)


@pytest.mark.parametrize("encode", [bytes, pki.pem])
def test_a_certificate_of_16_kibibytes_is_read(encode):
    whole = b"\x30" * 16_384
    assert certificates.read_der(encode(whole), _RULE) == whole


def test_a_signature_is_of_whole_bytes():
    certificates.require_whole_bytes(b"sign", b"\x03\x05\0sign")
    with pytest.raises(ValueError, match=r"^the signature is not of whole bytes$"):
        certificates.require_whole_bytes(b"sign", b"\x03\x05\x01sign")


def test_an_anchor_holds_what_a_certificate_states():
    found = certificates.anchor_of(certificates.load(_ONE, _RULE))

    assert found.subject == amds.amd_name("one").rfc4514_string()
    assert found.sha256 == hashlib.sha256(_ONE).digest()
    assert found.spki == pki.public_key_info(_KEY)
    assert found.serial == 0


def test_an_error_of_the_library_is_shown_up_to_100_characters():
    def parser(_: bytes) -> None:
        raise ValueError("e" * 200)

    with pytest.raises(Malformed) as caught:
        certificates.parse_without_warnings(parser, b"", _RULE)
    assert (caught.value.expected, caught.value.actual) == ("DER of X.509", "e" * 100)
