"""The locks pin, with hashes and without an address, what pyproject.toml asks for."""

import re
import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from support.repository import ROOT

_PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
_RUNTIME = _PROJECT["project"]["dependencies"]
_DEV = _PROJECT["dependency-groups"]["dev"] + _PROJECT["build-system"]["requires"]
_LOCKS = {"requirements.lock": _RUNTIME, "requirements-dev.lock": _RUNTIME + _DEV}


def _entries(lock: str) -> list[str]:
    """One string an entry: its pin, its marker, its hashes."""
    lines = (ROOT / lock).read_text().splitlines()
    text = "\n".join(line for line in lines if not line.lstrip().startswith("#"))
    return text.replace("\\\n", " ").splitlines()


def _pins(lock: str) -> dict[str, str]:
    pins = [re.match(r"([\w.-]+)==(\S+)", entry) for entry in _entries(lock)]
    return {canonicalize_name(pin[1]): pin[2] for pin in pins if pin}


@pytest.mark.parametrize("lock", _LOCKS)
def test_a_lock_names_no_address(lock):
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


def test_the_tests_run_with_what_users_get():
    assert _pins("requirements.lock").items() <= _pins("requirements-dev.lock").items()
