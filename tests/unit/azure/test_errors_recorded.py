"""Every error recorded from Azure or quoted by a user has an error class."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from ccgpu.azure.error_details import error_object
from ccgpu.azure.errors import refusal_of
from ccgpu.errors import (
    AzureRefused,
    AzureUnavailable,
    CapacityUnavailable,
    NotFound,
    QuotaExceeded,
)

_PASSING = {408, 429, 500, 502, 503, 504}


def _load_recording(vectors: Path, file: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((vectors / "arm" / "recorded" / file).read_text())
    assert found
    return found


def _status(text: Any) -> int:
    """Some were quoted without a clear status."""
    number = re.match(r"\d+", str(text))
    return int(number[0]) if number else 409


def _refusal(one: dict[str, Any]) -> AzureRefused:
    return refusal_of("doing", error_object(one.get("body")), _status(one["http_status"]))


def test_recorded_errors_are_translated_by_code_and_status(vectors):
    for one in _load_recording(vectors, "errors_real.json"):
        found = _refusal(one)
        assert found.code == (one["code"] or f"Http{one['http_status']}")
        assert "no reason was given" not in str(found) or not one["code"]
        assert not re.search(r"\?\S*=", str(found))
        if one["http_status"] == 404:
            assert type(found) is NotFound
        if one["http_status"] in _PASSING:
            assert type(found) is AzureUnavailable


_QUOTED = {
    "OperationNotAllowed": QuotaExceeded,
    "SkuNotAvailable": CapacityUnavailable,
    "BadRequest": AzureRefused,
    "InvalidParameter": AzureRefused,
    "OverconstrainedZonalAllocationRequest": CapacityUnavailable,
    "AllocationFailed": CapacityUnavailable,
    "QuotaExceeded": QuotaExceeded,
}


def test_errors_quoted_by_users_are_translated(vectors):
    for one in _load_recording(vectors, "errors_from_issues.json"):
        found = _refusal(one)
        assert type(found) is _QUOTED[found.code], one


@pytest.mark.parametrize("code", ["AnotherOperationInProgress", "InUseSubnetCannotBeDeleted"])
def test_recorded_conflicts_with_another_operation_are_transient(code, vectors):
    found = [one for one in _load_recording(vectors, "errors_real.json") if one["code"] == code]
    assert {type(_refusal(one)) for one in found} == {AzureUnavailable}
