"""What `create` gives a simulated VM at its first boot, and what becomes of it in there."""

import json
from itertools import starmap

import pytest

from ccgpu.fakeguest.hostkeys import host_key
from ccgpu.guest.channel import Channel, GuestTarget
from support.arm import Client
from support.cli import Shell
from support.simulated_guests import open_channel
from support.slow import mostly_slow

_SPEC = """
name: demo
regions: [eastus2]
ssh_from: 203.0.113.7/32
guest:
  docker: false
  cloud_init: [extra.yaml]
"""
_EXTRA = "#cloud-config\nwrite_files:\n  - {path: /etc/extra, content: mine}\n"


def _channel(shell: Shell) -> Channel:
    """A channel to the only VM of the subscription."""
    (address,) = [one for one in shell.arm.show()["resources"] if "publicIP" in one["kind"]]
    host = Client(shell.arm).get(address["id"])["properties"]["ipAddress"]
    with shell.arm.machine_at(host) as machine:
        assert machine is not None
        key = host_key(machine.vm_id)
        target = GuestTarget("demo", machine.vm_id, host, machine.user, key)
    return open_channel(shell.arm, target)


@pytest.fixture
def channel(shell, prepared, tmp_path) -> Channel:
    """A channel to a VM that `create` made, ten minutes later."""
    (tmp_path / "work" / "demo.yaml").write_text(_SPEC)
    (tmp_path / "work" / "extra.yaml").write_text(_EXTRA)
    prepared(shell, "create -f demo.yaml")
    shell.arm.advance(600)
    return _channel(shell)


def _read(channel: Channel, path: str) -> str:
    done = channel.run(["sudo", "-n", "cat", path], timeout=5)
    assert done.exit_code == 0, done.stderr
    return done.stdout.decode()


@pytest.mark.slow
def test_the_guest_sets_itself_up_as_the_spec_says(channel):
    setup = json.loads(_read(channel, "/var/lib/ccgpu/setup.json"))
    states = {one["step"]: one["state"] for one in setup["steps"]}
    assert setup["state"] == "done"
    assert {step for step, state in states.items() if state == "skipped"} == {"docker"}
    settings = _read(channel, "/etc/ccgpu/guest.env")
    assert "CCGPU_DOCKER=0\n" in settings
    assert f"CCGPU_SETUP_ID={setup['id']}\n" in settings


def test_the_users_own_part_is_carried_out_too(channel):
    assert _read(channel, "/etc/extra") == "mine"


@pytest.mark.slow
@pytest.mark.usefixtures("channel")
def test_the_ways_into_a_simulated_vm_need_no_openssh(shell, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))  # nothing is in there
    assert shell("exec demo -- nvidia-smi conf-compute -f").out == "CC status: ON\n"
    assert shell("exec demo -- sh -c 'exit 42'").code == 42
    assert shell("exec demo -- no-such").code == 127
    (tmp_path / "work" / "note").write_bytes(bytes(range(256)))
    assert shell("cp note demo:kept").code == 0
    assert shell("cp demo:kept back").code == 0
    assert (tmp_path / "work" / "back").read_bytes() == bytes(range(256))
    assert shell("cp demo:missing back").code == 4
    assert "== lockdown " in shell("logs demo").out
    assert "ccgpu-setup: done" in shell("logs demo --serial").out


@pytest.mark.usefixtures("channel")
@pytest.mark.parametrize(
    ("scenario", "code", "text"),
    mostly_slow(
        starmap(
            pytest.param,
            [
                ("other-host-key", 9, "WRONG HOST KEY"),
                ("no-sshd", 10, "Connection refused"),
            ],
        ),
        2,
    ),
)
def test_a_scenario_of_guests_shows_in_exec(shell, scenario, code, text):
    assert shell("exec demo -- true").code == 0
    assert shell(f"fake scenario {scenario}").code == 0
    outcome = shell("exec demo -- true")
    assert (outcome.code, text in outcome.err) == (code, True), outcome


@pytest.mark.slow
def test_run_command_into_an_open_vm_prints_and_ends_as_the_command(shell):
    create = "create demo --region eastus2 --ssh-from 203.0.113.7/32 --set guest.lockdown=false"
    assert shell(create).code == 0
    shell.arm.advance(60)
    outcome = shell("exec demo --via run-command -- sh -c 'exit 7'")
    assert (outcome.code, "NOT ATTESTED" in outcome.err) == (7, True), outcome
    assert shell("exec demo --via run-command -- whoami").out == "root\n"
