"""A real guest: what cloud-init gets is carried out by systemd, apt and sshd themselves.

Only what needs the GPU, or the network, is a stand-in: the programs of `support.gpu_machine`, and
packages without content. The way in is ccgpu's own channel, with the host key from the console.
"""

import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ccgpu.guest import openssh, probe
from ccgpu.guest.channel import Channel
from ccgpu.guest.diagnosis import FIXES, diagnose, fixes_for
from ccgpu.guest.readiness import GuestExpectations, GuestState, assess_guest
from ccgpu.guest.report import GuestReport, read_report
from support import gpu_archive, real_guest
from support.gpu_machine import KERNEL
from support.real_guest import SET_UP_SECONDS, RealGuest, source_line

pytestmark = pytest.mark.slow

_SETUP = "/usr/local/lib/ccgpu/setup"
_NEW_KERNEL = "6.8.0-1070-azure-fde"


@pytest.fixture
def guest(request, layers, identity, tmp_path) -> Iterator[RealGuest]:
    """A guest that boots for the first time, into a machine that is broken as the test says."""
    broken: dict[str, Any] = getattr(request, "param", {})
    machine = json.loads((layers[1] / "machine.json").read_text())
    changed = tmp_path / "guest/upper/machine.json"
    changed.parent.mkdir(parents=True)
    changed.write_text(json.dumps({**machine, **broken}))
    public = identity.with_suffix(".pub").read_text()
    with real_guest.booted(layers, tmp_path / "guest", real_guest.user_data(), public) as running:
        yield running


def _root(channel: Channel, script: str, code: int = 0) -> str:
    """Run a script as root in the guest; its output."""
    done = channel.run(["sudo", "-n", "bash", "-c", script], timeout=120)
    assert done.exit_code == code, f"{script}: {done.stdout.decode()}{done.stderr.decode()}"
    return done.stdout.decode()


def _reboot(guest: RealGuest, identity: Path, before: str = "true") -> None:
    """Boot again, and wait until sshd answers and the set-up has looked at the GPU."""
    with openssh.open_channel(guest.target(identity)) as channel:
        old = _root(channel, "cat /proc/sys/kernel/random/boot_id").strip()
        later = "systemd-run --on-active=1 --timer-property=AccuracySec=1ms systemctl reboot"
        _root(channel, f"{before}; {later}")
    guest.wait("another boot", lambda: guest.status()["boot_id"] != old, SET_UP_SECONDS)
    guest.wait("the GPU's check", lambda: guest.status()["state"] != "running", SET_UP_SECONDS)
    drift = guest.upper("var/lib/ccgpu/drift.json")
    guest.wait("the look for drift", lambda: old not in drift.read_text(), SET_UP_SECONDS)
    guest.wait("sshd", guest.answers)


def test_a_guest_is_set_up_once_and_stays_as_it_is_until_it_drifts(guest, identity):
    guest.wait_for_set_up()
    status = guest.status()
    assert status["state"] == "done", guest.console[-3000:]
    states = {one["step"]: one["state"] for one in status["steps"]}
    skipped = {name for name, state in states.items() if state == "skipped"}
    assert skipped == {"openssl", "temp-disk"}
    target = guest.target(identity)
    assert target.host_key is not None

    with openssh.open_channel(target) as channel:
        _check_packages(channel)
        _check_doors(channel)
        _check_readiness(guest, channel)
        _check_updates(channel)
        before = _root(channel, "cat /var/lib/ccgpu/steps/*; cat /etc/ssh/sshd_config.d/*")

    # It boots again: without cloud-init, with the same host key, and nothing is done twice.
    _reboot(guest, identity)
    with openssh.open_channel(target) as channel:
        assert "disabled" in _root(channel, "cloud-init status", code=0)
        after = _root(channel, "cat /var/lib/ccgpu/steps/*; cat /etc/ssh/sshd_config.d/*")
        assert _without_gpu(after) == _without_gpu(before)
        drift = json.loads(_root(channel, "cat /var/lib/ccgpu/drift.json"))
        assert (drift["problems"], drift["boot_id"]) == ([], guest.status()["boot_id"])
        assert guest.console.count("step driver: begin") == 1
        assert guest.console.count("step gpu: begin") == 2
        cycles = _root(channel, "journalctl -q _PID=1 | grep -ci 'ordering cycle' || true")
        assert cycles.strip() == "0"
        _root(channel, f"{_SETUP} --again")
        assert "Setting up" not in _root(channel, "cat /var/lib/ccgpu/setup.log")

    # Somebody upgrades the driver and the kernel by hand: what no longer fits is named.
    upgrade = (
        f"apt-get -qy install --allow-change-held-packages {gpu_archive.DRIVER}={gpu_archive.NEWER}"
        f" nvidia-compute-utils-595-server={gpu_archive.NEWER} >/dev/null; apt-mark unhold "
        f"{gpu_archive.IMAGE}; sed -i s/{KERNEL}/{_NEW_KERNEL}/ /machine.json"
    )
    _reboot(guest, identity, upgrade)
    assert (guest.status()["state"], guest.status()["step"]) == ("failed", "gpu")
    with openssh.open_channel(target) as channel:
        report = _probe(channel)
        problems = json.loads(_root(channel, "cat /var/lib/ccgpu/drift.json"))["problems"]
    failed = {one.step for one in diagnose(report, GuestExpectations()) if one.remedy}
    assert {"gpu", "driver", "drift"} <= failed
    assert fixes_for(report, []) == [FIXES["set-up"]]
    found = {one["what"]: one["found"] for one in problems}
    assert found["kernel"] == _NEW_KERNEL
    assert (found["kernel-modules"], found["loaded-module"]) == ("none", "none")
    assert found["driver-package"] == "595.84.01"
    assert found["driver-library"].startswith("NVIDIA-SMI has failed because it couldn't")
    # apt lets go of what it upgrades by `--allow-change-held-packages`.
    released = {gpu_archive.IMAGE, gpu_archive.DRIVER, "nvidia-compute-utils-595-server"}
    assert set(found["holds"].removeprefix("not held: ").split()) == released
    assert f"ccgpu-drift: kernel: expected {KERNEL}, found {_NEW_KERNEL}" in guest.console

    # Back with the old kernel, what `doctor --fix` runs brings the driver back, and holds it.
    with openssh.open_channel(target) as channel:
        _root(channel, f"sed -i s/{_NEW_KERNEL}/{KERNEL}/ /machine.json; {_SETUP} --again")
        _check_packages(channel)
        _root(channel, "systemctl start ccgpu-drift.service")
        assert _probe(channel).drift == ()
        _check_readiness(guest, channel)


def _without_gpu(text: str) -> str:
    """Without the times and the boot of the GPU's check, the only one that each boot makes."""
    return re.sub(r"(?m)^(\d{4}-\S+Z|[0-9a-f-]{36})$", "", text)


def _check_packages(channel: Channel) -> None:
    """The pinned ones, from the right source, though there are newer ones."""
    names = f"{gpu_archive.DRIVER} nvidia-modprobe docker.io nvidia-container-toolkit"
    text = _root(channel, f"dpkg-query -W -f='${{Package}} ${{Version}}\\n' {names}")
    assert dict(line.split() for line in text.splitlines()) == {
        gpu_archive.DRIVER: gpu_archive.WANTED,
        "nvidia-modprobe": "595.71.05-1ubuntu1",
        "docker.io": "28.2.2-0ubuntu1",
        "nvidia-container-toolkit": "1.20.1-1",
    }


def _check_doors(channel: Channel) -> None:
    """No password, no console login, no agent that obeys, no second first boot."""
    settings = _root(channel, "sshd -T").splitlines()
    assert {"passwordauthentication no", "permitrootlogin no", "port 22"} <= set(settings)
    masked = _root(channel, "systemctl is-enabled console-getty getty@tty1 || true").split()
    assert set(masked) == {"masked"}
    assert "Extensions.Enabled=n" in _root(channel, "cat /etc/waagent.conf")
    usable = _root(channel, "awk -F: '$2 ~ /^[^!*]/ || $2 == \"\" {print $1}' /etc/shadow")
    assert usable == ""
    assert _root(channel, "systemctl --failed --plain --no-legend") == ""


def _probe(channel: Channel) -> GuestReport:
    done = channel.run(probe.command_line(), probe.script(), timeout=probe.TIMEOUT)
    return read_report(probe.parse(done.stdout))


def _check_readiness(guest: RealGuest, channel: Channel) -> None:
    """The real probe, and all of its checks; the customData that ran is that which was sent."""
    sent = hashlib.sha256((guest.folder / "seed/user-data").read_bytes()).hexdigest()
    checks = assess_guest(_probe(channel), GuestExpectations(custom_data_sha256=sent))
    assert [one for one in checks if one.state is not GuestState.READY] == []
    assert any(one.message.startswith("SHA-256 ") for one in checks)


def _check_updates(channel: Channel) -> None:
    """What unattended-upgrades and `apt upgrade` take, and leave, when security updates arrive."""
    line = source_line("security").strip()
    _root(channel, f"echo '{line}' >/etc/apt/sources.list.d/security.list; apt-get -q update")
    shown = "dpkg-query -W -f='${Package} ${Version}\\n'"
    kept = (
        f"{gpu_archive.IMAGE} {gpu_archive.MODULES} {gpu_archive.DRIVER} nvidia-container-toolkit"
    )
    before = _root(channel, f"{shown} {kept}")
    _root(channel, "unattended-upgrade")
    updated = _root(channel, f"{shown} {gpu_archive.LIBRARY} linux-libc-dev")
    assert updated == f"{gpu_archive.LIBRARY} 1.1\nlinux-libc-dev 6.8.0-201.201\n"
    _root(channel, "apt-get -qy upgrade && apt-get -qy dist-upgrade")
    assert _root(channel, f"{shown} {kept}") == before


_REJECTED = "modprobe: ERROR: could not insert 'nvidia': Key was rejected by service"


@pytest.mark.parametrize("guest", [{"broken": {"modprobe nvidia": [1, _REJECTED]}}], indirect=True)
def test_each_failure_is_named_and_the_set_up_goes_on_where_it_was(guest, identity):
    guest.wait_for_set_up()
    _is_named(guest, "driver", 1, _REJECTED)

    with openssh.open_channel(guest.target(identity)) as channel:
        archive = "/srv/archive/toolkit/libnvidia-container1_1.20.1-1_amd64.deb"
        _root(channel, f"mv {archive} /srv/away.deb; {_broken()}; {_START}")
        guest.wait_for_set_up(2)
        unfetched = "E: Unable to fetch some archives, maybe run apt-get update or try with"
        _is_named(guest, "container-toolkit", 100, unfetched)

        off = json.dumps({"nvidia-smi conf-compute -f": [0, "CC status: OFF"]})
        _root(channel, f"mv /srv/away.deb {archive}; {_broken(off)}; {_START}")
        guest.wait_for_set_up(3)
        _is_named(guest, "gpu", 1, "want CC status: ON, found CC status: OFF")

        _root(channel, f"{_broken()}; {_START}")
        guest.wait_for_set_up(4)
        assert guest.status()["state"] == "done"
        assert guest.console.count("step driver: begin") == 2
        assert guest.console.count("step sources: begin") == 1


_START = "systemctl start --no-block ccgpu-setup.service"


def _broken(what: str = "{}") -> str:
    code = (
        "import json; f = open('/machine.json', 'r+'); m = json.load(f); m['broken'] = json.loads"
    )
    return f"python3 -c \"{code}(input()); f.seek(0); f.truncate(); json.dump(m, f)\" <<<'{what}'"


def _is_named(guest: RealGuest, step: str, code: int, message: str) -> None:
    status = guest.status()
    assert (status["state"], status["step"]) == ("failed", step)
    record = next(one for one in status["steps"] if one["step"] == step)
    assert (record["state"], record["exit_code"]) == ("failed", code)
    assert message in record["message"]
    assert f"ccgpu-setup: step {step}: failed (exit {code}): " in guest.console
    assert f"ccgpu-setup: failed at {step}" in guest.console
