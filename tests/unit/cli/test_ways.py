"""The way to a VM: remembered once it has led there; without a host key nothing but the probe."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from ccgpu.errors import GuestUnreachable
from support.cloud import make_backend

_CREATE = "create demo --region eastus2 --ssh-from 203.0.113.7/32"


def _recorded(shell) -> list[str]:
    return [path.name for path in shell.state.rglob("*.access")]


@pytest.mark.parametrize(
    "line",
    [
        "exec nosuch --jump me@bastion -- true",
        "doctor nosuch --reachable",
        "ssh nosuch --reachable",
    ],
)
def test_the_way_to_a_vm_that_is_not_there_is_not_remembered(shell, line):
    assert shell(line).code == 4
    assert _recorded(shell) == []


def test_a_way_that_fails_is_not_remembered(shell, prepared):
    prepared(shell, _CREATE)
    before = _recorded(shell)
    shell("fake scenario no-sshd")
    assert shell("exec demo --reachable --connect-timeout 5s -- true").code == 10
    assert _recorded(shell) == before


def test_a_way_that_led_to_the_vm_is_remembered(shell, prepared):
    prepared(shell, _CREATE)
    assert shell("exec demo --reachable -- true").code == 0
    assert _recorded(shell) == ["demo.access"]


@pytest.mark.parametrize("line", ["exec demo -i missing -- true", "doctor demo -i missing"])
def test_a_key_file_that_is_not_there_is_refused_and_forgotten(shell, prepared, line):
    prepared(shell, _CREATE)
    done = shell(line)
    assert done.code == 2
    assert "there is no file missing" in done.err
    assert shell("exec demo -- true").code == 0


def test_a_remembered_key_file_that_has_gone_can_be_forgotten(shell, prepared, tmp_path):
    prepared(shell, _CREATE)
    (tmp_path / "mine").write_text("a key")
    assert shell(f"exec demo -i {tmp_path}/mine -- true").code == 0
    (tmp_path / "mine").unlink()
    done = shell("exec demo -- true")
    assert done.code == 2
    assert "`-i none`" in done.err
    assert shell("exec demo -i none -- true").code == 0


@pytest.mark.slow
def test_nothing_is_mended_in_a_vm_whose_host_key_is_unknown(shell):
    shell("fake scenario no-host-key")
    shell(_CREATE)
    for file in shell.state.rglob("*.hostkey"):
        file.unlink()
    shell.arm.configure({"guest": {"key_in_log": False, "disk_full": True}})
    done = shell("doctor demo --fix")
    assert done.code == 10
    assert ": the host key of demo is not known" in done.err


@pytest.mark.parametrize(
    "option", ["--jump=me@bastion", "--reachable", "-i none", "--connect-timeout 5s"]
)
@pytest.mark.parametrize(
    "line", ["exec demo {} --via run-command -- true", "logs demo --serial {}"]
)
def test_options_of_ssh_are_refused_where_ssh_is_not_used(shell, line, option):
    done = shell(line.format(option))
    assert done.code == 2
    assert "does not use it" in done.err
    assert shell.reached == []
    assert _recorded(shell) == []


@pytest.mark.parametrize(
    ("more", "code"), [("", 10), ("--no-wait", 0), ("--private --no-attest", 0), ("--dry-run", 0)]
)
def test_without_ssh_nothing_is_created_that_could_not_be_looked_into(shell, more, code):
    def refuse(_: Sequence[Path]) -> None:
        raise GuestUnreachable("`ssh` is not installed")

    backend = replace(make_backend(shell.arm, shell.state), require_channel=refuse)
    shell.backend = lambda _: backend
    done = shell(
        "create demo --region eastus2 "
        + (more if "--private" in more else f"--ssh-from 203.0.113.7/32 {more}")
    )
    assert done.code == code, done.err
    written = [one for one in shell.arm.show()["requests"] if one["method"] == "PUT"]
    assert bool(written) == (code == 0 and more != "--dry-run")


def test_a_remedy_is_a_command_that_can_be_run_as_it_is(shell, prepared):
    prepared(shell, _CREATE)
    shell("fake scenario disk-full")
    whole = "`ccgpu doctor demo --fix --resource-group ccgpu-demo --backend fake`"
    done = shell("doctor demo --backend fake -g ccgpu-demo")
    words = done.out.replace("\n", " ").split()
    assert whole in " ".join(words)
    done = shell("doctor demo --backend fake -g ccgpu-demo -o json")
    assert whole in next(one["remedy"] for one in done.document["checks"] if one["step"] == "space")
