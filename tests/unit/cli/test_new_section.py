"""A new section of the spec is its own module, and the one field of `VmSpec` that holds it.

A copy of ccgpu gets a section that it does not have. Flags, problems with their places, schema,
docs, `--set` and the memory of the last create all handle it, with no other line changed.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from support.repository import ROOT, SRC

_SECTION = '''
"""The section `spare`: what a test adds."""

from typing import Annotated, ClassVar

from pydantic import Field

from ccgpu.domain.spec.flags import Flag
from ccgpu.domain.spec.rules import FieldRule
from ccgpu.domain.spec.section import Section


class Shelf(Section):
    """Where the spare parts are."""

    row: Annotated[int, Field(ge=1, le=9, description="Number of the row."), Flag(metavar="N")] = 1


class Part(Section):
    """A spare part."""

    weight: Annotated[float, Field(gt=0, description="Kilograms.")]


class Spare(Section):
    """Spare parts."""

    owner: Annotated[str | None, Field(description="Who has them."), Flag(metavar="WHO")] = None
    locked: Annotated[bool, Field(description="Whether they are locked."), Flag()] = True
    shelf: Annotated[Shelf, Field(description="Where they are.")] = Shelf()
    parts: Annotated[
        tuple[Part, ...], Field(description="Each part."), Flag(metavar="KG", names=("--part",))
    ] = ()
    labels: Annotated[
        dict[str, str], Field(description="Free words."), Flag(metavar="NAME=VALUE")
    ] = {}

    rules: ClassVar["tuple[FieldRule[Spare], ...]"] = (
        FieldRule(
            ("owner",),
            (("owner",), ("shelf", "row")),
            lambda spare: spare.shelf.row > 5 and spare.owner is None,
            "is needed for a row above 5",
        ),
    )
'''
_BEFORE = "    boot_diagnostics: Annotated["
_FIELD = '    spare: Annotated[Spare, Field(description="Spare parts.")] = Spare()\n'
_IMPORT = "from ccgpu.domain.spec.section import Section\n"


class _Done(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        return json.loads(self.out)


class _Copy:
    """ccgpu with the section."""

    def __init__(self, folder: Path) -> None:
        self.source = folder / "src"
        shutil.copytree(SRC, self.source, ignore=shutil.ignore_patterns("__pycache__"))
        sections = self.source / "ccgpu" / "domain" / "spec"
        (sections / "spare.py").write_text(_SECTION.lstrip())
        vm = (sections / "vm.py").read_text()
        vm = vm.replace(_IMPORT, f"{_IMPORT}from ccgpu.domain.spec.spare import Spare\n")
        (sections / "vm.py").write_text(vm.replace(_BEFORE, _FIELD + _BEFORE))

    def python(self, *words: str) -> _Done:
        path = os.pathsep.join([str(self.source), str(ROOT / "scripts")])
        done = subprocess.run(
            [sys.executable, *words],
            env=os.environ | {"PYTHONPATH": path},
            capture_output=True,
            text=True,
            check=False,
        )
        return _Done(done.returncode, done.stdout, done.stderr)

    def __call__(self, line: str) -> _Done:
        return self.python("-m", "ccgpu", *line.split())


@pytest.fixture(scope="module")
def ccgpu(tmp_path_factory) -> _Copy:
    return _Copy(tmp_path_factory.mktemp("copy"))


@pytest.mark.slow
def test_the_docs_list_its_flags(ccgpu, tmp_path):
    script = "import docs, pathlib, sys; pathlib.Path(sys.argv[1]).write_text(docs.cli())"
    done = ccgpu.python("-c", script, str(tmp_path / "cli.md"))
    assert done.code == 0, done.err
    page = (tmp_path / "cli.md").read_text()
    spare = page[page.index("## ccgpu create") :].split("\nSpare:\n")[1].split("\n\n")[0]
    assert [" ".join(line.split()) for line in spare.splitlines()] == [
        "--spare-owner WHO Who has them.",
        "--spare-locked / --no-spare-locked",
        "Whether they are locked.",
        "--spare-shelf-row N Number of the row.",
        "--part KG Each part.",
        "--spare-labels NAME=VALUE Free words.",
    ]


@pytest.mark.slow
def test_problems_of_the_new_section_have_messages_and_places(ccgpu, tmp_path):
    file = tmp_path / "vm.yaml"
    lines = ["spare:", "  ownr: me", "  shelf: {row: 12}", "  parts:", "    - weight: heavy"]
    file.write_text("\n".join(lines))
    done = ccgpu(f"validate {file} -o json")
    assert done.code == 3
    found = [
        (one["field"], one["message"], one["line"], one["column"])
        for one in done.document["files"][0]["problems"]
    ]
    assert found == [
        ("spare.ownr", "is not a field here, did you mean owner?", 2, 3),
        ("spare.shelf.row", "must be at most 9", 3, 11),
        ("spare.parts.0.weight", "must be a number", 5, 7),
    ]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("line", "words"),
    [
        pytest.param("--spare-shelf-row 6", "spare.owner: is needed for a row above 5"),
        pytest.param(
            "--set spare.shelf.row=10 --part 0",
            "--part: spare.parts.0.weight: must be above 0",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_flags_and_set_are_validated_like_files(ccgpu, line, words):
    done = ccgpu(f"plan demo --backend fake {line}")
    assert done.code == 3
    assert words in done.err


@pytest.mark.slow
def test_its_schema_has_every_field(ccgpu):
    schema = ccgpu("schema spec").document
    assert schema["properties"]["spare"]["$ref"] == "#/$defs/Spare"
    assert list(schema["$defs"]["Spare"]["properties"]) == [
        *("owner", "locked", "shelf", "parts", "labels"),
    ]
    assert schema["$defs"]["Shelf"]["properties"]["row"]["maximum"] == 9


@pytest.mark.slow
def test_a_later_create_remembers_fields_of_the_new_section(ccgpu):
    given = "--spare-shelf-row 7 --spare-owner me --spare-labels a.b=c --set spare.labels.d.e=f"
    done = ccgpu(f"create demo --backend fake --ssh-from 203.0.113.7 --part 2.5 {given}")
    assert done.code == 0, done.err
    again = ccgpu("plan demo --backend fake -o json --no-spare-locked --set spare.labels.d.e=")
    assert again.code == 0, again.err
    remembered = {field for field in again.document["remembered"] if field.startswith("spare")}
    assert remembered == {
        *("spare.shelf.row", "spare.owner", "spare.labels.a.b", "spare.parts"),
    }
