"""`doctor` without a name: it finds each planted fault, says how to mend it, and hides none."""

import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from azure.core.exceptions import ClientAuthenticationError

from ccgpu.cli.local_ssh import require_openssh
from ccgpu.domain.role import DISPENSABLE, permission_needs
from ccgpu.fakearm import FAKE_SUBSCRIPTION, NCC_SIZE, FakeCredential
from ccgpu.scheduling.scheduler import InlineExecutor, Scheduler
from support.cli import Shell
from support.cloud import PUBLIC_KEY, make_backend, make_spec
from support.slow import mostly_slow

_VERSION = "Canonical:ubuntu-24_04-lts:cvm:24.04.202609150"
_SUBNET = (
    f"/subscriptions/{FAKE_SUBSCRIPTION}/resourceGroups/net/providers/Microsoft.Network"
    "/virtualNetworks/mine/subnets/a"
)
_AS_USUAL = "--region eastus2 --ssh-from 203.0.113.7/32"
_NO_KEY = "no private key that ssh knows: the file counts, not what is in it\n"


class _Nobody(FakeCredential):
    """A credential that is not signed in."""

    def get_token_info(self, *scopes: str, options: Any = None) -> Any:
        raise ClientAuthenticationError(f"no token for {scopes} with {options}")


class _Ahead:
    """A clock that is ahead of Azure's."""

    def __init__(self, clock: Any, seconds: float) -> None:
        self._clock = clock
        self._seconds = seconds

    def now(self) -> float:
        """The wrong time."""
        return float(self._clock.now()) + self._seconds

    def wall(self) -> float:
        """The same: nothing is suspended."""
        return self.now()

    def sleep(self, seconds: float) -> None:
        """Wait by the right clock."""
        self._clock.sleep(seconds)


@dataclass(frozen=True)
class Fault:
    """A planted fault: what is found, the exit code, and a part of the remedy."""

    plant: Callable[[Shell], None]
    step: str
    state: str
    code: int
    remedy: str
    line: str = _AS_USUAL
    settings: dict[str, Any] | None = None


def _nothing(_: Shell) -> None:
    """The fault is in the command line or the settings."""


def _signed_in_as(credential: FakeCredential) -> Callable[[Shell], None]:
    def plant(shell: Shell) -> None:
        shell.backend = lambda _: make_backend(shell.arm, shell.state, credential)

    return plant


def _without_openssh(shell: Shell) -> None:
    os.environ["PATH"] = str(shell.folder)  # the fixture restores it
    backend = make_backend(shell.arm, shell.state)
    shell.backend = lambda _: replace(backend, require_channel=require_openssh)


def _clock_ahead(shell: Shell) -> None:
    backend = make_backend(shell.arm, shell.state)
    clock = _Ahead(shell.arm.clock, 3600)
    shell.backend = lambda _: replace(backend, scheduler=Scheduler(clock, InlineExecutor()))


def _private_key(text: str, mode: int) -> Callable[[Shell], None]:
    def plant(shell: Shell) -> None:
        path = shell.home / ".ssh" / "id_ed25519"
        path.write_text(text)
        path.chmod(mode)

    return plant


def _with_passphrase(shell: Shell) -> None:
    key = shell.home / ".ssh" / "id_ed25519"
    words = ["-q", "-t", "ed25519", "-N", "secret", "-f", str(key)]
    subprocess.run(["ssh-keygen", *words], input=b"y\n", check=True, stdout=subprocess.DEVNULL)
    backend = make_backend(shell.arm, shell.state)
    shell.backend = lambda _: replace(backend, require_channel=require_openssh)


def _public_key_is(text: str) -> Callable[[Shell], None]:
    return lambda shell: _write(shell.home / ".ssh" / "id_ed25519.pub", text, 0o644)


def _write(path: Path, text: str, mode: int) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)


def _open_state(shell: Shell) -> None:
    shell.state.mkdir()
    shell.state.chmod(0o777)


def _open_journal(shell: Shell) -> None:
    _write(shell.state / "journals" / FAKE_SUBSCRIPTION / "other.json", "{}", 0o644)


def _advance_to(day: str) -> Callable[[Shell], None]:
    end = datetime.fromisoformat(day).timestamp()
    return lambda shell: shell.arm.advance(end - shell.arm.now())


def _granted(*besides: str) -> list[str]:
    needs = permission_needs(make_spec(), FAKE_SUBSCRIPTION)
    return [*(one.action for one in needs if one.action not in besides)]


def _spec_file(text: str) -> Callable[[Shell], None]:
    return lambda _: _write(Path("vm.yaml"), text, 0o644)


_LOCATION = [{"type": "Location", "reasonCode": "NotAvailableForSubscription"}]
_LISTED = "Microsoft.Authorization/permissions/read"
_FAULTS = {
    "quota": Fault(
        _nothing, "region", "failed", 5, "`ccgpu quota --region eastus2` prints",
        settings={"quota": {"*": {"StandardNCCads2023Family": 0}}},
    ),
    "not-signed-in": Fault(_signed_in_as(_Nobody()), "sign-in", "failed", 4, "`az login`"),
    "subscription-disabled": Fault(
        _nothing, "subscription", "failed", 4, "have it re-enabled",
        settings={"subscription_state": "Disabled"},
    ),
    "subscription-warned": Fault(
        _nothing, "subscription", "warning", 0, "ask its owner",
        settings={"subscription_state": "Warned"},
    ),
    "not-registered": Fault(
        _nothing, "providers", "failed", 4, "az provider register --namespace Microsoft.Network",
        settings={"providers": {"Microsoft.Network": "NotRegistered"}},
    ),
    "may-only-read": Fault(
        _nothing, "permissions", "failed", 4, "`ccgpu role > role.json`",
        settings={"principal": ["*/read"]},
    ),
    "one-action-missing": Fault(
        _nothing, "permissions", "failed", 4, "`ccgpu role > role.json`",
        settings={"principal": [*_granted("Microsoft.Compute/virtualMachines/write"), _LISTED]},
    ),
    "dispensable-reads-missing": Fault(
        _nothing, "permissions", "warning", 0, "`ccgpu role > role.json`",
        settings={"principal": [*_granted(*DISPENSABLE), _LISTED]},
    ),
    "permissions-not-listed": Fault(
        _nothing, "permissions", "unknown", 0, "compare your role",
        settings={"principal": _granted()},
    ),
    "restricted": Fault(
        _nothing, "region", "failed", 6, "`ccgpu capacity --all-regions` shows",
        settings={"restrictions": {NCC_SIZE: {"eastus2": _LOCATION}}},
    ),
    "no-such-region": Fault(
        _nothing, "preflight", "failed", 3, "correct the field",
        "--region eastus22 --ssh-from 203.0.113.7/32",
    ),
    "one-region-of-two": Fault(
        _nothing, "region", "warning", 0, "`ccgpu quota --region eastus2`",
        f"{_AS_USUAL} --region westeurope",
        {"quota": {"eastus2": {"StandardNCCads2023Family": 0}}},
    ),
    "sizes-not-listed": Fault(
        _nothing, "region", "unknown", 0, "`ccgpu create --skip-preflight`",
        settings={"reported": {"sizes": False}},
    ),
    "image-deprecated": Fault(
        _nothing, "image", "failed", 4, "`az vm image list --all --location eastus2",
        f"{_AS_USUAL} --image {_VERSION}", {"image_ends": {_VERSION: "Deprecated"}},
    ),
    "no-such-image": Fault(
        _nothing, "image", "failed", 4, "--publisher Canonical",
        f"{_AS_USUAL} --image Canonical:ubuntu-24_04-lts:cvm:1.2.3",
    ),
    "image-ends": Fault(
        _nothing, "forecast", "warning", 0, "use a newer version",
        settings={"image_ends": {_VERSION: "2026-02-01T00:00:00+00:00"}},
    ),
    "no-such-subnet": Fault(
        _nothing, "references", "failed", 4, "az resource show --ids",
        f"{_AS_USUAL} --subnet {_SUBNET}",
    ),
    "no-address-of-its-own": Fault(
        _signed_in_as(FakeCredential(app=True)), "ssh-from", "failed", 2, "--ssh-from ADDRESS/32",
        "--region eastus2",
    ),
    "no-way-to-a-private-vm": Fault(
        _nothing, "preflight", "failed", 2, "--jump USER@HOST", "--region eastus2 --private"
    ),
    "no-openssh": Fault(_without_openssh, "ssh", "failed", 10, "openssh-client"),
    "key-with-passphrase": Fault(_with_passphrase, "ssh-key", "failed", 2, "`ssh-add "),
    "key-open-to-others": Fault(
        _private_key(_NO_KEY, 0o644), "ssh-key", "failed", 4, "`chmod 600 "
    ),
    "key-of-another-kind": Fault(
        _public_key_is("ssh-dss AAAA"), "ssh-key", "failed", 3, "--ssh-key FILE"
    ),
    "no-private-key": Fault(_nothing, "ssh-key", "warning", 0, "`ssh-add FILE`"),
    "state-is-a-file": Fault(
        lambda shell: _write(shell.state, "", 0o600), "state-folder", "failed", 4, "`mv "
    ),
    "state-open-to-others": Fault(_open_state, "file-modes", "warning", 0, "`chmod 700 "),
    "journal-open-to-others": Fault(_open_journal, "file-modes", "warning", 0, "`chmod 600 "),
    "generated-key-open": Fault(
        lambda shell: _write(shell.state / "keys" / "old", _NO_KEY, 0o640),
        "file-modes", "failed", 4, "`chmod 600 ",
    ),
    "clock-ahead": Fault(_clock_ahead, "clock", "warning", 0, "timedatectl set-ntp true"),
    "no-prices": Fault(
        _nothing, "price", "warning", 0, "https://prices.azure.com",
        settings={"prices": {"service": "down"}},
    ),
    "old-data": Fault(
        _advance_to("2027-06-01T00:00:00+00:00"), "forecast", "warning", 0, "pipx upgrade"
    ),
    "driver-without-fixes": Fault(
        _nothing, "preflight", "failed", 3, "--driver 595", f"{_AS_USUAL} --driver 590.48.01"
    ),
    "newer-spec": Fault(
        _spec_file("regions: [eastus2]\nquantum: true\n"), "spec", "failed", 3, "newer ccgpu",
        "-f vm.yaml",
    ),
}  # fmt: skip


@pytest.fixture
def set_up(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> Callable[[Fault], Shell]:
    """A user's machine with a fault."""
    monkeypatch.setenv("PATH", os.environ["PATH"])
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)

    def plant(fault: Fault) -> Shell:
        if fault.settings is not None:
            shell.arm.configure(fault.settings)
        fault.plant(shell)
        return shell

    return plant


@pytest.mark.parametrize(
    "fault",
    mostly_slow([pytest.param(fault, id=name) for name, fault in _FAULTS.items()], 8),
)
def test_each_planted_fault_is_found_with_its_remedy(set_up, fault):
    shell = set_up(fault)
    done = shell(f"doctor {fault.line} -o json")
    assert done.code == fault.code, done
    found = [
        one
        for one in done.document["checks"]
        if (one["step"], one["state"]) == (fault.step, fault.state)
    ]
    assert any(fault.remedy in (one["remedy"] or "") for one in found), done
    assert done.document["ok"] == (fault.code == 0)
    assert shell.writes() == []


@pytest.mark.parametrize(
    "fault",
    mostly_slow([pytest.param(fault, id=name) for name, fault in _FAULTS.items()], 12),
)
def test_exit_code_0_means_that_create_passes_its_preflight(set_up, fault):
    """And where the preflight is what fails first, its exit code is that of `create`."""
    shell = set_up(fault)
    done = shell(f"doctor {fault.line} -o json")
    failed = [one["step"] for one in done.document["checks"] if one["state"] == "failed"]
    if done.code == 0:
        asks_less = "--no-wait"  # nor for a way to the VM, nor for a driver that is accepted
        quick = "" if {"--private", "--driver"} & set(fault.line.split()) else asks_less
        created = shell(f"create demo {quick} {fault.line}")
        assert created.code == 0, created
    if failed[:1] == ["preflight"]:
        assert shell(f"create demo {fault.line}").code == done.code
        assert shell.writes() == []


def test_a_fault_hides_no_other(shell):
    """The sign-in, the disk, the key and the spec are all wrong."""
    shell.backend = lambda _: make_backend(shell.arm, shell.state, _Nobody())
    _write(shell.state, "", 0o600)
    _public_key_is("ssh-dss AAAA")(shell)
    done = shell("doctor --region eastus2 --set os_disk.size_gib=1 -o json")
    states = {one["step"]: one["state"] for one in done.document["checks"]}
    wrong = [step for step, state in states.items() if state == "failed"]
    assert wrong == ["spec", "state-folder", "ssh-key", "sign-in"]
    assert {step for step, state in states.items() if state == "unknown"} == {
        *("subscription", "clock", "providers", "preflight", "permissions", "references"),
        *("region", "image", "ssh-from"),
    }
    assert done.code == 3
    named = "the set-up is not in order: spec, state-folder, ssh-key, sign-in"
    assert done.error["message"] == named


@pytest.mark.slow
def test_doctor_transcripts(shell, golden):
    """All is well; then several things are not."""
    _private_key(_NO_KEY, 0o600)(shell)
    shell.width = 200
    good = str(shell(f"doctor {_AS_USUAL}"))
    shell.arm.configure(
        {
            "quota": {"*": {"StandardNCCads2023Family": 0}},
            "subscription_state": "PastDue",
            "image_ends": {_VERSION: "2027-06-30T00:00:00+00:00"},
        }
    )
    bad = str(shell(f"doctor {_AS_USUAL} --region westeurope"))
    golden("cli/doctor-set-up.txt", (good + bad).replace(str(shell.folder), "/home/me"))


def test_the_document_is_of_the_guests_family(shell):
    document = shell(f"doctor {_AS_USUAL} -o json").document
    assert document["schema"] == "ccgpu.doctor/1"
    assert (document["name"], document["fixes"], document["applied"]) == (None, [], [])
    assert document["signed_in_with"] == "FakeCredential"
    dates = [one["on"] for one in document["forecast"]]
    assert dates == sorted(dates)


@pytest.mark.slow
def test_the_group_of_the_deployment_is_where_its_permissions_are_listed(shell):
    assert shell(f"create demo --no-wait --no-attest {_AS_USUAL}").code == 0
    shell.arm.advance(3600)
    _write(Path("vm.yaml"), f"name: demo\nssh_keys: ['{PUBLIC_KEY}']\n", 0o644)
    done = shell(f"doctor -f vm.yaml {_AS_USUAL} -o json")
    told = [one["message"] for one in done.document["checks"] if one["step"] == "permissions"]
    assert len(told) == 2
    assert any(one.endswith("/resourceGroups/ccgpu-demo") for one in told)
    assert done.code == 0


def test_options_of_a_guest_and_of_a_spec_do_not_mix(shell):
    assert shell("doctor demo --region eastus2").code == 2
    assert shell("doctor demo -f vm.yaml").code == 2
    assert shell("doctor --fix").code == 2
    assert shell("doctor Not_a_name").code == 2
