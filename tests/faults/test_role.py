"""The printed role is enough for the whole life of its spec, and no action of it is spare."""

import json
from pathlib import Path

import pytest

from ccgpu.fakearm import FAKE_SUBSCRIPTION, NCC_SIZE, FakeArm, Request
from ccgpu.store import specs
from support.cli import Done, Shell

_TEMPLATES = [one.name for one in specs.templates()]
_KEYS = f"/subscriptions/{FAKE_SUBSCRIPTION}/resourceGroups/keys"
_SET = f"{_KEYS}/providers/Microsoft.Compute/diskEncryptionSets/own"
_IDENTITY = f"{_KEYS}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/reader"
_VNET = f"{_KEYS}/providers/Microsoft.Network/virtualNetworks/hub"
_COMMUNITY = "/CommunityGalleries/cgpupublicimages-b3e43fe0-8f4c-4c1c-9b3e-8e0b1d7b3c51"
# What a spec may say besides the templates: one line of flags for each branch of the role.
_LINES = {
    **{name: f"--template {name}" for name in _TEMPLATES if name != "customer-managed-key"},
    "customer-managed-key": f"--template customer-managed-key --disk-encryption-set {_SET}",
    "identity": f"--identity system --identity {_IDENTITY} --data-disk 64",
    "own-subnet": f"--vnet {_VNET} --subnet gpu",
    "own-group": "--resource-group keys",
}


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """A user in a subscription where others have a key, an identity and a network."""
    return _prepared(tmp_path)


def _prepared(folder: Path) -> Shell:
    shell = Shell(folder, FakeArm()).with_key()
    encryption = {
        "encryptionType": "ConfidentialVmEncryptedWithCustomerKey",
        "activeKey": {"keyUrl": "https://own.vault.azure.net/keys/k/1"},
    }
    network = {
        "addressSpace": {"addressPrefixes": ["10.20.0.0/16"]},
        "subnets": [{"name": "gpu", "properties": {"addressPrefix": "10.20.1.0/24"}}],
    }
    keyed = {"identity": {"type": "SystemAssigned"}, "properties": encryption}
    for path, version, more in (
        (_KEYS, "2025-04-01", {}),
        (_SET, "2026-03-02", keyed),
        (_IDENTITY, "2024-11-30", {}),
        (_VNET, "2026-03-01", {"properties": network}),
    ):
        raw = json.dumps({"location": "eastus2", **more}).encode()
        url = f"https://management.azure.com{path}?api-version={version}"
        answer = shell.arm.send(Request("PUT", url, {"Authorization": "Bearer me"}, raw))
        assert answer.status < 300, answer
        shell.arm.advance(30)
    return shell


def _role(shell: Shell, flags: str, more: str = "") -> list[str]:
    done = shell(f"role demo {flags} --subscription {FAKE_SUBSCRIPTION} {more}")
    assert done.code == 0, done
    actions: list[str] = done.document["Actions"]
    return actions


def _life(shell: Shell, flags: str) -> list[Done]:
    """Every command, until one fails; what is left of a VM that found no place goes too."""
    wanted = f"demo --region eastus2 --ssh-from 203.0.113.7/32 {flags}"
    full = {"eastus2": {"": 0}}
    lines: list[str | object] = [f"plan {wanted}", lambda: _capacity(shell, full)]
    lines += [f"create {wanted} --keep-on-failure", lambda: _capacity(shell, {})]
    lines += ["delete demo --yes", f"create {wanted} --ttl 2h", "list", "show demo"]
    lines += ["stop demo", "start demo", "restart demo", "extend demo --ttl 1h"]
    lines += [lambda: shell.arm.advance(7200), "gc --yes"]
    done: list[Done] = []
    for line in lines:
        if isinstance(line, str):
            done.append(shell(line))
            if done[-1].code not in (0, 6):
                break
        elif callable(line):
            line()
    return done


def _capacity(shell: Shell, value: object) -> None:
    shell.arm.settings.set("capacity", NCC_SIZE, value=value)


@pytest.mark.parametrize("spec", _LINES)
def test_the_role_is_enough(shell: Shell, spec: str) -> None:
    flags = _LINES[spec]
    before = shell.kinds()
    shell.arm.settings.set("principal", value=_role(shell, flags))
    done = _life(shell, flags)
    assert [one.code for one in done if one.code != 6] == [0] * (len(done) - 1), done[-1]
    assert done[-1].line == "gc --yes"
    assert shell.kinds() == before


@pytest.mark.parametrize("spec", _LINES)
def test_no_action_of_it_is_spare(tmp_path: Path, spec: str) -> None:
    flags = _LINES[spec]
    everything = _role(_prepared(tmp_path / "all"), flags)
    for number, dropped in enumerate(everything):
        shell = _prepared(tmp_path / str(number))
        granted = [action for action in everything if action != dropped]
        shell.arm.settings.set("principal", value=granted)
        last = _life(shell, flags)[-1]
        assert last.code in (4, 7), (dropped, last)
        assert dropped.casefold() in last.err.casefold(), last
        assert "Traceback" not in last.err
        shell.arm.close()
