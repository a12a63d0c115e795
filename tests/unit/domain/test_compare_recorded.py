"""What real Azure gave back for what was put is no difference."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from ccgpu.domain.catalog import Kind
from ccgpu.domain.compare import differences
from ccgpu.domain.resource import kind_of

_FILES = ("vm_lifecycle_real_ordered.json", "confidential_vm_put_azps_real.json")
_PASSWORD = "properties.osProfile.adminPassword"  # what we never put, and no GET gives back


def _calls(file: Path) -> list[dict[str, Any]]:
    found = json.loads(file.read_text("utf-8"))
    calls: list[dict[str, Any]] = found if isinstance(found, list) else found["interactions"]
    return calls


def _json(text: Any) -> Any:
    return json.loads(text) if isinstance(text, str) else text


def _read_back(calls: list[dict[str, Any]]) -> Iterator[tuple[Kind, Any, Any]]:
    """Each resource that was put, with each later answer to a GET of it."""
    put: dict[str, Any] = {}
    for call in calls:
        path = urlsplit(call["url"]).path
        kind = kind_of(path)
        if kind is None:
            continue
        if call["method"] == "PUT":
            put[path] = _json(call["request"])
        elif call["method"] == "GET" and call["status"] == 200 and path in put:
            yield kind, put[path], _json(call["body"])


@pytest.mark.parametrize("file", _FILES)
def test_recorded_gets_do_not_differ_from_their_puts(file, vectors):
    seen = list(_read_back(_calls(vectors / "arm" / "recorded" / file)))
    told = {one.path for kind, sent, found in seen for one in differences(kind, sent, found)}
    assert seen
    assert told <= {_PASSWORD}
