"""AMD's certificates and revocation lists: of this chip at this TCB, or none."""

import base64
import json
from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ccgpu.collateral import kds
from ccgpu.collateral.sources import PUBLIC
from ccgpu.domain.collateral import Chip
from ccgpu.errors import EvidenceUnavailable
from ccgpu.net.fetch import NoAnswer
from support import revocation

_NOW = 1_800_000_000.0
_AMD = "060a2b060104019c780103"
CHIP = Chip("Genoa", bytes(range(64)), bootloader=10, tee=0, snp=23, microcode=0xDB)
# As long as DER needs two bytes of length for, and with the extensions as AMD writes them.
_EXTENSIONS = bytes.fromhex(
    f"{_AMD}01040302010a{_AMD}020403020100{_AMD}030403020117{_AMD}0804040202 00db".replace(" ", "")
)
_HWID = bytes.fromhex("06092b060104019c780104")


def _der(extensions: bytes = _EXTENSIONS, hwid: bytes = b"\x04\x40" + CHIP.chip_id) -> bytes:
    inner = bytes(300) + extensions + _HWID + hwid
    return b"\x30\x82" + len(inner).to_bytes(2) + inner


def _pem(der: bytes) -> str:
    body = base64.encodebytes(der).decode()
    return f"-----BEGIN CERTIFICATE-----\n{body}-----END CERTIFICATE-----\n"


def _thim(**changes) -> bytes:
    document = {"vcekCert": _pem(_der()), "certificateChain": "", "tcbm": "DB17000000000000A"}
    return json.dumps(document | changes).encode()


def test_urls_are_those_that_amd_specifies():
    (ask,) = kds.vcek_item(CHIP, PUBLIC).requests
    assert ask.url == (
        f"https://kdsintf.amd.com/vcek/v1/Genoa/{CHIP.chip_id.hex()}"
        "?blSPL=10&teeSPL=00&snpSPL=23&ucodeSPL=219"
    )


def test_the_vcek_is_cached_without_expiry():
    found = kds.vcek_item(CHIP, PUBLIC).parse(_der(), _NOW)
    assert found.data == _der()
    assert found.fresh == found.usable == float("inf")
    wrapped = _der(hwid=b"\x04\x42\x04\x40" + CHIP.chip_id)
    assert kds.vcek_item(CHIP, PUBLIC).parse(wrapped, _NOW).data == wrapped


@pytest.mark.parametrize(
    "changes",
    [
        {"chip_id": bytes(63) + b"\x01"},
        {"bootloader": 9},
        {"tee": 1},
        {"snp": 24},
        {"microcode": 0xDA},
        {"microcode": 0x5B},
    ],
)
@pytest.mark.parametrize("body", [_der()])
def test_certificates_of_another_chip_or_tcb_are_refused(changes, body):
    other = replace(CHIP, **changes)
    with pytest.raises(NoAnswer, match="no certificate of this chip at this TCB"):
        kds.vcek_item(other, PUBLIC).parse(body, _NOW)
    assert kds.vcek_from_thim(_thim(), other, _NOW) is None
    assert other.name != CHIP.name


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", _der()[:-1], _der() + b"\0", _pem(_der()).encode(), b"\x31" + _der()[1:]],
)
def test_incomplete_or_several_certificates_are_refused(body):
    with pytest.raises(NoAnswer):
        kds.vcek_item(CHIP, PUBLIC).parse(body, _NOW)


def test_products_have_certificates_of_their_own():
    assert (
        kds.vcek_item(replace(CHIP, product="Milan"), PUBLIC).name
        != kds.vcek_item(CHIP, PUBLIC).name
    )


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"product": "Turin"}, "cannot be requested"),
        ({"product": "../Genoa"}, "cannot be requested"),
        ({"chip_id": bytes(range(8))}, "cannot be requested"),
        ({"snp": 256}, "cannot be requested"),
        ({"tee": -1}, "cannot be requested"),
        ({"chip_id": bytes(64)}, "does not say which chip"),
    ],
)
def test_invalid_chip_ids_are_not_requested(changes, reason):
    with pytest.raises(EvidenceUnavailable, match=reason):
        replace(CHIP, **changes)


def test_a_certificate_in_the_evidence_saves_the_request():
    piece = kds.vcek_from_thim(_thim(), CHIP, _NOW)
    assert piece is not None
    assert (piece.name, piece.data, piece.fetched) == (CHIP.name, _der(), _NOW)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"\xff",
        b"[]",
        b"{}",
        b"[" * 60_000,
        _thim(vcekCert=None),
        _thim(vcekCert=""),
        _thim(vcekCert="-----BEGIN CERTIFICATE-----\nA\n-----END CERTIFICATE-----"),
        _thim(vcekCert=_pem(_der()) * 2),
        _thim(vcekCert=_pem(_der()[:-1])),
        _thim(padding="x" * kds.THIM_LIMIT),
    ],
)
def test_invalid_certificates_of_the_guest_are_skipped(answer):
    assert kds.vcek_from_thim(answer, CHIP, _NOW) is None


@given(st.binary(max_size=300))
def test_any_bytes_of_the_guest_are_skipped(answer):
    assert kds.vcek_from_thim(answer, CHIP, _NOW) is None


@pytest.mark.parametrize("days", [90])
def test_crls_are_valid_until_next_update_and_fetched_daily(days):
    body = revocation.crl(_NOW, days)
    want = kds.crl_item("Genoa", PUBLIC)
    assert want.requests[0].url == "https://kdsintf.amd.com/vcek/v1/Genoa/crl"
    assert want.name == "amd/crl-Genoa.der"
    found = want.parse(body, _NOW)
    assert (found.data, found.fresh, found.usable) == (body, _NOW + 86400, _NOW + days * 86400)


@given(st.binary(max_size=200))
@example(revocation.crl(_NOW, 1).replace(b"\x02\x01\x01", b"\x02\x01\x09", 1))
def test_invalid_crls_are_refused(body):
    with pytest.raises(NoAnswer, match="no revocation list"):
        kds.crl_item("Milan", PUBLIC).parse(body, _NOW)


def test_products_without_a_crl_need_no_request():
    with pytest.raises(EvidenceUnavailable, match="'Turin'"):
        kds.crl_item("Turin", PUBLIC)


@pytest.mark.parametrize(
    ("case", "product"),
    [
        ("azure-genoa-v3", "Genoa"),
        ("azure-milan-v3", "Milan"),
        ("azure-milan-v2", "Milan"),
        ("snp-genoa-v5", "Genoa"),
    ],
)
def test_amds_own_certificates_are_recognised(vectors, case, product):
    folder = vectors / "attest" / case
    report = (folder / "snp-report.bin").read_bytes()
    tcb = report[0x180:0x188]
    chip = Chip(product, report[0x1A0:0x1E0], tcb[0], tcb[1], tcb[6], tcb[7])
    der = (folder / "vcek.der").read_bytes()
    assert kds.vcek_item(chip, PUBLIC).parse(der, _NOW).data == der
    with pytest.raises(NoAnswer):
        kds.vcek_item(replace(chip, snp=chip.snp + 1), PUBLIC).parse(der, _NOW)
