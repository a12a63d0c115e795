"""CollateralFetcher what a verdict needs: in order, with patience that ends, and never twice."""

import base64
import hashlib
import json

import pytest
import requests

from ccgpu.domain.collateral import Chip, CollateralRequest, FetchedCollateral
from ccgpu.domain.events import Event
from ccgpu.errors import EvidenceUnavailable
from support import revocation
from support.services import UNREACHABLE, Services, WebResponse, json_response

_ID = "NV_GPU_DRIVER_GH100_550.90.07"
_XML = b"<SoftwareIdentity/>"
_MIRROR = f"https://useast2.thim.azure.net/nvidia/v1/rim/{_ID}"
_NVIDIA = f"https://rim.attestation.nvidia.com/v1/rim/{_ID}"
_OCSP_MIRROR = "https://useast2.thim.azure.net/nvidia/ocsp/"
_OCSP = "https://ocsp.ndis.nvidia.com/"
_CRL = "https://kdsintf.amd.com/vcek/v1/Genoa/crl"
_CHIP = Chip("Genoa", bytes(range(64)), 10, 0, 23, 84)
_VCEK = (
    f"https://kdsintf.amd.com/vcek/v1/Genoa/{_CHIP.chip_id.hex()}"
    "?blSPL=10&teeSPL=00&snpSPL=23&ucodeSPL=84"
)
_RIM = CollateralRequest(rims=(_ID,), region="eastus2")


def _manifest(xml: bytes = _XML, rim_id: str = _ID) -> WebResponse:
    digest = hashlib.sha256(xml).hexdigest()
    return json_response({"id": rim_id, "rim": base64.b64encode(xml).decode(), "sha256": digest})


def _certificate() -> bytes:
    amd = "060a2b060104019c780103"
    parts = bytes.fromhex(
        f"{amd}01040302010a{amd}020403020100{amd}030403020117{amd}080403020154"
        "06092b060104019c7801040440"
    )
    inner = bytes(300) + parts + _CHIP.chip_id
    return b"\x30\x82" + len(inner).to_bytes(2) + inner


@pytest.fixture
def services():
    return Services()


@pytest.fixture
def fetch(services, tmp_path):
    """Each call is a new run of the program, with the same cache."""

    def run(needs, listen=lambda _: None, **changes):
        with services.fetching(tmp_path / "cache", **changes) as fetching:
            return fetching.fetch(needs, listen)

    return run


def test_only_the_mirror_of_the_region_is_requested(services, fetch):
    services.publish(_MIRROR, _manifest())
    found = fetch(_RIM).require()
    assert found.rims == (_XML,)
    assert found.collateral[0].source == _MIRROR
    assert services.urls == [_MIRROR]


@pytest.mark.parametrize(
    "mirror",
    [
        UNREACHABLE,
        WebResponse(b"", 404),
        WebResponse(b"", 503),
        WebResponse(b"", 429, {"Retry-After": "600"}),
        WebResponse(b"", 302, {"Location": _NVIDIA}),
        WebResponse(b"<html>sign in</html>"),
        WebResponse(b"x" * 3_000_000),
        _manifest(rim_id="NV_GPU_DRIVER_GH100_535.86.09"),
    ],
)
def test_after_a_failed_mirror_nvidia_is_requested_immediately(services, fetch, mirror):
    began = services.clock.now()
    services.publish(_MIRROR, mirror)
    services.publish(_NVIDIA, _manifest())
    assert fetch(_RIM).require().collateral[0].source == _NVIDIA
    assert services.urls == [_MIRROR, _NVIDIA]
    assert services.clock.now() == began


def test_an_unreachable_mirror_is_tried_once_per_run(services):
    services.publish(_MIRROR, UNREACHABLE)
    services.publish(_NVIDIA, _manifest())
    services.publish(_OCSP, WebResponse(revocation.ocsp_response(7, services.clock.now())))
    with services.fetching() as fetching:
        fetching.fetch(_RIM).require()
        fetching.fetch(
            CollateralRequest(ocsp=(revocation.ocsp_request(7),), region="eastus2")
        ).require()
    assert services.urls == [_MIRROR, _NVIDIA, _OCSP]


def test_a_round_requests_each_item_once(services, fetch):
    now = services.clock.now()
    services.publish(_NVIDIA, _manifest())
    services.publish(_OCSP, lambda asked: WebResponse(revocation.ocsp_response(7, asked.at)))
    services.publish(_CRL, WebResponse(revocation.crl(now, 30)))
    services.publish(_VCEK, WebResponse(_certificate()))
    ask = revocation.ocsp_request(7)
    needs = CollateralRequest((_ID, _ID), (ask, ask), (_CHIP, _CHIP), ("Genoa", "Genoa"))
    found = fetch(needs).require()
    assert (len(found.rims), len(found.ocsp), len(found.vceks), len(found.crls)) == (1, 1, 1, 1)
    assert sorted(services.urls) == sorted([_NVIDIA, _OCSP, _CRL, _VCEK])


def test_fresh_cached_items_need_no_request(services, fetch):
    now = services.clock.now()
    services.publish(_NVIDIA, _manifest())
    services.publish(_OCSP, WebResponse(revocation.ocsp_response(7, now)))
    services.publish(_CRL, WebResponse(revocation.crl(now, 30)))
    services.publish(_VCEK, WebResponse(_certificate()))
    needs = CollateralRequest((_ID,), (revocation.ocsp_request(7),), (_CHIP,), ("Genoa",))
    first = fetch(needs).require()
    asked = len(services.requests)
    services.clock.sleep(3600)
    assert fetch(needs).require() == first
    assert len(services.requests) == asked == 4


def test_after_a_day_all_but_the_vcek_is_fetched_again(services, fetch):
    now = services.clock.now()
    services.publish(_NVIDIA, _manifest())
    services.publish(_OCSP, lambda asked: WebResponse(revocation.ocsp_response(7, asked.at)))
    services.publish(_CRL, WebResponse(revocation.crl(now, 30)))
    services.publish(_VCEK, WebResponse(_certificate()))
    needs = CollateralRequest((_ID,), (revocation.ocsp_request(7),), (_CHIP,), ("Genoa",))
    fetch(needs).require()
    services.clock.sleep(86401)
    services.requests.clear()
    fetch(needs).require()
    assert sorted(services.urls) == sorted([_NVIDIA, _OCSP, _CRL])


def test_a_damaged_cache_entry_is_fetched_again(services, fetch, tmp_path):
    services.publish(_NVIDIA, _manifest())
    needs = CollateralRequest(rims=(_ID,))
    fetch(needs)
    (entry,) = (tmp_path / "cache").iterdir()
    entry.write_bytes(entry.read_bytes()[:-1])
    assert fetch(needs).require().rims == (_XML,)
    assert services.urls == [_NVIDIA, _NVIDIA]


@pytest.mark.parametrize("status", [429, 503])
def test_retries_wait_at_least_retry_after(services, fetch, status):
    services.publish(
        _VCEK,
        WebResponse(b"", status, {"Retry-After": "11"}),
        WebResponse(b"", status),
        WebResponse(_certificate()),
    )
    assert fetch(CollateralRequest(chips=(_CHIP,))).require().vceks == (_certificate(),)
    began = services.requests[0].at
    assert [each.at - began for each in services.requests] == [0.0, 11.0, 15.0]


def test_requests_that_fail_together_are_repeated_apart(services, fetch):
    began = services.clock.now()
    services.publish(_VCEK, WebResponse(b"", 503), WebResponse(_certificate()))
    services.publish(_CRL, WebResponse(b"", 503), WebResponse(revocation.crl(began, 30)))
    request = CollateralRequest(chips=(_CHIP,), crls=("Genoa",))
    fetch(request, jitter=iter((0.0, 0.5)).__next__).require()
    assert [each.at - began for each in services.requests] == [0.0, 0.0, 1.0, 1.5]


def test_retries_end_with_the_time_limit(services, fetch):
    began = services.clock.now()
    services.publish(_VCEK, WebResponse(b"", 429))
    (missing,) = fetch(CollateralRequest(chips=(_CHIP,)), time_limit=30.0).missing
    assert missing.reasons == ("kdsintf.amd.com answered 429",)
    assert [each.at - began for each in services.requests] == [0.0, 2.0, 6.0, 14.0, 30.0]


@pytest.mark.parametrize(
    "answer", [WebResponse(b"", 404), WebResponse(b"", 403), WebResponse(b"<html>")]
)
def test_permanent_errors_are_not_retried(services, fetch, answer):
    services.publish(_VCEK, answer)
    assert len(fetch(CollateralRequest(chips=(_CHIP,))).missing) == 1
    assert services.urls == [_VCEK]


def test_a_retry_after_beyond_the_time_limit_is_not_waited_for(services, fetch):
    began = services.clock.now()
    services.publish(_VCEK, WebResponse(b"", 429, {"Retry-After": "3600"}))
    (missing,) = fetch(CollateralRequest(chips=(_CHIP,))).missing
    assert "wants to be asked again in 3600 s" in missing.reasons[0]
    assert services.clock.now() == began


def test_tls_errors_are_retried(services, fetch):
    broken = requests.exceptions.SSLError("eof")
    answer = WebResponse(revocation.ocsp_response(7, services.clock.now()))
    services.publish(_OCSP_MIRROR, WebResponse(b"", 503))
    services.publish(_OCSP, broken, broken, answer)
    needs = CollateralRequest(ocsp=(revocation.ocsp_request(7),), region="eastus2")
    assert fetch(needs).require().collateral[0].source == _OCSP


def test_all_missing_items_are_reported_and_the_rest_returned(services, fetch):
    services.publish(_MIRROR, UNREACHABLE)
    services.publish(_NVIDIA, WebResponse(b"", 404))
    services.publish(_VCEK, UNREACHABLE)
    services.publish(_CRL, WebResponse(revocation.crl(services.clock.now(), 30)))
    found = fetch(CollateralRequest((_ID,), (), (_CHIP,), ("Genoa",), region="eastus2"))
    assert len(found.crls) == 1
    with pytest.raises(EvidenceUnavailable) as caught:
        found.require()
    assert caught.value.exit_code == 8
    assert str(caught.value) == (
        "some collateral could not be fetched:\n"
        f"  the reference manifest {_ID}: useast2.thim.azure.net cannot be reached; "
        "rim.attestation.nvidia.com does not have it (404)\n"
        "  AMD's certificate of the Genoa chip 0001020304050607…: "
        "kdsintf.amd.com cannot be reached"
    )


def test_a_response_revoking_a_certificate_is_collateral(services, fetch):
    body = revocation.ocsp_response(7, services.clock.now(), revoked=True)
    services.publish(_OCSP, WebResponse(body))
    assert fetch(CollateralRequest(ocsp=(revocation.ocsp_request(7),))).require().ocsp == (body,)


def test_an_outdated_response_is_used_only_without_a_fresh_one(services, fetch):
    now = services.clock.now()
    old, new = revocation.ocsp_response(7, now - 90000), revocation.ocsp_response(7, now)
    needs = CollateralRequest(ocsp=(revocation.ocsp_request(7),), region="eastus2")
    services.publish(_OCSP_MIRROR, WebResponse(old))
    services.publish(_OCSP, WebResponse(b"", 403))
    assert fetch(needs).require().ocsp == (old,)
    services.publish(_OCSP, WebResponse(new))
    assert fetch(needs).require().ocsp == (new,)


def test_requests_with_a_nonce_are_not_answered_from_the_cache(services, fetch):
    services.publish(_OCSP, lambda asked: WebResponse(revocation.ocsp_response(7, asked.at)))
    plain = CollateralRequest(ocsp=(revocation.ocsp_request(7),))
    fetch(plain)
    nonced = CollateralRequest(
        ocsp=(revocation.ocsp_request(7, nonce=b"n" * 32),), region="eastus2"
    )
    fetch(nonced).require()
    fetch(nonced).require()
    assert services.urls == [_OCSP] * 3
    services.clock.sleep(86401)
    fetch(nonced).require()
    fetch(plain)
    assert services.urls == [_OCSP] * 5  # nor is one made with a nonce kept for others
    assert services.requests[1].body == nonced.ocsp[0]


def test_valid_cached_items_are_used_when_services_fail(services, fetch):
    now = services.clock.now()
    services.publish(_NVIDIA, _manifest())
    services.publish(_CRL, WebResponse(revocation.crl(now, 30)))
    services.publish(_OCSP, WebResponse(revocation.ocsp_response(7, now, hours=48)))
    needs = CollateralRequest(rims=(_ID,), ocsp=(revocation.ocsp_request(7),), crls=("Genoa",))
    first = fetch(needs).require()
    for url in (_NVIDIA, _CRL, _OCSP):
        services.publish(url, UNREACHABLE)
    services.clock.sleep(2 * 86400 - 120)
    notes: list[str] = []
    assert fetch(needs, lambda event: notes.append(event.text)).require() == first
    assert any("as it was kept, because" in note for note in notes)
    services.clock.sleep(120)
    late = fetch(needs)
    assert (late.rims, late.crls, late.ocsp) == (first.rims, first.crls, ())


def test_a_certificate_in_the_evidence_saves_the_request(services, fetch):
    body = base64.encodebytes(_certificate()).decode()
    pem = f"-----BEGIN CERTIFICATE-----\n{body}-----END CERTIFICATE-----\n"
    thim = json.dumps({"vcekCert": pem, "certificateChain": "", "tcbm": ""}).encode()
    assert fetch(CollateralRequest(chips=(_CHIP,), thim=thim)).require().vceks == (_certificate(),)
    assert services.requests == []
    services.publish(_VCEK, WebResponse(_certificate()))
    assert fetch(CollateralRequest(chips=(_CHIP,), thim=b"{}")).require().vceks == (_certificate(),)
    assert services.urls == [_VCEK]


@pytest.mark.parametrize(
    "needs",
    [CollateralRequest(rims=("../ids",)), CollateralRequest(crls=("Turin",))],
)
def test_invalid_requests_are_refused_before_any_is_sent(services, fetch, needs):
    with pytest.raises(EvidenceUnavailable):
        fetch(needs)
    assert services.requests == []


def test_retries_are_reported_as_events(services, fetch):
    events: list[Event] = []
    services.publish(_VCEK, WebResponse(b"", 503), WebResponse(_certificate()))
    fetch(CollateralRequest(chips=(_CHIP,)), events.append)
    assert [(each.what, each.at) for each in events] == [("retry", 0.0)]
    assert "kdsintf.amd.com answered 503" in events[0].text


def test_without_a_cache_every_item_is_requested(services):
    services.publish(_NVIDIA, _manifest())
    for _ in range(2):
        with services.fetching() as fetching:
            fetching.fetch(CollateralRequest(rims=(_ID,))).require()
    assert len(services.requests) == 2


def test_two_rounds_return_one_result(services, fetch):
    services.publish(_NVIDIA, _manifest())
    services.publish(_CRL, UNREACHABLE)
    first, second = (
        fetch(CollateralRequest(rims=(_ID,))),
        fetch(CollateralRequest(rims=(_ID,), crls=("Genoa",))),
    )
    whole = first + second
    assert whole.rims == (_XML,)
    assert [each.what for each in whole.missing] == ["AMD's revocation list of Genoa"]
    assert (FetchedCollateral() + FetchedCollateral()).require() == FetchedCollateral()
