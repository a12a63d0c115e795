"""The page on the fake says of every refusal where it is known from."""

import pytest

from support.arm import refusal_codes
from support.repository import ROOT

PAGE = ROOT / "docs" / "fake-azure.md"


@pytest.mark.parametrize("code", sorted(refusal_codes()))
def test_every_refusal_has_its_place_in_the_page(code):
    assert f"`{code}`" in PAGE.read_text(encoding="utf-8")


def test_the_refusals_are_found_in_the_source():
    assert {"NicInUse", "AllocationFailed", "OperationPreempted"} <= refusal_codes()
    assert len(refusal_codes()) > 40
