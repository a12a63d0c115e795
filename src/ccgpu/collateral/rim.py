"""Reference integrity manifests (RIM), by id, from Azure's mirror, else from NVIDIA.

Ids come from GPU evidence whose signature has been verified. They are checked nevertheless, because
they become part of a URL and of a path.
"""

import base64
import binascii
import hashlib
import json
import re
from functools import partial
from typing import Any

from ccgpu.collateral.item import CollateralItem, Payload, payload_for_a_day
from ccgpu.collateral.sources import MIRROR_CONNECT, Sources
from ccgpu.domain.evidence import MAX_MANIFEST
from ccgpu.errors import EvidenceUnavailable
from ccgpu.net.fetch import HttpRequestSpec, NoAnswer
from ccgpu.net.transport import CONNECT

# NVIDIA RIM Service, "RIM ID Naming Convention": the characters of a GPU's RIM id.
_ID = re.compile(r"[A-Z0-9][A-Z0-9_.-]{0,127}")
# Real manifests have 20 KB. A response contains them as base64 in JSON.
_ANSWER_LIMIT = MAX_MANIFEST * 4 // 3 + 4096


def rim_item(rim_id: str, sources: Sources, region: str | None) -> CollateralItem:
    """The manifest with this id; raises `EvidenceUnavailable` if the id is malformed."""
    if not _ID.fullmatch(rim_id):
        raise EvidenceUnavailable(
            f"{rim_id[:140]!a} is not a possible reference manifest id",
            hint="this ccgpu does not know how the GPU names its driver and VBIOS; use a newer one",
        )
    requests = tuple(
        HttpRequestSpec(
            f"{service.url}{rim_id}",
            _ANSWER_LIMIT,
            "application/json",
            connect=MIRROR_CONNECT if service.mirror else CONNECT,
        )
        for service in sources.rims(region)
    )
    parse = partial(_parse_response, rim_id)
    return CollateralItem(
        f"rim/{rim_id}.xml", f"the reference manifest {rim_id}", MAX_MANIFEST, requests, parse
    )


def _parse_response(rim_id: str, body: bytes, now: float) -> Payload:
    """The XML in a response `{"id": …, "rim": base64, "sha256": hex}` (RIM Service API v1)."""
    try:
        answer = json.loads(body, object_pairs_hook=_reject_duplicate_keys)
        answer_id, text, digest = answer["id"], answer["rim"], answer["sha256"]
        xml = base64.b64decode(text, validate=True)
    except (ValueError, KeyError, TypeError, RecursionError, binascii.Error) as err:
        raise NoAnswer("the answer is not what a RIM service gives") from err
    if answer_id != rim_id:
        raise NoAnswer(f"the answer is about {ascii(answer_id)[:140]}")
    if not isinstance(digest, str) or hashlib.sha256(xml).hexdigest() != digest.casefold():
        raise NoAnswer("the manifest is not the one of its sha256")
    if len(xml) > MAX_MANIFEST:
        raise NoAnswer(f"the manifest has more than {MAX_MANIFEST} bytes")
    return payload_for_a_day(xml, now)


def _reject_duplicate_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) != len(pairs):
        raise ValueError("a key stands twice")
    return document
