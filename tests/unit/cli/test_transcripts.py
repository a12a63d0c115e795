"""What people see: whole transcripts, kept as files."""

import json

import pytest

from ccgpu.fakearm import FAKE_SUBSCRIPTION, NCC_SIZE, Request
from ccgpu.store import specs
from support.cloud import NO_ROOM

_GROUP = f"/subscriptions/{FAKE_SUBSCRIPTION}/resourceGroups/keys"
_SET = f"{_GROUP}/providers/Microsoft.Compute/diskEncryptionSets/own"
_CREATE = "create demo --region eastus2 --ssh-from 203.0.113.7/32"


def _with_encryption_set(shell):
    for path, version, body in (
        (_GROUP, "2025-04-01", {"location": "eastus2"}),
        (
            _SET,
            "2026-03-02",
            {
                "location": "eastus2",
                "identity": {"type": "SystemAssigned"},
                "properties": {
                    "encryptionType": "ConfidentialVmEncryptedWithCustomerKey",
                    "activeKey": {"keyUrl": "https://own.vault.azure.net/keys/k/1"},
                },
            },
        ),
    ):
        url = f"https://management.azure.com{path}?api-version={version}"
        raw = json.dumps(body).encode()
        answer = shell.arm.send(Request("PUT", url, {"Authorization": "Bearer me"}, raw))
        assert answer.status < 300, answer
    shell.arm.advance(60)


@pytest.mark.slow
def test_create_shows_its_resources_and_the_ssh_command(shell, golden):
    golden("cli/create.txt", str(shell(_CREATE)))


@pytest.mark.slow
def test_a_second_create_finds_nothing_to_do(shell, golden):
    shell(_CREATE)
    golden("cli/create-again.txt", str(shell(_CREATE)))


@pytest.mark.parametrize("template", [one.name for one in specs.templates()])
def test_the_plan_of_each_template(shell, golden, template):
    more = ""
    if template == "customer-managed-key":
        _with_encryption_set(shell)
        more = f" --disk-encryption-set {_SET}"
    done = shell(f"plan demo --template {template} --ssh-from 203.0.113.7/32{more}")
    golden(f"cli/plan-{template}.txt", str(done))
    assert shell.kinds() == (["diskEncryptionSets", "resourceGroups"] if more else [])


@pytest.mark.slow
def test_plan_shows_signs_and_reasons_of_changes(shell, golden):
    shell(_CREATE)
    golden("cli/plan-update.txt", str(shell("plan demo --ssh-from 198.51.100.0/24 --tag a=[red]")))
    golden("cli/plan-replace.txt", str(shell("plan demo --ssh-from 203.0.113.7/32 --zone 2")))


@pytest.mark.slow
def test_a_replace_needs_the_flag_and_a_confirmation(shell, golden):
    shell(_CREATE)
    golden("cli/create-replace-unasked.txt", str(shell(f"{_CREATE} --zone 2")))
    golden("cli/create-replace-unconfirmed.txt", str(shell(f"{_CREATE} --zone 2 --replace")))
    golden("cli/create-replace.txt", str(shell(f"{_CREATE} --zone 2 --replace --yes")))


@pytest.mark.slow
def test_show_and_list(shell, golden):
    golden("cli/list-none.txt", str(shell("list")))
    shell(f"{_CREATE} --ttl 8h")
    golden("cli/show.txt", str(shell("show demo")))
    golden("cli/list.txt", str(shell("list")))
    golden("cli/query.txt", str(shell("list --query deployments[].{name:name,state:state}")))


@pytest.mark.slow
def test_the_life_of_the_vm(shell, golden):
    shell(_CREATE)
    steps = [shell(line) for line in ("stop demo", "wait demo --for stopped", "start demo")]
    golden("cli/lifecycle.txt", "\n".join(map(str, [*steps, shell("restart demo")])))


@pytest.mark.slow
def test_reaching_the_vm(shell, golden):
    shell(_CREATE)
    golden("cli/logs-serial.txt", str(shell("logs demo --serial")))
    lines = ["ssh nobody", "cp a b", "tunnel demo 99999", "exec demo --jump 'a b' -- true"]
    shell("stop demo")
    done = [shell(line) for line in [*lines, "exec demo -- true"]]
    golden("cli/reaching.txt", "\n".join(map(str, done)))


@pytest.mark.slow
def test_delete_needs_yes_and_a_second_delete_finds_nothing(shell, golden):
    shell(_CREATE)
    golden("cli/delete-unconfirmed.txt", str(shell("delete demo")))
    golden("cli/delete.txt", str(shell("delete demo --yes")))
    golden("cli/delete-nothing.txt", str(shell("delete demo")))


@pytest.mark.slow
def test_events_are_one_document_a_line(shell, golden):
    golden("cli/create-events.txt", str(shell(f"{_CREATE} --events ndjson")))


def test_a_bad_spec(shell, golden, tmp_path):
    text = "name: Demo\nos_disk:\n  size_gib: 5\nsecure_bot: true\n"
    (tmp_path / "work" / "vm.yaml").write_text(text)
    golden("cli/create-bad-spec.txt", str(shell("create -f vm.yaml")))
    golden("cli/create-bad-spec-json.txt", str(shell("create -f vm.yaml -o json")))
    golden("cli/validate.txt", str(shell("validate vm.yaml")))
    assert shell.reached == []


def test_an_unknown_name(shell, golden):
    golden("cli/show-unknown.txt", str(shell("show nobody")))
    golden("cli/show-unknown-json.txt", str(shell("show nobody -o json")))


def test_quota_is_refused_before_anything_is_made(shell, golden):
    shell.arm.settings.set("quota", "*", "StandardNCCads2023Family", value=0)
    golden("cli/create-no-quota.txt", str(shell(f"{_CREATE} --region westeurope")))
    assert shell.writes() == []


@pytest.mark.slow
def test_a_create_without_capacity_leaves_nothing(shell, golden):
    shell.arm.settings.set("capacity", NCC_SIZE, value={"eastus2": NO_ROOM})
    golden("cli/create-no-capacity.txt", str(shell(_CREATE)))
    assert shell.kinds() == []


@pytest.mark.slow
def test_the_simulated_subscription(shell, golden):
    shell(f"{_CREATE} --no-wait")
    golden("cli/fake-advance.txt", str(shell("fake advance 2h")))
    golden("cli/fake-reset.txt", str(shell("fake reset")))


@pytest.mark.parametrize("line", ["", "shw", "show", "create --frobnicate", "fake", "list extra"])
def test_errors_of_the_parser(shell, golden, line):
    name = line.strip("-").replace(" --", "-").replace(" ", "-") or "nothing"
    golden(f"cli/usage-{name}.txt", str(shell(line)))
