"""OCSP answers: to the question that was asked, and kept no longer than they say."""

from contextlib import suppress

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.ocsp import (
    OCSPRequestBuilder,
    OCSPResponseStatus,
    load_der_ocsp_response,
)
from hypothesis import given
from hypothesis import strategies as st

from ccgpu.collateral import ocsp
from ccgpu.collateral.sources import PUBLIC
from ccgpu.net.fetch import NoAnswer
from support import revocation

_NOW = 1_800_000_000.0
_HOUR = 3600.0


def _parse(body: bytes, serial: int = 7):
    return ocsp.ocsp_item(revocation.ocsp_request(serial), PUBLIC, None).parse(body, _NOW)


def test_the_request_is_sent_unchanged_to_the_mirror_and_then_nvidia():
    request = revocation.ocsp_request(7)
    first, second = ocsp.ocsp_item(request, PUBLIC, "eastus2").requests
    assert first.url == "https://useast2.thim.azure.net/nvidia/ocsp/"
    assert second.url == "https://ocsp.ndis.nvidia.com/"
    for ask in (first, second):
        assert ask.body == request
        assert ask.content_type == "application/ocsp-request"
        assert ask.accept == "application/ocsp-response"
    assert first.connect < second.connect


def test_requests_with_a_nonce_go_to_the_responder_and_are_not_cached():
    want = ocsp.ocsp_item(revocation.ocsp_request(7, nonce=b"n" * 32), PUBLIC, "eastus2")
    assert [ask.host for ask in want.requests] == ["ocsp.ndis.nvidia.com"]
    assert not want.cached
    assert ocsp.ocsp_item(revocation.ocsp_request(7), PUBLIC, "eastus2").cached


def test_each_certificate_and_hash_has_its_own_cache_key():
    requests = [
        revocation.ocsp_request(7),
        revocation.ocsp_request(8),
        revocation.ocsp_request(7, algorithm=hashes.SHA1()),
    ]
    names = {ocsp.ocsp_item(each, PUBLIC, None).name for each in requests}
    assert len(names) == 3
    again = ocsp.ocsp_item(revocation.ocsp_request(7, nonce=b"n" * 16), PUBLIC, None).name
    assert again in names


def test_an_invalid_ocsp_request_is_not_sent():
    with pytest.raises(ValueError, match="parsing asn1"):
        ocsp.ocsp_item(b"\x30\x00", PUBLIC, None)


@pytest.mark.parametrize("revoked", [False, True])
def test_responses_of_any_status_are_cached_until_next_update(revoked):
    body = revocation.ocsp_response(7, _NOW - _HOUR, hours=3, revoked=revoked)
    found = _parse(body)
    assert found.data == body
    assert (found.fresh, found.usable) == (_NOW + 2 * _HOUR, _NOW + 2 * _HOUR)


def test_long_lived_responses_are_fetched_again_within_a_day():
    found = _parse(revocation.ocsp_response(7, _NOW, hours=24 * 90))
    assert (found.fresh, found.usable) == (_NOW + 24 * _HOUR, _NOW + 90 * 24 * _HOUR)


def test_responses_without_next_update_are_not_cached():
    found = _parse(revocation.ocsp_response(7, _NOW - _HOUR, hours=None))
    assert (found.fresh, found.usable) == (_NOW, _NOW)


@pytest.mark.parametrize("begins", [-25 * _HOUR, _HOUR])
def test_responses_outside_their_window_are_outdated(begins):
    assert _parse(revocation.ocsp_response(7, _NOW + begins)).usable < _NOW


def test_small_clock_differences_are_tolerated():
    assert _parse(revocation.ocsp_response(7, _NOW + 299)).usable > _NOW


@pytest.mark.parametrize(
    ("status", "transient"),
    [
        (OCSPResponseStatus.TRY_LATER, True),
        (OCSPResponseStatus.INTERNAL_ERROR, True),
        (OCSPResponseStatus.UNAUTHORIZED, False),
        (OCSPResponseStatus.MALFORMED_REQUEST, False),
        (OCSPResponseStatus.SIG_REQUIRED, False),
    ],
)
def test_an_unsuccessful_response_does_not_mean_revoked(status, transient):
    with pytest.raises(NoAnswer, match="the responder says: ") as caught:
        _parse(revocation.unsuccessful_response(status))
    assert caught.value.transient is transient


@pytest.mark.parametrize(
    "body",
    [revocation.ocsp_response(8, _NOW), revocation.ocsp_response(7, _NOW, algorithm=hashes.SHA1())],
    ids=["serial", "hash"],
)
def test_a_response_about_another_certificate_is_refused(body):
    with pytest.raises(NoAnswer, match="about another certificate"):
        _parse(body)


_SHA384 = bytes.fromhex("608648016503040202")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"\x30\x03\x0a\x01\x00",
        revocation.ocsp_response(7, _NOW).replace(_SHA384, b"\0" + _SHA384[1:]),
    ],
)
def test_invalid_responses_are_refused(body):
    with pytest.raises(NoAnswer):
        _parse(body)


@given(st.binary(max_size=200), st.integers(0, 400))
def test_any_bytes_are_parsed_or_refused(noise, place):
    body = revocation.ocsp_response(7, _NOW)
    for each in (noise, body[:place] + noise + body[place + len(noise) :]):
        with suppress(NoAnswer):
            _parse(each)


def test_real_responses_of_nvidia_match_a_request(vectors):
    files = sorted((vectors / "gpu" / "h100-550.90.07" / "ocsp").iterdir())
    assert len(files) == 7
    for file in files:
        answer = load_der_ocsp_response(file.read_bytes())
        asked = OCSPRequestBuilder().add_certificate_by_hash(
            answer.issuer_name_hash,
            answer.issuer_key_hash,
            answer.serial_number,
            answer.hash_algorithm,
        )
        want = ocsp.ocsp_item(asked.build().public_bytes(Encoding.DER), PUBLIC, None)
        then = answer.this_update_utc.timestamp() + 60
        assert want.parse(file.read_bytes(), then).usable > then
        assert want.parse(file.read_bytes(), _NOW).usable < _NOW
