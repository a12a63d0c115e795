"""`ccgpu schema output`: every command with `-o` has its documents there, and they are strict."""

import copy
import json
from pathlib import Path

import pytest

from ccgpu.domain import bundle
from ccgpu.views.schemas.table import ANSWERS, SCHEMAS
from support.output_schemas import require_valid, validator
from support.parsed import all_commands
from support.vms import AT, nonce_evidence, vm

_CREATE = "create demo --region eastus2 --ssh-from 203.0.113.7/32 --ttl 8h"
# What they print is no document of ccgpu, or the terminal is theirs.
_WITHOUT = {
    *("schema", "ssh", "exec", "cp", "completion"),
    *("role", "keyvault policy", "render"),  # in the format of Azure, or of other tools
}


def test_every_command_with_an_output_format_has_its_documents_in_the_table():
    formats = {
        " ".join(path): {one.name for one in command.params} & {"output", "query"}
        for path, command in all_commands()
    }
    assert {name for name, options in formats.items() if options} | {"--version"} == ANSWERS.keys()
    assert [name for name, options in formats.items() if len(options) == 1] == []
    assert {name for name, options in formats.items() if not options} == _WITHOUT


@pytest.mark.slow
def test_the_names_are_listed_and_each_schema_is_printed(shell):
    names = shell("schema output").out.splitlines()
    assert names == list(SCHEMAS)
    for name in names:
        assert json.loads(shell(f"schema output {name}").out) == SCHEMAS[name]()
    assert shell("schema output ccgpu.show/1").out == shell("schema output show").out


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("schema output shwo", "Did you mean 'show'?"),
        ("schema output ccgpu.show/2", "Did you mean 'show'?"),
        ("schema spec show", "has no document show"),
    ],
)
def test_an_unknown_document_is_refused(shell, line, words):
    done = shell(line)
    assert (done.code, done.out) == (2, "")
    assert words in done.err


def _objects(value):
    """Every object in a document but those in Azure's words."""
    if isinstance(value, dict):
        yield value
        for name, one in value.items():
            if name not in ("body", "image", "wanted", "found", "current", "new"):
                yield from _objects(one)
    for one in value if isinstance(value, list) else ():
        yield from _objects(one)


def _mutants(document):
    """The document with a member more, without one, and with one of another type."""
    count = len(list(_objects(document)))
    for number in range(count):
        changed = copy.deepcopy(document)
        list(_objects(changed))[number]["undocumented"] = 1
        yield changed
        for name in list(_objects(document))[number]:
            for change in ("gone", "other"):
                changed = copy.deepcopy(document)
                here = list(_objects(changed))[number]
                if change == "gone":
                    del here[name]
                else:
                    here[name] = object  # of no JSON type
                if name not in ("wanted", "found", "current", "new"):
                    yield changed


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("plan other --region eastus2 --ssh-from 203.0.113.7/32", "plan"),
        ("show demo", "show"),
        ("list", "list"),
        ("delete demo --yes", "delete"),
        ("extend demo --ttl 4h", "extend"),
        ("gc", "gc"),
        ("price --region eastus2", "price"),
        ("quota --region eastus2", "quota"),
        ("config list", "config"),
        ("doctor --region eastus2 --ssh-from 203.0.113.7/32", "doctor"),
    ],
)
def test_a_document_that_is_changed_anywhere_is_invalid(shell, prepared, line, name):
    document = prepared(shell, _CREATE)(f"{line} -o json").document
    for member in ("resources", "forecast", "checks", "gone"):  # one of each is enough
        if isinstance(document.get(member), list):
            del document[member][1:]
    require_valid(document, (name,))
    accepted = [one for one in _mutants(document) if validator(name).is_valid(one)]
    optional = {"forecast", "signed_in_with"} if name == "doctor" else set()
    missing = [document.keys() - one.keys() for one in accepted]
    assert [names for names in missing if not names or names - optional] == []


def test_what_is_saved_is_as_its_schema_says(shell):
    made = bundle.from_evidence(nonce_evidence(vm()), made_at=AT, tool="x")
    Path("b.json").write_text(made.model_dump_json(by_alias=True))
    line = "verify b.json --backend fake --policy cpu-only --at bundle"
    assert shell(f"{line} --save saved.json").code == 0
    require_valid(json.loads(Path("saved.json").read_text()), ("bundle",))
