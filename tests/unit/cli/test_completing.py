"""What completion offers for a line, by the table that ships: commands, options, values, names."""

import json
import re
from pathlib import Path

import pytest

import completion_table
import parser_table
from ccgpu.cli import completing, completion_shells
from ccgpu.cli.completing import Candidates
from ccgpu.cli.wait import AwaitedState
from ccgpu.fakearm.scenarios import SCENARIOS
from ccgpu.store import driver_table, policies, specs, workload_templates

_FILE = Path(completion_shells.__file__).with_name("completions.json")
_TABLE = json.loads(_FILE.read_text(encoding="utf-8"))
_NAMES = {
    None: {"demo": "deployment", "toy": "simulated"},
    "azure": {"demo": "deployment"},
    "fake": {"toy": "simulated"},
}


def _candidates(line: str) -> Candidates:
    """For a line without quotes, after `ccgpu `."""
    return completing.candidates(_TABLE, line.split(" "), lambda backend: _NAMES[backend])


def _offered(line: str) -> list[str]:
    return [*_candidates(line).words]


def test_commands_are_offered_with_their_help():
    top = _candidates("").words
    assert top["create"] == "Create a confidential GPU VM, or update it to match its spec."
    assert [*top][:2] == ["init", "templates"]
    assert _offered("fake ")[:3] == ["show", "reset", "advance"]
    assert _offered("collateral ") == ["fetch"]


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("show ", ["demo", "toy"]),
        ("show --backend fake ", ["toy"]),
        ("show --backend=azure ", ["demo"]),
        ("exec d", ["demo", "toy"]),
        ("cp ", ["demo:", "toy:"]),
        ("cp -r ./model d", ["demo:", "toy:"]),
        ("secret rm demo ", []),
        ("show demo -o ", ["text", "json", "tsv"]),
        ("show -o json ", ["demo", "toy"]),
        ("show -ojson ", ["demo", "toy"]),
        ("show -o=json ", ["demo", "toy"]),
        ("cp -ri key demo:x ", ["demo:", "toy:"]),
        ("show demo --output=", ["text", "json", "tsv"]),
        ("create --region west", ["eastus2", "westeurope", "centralus"]),
        ("collateral fetch x --region ", ["eastus2", "westeurope", "centralus"]),
        ("create --size ", ["Standard_NCC40ads_H100_v5"]),
        ("create --ssh-from ", ["auto"]),
        ("create --identity ", ["system"]),
        ("verify --at ", ["bundle"]),
        ("drivers --at ", []),
        ("init --template ", [each.name for each in specs.templates()]),
        ("attest --policy ", policies.names()),
        ("workloads ", workload_templates.names()),
        ("run demo --workload ", workload_templates.names()),
        ("wait demo --for ", [state.value for state in AwaitedState]),
        ("fake scenario ", [*SCENARIOS]),
        ("create --set os_disk.encryption=", ["full", "state-only"]),
        ("create --set=workload.use=", workload_templates.names()),
        ("create --set spot=", ["true", "false"]),
        ("create --set nothing=", []),
        ("nonsense ", []),
        ("nonsense -", []),
        ("fake nonsense ", []),
        ("exec demo -- ", []),
        ("exec demo -- ls -", []),
        ("show demo --yes=", []),
        ("show demo --nothing=", []),
        ("show --nothing d", ["demo", "toy"]),
        ("show demo -o=", []),
        ("create --yes=", []),
        ("validate -- ", []),
        ("completion ", ["bash", "zsh", "fish"]),
    ],
)
def test_values_are_offered_where_they_stand(line, offered):
    assert _offered(line) == offered


def test_drivers_are_those_that_can_be_attested():
    offered = driver_table.shipped().offered()
    assert {*_offered("create --driver=")} == {each.version for each in offered} | {
        each.branch for each in offered
    }


def test_options_that_were_given_are_not_offered_again_unless_they_can_be_repeated():
    before, after = _offered("create -"), _offered("create --yes --region eastus2 -f vm.yaml -")
    assert set(before) - set(after) == {"--yes", "-y", "--file", "-f"}
    assert "--region" in after
    assert _candidates("create -").words["--size"] == "VM size."
    assert "--help" in _offered("-")
    assert "-V" in _offered("-")


def test_options_are_offered_where_no_argument_can_stand():
    assert "--output" in _offered("show demo ")
    assert "--query" in _offered("list ")
    assert _offered("show -- demo ") == []


@pytest.mark.parametrize(
    ("line", "paths"),
    [
        ("create -f ", "files"),
        ("create --file=", "files"),
        ("create -fvm", ""),
        ("create --ssh-key ", "files"),
        ("attest --sign ", "files"),
        ("validate ", "files"),
        ("validate one.yaml ", "files"),
        ("verify ", "files"),
        ("verify --host-key ", "files"),
        ("verify --policy ", "files"),
        ("fake add ", "files"),
        ("fake scenario ", "files"),
        ("cp ", "files"),
        ("collateral fetch x --out ", "folders"),
        ("show ", ""),
        ("exec demo -- ", ""),
        ("create --query ", ""),
    ],
)
def test_files_are_left_to_the_shell(line, paths):
    assert _candidates(line).paths == paths


@pytest.mark.parametrize(
    ("line", "start", "unfinished"),
    [
        ("show demo --output=j", 9, False),
        ("create --set os_disk.encryption=f", 19, False),
        ("create --set=os_disk.encryption=f", 25, False),
        ("create --set os_d", 0, True),
        ("cp d", 0, True),
        ("show d", 0, False),
    ],
)
def test_a_value_begins_after_what_stands_before_it(line, start, unfinished):
    found = _candidates(line)
    assert (found.start, found.unfinished) == (start, unfinished)


def test_every_word_of_the_table_is_harmless_and_every_description_one_line():
    words: list[str] = []

    def collect(command):
        for option in command["options"]:
            words.extend(option["names"])
            assert "\n" not in option["help"]
            assert "\t" not in option["help"]
        for one in (*command["options"], *command["arguments"]):
            value = one["value"] or {}
            words.extend(value.get("words", ()))
            for field, values in value.get("fields", {}).items():
                words.extend((field, *values))
        for name, inner in command["commands"].items():
            words.append(name)
            collect(inner)

    collect(_TABLE)
    assert len(set(words)) > 200
    assert [word for word in words if not re.fullmatch(r"[A-Za-z0-9._:/-]+", word)] == []


@pytest.mark.slow
def test_a_parameter_of_an_unknown_kind_is_refused():
    (name,) = parser_table.root().commands["show"].arguments
    assert completion_table.value_of(name, {"NAME": {"deployments": True}})
    with pytest.raises(LookupError, match="NAME"):
        completion_table.value_of(name, {})
