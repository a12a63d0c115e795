"""The rules of our test runs, tested on small suites that violate them."""

import shutil

import pytest

from support.repository import ROOT

pytestmark = pytest.mark.slow  # each starts a pytest of its own

_SUITE = """
import os
import pytest

pytestmark = pytest.mark.filterwarnings("default")

def test_component():
    pytest.skip("needs sshd")

@pytest.mark.skipif(True, reason="needs shellcheck")
def test_marked():
    pass

@pytest.fixture
def tool():
    pytest.skip("needs swtpm")

def test_fixture(tool):
    pass

def test_platform():
    pytest.skip("only on macOS")

def test_real(vectors):
    pass

@pytest.mark.xfail(reason="needs a miracle")
def test_expected_failure():
    assert False

@pytest.mark.slow
def test_slow():
    pass

@pytest.mark.slow
@pytest.mark.every_case
def test_rare():
    pass

def test_environment(home):
    assert os.environ["HOME"] == str(home) != os.environ.get("OUTER_HOME")
    assert not list(home.iterdir())
    (home / "left").touch()
    assert "AZURE_TENANT_ID" not in os.environ
    assert "CCGPU_BACKEND" not in os.environ

def test_environment_again(home):
    test_environment(home)
"""
_MODULE = 'import pytest\npytest.skip("needs lxml", allow_module_level=True)\n'
_QUIET = {"xfailed": 1, "passed": 2}


@pytest.fixture
def suite(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A repository with our conftest and rules, and the tests above."""
    tests = pytester.mkdir("tests")
    shutil.copy(ROOT / "tests" / "conftest.py", tests)
    (tests / "test_it.py").write_text(_SUITE)
    pytester.makeini("[pytest]\nmarkers =\n  slow\n  every_case\n  live\n")
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "tests"))
    for name in ("CCGPU_NO_SKIPS", "CCGPU_SLOW", "CCGPU_EVERY_CASE", "CCGPU_VECTORS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AZURE_TENANT_ID", "of the user")
    monkeypatch.setenv("CCGPU_BACKEND", "fake")
    return pytester


def test_missing_components_skip_tests_outside_ci(suite):
    suite.runpytest_subprocess().assert_outcomes(skipped=5, deselected=2, **_QUIET)


def test_a_missing_component_fails_in_ci(suite, monkeypatch):
    monkeypatch.setenv("CCGPU_NO_SKIPS", "1")
    result = suite.runpytest_subprocess()
    result.assert_outcomes(failed=1, errors=2, skipped=2, deselected=2, **_QUIET)
    result.stdout.fnmatch_lines(["*needs sshd (skipped at *, which CCGPU_NO_SKIPS=1 forbids)"])


def test_a_module_that_skips_itself_fails_in_ci(suite, monkeypatch):
    monkeypatch.setenv("CCGPU_NO_SKIPS", "1")
    (suite.path / "tests" / "test_it.py").write_text(_MODULE)
    suite.runpytest_subprocess().assert_outcomes(errors=1)


def test_missing_vectors_fail_where_they_are_required(suite, monkeypatch):
    monkeypatch.setenv("CCGPU_NO_SKIPS", "1")
    monkeypatch.setenv("CCGPU_VECTORS", "nowhere")
    result = suite.runpytest_subprocess("-k", "test_real")
    result.assert_outcomes(errors=1, deselected=9)


def test_vectors_are_read_from_the_folder_of_the_variable(suite, monkeypatch):
    suite.mkdir("somewhere")
    monkeypatch.setenv("CCGPU_VECTORS", "somewhere")
    suite.runpytest_subprocess("-k", "test_real").assert_outcomes(passed=1, deselected=9)


def test_slow_tests_run_when_requested(suite, monkeypatch):
    monkeypatch.setenv("CCGPU_SLOW", "1")
    suite.runpytest_subprocess("-k", "test_slow").assert_outcomes(passed=1, deselected=9)


def test_rare_cases_run_when_all_are_requested(suite, monkeypatch):
    monkeypatch.setenv("CCGPU_SLOW", "1")
    suite.runpytest_subprocess("-k", "test_rare").assert_outcomes(passed=0, deselected=10)
    monkeypatch.setenv("CCGPU_EVERY_CASE", "1")
    suite.runpytest_subprocess("-k", "test_rare").assert_outcomes(passed=1, deselected=9)


def test_golden_files_are_rewritten_only_when_requested(suite):
    calls = "golden('cli/x.txt', '$ ccgpu\\n'), golden('x.json', {'b': ['é'], 'a': 1})"
    (suite.path / "tests" / "test_it.py").write_text(f"def test_it(golden):\n    {calls}\n")
    text = suite.path / "tests" / "golden" / "cli" / "x.txt"
    document = text.parent.parent / "x.json"

    suite.runpytest_subprocess().assert_outcomes(failed=1)
    assert not text.exists()
    suite.runpytest_subprocess("--update-golden").assert_outcomes(passed=1)
    assert text.read_text() == "$ ccgpu\n"
    assert document.read_text() == '{\n  "a": 1,\n  "b": [\n    "é"\n  ]\n}\n'
    suite.runpytest_subprocess().assert_outcomes(passed=1)
    document.write_text("{}")
    suite.runpytest_subprocess().assert_outcomes(failed=1)
