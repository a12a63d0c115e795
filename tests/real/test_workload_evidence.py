"""A workload is started, evidence is collected, and the verdict tells which workload ran.

The TPM is a real one in software: the script extends it, its quote is what is judged.
"""

import hashlib
import json

import pytest

from ccgpu.guest import collector, workload
from ccgpu.guest.channel import Completed
from ccgpu.guest.workload_answers import WorkloadStarted
from ccgpu.guest.workload_requests import StartWorkload
from support.attested import judge, refusals
from support.cli import Shell
from support.paravisor import Served
from support.workload_parts import SCRIPTED_ENGINE
from support.workload_vm import BOOT, LOG, WorkloadVm, install_systemd

_DIGEST = f"sha256:{'ab' * 32}"
_IMAGE = "registry.example/org/server:1"


@pytest.fixture
def shell(tmp_path):
    """The user's machine."""
    return Shell(tmp_path)


def started(machine, name: str) -> WorkloadStarted:
    """Start a workload in a VM from which evidence can be collected."""
    vm = WorkloadVm(machine.root)
    install_systemd(vm)
    vm.install("docker", SCRIPTED_ENGINE.format(root=machine.root))
    known = [f"registry.example/org/server@{_DIGEST}"]
    vm.write("registry.json", json.dumps([{"Id": _DIGEST, "RepoDigests": known}]))
    vm.write("proc/sys/kernel/random/boot_id", BOOT)
    options = ("--rm", "--name", f"ccgpu-{name}")
    one = StartWorkload(name=name, image=_IMAGE, options=options, arguments=("/bin/true",))
    with Served(machine.paravisor) as served:
        number = served.descriptor
        done = vm.run(one, "--tpm", f"fd:{number}", kept=(number,))
    return workload.parse(Completed(done.exit_code, done.stdout, done.stderr), WorkloadStarted)


@pytest.mark.slow
def test_the_verdict_tells_what_was_started(machine, shell):
    """One test for all of it: PCR 13 of the module's TPM is extended once."""
    (machine.root / "run/ccgpu").mkdir(mode=0o700)
    bundle = collector.parse(machine.run())
    assert bundle.cpu is not None
    assert bundle.cpu.workload_log is None

    events = [started(machine, name).event for name in ("first", "second")]
    bundle = collector.parse(machine.run())
    assert bundle.cpu is not None
    assert bundle.cpu.workload_log == "".join(f"{one}\n" for one in events).encode()
    value = bytes(32)
    for one in events:
        value = hashlib.sha256(value + hashlib.sha256(one.encode()).digest()).digest()
    assert bundle.cpu.pcrs is not None
    assert bundle.cpu.pcrs["13"] == value
    done = judge(shell, machine, bundle)
    assert done.code == 0, done.out
    assert [one["name"] for one in done.document["workloads"]] == ["first", "second"]

    log = machine.root / LOG
    for changed in (events[0].encode() + b"\n", log.read_bytes().replace(b"true", b"evil")):
        before = log.read_bytes()
        log.write_bytes(changed)
        done = judge(shell, machine, collector.parse(machine.run()))
        log.write_bytes(before)
        assert done.code == 9
        assert any("workload" in one for one in refusals(done)), refusals(done)
