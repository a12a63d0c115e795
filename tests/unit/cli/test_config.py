"""`ccgpu config`: the user's defaults are below flags, files, the environment and what exists."""

from pathlib import Path

import pytest

from ccgpu.cli.commands import COMMANDS
from ccgpu.cli.config_defaults import CommandDefaults
from ccgpu.cli.config_settings import Setting
from ccgpu.cli.runtime import BackendName
from ccgpu.domain.user_config import NAMES
from ccgpu.store import user_config
from support.attesting import make_demo

_GUID = "00000000-0000-4000-8000-00000000000a"


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch):
    for name in ("CCGPU_BACKEND", "AZURE_SUBSCRIPTION_ID"):
        monkeypatch.delenv(name, raising=False)


def _planned(shell, line: str):
    document = shell(f"plan demo {line} -o json").document
    return document["resources"][0]["body"]["location"], document


def test_the_settings_are_those_of_the_file():
    assert tuple(Setting) == NAMES


def test_list_says_where_each_value_comes_from(shell, monkeypatch):
    assert shell("config set regions westeurope eastus2").code == 0
    assert shell(f"config set subscription {_GUID}").code == 0
    monkeypatch.setenv("CCGPU_BACKEND", "fake")
    document = shell("config list -o json").document
    assert (document["schema"], document["path"]) == ("ccgpu.config/1", str(shell.config))
    found = {
        one["name"]: (one["value"], one["source"], one["place"]) for one in document["settings"]
    }
    assert found == {
        "regions": (["westeurope", "eastus2"], "file", f"{shell.config}:1"),
        "ssh_from": ("auto", "default", None),
        "resource_group": (None, "default", None),
        "policy": ("default", "default", None),
        "subscription": (_GUID, "file", f"{shell.config}:2"),
        "backend": ("fake", "environment", "CCGPU_BACKEND"),
    }
    assert "westeurope, eastus2" in shell("config list").out


def test_get_prints_the_value_alone(shell):
    shell("config set regions westeurope eastus2")
    assert shell("config get regions").out == "westeurope\neastus2\n"
    assert shell("config get backend").out == "azure\n"
    assert shell("config get resource_group").out == ""
    assert shell("config unset regions").code == 0
    assert not shell.config.exists()


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("config set backend aws", 3),
        ("config set backend fake azure", 2),
        ("config set policy nowhere.yaml", 2),
        ("config set colour red", 2),
        ("config get colour", 2),
    ],
)
def test_what_is_wrong_is_refused(shell, line, code):
    assert shell(line).code == code
    assert not shell.config.exists()


def test_a_bad_value_is_named_with_its_setting_and_with_no_line(shell):
    done = shell("config set regions eastus2 b,c")
    told = "error: config set regions eastus2 b,c: 1 problem\n  regions.1: is not a region"
    assert (done.code, done.err.startswith(told)) == (3, True)
    assert "`ccgpu schema config`" in done.err  # it is not taken for a spec


def test_what_was_wrong_in_the_file_before_keeps_its_place(shell):
    shell.config.parent.mkdir(parents=True)
    shell.config.write_text("# mine\nbackend: aws\n")
    both = shell("config set regions b,c")
    assert both.err.startswith("error: config set regions b,c: 2 problems\n")
    assert f"  {shell.config}: 2:1: backend: must be 'azure' or 'fake'" in both.err
    for line in ("config set regions eastus2", "config unset regions"):
        assert shell(line).err.startswith(f"error: {shell.config}: 1 problem\n  2:1: backend: ")


def test_a_policy_from_standard_input_is_no_default(shell):
    done = shell("config set policy -")
    assert (done.code, "a default is read again and again" in done.err) == (2, True)


def test_a_flag_and_the_environment_are_above_the_file(shell, monkeypatch):
    shell("config set backend fake")
    shell(f"config set subscription {_GUID}")
    shell("list")
    monkeypatch.setenv("CCGPU_BACKEND", "azure")
    shell("list")
    other = _GUID.replace("8", "9")
    shell(f"list --backend fake --subscription {other}")
    reached = [(one.backend, one.subscription) for one in shell.reached]
    assert reached == [
        (BackendName.FAKE, _GUID),
        (BackendName.AZURE, _GUID),
        (BackendName.FAKE, other),
    ]


def test_subcommands_have_the_defaults_too(shell):
    shell("config set backend fake")
    shell("secret list demo")
    assert [one.backend for one in shell.reached] == [BackendName.FAKE]


@pytest.mark.slow
def test_the_file_is_the_lowest_layer_of_a_spec(shell):
    shell("config set regions westeurope")
    shell("config set resource_group ml")
    location, document = _planned(shell, "--ssh-from 203.0.113.7/32")
    assert location == "westeurope"
    assert all("/resourceGroups/ml" in one["id"] for one in document["resources"])
    Path("vm.yaml").write_text("regions: [eastus2]\nssh_from: 203.0.113.7/32\n")
    assert _planned(shell, "-f vm.yaml")[0] == "eastus2"
    assert _planned(shell, "-f vm.yaml --region centralus")[0] == "centralus"
    assert _planned(shell, "--template minimal")[0] in ("westeurope", "eastus2")


def test_a_default_never_changes_what_exists(shell, prepared):
    made = prepared(shell, make_demo)
    for line in ("regions centralus", "resource_group other", "ssh_from 198.51.100.0/24"):
        assert made(f"config set {line}").code == 0
    document = made("plan demo -o json").document
    assert {one["action"] for one in document["resources"]} == {"keep"}


@pytest.mark.slow
def test_a_policy_of_the_file_is_shown_as_any_file_is(shell, prepared):
    made = prepared(shell, make_demo)
    text = (Path(__file__).parents[3] / "templates/policies/default.yaml").read_text("utf-8")
    Path("mine.yaml").write_text(text.replace("max_age: 24h", "max_age: 48h"))
    assert made("config set policy mine.yaml").code == 0
    verdict = made("attest demo -o json").document
    given = made("attest demo -o json --policy mine.yaml").document
    full = str(Path("mine.yaml").absolute())
    assert verdict["policy_file"] == given["policy_file"] | {"path": full}
    assert made("attest demo -o json --policy cpu-only").document["policy"] == "cpu-only"


@pytest.mark.slow
def test_verify_never_reads_the_file(shell, prepared):
    made = prepared(shell, make_demo)
    assert made("attest demo --save bundle.json").code == 0
    plain = made("verify bundle.json --backend fake -o json")
    shell.config.parent.mkdir()
    for text in ("backend: fake\npolicy: gpu-only\n", "backend: [broken\n"):
        shell.config.write_text(text)
        again = made("verify bundle.json --backend fake -o json")
        assert (again.code, again.document["policy"]) == (plain.code, plain.document["policy"])
        assert made("verify bundle.json").code == made("verify bundle.json --backend azure").code
    assert made("list").code == 3
    assert made("create demo").code == 3
    assert made("config list").code == 3


def test_a_policy_of_another_kind_is_not_taken_from_the_file(shell):
    """`keyvault create-key --policy` names a release policy of a key."""
    shell("config set policy cpu-only")
    defaults = CommandDefaults(lambda: user_config.read(shell.config))
    of_each = {name: defaults.get(name, {}) for name in COMMANDS}
    taken = [name for name, its in of_each.items() if its.get("policy") == "cpu-only"]
    assert set(taken) == {"create", "attest", "run"}
    assert defaults.get("secret").get("put").get("policy") == "cpu-only"
    assert defaults.get("keyvault").get("create-key").get("policy") is None
