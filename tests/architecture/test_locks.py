"""The locks pin the requirements of pyproject.toml with hashes and without URLs."""

import importlib.metadata
import re
import subprocess
import sys
import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from support.repository import ROOT

_PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
_RUNTIME = _PROJECT["project"]["dependencies"]
_DEV = _PROJECT["dependency-groups"]["dev"] + _PROJECT["build-system"]["requires"]
_BUILD = _PROJECT["build-system"]["requires"]
_LOCKS = {
    "requirements.lock": _RUNTIME,
    "requirements-dev.lock": _RUNTIME + _DEV,
    "requirements-build.lock": _BUILD,
    "requirements-az.lock": _PROJECT["dependency-groups"]["az"],
    "requirements-site.lock": _PROJECT["dependency-groups"]["site"],
}


def _entries(lock: str) -> list[str]:
    """One string an entry: its pin, its marker, its hashes."""
    lines = (ROOT / lock).read_text().splitlines()
    text = "\n".join(line for line in lines if not line.lstrip().startswith("#"))
    return text.replace("\\\n", " ").splitlines()


def _pins(lock: str) -> dict[str, str]:
    pins = [re.match(r"([\w.-]+)==(\S+)", entry) for entry in _entries(lock)]
    return {canonicalize_name(pin[1]): pin[2] for pin in pins if pin}


@pytest.mark.parametrize("lock", _LOCKS)
def test_a_lock_contains_no_url(lock):
    assert "://" not in (ROOT / lock).read_text()


@pytest.mark.parametrize("lock", _LOCKS)
def test_every_entry_is_a_pin_with_hashes(lock):
    loose = [e for e in _entries(lock) if not re.match(r"[\w.-]+==\S+ .*--hash=sha256:", e)]
    assert loose == []


@pytest.mark.parametrize(
    ("lock", "wanted"), [(lock, text) for lock, texts in _LOCKS.items() for text in texts]
)
def test_every_dependency_is_pinned_within_its_bounds(lock, wanted):
    requirement = Requirement(wanted)
    assert requirement.specifier.contains(_pins(lock)[canonicalize_name(requirement.name)])


def test_the_development_lock_contains_the_pins_for_users_and_for_builds():
    for lock in ("requirements.lock", "requirements-build.lock"):
        assert _pins(lock).items() <= _pins("requirements-dev.lock").items()


def test_the_build_group_is_what_a_build_requires():
    assert _PROJECT["dependency-groups"]["build"] == _BUILD


@pytest.mark.slow
def test_installed_packages_are_consistent():
    command = [sys.executable, "-I", "-m", "pip", "--isolated", "check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "No broken requirements found.\n")


def _unmet(requirement: Requirement, seen: set[str]) -> list[str]:
    """Unmet requirements of `requirement` including its extras, which `pip check` ignores."""
    if str(requirement) in seen:
        return []
    seen.add(str(requirement))
    try:
        found = importlib.metadata.distribution(requirement.name)
    except importlib.metadata.PackageNotFoundError:
        return [str(requirement)]
    extras = [{"extra": extra} for extra in ("", *requirement.extras)]
    needed = [Requirement(text) for text in found.requires or []]
    needed = [one for one in needed if not one.marker or any(map(one.marker.evaluate, extras))]
    unfit = [] if requirement.specifier.contains(found.version) else [str(requirement)]
    return unfit + [problem for one in needed for problem in _unmet(one, seen)]


@pytest.mark.slow
def test_installed_packages_meet_every_requirement_and_extra():
    wanted = [Requirement("ccgpu"), *map(Requirement, _DEV)]
    seen: set[str] = set()
    assert [problem for one in wanted for problem in _unmet(one, seen)] == []
    assert any("[" in text for text in seen)  # else this test shows nothing of extras


@pytest.mark.parametrize("unmet", ["requests[socks]", "requests>99", "no-such-package"])
def test_an_unmet_requirement_is_reported(unmet):
    assert _unmet(Requirement(unmet), set())
