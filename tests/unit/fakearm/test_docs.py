"""docs/fake-azure.md names the source of every error code."""

import pytest

from support.arm import refusal_codes
from support.repository import ROOT

PAGE = ROOT / "docs" / "fake-azure.md"


@pytest.mark.parametrize("code", sorted(refusal_codes()))
def test_every_error_code_is_documented(code):
    assert f"`{code}`" in PAGE.read_text(encoding="utf-8")


def test_error_codes_are_found_in_the_source():
    assert {"NicInUse", "AllocationFailed", "OperationPreempted"} <= refusal_codes()
    assert len(refusal_codes()) > 40
