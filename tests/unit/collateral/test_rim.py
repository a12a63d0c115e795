"""Reference manifests: whom they are asked of, and which answers are none."""

import base64
import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccgpu.collateral import rim
from ccgpu.collateral.sources import PUBLIC
from ccgpu.domain.evidence import MAX_MANIFEST
from ccgpu.errors import EvidenceUnavailable
from ccgpu.net.fetch import NoAnswer

_ID = "NV_GPU_DRIVER_GH100_550.90.07"
_XML = b"<SoftwareIdentity/>"
_NVIDIA = f"https://rim.attestation.nvidia.com/v1/rim/{_ID}"


def _answer(**changes) -> bytes:
    document = {
        "id": _ID,
        "rim": base64.b64encode(_XML).decode(),
        "sha256": hashlib.sha256(_XML).hexdigest(),
        "rim_format": "TCG",
        "request_id": "1",
    }
    return json.dumps(document | changes).encode()


def _parse(body: bytes) -> bytes:
    return rim.rim_item(_ID, PUBLIC, None).parse(body, 0.0).data


def test_the_rim_is_the_xml_in_the_response():
    found = rim.rim_item(_ID, PUBLIC, None).parse(_answer(), 1000.0)
    assert (found.data, found.fresh) == (_XML, 1000.0 + 86400)
    assert _parse(_answer(sha256=hashlib.sha256(_XML).hexdigest().upper())) == _XML


@pytest.mark.parametrize(
    ("region", "mirror"),
    [
        ("eastus2", "useast2"),
        ("East US 2", "useast2"),
        ("westeurope", "europewest"),
        ("centralus", "uscentral"),
        ("centraluseuap", "uscentraleuap"),
    ],
)
def test_the_mirror_is_requested_first_with_a_short_timeout(region, mirror):
    first, second = rim.rim_item(_ID, PUBLIC, region).requests
    assert first.url == f"https://{mirror}.thim.azure.net/nvidia/v1/rim/{_ID}"
    assert second.url == _NVIDIA
    assert first.connect < second.connect


@pytest.mark.parametrize("region", [None, "", "swedencentral"])
def test_without_a_mirror_nvidia_is_requested(region):
    assert [ask.url for ask in rim.rim_item(_ID, PUBLIC, region).requests] == [_NVIDIA]


def test_every_url_has_an_allowed_host():
    for region in PUBLIC.mirrors:
        assert {ask.host for ask in rim.rim_item(_ID, PUBLIC, region).requests} <= set(
            PUBLIC.hosts()
        )


@pytest.mark.parametrize(
    "bad",
    ["", ".", "..", "../ids", "A/B", "A?x", "A#", "A%2F", "a", "A B", "A\n", "É", "A" * 129, ".A"],
)
def test_an_id_that_escapes_the_path_is_refused(bad):
    with pytest.raises(EvidenceUnavailable, match="is not a possible reference manifest id"):
        rim.rim_item(bad, PUBLIC, None)


@given(st.text())
def test_any_id_stays_below_the_path_or_is_refused(text):
    try:
        want = rim.rim_item(text, PUBLIC, "eastus2")
    except EvidenceUnavailable:
        return
    assert want.name == f"rim/{text}.xml"
    assert all(ask.url.endswith(f"/v1/rim/{text}") for ask in want.requests)
    assert not set(text) & set("/\\?#%:@ ")


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "not what a RIM service gives"),
        (b"<html>", "not what a RIM service gives"),
        (b"[]", "not what a RIM service gives"),
        (b"[" * 100_000, "not what a RIM service gives"),
        (b"{}", "not what a RIM service gives"),
        (_answer(rim=None), "not what a RIM service gives"),
        (_answer(rim="<xml>"), "not what a RIM service gives"),
        (_answer(rim="<" + base64.b64encode(_XML).decode()), "not what a RIM service gives"),
        (_answer()[:-1] + b', "id": "' + _ID.encode() + b'"}', "not what a RIM service gives"),
        (_answer(id="NV_GPU_DRIVER_GH100_535.86.09"), "is about 'NV_GPU_DRIVER_GH100_535.86.09'"),
        (_answer(id=None), "is about None"),
        (_answer(sha256="00" * 32), "not the one of its sha256"),
        (_answer(sha256=None), "not the one of its sha256"),
        (_answer(rim=base64.b64encode(_XML + b" ").decode()), "not the one of its sha256"),
    ],
)
def test_a_response_without_the_requested_rim_is_refused(body, reason):
    with pytest.raises(NoAnswer, match=reason):
        _parse(body)


def test_an_oversized_rim_is_refused():
    xml = b"x" * (MAX_MANIFEST + 1)
    digest = hashlib.sha256(xml).hexdigest()
    with pytest.raises(NoAnswer, match="more than 262144 bytes"):
        _parse(_answer(rim=base64.b64encode(xml).decode(), sha256=digest))


@given(st.binary(max_size=400))
def test_any_response_is_parsed_or_refused(body):
    with pytest.raises(NoAnswer):
        _parse(body)
