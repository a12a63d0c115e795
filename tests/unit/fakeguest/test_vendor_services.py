"""The simulated vendors' web services: what they answer, and what they do not have."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp

from ccgpu.fakearm import FakeGap, Request
from ccgpu.fakeguest.evidence.amd import SimulatedTcb
from ccgpu.fakeguest.evidence.pki import public_key_info
from ccgpu.fakeguest.vendor_services import VendorServices
from ccgpu.fakeguest.vendor_urls import KDS_URL, OCSP_URL, RIM_URL
from ccgpu.fakeguest.vendors import DRIVER_RIM, load_vendors
from support import revocation
from support.cloud import vendors

_NOW = 1_800_000_000.0
_DAY = datetime(2027, 1, 15, tzinfo=UTC)
_SPLS = "?blSPL=10&teeSPL=00&snpSPL=23&ucodeSPL=84"


@pytest.fixture
def get() -> Any:
    services = VendorServices(vendors(), lambda: _NOW)
    return lambda url, method="GET", body=b"": services.send(Request(method, url, {}, body))


def _ask(get, request):
    return ocsp.load_der_ocsp_response(get(OCSP_URL, "POST", request).body)


def test_amd_serves_its_chain_and_todays_list(get):
    chain = x509.load_pem_x509_certificates(get(f"{KDS_URL}/vcek/v1/Genoa/cert_chain").body)
    assert [each.subject.rdns[-1].rfc4514_string() for each in chain] == [
        "CN=SEV-Genoa",
        "CN=ARK-Genoa",
    ]
    crl = x509.load_der_x509_crl(get(f"{KDS_URL}/vcek/v1/Genoa/crl").body)
    assert crl.is_signature_valid(vendors().amd.ark_key.public_key())
    assert (crl.last_update_utc, crl.next_update_utc) == (_DAY, _DAY + timedelta(days=30))


def test_a_chip_has_one_key_at_a_tcb_in_every_process(get):
    chip = load_vendors(vendors().as_text()).chip("vm")
    certificate = get(f"{KDS_URL}/vcek/v1/Genoa/{chip.hwid.hex()}{_SPLS}").body
    assert public_key_info(chip.key) in certificate
    assert public_key_info(vendors().chip("vm", SimulatedTcb(snp=1)).key) not in certificate


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (f"/vcek/v1/Genoa/{bytes(64).hex()}{_SPLS}", 404),
        (f"/vcek/v1/Milan/{bytes(64).hex()}{_SPLS}", 404),
        (f"/vcek/v1/Genoa/{bytes(64).hex()}", 400),
        (f"/vcek/v1/Genoa/x{_SPLS}", 400),
        ("/vcek/v1/Genoa", 404),
    ],
)
def test_what_amd_does_not_have_is_refused(get, path, status):
    assert get(KDS_URL + path).status == status


def test_nvidia_serves_its_own_manifests_alone(get):
    assert get(RIM_URL + DRIVER_RIM).body["id"] == DRIVER_RIM
    assert get(f"{RIM_URL}NV_GPU_DRIVER_GH100_1.2.3").status == 404


def test_the_responder_answers_for_its_own_authorities_with_the_nonce(get):
    subject, issuer = (each.certificate for each in vendors().rim_issuers[:2])
    builder = ocsp.OCSPRequestBuilder().add_certificate(subject, issuer, hashes.SHA384())
    request = builder.add_extension(x509.OCSPNonce(b"n" * 32), critical=False).build()
    answer = _ask(get, request.public_bytes(Encoding.DER))
    assert answer.certificate_status is ocsp.OCSPCertStatus.GOOD
    assert answer.serial_number == subject.serial_number
    assert answer.extensions.get_extension_for_class(x509.OCSPNonce).value.nonce == b"n" * 32


def test_of_others_the_responder_is_unauthorized(get):
    answer = _ask(get, revocation.ocsp_request(7))
    assert answer.response_status is ocsp.OCSPResponseStatus.UNAUTHORIZED


@pytest.mark.parametrize(
    ("url", "method"), [("https://kdsintf.amd.com/x", "GET"), (KDS_URL, "POST"), (OCSP_URL, "GET")]
)
def test_no_other_host_or_method_is_answered(get, url, method):
    with pytest.raises(FakeGap):
        get(url, method)
