"""Findings: each failed one has a remedy, and the first one's error decides the exit code."""

import pytest

from ccgpu.domain.finding import failed, good, require_good_findings, unknown, warned
from ccgpu.errors import (
    CcgpuError,
    Denied,
    GuestUnreachable,
    InvalidFile,
    NotFound,
    QuotaExceeded,
    StateUnusable,
    TimedOut,
)

_ERRORS = (
    InvalidFile("spec", []),
    Denied("no", code="AuthorizationFailed"),
    NotFound("none", code="NotFound"),
    QuotaExceeded("full", code="Preflight"),
    TimedOut("late"),
    StateUnusable("broken"),
    GuestUnreachable("no ssh"),
    CcgpuError("else"),
)


@pytest.mark.parametrize("error", _ERRORS, ids=lambda error: type(error).__name__)
def test_a_failed_check_has_a_remedy_whatever_its_error(error):
    assert failed("step", error).remedy
    assert failed("step", CcgpuError("x", hint="do that")).remedy == "do that"


def test_the_first_failed_check_decides_and_all_are_named():
    findings = [
        good("a", "fine"),
        unknown("b", "not looked at"),
        failed("c", QuotaExceeded("full", code="Preflight")),
        failed("d", StateUnusable("broken")),
        failed("c", QuotaExceeded("full too", code="Preflight")),
    ]
    with pytest.raises(QuotaExceeded) as caught:
        require_good_findings(findings)
    assert str(caught.value) == "the set-up is not in order: c, d"


def test_warnings_and_what_is_unknown_fail_nothing():
    require_good_findings([good("a", "x"), warned("b", "y", "z"), unknown("c", "?")])
    require_good_findings([])
