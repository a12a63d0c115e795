"""Quick test runs: fewer cases of long lists, and temporary files in memory."""

import os
from pathlib import Path

import pytest

from dev import environment_of_tests
from support.slow import EVERY_CASE, mostly_slow, spread, thinned

_NOWHERE = Path("/nowhere")


def slow(case, mark="slow"):
    """Whether a parameter is left to the slow runs, or by another mark to others."""
    return any(one.name == mark for one in getattr(case, "marks", ()))


def test_mostly_slow_keeps_every_nth_case_quick_and_all_cases():
    cases = mostly_slow(range(7), 3)
    assert [slow(case) for case in cases] == [False, True, True, False, True, True, False]
    assert [case.values[0] if slow(case) else case for case in cases] == list(range(7))


def test_mostly_slow_leaves_the_cases_between_to_runs_of_every_case():
    cases = mostly_slow(range(7), 6, 2)
    assert [slow(case) for case in cases] == [False, True, True, True, True, True, False]
    rare = [slow(case, "every_case") for case in cases]
    assert rare == [False, True, False, True, False, True, False]


def test_a_thinned_list_has_all_its_cases_in_runs_of_every_case():
    assert thinned(range(7), 3) == ([*range(7)] if EVERY_CASE else [0, 3, 6])


def test_mostly_slow_keeps_values_ids_and_marks():
    given = [pytest.param(1, 2, id=name, marks=pytest.mark.live) for name in "ab"]
    first, second = mostly_slow(given, 2)
    assert first is given[0]
    assert (second.values, second.id) == ((1, 2), "b")
    assert {mark.name for mark in second.marks} == {"live", "slow"}


@pytest.mark.slow
def test_coverage_is_not_measured_on_slow_tests(request):
    assert request.node.get_closest_marker("no_cover") is not None


def test_compiled_tests_are_cached_whatever_the_user_sets():
    environ = environment_of_tests({"PYTHONDONTWRITEBYTECODE": "1", "HOME": "/"}, _NOWHERE)
    assert environ == {"HOME": "/"}


def test_temporary_files_are_in_memory_only_if_they_fit(tmp_path):
    system = os.statvfs(tmp_path)
    fits = system.f_bavail * system.f_frsize >= 2 * 1024**3
    found = environment_of_tests({}, tmp_path)
    assert found == ({"PYTEST_DEBUG_TEMPROOT": str(tmp_path)} if fits else {})


def test_a_given_folder_for_temporary_files_is_used(tmp_path):
    environ = {"PYTEST_DEBUG_TEMPROOT": "/elsewhere"}
    assert environment_of_tests(environ, tmp_path) == environ


def test_each_worker_begins_with_slow_tests():
    slow, quick = ["A", "BB", "C"], list("abcdef")
    assert spread(slow, quick, 1) == [*"BBAC", *quick]
    assert spread(slow, quick, 2) == [*"BBabc", *"CAdef"]  # the second from its middle on
    assert sorted(spread(slow, [], 5)) == [*"ABBC"]
    assert spread([], quick, 3) == quick
