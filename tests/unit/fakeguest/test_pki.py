"""The certificate builder: a strict reader accepts it, and any field can be changed."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, load_der_public_key
from hypothesis import given
from hypothesis import strategies as st

from ccgpu.fakeguest.evidence import amd as amds
from ccgpu.fakeguest.evidence import pki
from ccgpu.fakeguest.evidence.amd import ARK_SERIAL, SimulatedChip

_RSA = rsa.generate_private_key(65537, 2048)
_EC = ec.generate_private_key(ec.SECP384R1())


@pytest.fixture(scope="module")
def genoa():
    """Simulated authorities."""
    return amds.make_authorities(bits=2048)


def test_authorities_sign_themselves_and_each_other(genoa):
    ark, ask, asvk = (
        x509.load_der_x509_certificate(each) for each in (genoa.ark, genoa.ask, genoa.asvk)
    )
    for each in (ark, ask, asvk):
        each.verify_directly_issued_by(ark)
    assert ark.serial_number == ARK_SERIAL
    assert x509.load_pem_x509_certificates(genoa.chain) == [ask, ark]


@pytest.mark.slow  # keys of 4096 bits take seconds
def test_keys_have_amds_size_by_default(genoa):
    assert genoa.ark_key.key_size == 2048
    assert amds.make_authorities("Milan").ark_key.key_size == 4096


@pytest.mark.parametrize("key", [_RSA, _EC])
def test_certificate_fields_are_free(key):
    algorithm = pki.PSS_SHA384 if key is _RSA else pki.ECDSA_SHA384
    start, end = datetime(2049, 12, 31, tzinfo=UTC), datetime(2050, 1, 1, tzinfo=UTC)
    extension = pki.X509Extension("1.3.6.1.4.1.3704.1.2", b"\x16\x01x", critical=True)
    made = pki.CertificateTemplate(
        subject=amds.amd_name("subject"),
        issuer=amds.amd_name("issuer"),
        key=pki.public_key_info(key),
        not_before=start,
        not_after=end,
        extensions=(extension,),
        serial=0xFF,
        algorithm=algorithm,
    )
    found = x509.load_der_x509_certificate(made.signed_by(key))
    assert (found.subject, found.issuer) == (made.subject, made.issuer)
    assert (found.not_valid_before_utc, found.not_valid_after_utc) == (start, end)
    assert found.serial_number == 0xFF
    assert found.public_key() == key.public_key()
    (read,) = found.extensions
    assert (read.oid.dotted_string, read.critical) == (extension.oid, True)
    own = replace(made, issuer=made.subject).signed_by(key)
    x509.load_der_x509_certificate(own).verify_directly_issued_by(
        x509.load_der_x509_certificate(own)
    )


def test_signature_may_differ_from_its_algorithm():
    lies = replace(pki.rsa_pss(hashes.SHA256(), 32), sign=pki.PSS_SHA384.sign)
    made = replace(amds.authority_certificate("a", _RSA, "a", 1), algorithm=lies).signed_by(_RSA)
    found = x509.load_der_x509_certificate(made)
    assert isinstance(found.signature_hash_algorithm, hashes.SHA256)


def test_an_algorithm_refuses_a_key_of_another_kind():
    with pytest.raises(TypeError, match="RSA"):
        pki.PSS_SHA384.sign(_EC, b"")
    with pytest.raises(TypeError, match="EC"):
        pki.ECDSA_SHA384.sign(_RSA, b"")


def test_revocation_list_fields_are_free(genoa):
    reason = pki.X509Extension("2.5.29.21", b"\x0a\x01\x01")
    made = replace(genoa.crl(5, 7), entry_extensions=(reason,))
    found = x509.load_der_x509_crl(made.signed_by(genoa.ark_key))
    assert [each.serial_number for each in found] == [5, 7]
    assert found.next_update_utc == made.next_update
    assert found.is_signature_valid(genoa.ark_key.public_key())


def test_vcek_has_chip_and_amds_names(genoa):
    chip = SimulatedChip()
    vcek = genoa.vcek(chip)
    assert load_der_public_key(vcek.key) == chip.key.public_key()
    assert vcek.extensions[-1].value == chip.hwid
    milan = replace(genoa, product="Milan").vcek(chip)
    assert milan.extensions[1].value.endswith(b"Milan-B0")


@given(st.lists(st.integers(0, 1 << 40), max_size=5), st.integers(0, 39))
def test_object_identifiers_round_trip(rest, second):
    dotted = ".".join(str(number) for number in (1, second, *rest))
    name = x509.Name([x509.NameAttribute(x509.ObjectIdentifier(dotted), "x")]).public_bytes()
    assert pki.oid(dotted) in name


@given(st.binary(max_size=70_000))
def test_lengths_are_in_their_shortest_form(content):
    made = pki.element(pki.OCTETS, content)
    assert made.endswith(content)
    head = len(made) - len(content)
    size = len(content)
    assert head == (2 if size < 0x80 else 3 if size < 0x100 else 4 if size < 0x10000 else 5)


@pytest.mark.slow
def test_pem_equals_a_librarys(genoa):
    assert pki.pem(genoa.ask) == x509.load_der_x509_certificate(genoa.ask).public_bytes(
        Encoding.PEM
    )
