"""Manifests of container images: which one is for a platform, and which blobs it is made of.

Source: OCI Image Format Specification 1.1 (image index, image manifest, descriptor); Docker's
Image Manifest V2, Schema 2, which has the same fields.
"""

import hashlib
import json
import re
from typing import Any

from ccgpu.image.malformed import MalformedImage, demand

MAX_MANIFEST = 4 * 1024 * 1024  # bytes; registries refuse larger ones (Distribution Specification)
_MOST = 4096
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_PLATFORM = {"os": "linux", "architecture": "amd64"}


def digest_of(data: bytes) -> str:
    """The digest by which a blob is named."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def platform_manifest(raw: bytes, digest: str) -> str | None:
    """The digest of the manifest for linux/amd64, if `raw` is an index; None if it is a manifest.

    digest: what `raw` must have.

    Raises:
        MalformedImage: these are other bytes, or no index with that platform.
    """
    document = _document(raw, digest)
    if "manifests" not in document:
        return None
    for each in _descriptors(document["manifests"], digest):
        platform = each.get("platform")
        if isinstance(platform, dict) and _PLATFORM.items() <= platform.items():
            return _digest(each, digest)
    raise MalformedImage(f"the platforms of {digest}", "one of linux/amd64", "others")


def blobs_of(raw: bytes, digest: str) -> tuple[str, ...]:
    """The digests of the configuration and of the layers of a manifest, each once.

    Raises:
        MalformedImage: these are other bytes, or no manifest.
    """
    document = _document(raw, digest)
    config = _descriptors([document.get("config")], digest)
    layers = _descriptors(document.get("layers"), digest)
    return tuple(dict.fromkeys(_digest(each, digest) for each in (*config, *layers)))


def _document(raw: bytes, digest: str) -> dict[str, Any]:
    demand(f"the bytes of {digest}", digest, digest_of(raw))
    if len(raw) > MAX_MANIFEST:
        raise MalformedImage(f"the size of {digest}", f"at most {MAX_MANIFEST}", len(raw))
    try:
        document = json.loads(raw)
    except (ValueError, RecursionError) as err:
        raise MalformedImage(f"the manifest {digest}", "JSON", "something else") from err
    if not isinstance(document, dict):
        raise MalformedImage(f"the manifest {digest}", "an object", type(document).__name__)
    return document


def _descriptors(value: object, digest: str) -> list[dict[str, Any]]:
    is_list = isinstance(value, list) and 0 < len(value) <= _MOST
    if not is_list or not all(isinstance(each, dict) for each in value):  # type: ignore[attr-defined]
        raise MalformedImage(f"the manifest {digest}", "lists of descriptors", "none")
    return value  # type: ignore[return-value]


def _digest(descriptor: dict[str, Any], digest: str) -> str:
    found = descriptor.get("digest")
    if not isinstance(found, str) or not _DIGEST.fullmatch(found):
        raise MalformedImage(f"a digest in {digest}", "sha256 and 64 hex digits", found)
    return found
