"""The simulated NVIDIA's chains verify with any X.509 library; any part can be changed."""

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ccgpu.attest.gpu import layout
from ccgpu.fakeguest.evidence import nvidia_pki
from ccgpu.fakeguest.evidence.nvidia_pki import CHIP, IDENTITY, LEAF, PROVISIONER, ROOT
from support.tampering import tamperable_gpu

NVIDIA = nvidia_pki.make_authorities()
DEVICE = tamperable_gpu(NVIDIA.device(b"\xf7" * 48))
POSITIONS = range(5)


def _loaded(device: nvidia_pki.GpuCertificates) -> list[x509.Certificate]:
    return [x509.load_der_x509_certificate(der) for der in device.ders]


def test_each_certificate_is_issued_by_the_next_and_the_root_by_itself():
    found = _loaded(DEVICE)
    for one, issuer in zip(found, [*found[1:], found[-1]], strict=True):
        one.verify_directly_issued_by(issuer)


def test_the_pem_is_the_chain_leaf_first():
    subjects = [each.subject for each in x509.load_pem_x509_certificates(DEVICE.pem)]
    assert subjects == [each.subject for each in DEVICE.certificates]
    names = [each.rfc4514_string().partition("CN=")[2].partition(",")[0] for each in subjects]
    assert names == [
        "GH100 A01 GSP FMC LF",
        "GH100 A01 GSP BROM",
        "NVIDIA GH100 Provisioner ICA 1",
        "NVIDIA GH100 Identity",
        "NVIDIA Device Identity CA",
    ]


def test_extensions_and_dates_are_those_of_a_real_chain(vectors):
    pem = (vectors / "gpu" / "h100-550.90.07" / "device-chain.pem").read_bytes()
    real = x509.load_pem_x509_certificates(pem)
    for ours, nvidias in zip(_loaded(DEVICE), real, strict=True):
        assert {each.oid for each in ours.extensions} <= {each.oid for each in nvidias.extensions}
        assert ours.not_valid_after_utc == nvidias.not_valid_after_utc
        assert ours.signature_algorithm_oid == nvidias.signature_algorithm_oid


def test_the_leaf_states_its_firmware_beside_the_chips_key():
    leaf, chip, *_ = _loaded(DEVICE)
    oid = x509.ObjectIdentifier(layout.FWID_OID)
    value = leaf.extensions.get_extension_for_oid(oid).value
    assert isinstance(value, x509.UnrecognizedExtension)
    assert layout.FWID_EXTENSION["fwid"].of(value.value) == b"\xf7" * 48
    spki = chip.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert value.value[6:126] == spki


def test_the_extension_of_a_real_leaf_is_of_the_same_form(vectors):
    pem = (vectors / "gpu" / "h100-550.90.07" / "device-chain.pem").read_bytes()
    leaf = x509.load_pem_x509_certificates(pem)[0]
    oid = x509.ObjectIdentifier(layout.FWID_OID)
    value = leaf.extensions.get_extension_for_oid(oid).value
    assert isinstance(value, x509.UnrecognizedExtension)
    assert len(value.value) == layout.FWID_EXTENSION_SIZE
    for name, constant in layout.FWID_CONSTANTS.items():
        assert layout.FWID_EXTENSION[name].of(value.value) == constant


def test_gpus_share_their_authorities():
    other = NVIDIA.device()
    assert other.root == DEVICE.root == NVIDIA.root
    assert other.keys[CHIP:PROVISIONER] != DEVICE.keys[CHIP:PROVISIONER]
    assert other.keys[PROVISIONER:] == DEVICE.keys[PROVISIONER:]
    serials = {each.certificates[LEAF].serial for each in (other, DEVICE)}
    assert len(serials) == 2


def test_serial_numbers_are_positive_and_of_nvidias_lengths():
    sizes = [(each.serial.bit_length() + 7) // 8 for each in DEVICE.certificates]
    assert sizes == [20, 9, 16, 16, 16]


@pytest.mark.parametrize("position", POSITIONS)
def test_tampering_changes_one_certificate(position):
    changed = DEVICE.with_certificate(position, serial=99)
    assert [each.serial_number == 99 for each in _loaded(changed)] == [
        position == other for other in POSITIONS
    ]


def test_the_root_is_signed_again_only_when_it_changes():
    assert DEVICE.with_certificate(IDENTITY, serial=1).root == DEVICE.root
    assert DEVICE.signed_with(IDENTITY, nvidia_pki.new_key()).root == DEVICE.root
    assert DEVICE.with_certificate(ROOT, serial=1).root != DEVICE.root
    assert DEVICE.signed_with(ROOT, nvidia_pki.new_key()).root != DEVICE.root


def test_extensions_can_be_removed_and_added():
    without = DEVICE.without_extension(LEAF, nvidia_pki.KEY_USAGE)
    kept = [each.oid for each in without.certificates[LEAF].extensions]
    assert kept == [layout.FWID_OID]
    added = without.with_extensions(LEAF, nvidia_pki.basic_constraints(ca=True, path_length=3))
    found = _loaded(added)[LEAF].extensions.get_extension_for_class(x509.BasicConstraints)
    assert found.critical
    assert found.value == x509.BasicConstraints(ca=True, path_length=3)
