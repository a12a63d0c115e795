"""A pytest plugin: where `CCGPU_NO_SKIPS=1`, a test that lacks a component fails.

A skip whose reason begins with "needs " says that something could be installed or handed over;
CI does so, and must not turn green by forgetting. Other skips ("only on Linux") stay skips. The
folder of real vectors is owed only where `CCGPU_VECTORS` promises it: not everybody has it.
"""

import os
from collections.abc import Generator

import pytest


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Judge the skip of a test or of one of its fixtures."""
    report = yield
    _judge(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Judge the skip of a whole module."""
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
