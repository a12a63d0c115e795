"""Texts that no tracked file may contain, and the symlink to the templates."""

import re
from pathlib import Path

import pytest

from support.repository import ROOT, tracked_files

# Put together here, so that this file passes its own test.
_REGISTRIES = [
    "py" + "pi.org",
    "python" + "hosted.org",
    "registry." + "npmjs",
    "registry." + "yarnpkg",
    "deb." + "debian.org",
    "archive." + "ubuntu.com",
]
_SLASH = "/"
_FORBIDDEN = {
    "a registry's host": re.compile("|".join(map(re.escape, _REGISTRIES)), re.IGNORECASE),
    "a path of one machine": re.compile(r"(?<![\w.~$}-])/(?:work|root)/"),
    "a private key": re.compile(r"BEGIN [A-Z ]*PRIVATE KEY-----\s+[A-Za-z0-9+/=]{40,}"),
}


def forbidden_texts(text: str) -> list[str]:
    """The kinds of forbidden texts in `text`."""
    return [kind for kind, pattern in _FORBIDDEN.items() if pattern.search(text)]


@pytest.mark.slow
def test_no_tracked_file_names_a_registry_a_machine_or_a_key():
    bad = {
        name: forbidden_texts(raw.decode(errors="replace")) for name, raw in tracked_files().items()
    }
    assert {name: kinds for name, kinds in bad.items() if kinds} == {}


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        *[(f"index-url = https://{host}/simple", ["a registry's host"]) for host in _REGISTRIES],
        (f"cd {_SLASH}work/main", ["a path of one machine"]),
        (f"key: '{_SLASH}root/.ssh/id'", ["a path of one machine"]),
        ("src/work/x, ~/root/x, https://a.example/work/x", []),
        ("-----BEGIN RSA " + "PRIVATE KEY-----\n" + "A" * 64, ["a private key"]),
        ("-----BEGIN OPENSSH " + "PRIVATE KEY----- is not a public key", []),
    ],
)
def test_forbidden_texts_are_reported_and_others_are_not(text, kinds):
    assert forbidden_texts(text) == kinds


def test_no_lock_of_another_tool_is_tracked():
    others = {"uv.lock", "poetry.lock", "Pipfile.lock", "pdm.lock"}
    assert {Path(name).name for name in tracked_files()} & others == set()


def test_the_package_finds_its_templates_through_a_relative_link():
    assert (ROOT / "src" / "ccgpu" / "templates").readlink() == Path("../../templates")
