"""The certificates of a GPU: five, up to the pinned root, each refused by the one thing wrong."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st

from ccgpu.attest.check import Checks, Outcome, Unverified, Verified
from ccgpu.attest.gpu import chain, layout
from ccgpu.attest.gpu.chain import DeviceChain
from ccgpu.fakeguest.evidence import nvidia_pki, pki
from ccgpu.fakeguest.evidence.nvidia_pki import (
    BASIC_CONSTRAINTS,
    CHIP,
    IDENTITY,
    KEY_USAGE,
    LEAF,
    PROVISIONER,
    ROOT,
    SIGNS_CERTIFICATES,
    SIGNS_DATA,
    GpuCertificates,
    basic_constraints,
    key_usage,
    new_key,
    nvidia_name,
)
from ccgpu.fakeguest.evidence.pki import SignatureAlgorithm, X509Extension
from support.evidence_gpu import AT, new_gpu
from support.tampering import tamperable_gpu

GPU = new_gpu()
DEVICE = tamperable_gpu(GPU.device)
DERS = DEVICE.ders
AUTHORITIES = (CHIP, PROVISIONER, IDENTITY, ROOT)
_SHA256 = pki.element(pki.SEQUENCE, pki.oid("1.2.840.10045.4.3.2"))


def _verify(
    pem: bytes, root=GPU.root, at: datetime = AT, arch: str | None = "HOPPER"
) -> tuple[Outcome[DeviceChain] | None, set[str]]:
    checks = Checks()
    outcome = chain.verify(pem, root, at, checks, arch=arch)
    refused = {check.id for check in checks.made if not check.ok}
    assert isinstance(outcome, Verified) == (not refused)
    return outcome, refused


def _pem(*positions: int) -> bytes:
    return b"".join(pki.pem(DERS[position]) for position in positions)


def _refusals(device: GpuCertificates, **changes) -> set[str]:
    return _verify(device.pem, **changes)[1]


def _repinned(device: GpuCertificates) -> set[str]:
    """What is wrong with a chain whose root, changed too, is the pinned one."""
    return _refusals(device, root=replace(GPU, device=device).root)


def test_the_chain_of_a_gpu_is_verified():
    outcome, refused = _verify(_pem(0, 1, 2, 3, 4))
    assert refused == set()
    assert isinstance(outcome, Verified)
    found = outcome.value
    ders = [each.public_bytes(Encoding.DER) for each in found.certificates]
    assert tuple(ders) == DERS
    assert (found.arch, found.chip) == ("HOPPER", "GH100")
    assert found.hwmodel == "GH100 A01 GSP BROM"
    assert found.ueid == str(DEVICE.certificates[LEAF].serial)
    assert found.fwid == DEVICE.fwid
    assert found.key == DEVICE.key.public_key()


def test_ocsp_is_asked_of_all_but_leaf_and_root():
    outcome, _ = _verify(_pem(0, 1, 2, 3, 4))
    assert outcome is not None
    one, two, three, four = outcome.value.certificates[1:]
    assert outcome.value.issued == ((one, two), (two, three), (three, four))


@pytest.mark.parametrize("arch", ["HOPPER", "hopper", None])
def test_the_architecture_may_be_said_in_any_case_or_not_at_all(arch):
    assert _refusals(DEVICE, arch=arch) == set()


@pytest.mark.parametrize("arch", ["BLACKWELL", "", "GH100"])
def test_another_architecture_than_the_collector_says_is_refused(arch):
    assert _refusals(DEVICE, arch=arch) == {"gpu.chain.claimed"}


@pytest.mark.parametrize(
    "pem",
    [
        b"",
        b"nothing of the kind",
        b"x" + _pem(0, 1, 2, 3, 4),
        _pem(0, 1) + b"more" + _pem(2, 3, 4),
        _pem(0, 1, 2, 3, 4) + b"\0",
        pki.pem(b"\x30\x00") + _pem(1, 2, 3, 4),
        _pem(*(4,) * 9),
    ],
)
def test_an_invalid_chain_is_refused(pem):
    outcome, refused = _verify(pem)
    assert outcome is None
    assert refused == {"gpu.chain"}


@pytest.mark.parametrize(
    "positions",
    [(4,), (0, 1, 2, 3), (1, 2, 3, 4), (0, 1, 3, 4), (0, 0, 1, 2, 3, 4), (4,) * 8],
)
def test_a_chain_has_five_certificates(positions):
    outcome, refused = _verify(_pem(*positions))
    assert outcome is None
    assert refused == {"gpu.chain.length"}


def test_the_leaf_comes_first():
    assert {"gpu.chain.issuer", "gpu.chain.root"} <= _verify(_pem(4, 3, 2, 1, 0))[1]


def test_a_foreign_root_is_refused_with_what_it_signed():
    other = new_gpu().device
    assert _refusals(other) == {"gpu.chain.root", "gpu.chain.signature"}


def test_the_pinned_root_does_not_vouch_for_what_another_signed():
    other = new_gpu().device
    pem = b"".join(pki.pem(der) for der in (*other.ders[:4], DERS[4]))
    assert _verify(pem)[1] == {"gpu.chain.signature"}


@pytest.mark.parametrize(
    "changes", [{"serial": 7}, {"not_after": datetime(2053, 1, 1, tzinfo=UTC)}]
)
def test_the_root_is_the_whole_pinned_certificate_not_only_its_key(changes):
    assert _refusals(DEVICE.with_certificate(ROOT, **changes)) == {"gpu.chain.root"}


def test_another_self_signature_of_the_root_is_another_root():
    assert _refusals(DEVICE.signed_with(ROOT, new_key())) == {"gpu.chain.root"}


@pytest.mark.parametrize("position", [LEAF, CHIP, PROVISIONER, IDENTITY])
def test_each_certificate_is_signed_by_the_next(position):
    assert _refusals(DEVICE.signed_with(position, new_key())) == {"gpu.chain.signature"}


def _even(position: int) -> list[bytes]:
    """The chain with a signature whose last bit is zero, at one position."""
    ders = DEVICE.ders
    while ders[position][-1] & 1:
        ders = DEVICE.ders
    return list(ders)


@pytest.mark.parametrize("position", [LEAF, CHIP, PROVISIONER, IDENTITY])
def test_a_signature_has_no_unused_bits(position):
    ders = _even(position)
    assert _verify(b"".join(pki.pem(der) for der in ders))[1] == set()
    der = ders[position]
    at = len(der) - len(x509.load_der_x509_certificate(der).signature) - 1
    assert der[at] == 0
    ders[position] = der[:at] + b"\x01" + der[at + 1 :]
    assert _verify(b"".join(pki.pem(der) for der in ders))[1] == {"gpu.chain.signature"}


@pytest.mark.parametrize("position", [LEAF, CHIP, PROVISIONER, IDENTITY])
def test_each_certificate_names_the_next_as_its_issuer(position):
    changed = DEVICE.with_certificate(position, issuer=nvidia_name("NVIDIA Another"))
    assert _refusals(changed) == {"gpu.chain.issuer"}


def test_a_check_names_the_certificates_that_fail_it():
    changed = DEVICE.signed_with(CHIP, new_key()).signed_with(IDENTITY, new_key())
    checks = Checks()
    chain.verify(changed.pem, GPU.root, AT, checks)
    (failed,) = [check for check in checks.made if not check.ok]
    assert "GH100 A01 GSP BROM" in failed.actual
    assert "NVIDIA GH100 Identity" in failed.actual
    assert "FMC" not in failed.actual
    assert "Provisioner" not in failed.actual


@pytest.mark.parametrize("position", [LEAF, CHIP, PROVISIONER, IDENTITY, ROOT])
def test_every_certificate_says_that_it_is_signed_as_nvidia_signs(position):
    says_sha256 = replace(pki.ECDSA_SHA384, identifier=_SHA256)
    assert _repinned(DEVICE.with_certificate(position, algorithm=says_sha256)) == {
        "gpu.chain.algorithm"
    }


def test_a_weaker_digest_is_refused():
    def sign(key: pki.PrivateKey, data: bytes) -> bytes:
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        return key.sign(data, ec.ECDSA(hashes.SHA256()))

    changed = DEVICE.with_certificate(CHIP, algorithm=SignatureAlgorithm(_SHA256, sign))
    assert _refusals(changed) == {"gpu.chain.algorithm", "gpu.chain.signature"}


@pytest.mark.parametrize("position", [CHIP, PROVISIONER, IDENTITY])
def test_keys_are_on_the_one_curve(position):
    other = ec.generate_private_key(ec.SECP256R1())
    changed = DEVICE.with_certificate(position, key=pki.public_key_info(other)).signed_with(
        position - 1, other
    )
    assert _refusals(changed) == {"gpu.chain.key"}


def test_the_leafs_key_is_on_the_one_curve():
    other = ec.generate_private_key(ec.SECP521R1())
    assert _refusals(DEVICE.with_certificate(LEAF, key=pki.public_key_info(other))) == {
        "gpu.chain.key"
    }


def test_a_key_of_another_kind_signs_nothing():
    other = rsa.generate_private_key(65537, 2048)
    changed = DEVICE.with_certificate(
        CHIP, key=pki.public_key_info(other), algorithm=pki.ECDSA_SHA384
    )
    changed = changed.with_certificate(LEAF, algorithm=pki.PSS_SHA384).signed_with(LEAF, other)
    wrong = {"gpu.chain.key", "gpu.chain.signature", "gpu.chain.algorithm"}
    assert _refusals(changed) == wrong


@pytest.mark.parametrize("position", [LEAF, CHIP, PROVISIONER, IDENTITY, ROOT])
def test_every_certificate_is_valid_from_its_first_second_to_its_last(position):
    start, end = datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)
    device = DEVICE.with_certificate(position, not_before=start, not_after=end)
    root, second = replace(GPU, device=device).root, timedelta(seconds=1)
    for at, refused in [
        (start - second, {"gpu.chain.dates"}),
        (start, set()),
        (end, set()),
        (end + second, {"gpu.chain.dates"}),
    ]:
        assert _refusals(device, root=root, at=at) == refused


@pytest.mark.parametrize("position", AUTHORITIES)
@pytest.mark.parametrize(
    "change",
    [
        lambda device, position: device.with_extensions(position, basic_constraints(ca=False)),
        lambda device, position: device.without_extension(position, BASIC_CONSTRAINTS),
        lambda device, position: device.with_extensions(position, key_usage(SIGNS_DATA)),
        lambda device, position: device.without_extension(position, KEY_USAGE),
    ],
    ids=["says it is none", "does not say so", "signs data", "says no purpose"],
)
def test_only_authorities_sign_certificates(position, change):
    assert _repinned(change(DEVICE, position)) == {"gpu.chain.authority"}


@pytest.mark.parametrize(
    "changed",
    [
        DEVICE.with_extensions(LEAF, basic_constraints(ca=True)),
        DEVICE.with_extensions(LEAF, key_usage(SIGNS_CERTIFICATES)),
        DEVICE.without_extension(LEAF, KEY_USAGE),
    ],
    ids=["an authority", "signs certificates", "no purpose"],
)
def test_the_leaf_signs_data_and_is_no_authority(changed):
    assert _refusals(changed) == {"gpu.chain.leaf"}


def test_a_leaf_may_say_that_it_is_no_authority():
    assert _refusals(DEVICE.with_extensions(LEAF, basic_constraints(ca=False))) == set()


@pytest.mark.parametrize("position", AUTHORITIES)
def test_path_length_constraints_are_enforced(position):
    below = position - CHIP
    exact = DEVICE.with_extensions(position, basic_constraints(ca=True, path_length=below))
    assert _repinned(exact) == set()
    if below:
        short = DEVICE.with_extensions(position, basic_constraints(ca=True, path_length=below - 1))
        assert _repinned(short) == {"gpu.chain.path-length"}


@pytest.mark.parametrize("position", [LEAF, *AUTHORITIES])
def test_a_critical_extension_that_is_not_known_is_refused(position):
    strange = X509Extension("1.3.6.1.4.1.5703.9", pki.element(pki.NULL))
    assert _repinned(DEVICE.with_extensions(position, strange)) == set()
    critical = replace(strange, critical=True)
    assert _repinned(DEVICE.with_extensions(position, critical)) == {"gpu.chain.critical"}


def test_another_architecture_is_refused():
    other = new_gpu("GB100")
    refused = _verify(other.device.pem, root=other.root, arch="BLACKWELL")[1]
    assert refused == {"gpu.chain.architecture"}


def test_checks_list_the_names_they_compared():
    other = new_gpu("GB100")
    mixed = DEVICE.with_certificate(LEAF, subject=nvidia_name("GB100 A01 GSP FMC LF"))
    for device, root, names in [
        (other.device, other.root, "NVIDIA GB100 Provisioner ICA 1, NVIDIA GB100 Identity"),
        (mixed, GPU.root, "GB100 A01 GSP FMC LF, GH100 A01 GSP BROM"),
    ]:
        checks = Checks()
        chain.verify(device.pem, root, AT, checks)
        (failed,) = [check for check in checks.made if not check.ok]
        assert failed.actual == names


@pytest.mark.parametrize("above", [PROVISIONER, IDENTITY])
def test_the_authorities_of_another_architecture_do_not_vouch_for_this_one(above):
    name = DEVICE.certificates[above].subject.rfc4514_string()
    common = name.partition("CN=")[2].partition(",")[0].replace("GH100", "GB100")
    other = nvidia_name(common, nvidia_pki.OWNER)
    changed = DEVICE.with_certificate(above, subject=other).with_certificate(
        above - 1, issuer=other
    )
    assert _refusals(changed) == {"gpu.chain.architecture"}


@pytest.mark.parametrize("position", [LEAF, CHIP])
@pytest.mark.parametrize("name", ["GB100 A01 GSP BROM", "GH1000 A01 GSP BROM", "GH100"])
def test_another_chip_under_the_authorities_of_this_one_is_refused(position, name):
    changed = DEVICE.with_certificate(position, subject=nvidia_name(name))
    if position == CHIP:
        changed = changed.with_certificate(LEAF, issuer=nvidia_name(name))
    assert _refusals(changed) == {"gpu.chain.model"}


def test_a_chip_without_a_name_has_no_model():
    empty = x509.Name([])
    changed = DEVICE.with_certificate(CHIP, subject=empty).with_certificate(LEAF, issuer=empty)
    assert _refusals(changed) == {"gpu.chain.model"}


def test_a_leaf_that_names_no_firmware_is_refused():
    assert _refusals(DEVICE.without_extension(LEAF, layout.FWID_OID)) == {"gpu.leaf.fwid.absent"}


def _fwid_extensions() -> list[bytes]:
    found = [each for each in DEVICE.certificates[LEAF].extensions if each.oid == layout.FWID_OID]
    good = found[0].value
    changed = [b"", good[:-1], good + b"\0", good[-48:]]
    places = [layout.FWID_EXTENSION[name] for name in layout.FWID_CONSTANTS]
    fixed = [at for place in places for at in range(place.start, place.end)]
    return [*changed, *(good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :] for at in fixed)]


@pytest.mark.parametrize("value", _fwid_extensions(), ids=range(len(_fwid_extensions())))
def test_the_firmware_of_the_leaf_has_one_encoding(value):
    outcome, refused = _verify(
        DEVICE.with_extensions(LEAF, X509Extension(layout.FWID_OID, value)).pem
    )
    assert refused == {"gpu.leaf.fwid"}
    assert isinstance(outcome, Unverified)
    assert outcome.value.fwid is None


def test_all_reasons_are_listed():
    changed = DEVICE.with_extensions(LEAF, basic_constraints(ca=True)).without_extension(
        LEAF, layout.FWID_OID
    )
    changed = changed.signed_with(IDENTITY, new_key()).without_extension(PROVISIONER, KEY_USAGE)
    assert _refusals(changed, at=datetime(2019, 1, 1, tzinfo=UTC), arch="ADA") == {
        "gpu.chain.authority",
        "gpu.chain.claimed",
        "gpu.chain.dates",
        "gpu.chain.leaf",
        "gpu.chain.signature",
        "gpu.leaf.fwid.absent",
    }


# `cryptography` warns of names that are longer than X.520 has them.
@given(st.data())
def test_a_chain_with_another_byte_is_refused(data):
    position = data.draw(st.integers(LEAF, ROOT))
    der = DERS[position]
    at = data.draw(st.integers(0, len(der) - 1))
    flipped = der[:at] + bytes([der[at] ^ data.draw(st.integers(1, 255))]) + der[at + 1 :]
    ders = [*DERS[:position], flipped, *DERS[position + 1 :]]
    assert _verify(b"".join(pki.pem(each) for each in ders))[1]


@given(st.binary(max_size=400))
def test_any_bytes_give_a_verdict(raw):
    assert _verify(raw)[1] == {"gpu.chain"}
