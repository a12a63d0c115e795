"""The script for workloads as a whole, with a real TPM in software; containers are scripted.

`test_workload_containers.py` does the same with real ones.
"""

import hashlib
import json
import subprocess
from typing import Any

import pytest

from ccgpu.domain.workload.values import RestartPolicy
from ccgpu.guest import workload
from ccgpu.guest.workload_answers import AllWorkloads, OneWorkload, WorkloadStarted
from ccgpu.guest.workload_requests import (
    CheckWorkload,
    FileText,
    FollowWorkload,
    HashedFile,
    ListWorkloads,
    ModelFiles,
    OfferOutputs,
    OutputsOwner,
    PrepareWorkload,
    StartWorkload,
    StatusOfWorkload,
    StopWorkload,
)
from support.collecting import guest_pythons
from support.paravisor import served_as_device
from support.slow import mostly_slow
from support.swtpm import software_tpm
from support.workload_parts import SCRIPTED_ENGINE
from support.workload_vm import BOOT, LOG, WorkloadVm, install_systemd, install_tools, workload_vm

_REPOSITORY, _DIGEST = "registry.example/org/server", f"sha256:{'ab' * 32}"
_IMAGE = f"{_REPOSITORY}:1"
_FOREVER = 'trap "exit 0" TERM; while :; do sleep 0.05; done'


@pytest.fixture
def tpm(tmp_path):
    """A TPM that has just started."""
    with software_tpm(tmp_path) as one:
        yield one


@pytest.fixture
def vm(tpm):
    """A VM with a scripted engine, and an image in its registry."""
    with workload_vm(tpm) as made:
        install_engine(made)
        yield made
        for file in made.root.glob("container"):
            subprocess.run(["kill", file.read_text()], check=False, capture_output=True)


def install_engine(vm):
    vm.install("docker", SCRIPTED_ENGINE.format(root=vm.root))
    image = {"Id": f"sha256:{'cd' * 32}", "RepoDigests": [f"{_REPOSITORY}@{_DIGEST}"]}
    vm.write("registry.json", json.dumps([image]))


def job(script="exit 0", *options, **changes):
    given = {"name": "a", "image": _IMAGE, "arguments": ("/bin/bash", "-c", script), **changes}
    words = ("--rm", "--name", f"ccgpu-{given['name']}", "--pull=never", *options)
    return StartWorkload(options=words, **given)


def replayed(log):
    value = bytes(32)
    for line in log.splitlines():
        value = hashlib.sha256(value + hashlib.sha256(line).digest()).digest()
    return value


def pcr13(tpm):
    raw = tpm.folder / "pcr"
    tpm.tool("pcrread", "-Q", "sha256:13", "-o", str(raw))
    return raw.read_bytes()


def ended(vm, name="a"):
    """The workload, once it has ended."""
    vm.run(FollowWorkload(name=name))
    return vm.ask(StatusOfWorkload(name=name), OneWorkload).workload


@pytest.mark.slow
def test_what_is_started_is_measured_first(vm, tpm):
    started = vm.ask(job("echo hello; exit 7", "-e", "A=1", "-v", "/proc:/p:ro"), WorkloadStarted)
    assert started.boot == BOOT
    assert started.image_digest == _DIGEST
    run = ["run", "--rm", "--name", "ccgpu-a", "--pull=never", "-e", "A=1", "-v", "/proc:/p:ro"]
    run += [f"{_REPOSITORY}@{_DIGEST}", "/bin/bash", "-c", "echo hello; exit 7"]
    assert list(started.run) == run
    assert vm.log == started.event.encode() + b"\n"
    assert json.loads(started.event) == {
        "schema": "ccgpu.workload-event/1",
        "name": "a",
        "image": _IMAGE,
        "image_digest": _DIGEST,
        "command": run,
        "mounts": ["/proc:/p:ro"],
        "model": None,
        "environment": ["A"],
    }
    assert bytes.fromhex(started.pcr13) == replayed(vm.log) == pcr13(tpm)
    there = ended(vm)
    assert (there.state, there.exit_code, there.image) == ("failed", 7, _IMAGE)
    assert there.started_at == started.started_at
    vm.ask(job(name="b"), WorkloadStarted)
    assert len(vm.log.splitlines()) == 2
    assert replayed(vm.log) == pcr13(tpm)


@pytest.mark.slow
@pytest.mark.parametrize("tools", mostly_slow([True, False], 2))
def test_the_tpms_device_is_spoken_to_with_and_without_tools(vm, tpm, tools):
    with tpm.connected() as connection:
        there: Any = Device(connection)
        vm.tpm = None
        if tools:
            install_tools(vm)
        with served_as_device(there, vm.root / "dev/tpmrm0"):
            started = vm.ask(job(), WorkloadStarted)
            vm.ask(job(name="b"), WorkloadStarted)
    assert replayed(vm.log) == pcr13(tpm)
    assert started.pcr13 != pcr13(tpm).hex()
    assert (0x17A in there.commands) is tools  # TPM2_GetCapability: tpm2-tools begin with it


class Device:
    """A TPM behind a device: passes each command on, and remembers its code."""

    def __init__(self, connection):
        self.connection, self.commands = connection, []

    def answer(self, command):
        self.commands.append(int.from_bytes(command[6:10], "big"))
        return self.connection.exchange(command)


@pytest.mark.slow
def test_a_workload_runs_until_it_is_stopped(vm):
    vm.ask(job(_FOREVER), WorkloadStarted)
    (there,) = vm.ask(ListWorkloads(), AllWorkloads).workloads
    assert (there.name, there.state, there.exit_code) == ("a", "running", None)
    assert vm.refusal(job(_FOREVER)) == "exists"
    stopped = vm.ask(StopWorkload(name="a"), OneWorkload).workload
    assert (stopped.state, stopped.exit_code) == ("stopped", None)
    assert vm.ask(ListWorkloads(), AllWorkloads).workloads == ()
    assert vm.refusal(StopWorkload(name="a")) == "absent"
    assert vm.refusal(StatusOfWorkload(name="a")) == "absent"
    assert not (vm.root / "run/systemd/system/ccgpu-workload-a.service").exists()


@pytest.mark.slow
def test_a_name_that_has_ended_is_free(vm):
    vm.ask(job("exit 3"), WorkloadStarted)
    assert ended(vm).exit_code == 3
    vm.ask(job(), WorkloadStarted)
    assert ended(vm).state == "exited"
    assert vm.ask(StopWorkload(name="a"), OneWorkload).workload.state == "exited"


@pytest.mark.slow
def test_one_that_runs_is_replaced_when_told(vm):
    vm.ask(job(_FOREVER), WorkloadStarted)
    first = (vm.root / "container").read_text()
    vm.ask(job(_FOREVER, replace=True), WorkloadStarted)
    assert (vm.root / "container").read_text() != first
    assert len(vm.log.splitlines()) == 2


@pytest.mark.slow
def test_a_job_that_fails_is_started_again_as_often_as_told(vm):
    restart = RestartPolicy(attempts=2, window_seconds=60, delay_seconds=0)
    vm.ask(job("echo again; exit 3", restart=restart), WorkloadStarted)
    done = vm.run(FollowWorkload(name="a"))
    there = workload.parse_line(0, done.stderr, b"", OneWorkload).workload
    assert (there.state, there.exit_code, there.restarts) == ("failed", 3, 3)
    assert there.result == "start-limit-hit"
    assert done.stdout == b"again\n" * 3
    assert len(vm.log.splitlines()) == 1


@pytest.mark.slow
def test_the_log_is_followed_to_the_end(vm):
    vm.ask(
        job(r"for i in 1 2 3 4 5; do echo $i; sleep 0.1; done; printf '\xff\xfe'; exit 4"),
        WorkloadStarted,
    )
    done = vm.run(FollowWorkload(name="a"))
    assert done.stdout == b"1\n2\n3\n4\n5\n\xff\xfe\n"
    there = workload.parse_line(done.exit_code, done.stderr, b"", OneWorkload).workload
    assert (there.state, there.exit_code) == ("failed", 4)
    assert vm.run(FollowWorkload(name="a", lines=2)).stdout == b"5\n\xff\xfe\n"
    assert vm.run(FollowWorkload(name="a", lines=0)).stdout == b""
    assert vm.run(FollowWorkload(name="a", since=there.since + 60)).stdout == b""


@pytest.mark.slow
def test_a_log_that_goes_on_can_be_looked_at(vm):
    vm.ask(job(f"echo first; {_FOREVER}"), WorkloadStarted)
    done = vm.run(FollowWorkload(name="a", until_end=False))
    state = workload.parse_line(done.exit_code, done.stderr, b"", OneWorkload).workload.state
    assert (done.stdout, state) == (b"first\n", "running")


@pytest.mark.slow
def test_a_file_of_ours_is_where_the_plan_says(vm):
    text = "print('hello')\n"
    source = f"/run/ccgpu/files/{hashlib.sha256(text.encode()).hexdigest()}/server.py"
    one = job("exit 0", "-v", f"{source}:/server.py:ro")
    assert vm.refusal(one) == "mount.absent"
    started = vm.ask(
        job("exit 0", "-v", f"{source}:/server.py:ro", files=(FileText("server.py", text),)),
        WorkloadStarted,
    )
    assert (vm.root / source[1:]).read_text() == text
    assert json.loads(started.event)["mounts"] == [f"{source}:/server.py:ro"]


def model(**changes):
    files = (HashedFile("config.json", 2, hashlib.sha256(b"{}").hexdigest()),)
    listed = [{"path": "config.json", "sha256": files[0].sha256, "size": 2}]
    document = {"commit": "0" * 40, "files": listed, "repository": "org/name"}
    document["schema"] = "ccgpu.model-manifest/1"
    text = json.dumps(document, sort_keys=True, separators=(",", ":"))
    digest = f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"
    given = {"repository": "org/name", "commit": "0" * 40, "manifest": digest, "files": files}
    return ModelFiles(**{**given, **changes})


@pytest.mark.slow
def test_a_model_is_measured_by_its_manifest(vm):
    folder = f"/mnt/ccgpu/models/org--name/{'0' * 40}"
    mount = ("-v", f"{folder}:/model:ro")
    assert vm.refusal(job("exit 0", *mount, model=model())) == "mount.absent"
    assert vm.refusal(job("exit 0", model=model())) == "model.absent"
    vm.write(f"{folder[1:]}/config.json", "{}")
    started = vm.ask(job("exit 0", *mount, model=model()), WorkloadStarted)
    assert json.loads(started.event)["model"] == {
        "repository": "org/name",
        "commit": "0" * 40,
        "manifest": model().manifest,
    }
    assert vm.refusal(job(model=model(manifest="sha256:0"))) == "request"
    log = vm.log
    vm.write(f"{folder[1:]}/config.json", "[]")
    assert vm.refusal(job("exit 0", *mount, model=model())) == "model.changed"
    assert vm.log == log


@pytest.mark.slow
def test_outputs_are_made_for_who_writes_them(vm):
    vm.write("registry.json", (vm.root / "registry.json").read_text())
    vm.ask(
        job(f"echo 42 >{vm.root}/mnt/ccgpu/outputs/a/result", outputs=OutputsOwner(1234)),
        WorkloadStarted,
    )
    folder = vm.root / "mnt/ccgpu/outputs/a"
    assert (folder.stat().st_uid, folder.stat().st_mode & 0o777) == (1234, 0o700)
    ended(vm)
    done = json.loads(vm.run(OfferOutputs(name="a")).stdout)
    assert (done["files"], done["bytes"], done["left"]) == (1, 3, [])
    assert vm.root.joinpath(done["path"][1:], "result").read_text() == "42\n"


@pytest.mark.slow
def test_who_logged_in_owns_inputs_and_outputs(vm):
    vm.environ = {"SUDO_UID": "4321"}
    path = json.loads(vm.run(PrepareWorkload(name="a")).stdout)["inputs"]
    assert vm.root.joinpath(path[1:]).stat().st_uid == 4321
    vm.write("mnt/ccgpu/outputs/a/result", "1", 0o600)
    path = json.loads(vm.run(OfferOutputs(name="a")).stdout)["path"]
    folder = vm.root.joinpath(path[1:])
    assert (folder.stat().st_uid, (folder / "result").stat().st_uid) == (4321, 4321)


# --- What goes wrong: nothing is started, and what is known is told ---


def _gone(vm):
    (vm.root / "usr/bin/docker").unlink()


def _no_registry(vm):
    (vm.root / "registry.json").unlink()


def _no_digest(vm):
    vm.write("registry.json", json.dumps([{"Id": "sha256:x", "RepoDigests": []}]))


def _not_json(vm):
    vm.write("registry.json", "?")


def _plain(vm):
    vm.write("proc/mounts", "/dev/sda1 / ext4 rw 0 0\n/dev/sdb1 /mnt ext4 rw 0 0\n")


def _no_tpm(vm):
    vm.tpm = None


def _nothing(_):
    pass


@pytest.mark.parametrize(
    ("break_it", "one", "code"),
    mostly_slow(
        [
            pytest.param(_nothing, job(secrets=("hf-token",)), "secret.absent", id="secret"),
            pytest.param(
                _nothing,
                job("x", "-v", "/run/ccgpu/secrets/b:/run/secrets/b:ro"),
                "secret.absent",
                id="secret-mount",
            ),
            pytest.param(_nothing, job("x", "-v", "/nowhere:/a"), "mount.absent", id="mount"),
            pytest.param(_plain, job("x", "-v", "/mnt/ccgpu/x:/a"), "storage.plain", id="plain"),
            pytest.param(_plain, job(outputs=OutputsOwner()), "storage.plain", id="plain-outputs"),
            pytest.param(_plain, job(model=model()), "storage.plain", id="plain-model"),
            pytest.param(_gone, job(), "engine.absent", id="no-engine"),
            pytest.param(_not_json, job(), "engine.error", id="engine"),
            pytest.param(_no_registry, job(), "image.pull", id="pull"),
            pytest.param(_nothing, job(pull=False), "image.absent", id="not-pulled"),
            pytest.param(_no_digest, job(), "image.absent", id="no-digest"),
            pytest.param(
                _nothing,
                job(image=f"{_IMAGE}@sha256:{'ef' * 32}"),
                "image.absent",
                id="other-digest",
            ),
            pytest.param(_nothing, job("x", "--device", "nvidia.com/gpu=all"), "gpu.cdi", id="gpu"),
            pytest.param(_no_tpm, job(), "tpm.absent", id="no-tpm"),
            pytest.param(_nothing, job("x", "-p", "0.0.0.0:1:1"), "request", id="port"),
            pytest.param(_nothing, job(name="A"), "request", id="name"),
            pytest.param(_nothing, job(image="a b"), "request", id="image"),
        ],
        4,
    ),
)
def test_nothing_is_started_or_measured(vm, tpm, break_it, one, code):
    break_it(vm)
    assert vm.refusal(one) == code
    assert vm.log == b""
    assert pcr13(tpm) == bytes(32)
    assert vm.ask(ListWorkloads(), AllWorkloads).workloads == ()
    assert not (vm.root / "container").exists()


@pytest.mark.slow
def test_an_engine_that_cannot_start_it_leaves_nothing_but_the_event(vm, tpm):
    vm.write("broken", "")
    done = vm.run_with_tpm(job())
    document = json.loads(done.stdout)
    assert (document["code"], "no such device" in document["message"]) == ("start.failed", True)
    assert vm.ask(ListWorkloads(), AllWorkloads).workloads == ()
    assert replayed(vm.log) == pcr13(tpm) != bytes(32)


@pytest.mark.slow
def test_a_container_that_never_runs_is_an_error_in_time(vm):
    vm.limits["run"] = 0.3
    text = SCRIPTED_ENGINE.format(root=vm.root)
    vm.install("docker", text.replace("&& echo true", "&& echo false"))
    assert vm.refusal(job(_FOREVER)) == "start.failed"
    assert not (vm.root / "container").exists()


@pytest.mark.slow
def test_a_container_that_does_not_go_is_told(vm):
    vm.ask(job(_FOREVER), WorkloadStarted)
    vm.write("stuck", "")
    assert vm.refusal(StopWorkload(name="a")) == "stop.failed"
    (vm.root / "stuck").unlink()
    vm.ask(StopWorkload(name="a"), OneWorkload)


@pytest.mark.slow
def test_systemd_that_refuses_is_told(vm):
    vm.install("systemctl", "echo broken >&2; exit 1")
    assert vm.refusal(job()) == "start.failed"


@pytest.mark.slow
def test_a_log_that_was_changed_stops_everything(vm):
    vm.ask(job(), WorkloadStarted)
    (vm.root / LOG).write_bytes(vm.log.replace(b"exit 0", b"exit 1"))
    assert vm.refusal(job(name="b")) == "measure.mismatch"
    assert [one.name for one in vm.ask(ListWorkloads(), AllWorkloads).workloads] == ["a"]


def test_a_bug_is_an_answer(vm):
    (vm.root / "proc/sys/kernel/random/boot_id").write_bytes(b"\xff")
    assert vm.refusal(ListWorkloads()) == "bug"


@pytest.mark.slow
def test_a_disk_that_fails_is_an_answer(vm):
    (vm.root / "proc/sys/kernel/random/boot_id").unlink()
    assert vm.refusal(ListWorkloads()) == "storage.error"


@pytest.mark.parametrize(
    "text", mostly_slow(["", "{}", '{"action": "explode"}', '{"action": ["start"]}'], 4)
)
def test_what_is_no_request_is_told(vm, text):
    assert vm.refusal(text) == "request"


@pytest.mark.slow
def test_check_tells_of_a_workload_without_a_server(vm):
    vm.ask(job(_FOREVER), WorkloadStarted)
    done = json.loads(vm.run(CheckWorkload(name="a", port=1)).stdout)
    assert (done["health"]["status"], done["answers"]) == (None, [])


# --- Where it runs ---

_SECRET = "hush-0123456789"


@pytest.mark.parametrize(
    "python", mostly_slow(guest_pythons(), 4), ids=lambda file: file.rsplit("/", 1)[-1]
)
def test_it_runs_on_every_python_from_3_10_in_a_hostile_environment(vm, python):
    evil = vm.root / "evil"
    evil.mkdir()
    for name in ("docker", "systemctl", "journalctl", "sh", "tpm2_pcrextend"):
        (evil / name).write_text(f"#!/bin/sh\ntouch {vm.root}/called\n")
        (evil / name).chmod(0o755)
    (evil / "json.py").write_text("raise SystemExit('not this one')\n")
    vm.python = python
    vm.environ = {
        "PATH": str(evil),
        "PYTHONPATH": str(evil),
        "LC_ALL": "tr_TR.ISO-8859-9",
        "http_proxy": "http://127.0.0.1:1",
        "DOCKER_HOST": "tcp://127.0.0.1:1",
        "SSL_CERT_FILE": "/nowhere",
        "TMPDIR": "/nowhere",
        "HOME": "/nowhere",
    }
    vm.write("run/ccgpu/secrets/token", _SECRET, 0o600)
    one = job("env; echo ü; exit 5", "-v", "/run/ccgpu/secrets/token:/t:ro", secrets=("token",))
    done = vm.run_with_tpm(one)
    assert workload.parse(done, WorkloadStarted).name == "a"
    followed = vm.run(FollowWorkload(name="a"))
    assert "ü\n".encode() in followed.stdout
    assert b"evil" not in followed.stdout
    assert not (vm.root / "called").exists()
    told = done.stdout + done.stderr + followed.stdout + followed.stderr + vm.log
    told += b"".join(file.read_bytes() for file in (vm.root / "run/systemd/system").iterdir())
    assert _SECRET.encode() not in told


@pytest.mark.slow
def test_it_leaves_no_file_but_its_own(vm):
    before = {file for file in vm.root.rglob("*") if not file.is_dir()}
    vm.ask(job(), WorkloadStarted)
    ended(vm)
    vm.ask(StopWorkload(name="a"), OneWorkload)
    after = {file for file in vm.root.rglob("*") if not file.is_dir()} - before
    named = {file.relative_to(vm.root).as_posix() for file in after}
    assert {one for one in named if not one.startswith("run/units/")} == {
        "image.json",
        "run/ccgpu/workload-a.lock",
        LOG,
    }


@pytest.mark.slow
def test_two_at_once_are_measured_one_after_the_other(vm, tpm):
    """Their events reach PCR 13 in the order of the log."""
    names = ["a", "b", "c"]
    running = []
    for name in names:
        with tpm.connected() as connection:
            number = connection.stream.fileno()
            argv = [vm.python, "-I", "-S", "-", workload.NAME]
            argv += [workload.command_line(job(name=name))[-1], "--root", str(vm.root)]
            argv += ["--tpm", f"fd:{number}"]
            process = subprocess.Popen(
                argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, pass_fds=[number]
            )
        running.append(process)
    for process in running:
        out, _ = process.communicate(workload.script(), timeout=60)
        assert json.loads(out)["schema"] == workload.SCHEMA, out
    assert sorted(json.loads(line)["name"] for line in vm.log.splitlines()) == names
    assert replayed(vm.log) == pcr13(tpm)


@pytest.mark.slow
def test_a_machine_without_systemctl_is_told(tpm):
    with workload_vm(tpm) as made:
        install_engine(made)
        (made.root / "usr/bin/systemctl").unlink()
        assert made.refusal(job()) == "start.failed"
        install_systemd(made)
        assert isinstance(made, WorkloadVm)
