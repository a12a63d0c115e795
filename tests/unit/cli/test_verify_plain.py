"""No character of evidence makes a terminal do anything: text and JSON show escapes."""

import copy
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from ccgpu.attest.appraisal import Appraisal
from ccgpu.attest.check import Check
from ccgpu.domain import bundle
from ccgpu.views import verdict as view
from ccgpu.views.trimmed import Trimmed
from support import gpus
from support.cli import CommandResult, Shell
from support.slow import mostly_slow
from support.vms import AT, nonce_evidence, vm

_OBEYED = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")
_EVIL = "\x1b[2J\x9b1m\u202eevil\u2066\r\nerror: \x07forged"


def _plain(done: CommandResult) -> None:
    assert not _OBEYED.search(done.out + done.err), (done.out, done.err)
    assert not re.search(r"^error: \W*forged", done.out + done.err, re.MULTILINE)
    assert "forged" not in [line.strip() for line in (done.out + done.err).splitlines()]


# The view, whatever an appraisal says

_TEXT = st.text(st.sampled_from("ab\x1b\x9b\r\n\t\u202e\u2066\u200f\u2028é"), max_size=12)
_CHECKS = st.lists(
    st.builds(Check, _TEXT, _TEXT, st.booleans(), _TEXT, _TEXT, _TEXT), min_size=1, max_size=3
)


@pytest.mark.slow
@given(
    st.builds(
        Appraisal,
        st.sampled_from(["accepted", "rejected", "no_verdict"]),
        _CHECKS,
        _TEXT,
        st.just(AT),
        not_proven=st.lists(_TEXT, max_size=2),
        unsafe=st.lists(_TEXT, max_size=2),
        simulated=st.booleans(),
        facts=st.dictionaries(_TEXT, _TEXT, max_size=2),
        not_read=st.lists(_TEXT, max_size=2),
    ),
    st.lists(_TEXT, max_size=2),
)
def test_strings_of_an_appraisal_are_escaped(appraisal, ignored):
    judged = view.AppraisedEvidence(appraisal, "evidence", "bundle", ignored)
    console = Console(width=80, color_system=None, highlight=False, markup=False, emoji=False)
    with console.capture() as caught:
        console.print(Trimmed(view.as_text(judged, verbose=True)), crop=False)
    document = json.dumps(view.as_json(judged))

    assert not _OBEYED.search(caught.get())
    assert not _OBEYED.search(document)


# Whole commands


def _leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to every string of a document."""
    if isinstance(value, str):
        yield path
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from _leaves(inner, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _leaves(inner, (*path, index))


def _document() -> dict[str, Any]:
    found = gpus.bound_evidence(vm(), gpus.gpu())
    made = bundle.from_evidence(
        found, made_at=AT, tool="x", notes=bundle.BundleNotes(policy="y", verdict={"verdict": "z"})
    )
    return dict(json.loads(made.model_dump_json(by_alias=True, exclude_none=True)))


@pytest.mark.parametrize("first", mostly_slow(range(6), 6))
@pytest.mark.parametrize("output", ["text", "json"])
def test_strings_of_a_bundle_are_escaped(tmp_path, output, first):
    document, shell = _document(), Shell(tmp_path)
    paths = list(_leaves(document))[first::6]
    assert paths
    for number, path in enumerate(paths):
        changed = copy.deepcopy(document)
        place = changed
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = _EVIL
        file = tmp_path / f"{number}.json"
        file.write_text(json.dumps(changed))
        _plain(shell(f"verify {file} --backend fake --at bundle -o {output}"))


@pytest.mark.parametrize("where", [(), ("cpu",), ("cpu", "pcrs"), ("simulated_roots",)], ids=str)
def test_names_of_fields_are_escaped(tmp_path, where):
    document = _document()
    place = document
    for key in where:
        place = place[key]
    place[_EVIL] = _EVIL
    (tmp_path / "bundle.json").write_text(json.dumps(document))

    _plain(Shell(tmp_path)(f"verify {tmp_path / 'bundle.json'} --backend fake --at bundle"))


@pytest.mark.parametrize(
    "changes",
    [
        {"vm_id": _EVIL},
        {"configuration": {"tpm-enabled": True, "secure-boot": _EVIL}},
        {"configuration": {_EVIL: _EVIL}},
    ],
    ids=str,
)
def test_claims_of_a_vm_are_escaped(tmp_path, changes):
    made = bundle.from_evidence(nonce_evidence(replace(vm(), **changes)), made_at=AT, tool="x")
    file = tmp_path / "bundle.json"
    file.write_text(made.model_dump_json(by_alias=True, exclude_none=True))

    _plain(Shell(tmp_path)(f"verify {file} --backend fake --policy cpu-only --at bundle"))


def test_names_of_files_are_escaped(tmp_path):
    name = _EVIL.replace("/", "")
    folder = tmp_path / "evidence"
    folder.mkdir()
    (folder / "report").write_bytes(b"\x03\x00\x00\x00" + bytes(1180))
    (folder / name).write_bytes(b"what?")
    shell = Shell(tmp_path)
    listed = shell(f"verify {folder} --policy cpu-only")

    assert "not read:" in listed.out
    _plain(listed)
    (folder / name).write_bytes(b"HCLA")
    (folder / "hcl").write_bytes(b"HCLA")
    _plain(shell(f"verify {folder}"))
    (folder / name).unlink()
    (folder / name).symlink_to("/")
    (folder / "report").unlink()
    (folder / "hcl").unlink()
    _plain(shell(f"verify {folder}"))


def test_paths_given_by_the_user_are_escaped(tmp_path):
    folder = tmp_path / "a\x1b[2Jb"
    folder.mkdir()

    _plain(Shell(tmp_path)(f"verify '{folder}'"))
    _plain(Shell(tmp_path)(f"collateral fetch '{folder}' --out x"))
