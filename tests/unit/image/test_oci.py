"""Manifests of container images are untrusted input: read strictly, and by their digests."""

import json

import pytest

from ccgpu.image import oci
from ccgpu.image.malformed import MalformedImage

_A, _B = "sha256:" + "a" * 64, "sha256:" + "b" * 64


def _raw(document):
    raw = json.dumps(document).encode()
    return raw, oci.digest_of(raw)


def _entry(architecture, digest):
    return {"digest": digest, "platform": {"os": "linux", "architecture": architecture}}


def test_an_index_names_the_manifest_for_amd64():
    raw, digest = _raw({"manifests": [_entry("arm64", _A), _entry("amd64", _B)]})
    assert oci.platform_manifest(raw, digest) == _B
    manifest, own = _raw({"config": {"digest": _A}, "layers": [{"digest": _B}, {"digest": _B}]})
    assert oci.platform_manifest(manifest, own) is None
    assert oci.blobs_of(manifest, own) == (_A, _B)


def test_other_bytes_than_the_digest_names_are_refused():
    raw, digest = _raw({"config": {"digest": _A}, "layers": [{"digest": _B}]})
    for read in (oci.platform_manifest, oci.blobs_of):
        with pytest.raises(MalformedImage, match="the bytes of"):
            read(raw + b" ", digest)


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({"manifests": [_entry("arm64", _A)]}, "the platforms of"),
        ({"manifests": []}, "lists of descriptors"),
        ({"manifests": [{"digest": _A, "platform": 1}]}, "the platforms of"),
        ([], "an object"),
        ({"manifests": [_entry("amd64", "md5:0")]}, "a digest in"),
    ],
)
def test_an_index_that_is_none_is_refused(document, said):
    with pytest.raises(MalformedImage, match=said):
        oci.platform_manifest(*_raw(document))


@pytest.mark.parametrize(
    "document",
    [{}, {"config": 1, "layers": []}, {"config": {"digest": _A}, "layers": [{"digest": "x"}]}],
)
def test_a_manifest_that_is_none_is_refused(document):
    with pytest.raises(MalformedImage):
        oci.blobs_of(*_raw(document))


@pytest.mark.parametrize("raw", [b"{", b"[" * 100_000, b" " * (oci.MAX_MANIFEST + 1)])
def test_bytes_that_are_no_document_are_refused(raw):
    with pytest.raises(MalformedImage):
        oci.platform_manifest(raw, oci.digest_of(raw))
