"""VCEK and VLEK certificates: two readers that agree, and AMD's extensions in strict DER."""

from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509 import Name, NameAttribute
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from ccgpu.attest.check import Malformed, Rule
from ccgpu.attest.snp import certificate, der, vek
from ccgpu.fakeguest.evidence import amd as amds
from ccgpu.fakeguest.evidence import pki
from ccgpu.fakeguest.evidence.amd import SimulatedChip, SimulatedTcb
from ccgpu.fakeguest.evidence.pki import CertificateTemplate, X509Extension
from support.evidence_amd import Machine, remove_extension, replace_extension

_AMD = "1.3.6.1.4.1.3704.1"
_HWID = f"{_AMD}.4"
_SPL = f"{_AMD}.3.8"
_NUMBERS = {
    "absent": None,
    "empty": b"",
    "two": b"\x02\x01\x54\x02\x01\x54",
    "cut": b"\x02\x02\x54",
    "padded": b"\x02\x02\x00\x54",
    "negative": b"\x02\x01\x80",
    "no number": b"\x02\x00",
    "above 255": b"\x02\x02\x01\x00",
    "of another type": b"\x04\x01\x54",
    "long length": b"\x02\x81\x01\x54",
    "indefinite length": b"\x02\x80\x54\x00\x00",
    "bare": b"\x54",
}


def _refusal(data: bytes, *readers: vek.Reader) -> str:
    with pytest.raises(Malformed) as caught:
        vek.parse(data, readers or vek.READERS)
    return caught.value.rule.id


def _nobody(data: bytes) -> certificate.VekCertificate:
    raise Malformed(certificate.READABLE, "a serial number above 0", data[:4])


def _changed(machine: Machine, oid: str, value: bytes | None) -> CertificateTemplate:
    if value is None:
        return remove_extension(machine.vcek, oid)
    return replace_extension(machine.vcek, X509Extension(oid, value))


@pytest.mark.parametrize("value", _NUMBERS.values(), ids=_NUMBERS)
@pytest.mark.parametrize("number", [1, 2, 3, 4, 5, 6, 7, 8])
def test_a_version_number_is_one_integer_in_its_shortest_form(machine, number, value):
    if value is None and 4 <= number <= 7:
        return  # the reserved ones may be missing
    evidence = machine.evidence(vek=_changed(machine, f"{_AMD}.3.{number}", value))
    assert evidence.refusals() == {"snp.vek.extension"}


@pytest.mark.parametrize("reserved", [4, 5, 6, 7])
def test_reserved_version_numbers_may_be_missing(machine, reserved):
    assert not machine.evidence(vek=_changed(machine, f"{_AMD}.3.{reserved}", None)).refusals()


@pytest.mark.slow
def test_turin_has_an_fmc(turin):
    tcb = SimulatedTcb(bootloader=1, tee=1, snp=4, microcode=0x30, fmc=1)
    machine = Machine(turin, SimulatedChip(tcb, hwid=b"turin id"))
    evidence = machine.evidence(
        machine.report(cpuid_fam_id=0x1A, cpuid_mod_id=2),
        remove_extension(machine.vcek, f"{_AMD}.3.9"),
    )
    assert evidence.refusals() == {"snp.vek.extension"}


def test_a_hwid_may_be_wrapped(machine):
    wrapped = pki.element(pki.OCTETS, machine.chip.hwid)
    assert not machine.evidence(vek=_changed(machine, _HWID, wrapped)).refusals()


@pytest.mark.parametrize(
    "value",
    [
        None,
        b"",
        bytes(8),
        bytes(63),
        bytes(65),
        b"\x04\x3f" + bytes(63),
        b"\x04\x40" + bytes(65),
        b"\x03\x40" + bytes(64),
        b"\x04\x08" + bytes(8),
    ],
)
def test_a_hwid_has_64_bytes(machine, value):
    assert machine.evidence(vek=_changed(machine, _HWID, value)).refusals() == {"snp.vek.extension"}


def test_a_vlek_has_no_hwid(machine):
    vlek = machine.amd.vlek(machine.chip).signed_by(machine.amd.asvk_key)
    assert vek.parse(vlek).hwid is None


@pytest.mark.parametrize(
    "value",
    [
        None,
        b"",
        b"Genoa",
        b"\x16\x05Geno",
        b"\x0c\x05Genoa",
        b"\x16\x00",
        b"\x16\x03-B0",
        b"\x16\x05Geno\xe4",
        b"\x16\x06Genoa\n",
        b"\x16\x05Genoa\x00",
    ],
)
def test_a_product_name_is_one_word(machine, value):
    evidence = machine.evidence(vek=_changed(machine, f"{_AMD}.2", value))
    assert evidence.refusals() == {"snp.vek.extension"}


@pytest.mark.slow
def test_the_stepping_is_no_part_of_the_product(machine):
    name = pki.element(pki.IA5, b"Genoa-B2")
    assert not machine.evidence(vek=_changed(machine, f"{_AMD}.2", name)).refusals()


def test_an_unknown_critical_extension_is_refused(machine):
    critical = X509Extension("1.3.6.1.4.1.3704.9", b"\x05\x00", critical=True)
    evidence = machine.evidence(vek=replace_extension(machine.vcek, critical))
    assert evidence.refusals() == {"snp.vek.extension"}


def test_an_unknown_extension_is_ignored(machine):
    unknown = X509Extension("1.3.6.1.4.1.3704.9", b"\x05\x00")
    assert not machine.evidence(vek=replace_extension(machine.vcek, unknown)).refusals()


def test_duplicate_extensions_are_refused(machine):
    own = machine.vcek
    twice = replace(own, extensions=(*own.extensions, amds.svn_extension(8, 0x54)))
    assert machine.evidence(vek=twice).refusals() == {"snp.vek.certificate"}


@pytest.mark.parametrize("name", ["SEV-VCEK2", "SEV-Genoa", "VCEK", ""])
def test_another_subject_is_refused(machine, name):
    changed = replace(machine.vcek, subject=amds.amd_name(name or " "))
    assert machine.evidence(vek=changed).refusals() == {"snp.vek.subject"}


def test_the_common_name_is_the_last_of_the_subject(machine):
    parts = [
        NameAttribute(NameOID.COMMON_NAME, "SEV-VCEK"),
        NameAttribute(NameOID.ORGANIZATION_NAME, "x"),
    ]
    changed = replace(machine.vcek, subject=Name(parts))
    assert machine.evidence(vek=changed).refusals() == {"snp.vek.subject"}


@pytest.mark.parametrize(
    "key",
    [
        pki.public_key_info(rsa.generate_private_key(65537, 1024)),
        pki.public_key_info(ec.generate_private_key(ec.SECP256R1())),
        pki.public_key_info(ec.generate_private_key(ec.SECP521R1())),
        pki.public_key_info(ec.generate_private_key(ec.SECP384R1()))[:-1]
        + b"\0",  # not on the curve
    ],
)
def test_the_key_is_of_p384(machine, key):
    changed = replace(machine.vcek, key=key)
    assert machine.evidence(vek=changed).refusals() == {"snp.vek.key"}


@pytest.mark.parametrize("change", [lambda d: d[:-1], lambda d: d + b"\0", lambda _: b"\x30\x00"])
def test_truncated_and_trailing_bytes_are_refused(machine, change):
    evidence = machine.evidence()
    damaged = replace(evidence, vek=change(evidence.vek))
    assert damaged.refusals() == {"snp.vek.certificate"}


def test_only_one_certificate_is_expected(machine):
    evidence = machine.evidence()
    two = pki.pem(evidence.vek) + pki.pem(machine.amd.ask)
    assert replace(evidence, vek=two).refusals() == {"snp.vek.certificate"}


def test_the_second_parser_parses_what_the_first_refuses(machine):
    data = machine.evidence().vek
    assert vek.parse(data, (_nobody, der.read)).certificate == vek.parse(data).certificate


def test_the_second_parser_is_used_only_after_the_first_fails(machine):
    data = machine.evidence().vek
    assert vek.parse(data, (certificate.read, _nobody)).hwid == machine.chip.hwid


def test_if_both_parsers_fail_the_error_is_that_of_the_first():
    other = Rule("test.second", "the second reader", "the test")

    def second(data: bytes) -> certificate.VekCertificate:
        raise Malformed(other, "something", data)

    assert _refusal(b"x", _nobody, second) == "snp.vek.certificate"


def test_verification_falls_back_to_the_second_parser():
    assert (certificate.read, der.read) == vek.READERS


def test_both_parsers_agree_on_real_certificates(vectors):
    found = [*vectors.glob("attest/**/*vcek.der"), *vectors.glob("attest/**/*vlek.der")]
    assert len(found) >= 6
    for file in found:
        data = file.read_bytes()
        assert der.read(data) == certificate.read(data)


def _variants(machine: Machine) -> list[bytes]:
    """Certificates signed by the ASK: valid ones, and ones that say something false."""
    own, key = machine.vcek, machine.amd.ask_key
    lies = replace(pki.ECDSA_SHA384, sign=pki.PSS_SHA384.sign)
    changed = [
        own,
        replace(own, serial=1 << 100),
        replace(own, not_after=own.not_after.replace(year=2060)),
        replace(own, not_before=own.not_before.replace(year=1999)),
        replace(own, algorithm=lies),
        replace(own, extensions=(*own.extensions, amds.svn_extension(8, 0x54))),
        replace(own, extensions=(own.extensions[0],)),
        replace_extension(own, X509Extension("1.2.3", b"", critical=True)),
        *(
            replace_extension(own, X509Extension(_SPL, value))
            for value in _NUMBERS.values()
            if value
        ),
    ]
    return [each.signed_by(key) for each in changed]


def _result(data: bytes, reader: vek.Reader) -> object:
    try:
        found = vek.parse(data, (reader,))
    except Malformed as malformed:
        return malformed.rule.id
    return found


def test_both_parsers_agree_on_built_certificates(machine):
    for data in _variants(machine):
        assert _result(data, der.read) == _result(data, certificate.read)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x01"),  # X.509 version 2
        (b"\xa0\x03\x02\x01\x02\x02\x01\x00", b"\xa0\x03\x02\x01\x02\x02\x01\x80"),  # below zero
        (b"\x17\x0d250124000000Z", b"\x17\x0d2501240000000"),  # not in UTC
        (b"\x17\x0d250124000000Z", b"\x17\x0d2502300000\x30\x30Z"),  # 30 February
        (b"\x17\x0d250124000000Z", b"\x17\x0d25012400000 Z"),
        (b"\x06\x03\x55\x04\x03\x0c", b"\x06\x03\x55\x04\x05\x0c"),  # not an attribute of AMD's
        (b"\x06\x03\x55\x04\x03\x0c", b"\x06\x03\x55\x04\x83\x0c"),  # an OID that does not end
        (b"\x06\x03\x55\x04\x03\x0c", b"\x06\x03\x55\x80\x03\x0c"),  # an OID that is padded
        (b"\x06\x03\x55\x04\x03\x0c", b"\x06\x03\x54\x04\x03\x0c"),  # not of the directory's
        (b"\x06\x03\x55\x04\x03\x0c", b"\x06\x03\x55\x04\x03\x16"),  # a string of another type
        (b"SEV-VCEK", b"SEV,VCEK"),
        (b"\x30\x17\x06\x09\x2b\x06\x01\x04\x01\x9c\x78\x01\x02", None),
    ],
)
def test_the_second_parser_is_strict(machine, old, new):
    data = machine.evidence().vek
    if new is None:
        old, new = b"\x06\x09\x2b\x06\x01\x04\x01\x9c\x78\x01\x02\x04", None
        at = data.index(old)
        new = old[:-1] + b"\x05"  # an extension whose value is no OCTET STRING
        assert data[at : at + len(old)] == old
    assert old in data
    assert _refusal(data.replace(old, new), der.read) == "snp.vek.certificate"


def test_the_second_parser_refuses_an_explicit_default_critical_flag(machine):
    critical = X509Extension("1.2.3", b"\x05\x00", critical=True)
    data = replace_extension(machine.vcek, critical).signed_by(machine.amd.ask_key)
    assert _refusal(data, der.read) == "snp.vek.extension"
    flag = b"\x01\x01\xff\x04\x02\x05\x00"
    assert data.count(flag) == 1
    unset = data.replace(flag, b"\x01\x01\x00\x04\x02\x05\x00")
    assert _refusal(unset, der.read) == "snp.vek.certificate"


def test_the_second_parser_requires_one_algorithm(machine):
    data = machine.evidence().vek
    algorithm = pki.PSS_SHA384.identifier
    assert data.count(algorithm) == 2
    lie = algorithm[:-1] + b"\x31"
    assert _refusal(data.replace(algorithm, lie, 1), der.read) == "snp.vek.certificate"


def test_the_second_parser_requires_a_signature_of_whole_bytes(machine):
    data = machine.evidence().vek
    start = pki.PSS_SHA384.identifier + b"\x03\x82\x01\x01\x00"
    assert data.count(start) == 1
    assert _refusal(data.replace(start, start[:-1] + b"\x01"), der.read) == "snp.vek.certificate"


@pytest.mark.parametrize(
    "data",
    [b"", b"\x30", b"\x30\x80", b"\x30\x81\x7f", b"\x30\x82\x00\xff", b"\x30\x83\x01\x00\x00"],
)
def test_the_second_parser_refuses_non_minimal_lengths(data):
    assert _refusal(data + bytes(300), der.read) == "snp.vek.certificate"


@given(st.binary(max_size=600))
def test_any_bytes_are_a_certificate_or_malformed(data):
    assert isinstance(_result(data, der.read), str)
    assert isinstance(_result(data, certificate.read), str)


@given(st.lists(st.tuples(st.integers(0, 4095), st.integers(0, 255)), min_size=1, max_size=4))
def test_the_second_parser_never_contradicts_the_first(machine, changes):
    raw = bytearray(machine.evidence().vek)
    for at, value in changes:
        raw[at % len(raw)] = value
    second, first = _result(bytes(raw), der.read), _result(bytes(raw), certificate.read)
    assert isinstance(second, str) or isinstance(first, str) or second == first
