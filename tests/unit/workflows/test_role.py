"""The printed role allows every command on its spec, and each of its actions is needed."""

import json
import re
from pathlib import Path

import pytest

from ccgpu.domain.role import DISPENSABLE
from ccgpu.fakearm import FAKE_SUBSCRIPTION, NCC_SIZE, FakeArm, Request
from ccgpu.store import specs
from support.cli import CommandResult, Shell
from support.cloud import NO_ROOM
from support.slow import EVERY_CASE, mostly_slow

_TEMPLATES = [one.name for one in specs.templates()]
_KEYS = f"/subscriptions/{FAKE_SUBSCRIPTION}/resourceGroups/keys"
_SET = f"{_KEYS}/providers/Microsoft.Compute/diskEncryptionSets/own"
_IDENTITY = f"{_KEYS}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/reader"
_VNET = f"{_KEYS}/providers/Microsoft.Network/virtualNetworks/hub"
# What a spec may say besides the templates: one line of flags for each branch of the role.
_FLAGS = {
    **{name: f"--template {name}" for name in _TEMPLATES if name != "customer-managed-key"},
    "customer-managed-key": f"--template customer-managed-key --disk-encryption-set {_SET}",
    "identity": f"--identity system --identity {_IDENTITY} --data-disk 64",
    "own-subnet": f"--vnet {_VNET} --subnet gpu",
    "their-group": "--resource-group keys",
}


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """A user in a subscription with a key, an identity and a network of others."""
    return _prepare_shell(tmp_path)


def _prepare_shell(folder: Path) -> Shell:
    shell = Shell(folder, FakeArm()).with_key()
    encryption = {
        "encryptionType": "ConfidentialVmEncryptedWithCustomerKey",
        "activeKey": {"keyUrl": "https://own.vault.azure.net/keys/k/1"},
    }
    network = {
        "addressSpace": {"addressPrefixes": ["10.20.0.0/16"]},
        "subnets": [{"name": "gpu", "properties": {"addressPrefix": "10.20.1.0/24"}}],
    }
    keyed: dict[str, object] = {"identity": {"type": "SystemAssigned"}, "properties": encryption}
    _put(shell, _KEYS, "2025-04-01", {})
    _put(shell, _SET, "2026-03-02", keyed)
    _put(shell, _IDENTITY, "2024-11-30", {})
    _put(shell, _VNET, "2026-03-01", {"properties": network})
    return shell


def _role(shell: Shell, flags: str, more: str = "") -> list[str]:
    done = shell(f"role demo {flags} --subscription {FAKE_SUBSCRIPTION} {more}")
    assert done.code == 0, done
    actions: list[str] = done.document["Actions"]
    return actions


def _run_all_commands(shell: Shell, flags: str) -> list[CommandResult]:
    """Run every command until one fails, including the delete after a create without capacity."""
    wanted = f"demo --region eastus2 --ssh-from 203.0.113.7/32 {flags}"
    full = {"eastus2": NO_ROOM}
    lines: list[str | object] = [f"plan {wanted}", lambda: _capacity(shell, full)]
    lines += [f"create {wanted} --no-attest --keep-on-failure", lambda: _capacity(shell, {})]
    lines += [
        lambda: _stray_disk(shell),
        "delete demo --yes",
        f"create {wanted} --no-attest --ttl 2h",
        "list",
        "show demo",
        "logs demo --serial",
    ]
    lines += ["stop demo", "start demo", "restart demo", "extend demo --ttl 1h"]
    lines += [lambda: shell.arm.advance(7200), "gc --yes"]
    done: list[CommandResult] = []
    for line in lines:
        if isinstance(line, str):
            done.append(shell(line))
            if done[-1].code not in (0, 7):
                break
        elif callable(line):
            line()
    return done


def _stray_disk(shell: Shell) -> None:
    """Create an unattached disk of the deployment: it is deleted and polled by itself."""
    (vm,) = (
        one["id"] for one in shell.arm.show()["resources"] if one["id"].endswith("Machines/demo")
    )
    granted = shell.arm.settings.get("principal")
    shell.arm.settings.set("principal", value=None)
    group = vm.partition("/providers/")[0]
    empty = {"creationData": {"createOption": "Empty"}, "diskSizeGB": 64}
    _put(
        shell,
        f"{group}/providers/Microsoft.Compute/disks/demo-data7",
        "2026-03-02",
        {"tags": {"ccgpu-deployment": "demo"}, "properties": empty},
    )
    shell.arm.settings.set("principal", value=granted)


def _put(shell: Shell, path: str, version: str, more: dict[str, object]) -> None:
    raw = json.dumps({"location": "eastus2", **more}).encode()
    url = f"https://management.azure.com{path}?api-version={version}"
    answer = shell.arm.send(Request("PUT", url, {"Authorization": "Bearer me"}, raw))
    assert answer.status < 300, answer
    shell.arm.advance(30)


def _capacity(shell: Shell, value: object) -> None:
    shell.arm.settings.set("capacity", NCC_SIZE, value=value)


@pytest.mark.slow
@pytest.mark.parametrize("spec", mostly_slow(_FLAGS, 12, 2))
def test_the_printed_role_allows_every_command(shell: Shell, spec: str) -> None:
    flags = _FLAGS[spec]
    before = shell.kinds()
    shell.arm.settings.set("principal", value=_role(shell, flags))
    done = _run_all_commands(shell, flags)
    assert [one.code for one in done if one.code != 7] == [0] * (len(done) - 1), done[-1]
    assert done[-1].line == "gc --yes"
    assert shell.kinds() == before


_OF_OTHERS = 4 if EVERY_CASE else 64


@pytest.mark.slow
@pytest.mark.parametrize("spec", _FLAGS)
def test_every_action_of_the_printed_role_is_needed(tmp_path: Path, spec: str) -> None:
    """The exceptions are reads without which every command works.

    Each action is dropped for the first spec whose role has it, and one in 64 of the others; in
    runs of every case, one in four.
    """
    flags, earlier = _FLAGS[spec], set[str]()
    for name in list(_FLAGS)[: list(_FLAGS).index(spec)]:
        earlier |= set(_role(_prepare_shell(tmp_path / name), _FLAGS[name]))
    everything = _role(_prepare_shell(tmp_path / "all"), flags)
    spare = []
    for number, dropped in enumerate(everything):
        if dropped in earlier and number % _OF_OTHERS:
            continue
        shell = _prepare_shell(tmp_path / str(number))
        granted = [action for action in everything if action != dropped]
        shell.arm.settings.set("principal", value=granted)
        done = _run_all_commands(shell, flags)
        if dropped not in DISPENSABLE and not _names_denied_action(dropped, done):
            spare.append((dropped, done[-1]))
        shell.arm.close()
    assert spare == []


def _names_denied_action(action: str, done: list[CommandResult]) -> bool:
    """Whether the last command was denied this action and named it."""
    whole = rf"(?<![\w/.]){re.escape(action)}(?![\w/])"
    return done[-1].code == 4 and bool(re.search(whole, done[-1].err, re.IGNORECASE))
