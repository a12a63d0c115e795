"""A pytest plugin: with `CCGPU_NO_SKIPS=1`, a test that lacks a component fails.

A skip whose reason begins with "needs " is due to something that could be installed or provided. CI
provides it, and must not pass without it. Other skips ("only on Linux") stay skips. Real vectors
are required only if `CCGPU_VECTORS` is set, since not everybody has them.
"""

import os
from collections.abc import Generator

import pytest


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Check the skip of a test or of one of its fixtures."""
    report = yield
    _judge(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Check the skip of a whole module."""
    report = yield
    _judge(report)
    return report


def _judge(report: pytest.TestReport | pytest.CollectReport) -> None:
    forbidden = os.environ.get("CCGPU_NO_SKIPS") == "1"
    if not (forbidden and report.skipped and isinstance(report.longrepr, tuple)):
        return  # an expected failure is "skipped" too, but not by this tuple of place and reason
    path, line, text = report.longrepr
    reason = text.removeprefix("Skipped: ")
    owed = not reason.startswith("needs the vectors") or os.environ.get("CCGPU_VECTORS")
    if reason.startswith("needs ") and owed:
        report.outcome = "failed"
        report.longrepr = f"{reason} (skipped at {path}:{line}, which CCGPU_NO_SKIPS=1 forbids)"
