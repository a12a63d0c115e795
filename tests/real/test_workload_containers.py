"""Workloads in real containers: podman, images of this machine's files, a TPM in software.

Units are run by `support.unit_programs`; `test_workload_units.py` gives them to a real systemd.
"""

import gzip
import hashlib
import http.server
import io
import json
import socket
import subprocess
import tarfile
import threading
from contextlib import contextmanager
from itertools import starmap
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from ccgpu.domain.workload.values import RestartPolicy
from ccgpu.errors import WorkloadFailed
from ccgpu.guest import workload
from ccgpu.guest.local_ports import free_port
from ccgpu.guest.workload_answers import (
    OneWorkload,
    OutputsOffered,
    WorkloadChecked,
    WorkloadPrepared,
    WorkloadStarted,
)
from ccgpu.guest.workload_requests import (
    CheckWorkload,
    FileText,
    FollowWorkload,
    HttpRequest,
    OfferOutputs,
    OutputsOwner,
    PrepareWorkload,
    StartWorkload,
    StopWorkload,
)
from support import containers
from support.containers import IMAGE, PYTHON
from support.model_server import CAPITALS, GARBAGE
from support.quiet_server import QuietServer
from support.repository import ROOT
from support.slow import mostly_slow
from support.swtpm import software_tpm
from support.workload_vm import shell, workload_vm

pytestmark = pytest.mark.slow

_SECRET = "hush-0123456789"
_FOREVER = "trap 'exit 0' TERM; while :; do sleep 0.1; done"


@pytest.fixture(scope="module")
def engine():
    """podman with one image, in a folder whose name is short: podman allows 50 characters."""
    with (
        TemporaryDirectory(prefix="pm", dir="/tmp", ignore_cleanup_errors=True) as folder,
        containers.podman(Path(folder)) as one,
    ):
        yield one


@pytest.fixture
def vm(engine, tmp_path):
    """A VM whose Docker is podman."""
    with software_tpm(tmp_path) as tpm, workload_vm(tpm) as made:
        engine.install(made.root)
        yield made
        engine.call("rm", "--force", "--all", "--time", "0", check=False)


def followed(vm, name="a"):
    """The log to its end, and the workload then."""
    done = vm.run(FollowWorkload(name=name))
    return done.stdout, workload.parse_line(done.exit_code, done.stderr, b"", OneWorkload).workload


def server(behaviour, port, *options, **changes):
    """A server that speaks the API of vLLM and SGLang, in a container with a network of its own."""
    text = (ROOT / "tests/support/model_server.py").read_text()
    source = f"/run/ccgpu/files/{hashlib.sha256(text.encode()).hexdigest()}/server.py"
    return StartWorkload(
        name="a",
        image=IMAGE,
        options=(
            *("--rm", "--name", "ccgpu-a", "--pull=never"),
            *("-p", f"127.0.0.1:{port}:{port}", "-v", f"{source}:/server.py:ro", *options),
        ),
        arguments=(PYTHON, "/server.py", str(port), behaviour),
        files=(FileText("server.py", text),),
        pull=False,
        **changes,
    )


def question(land):
    body = {
        "model": "stub",
        "prompt": f"The capital of {land} is",
        "max_tokens": 4,
        "temperature": 0,
    }
    return HttpRequest(path="/v1/completions", method="POST", body=body)


@pytest.mark.parametrize(
    ("code", "state"),
    mostly_slow(starmap(pytest.param, [(255, "failed"), (0, "exited"), (7, "failed")]), 3, 3),
)
def test_the_exit_code_is_the_containers(vm, code, state):
    started = vm.ask(shell("a", f"echo out; echo err >&2; exit {code}"), WorkloadStarted)
    assert started.run[-4].startswith("localhost/tools@sha256:")
    log, there = followed(vm)
    assert (there.state, there.exit_code) == (state, code)
    assert sorted(log.splitlines()) == [b"err", b"out"]


def test_a_command_that_does_not_exist_is_not_started(vm, engine):
    one = StartWorkload(
        name="a",
        image=IMAGE,
        options=tuple(containers.options("a")),
        arguments=("/none",),
        pull=False,
    )
    with pytest.raises(WorkloadFailed, match="/none") as caught:
        vm.ask(one, WorkloadStarted)
    assert caught.value.reason == "start.failed"
    assert "ccgpu-a" not in engine.call("ps", "--all")


def test_an_image_without_a_name_runs_by_its_id(vm, engine):
    identity = json.loads(engine.call("image", "inspect", IMAGE))[0]["Id"]
    one = shell("a", "exit 9")
    started = vm.ask(
        StartWorkload(
            name="a", image=identity, options=one.options, arguments=one.arguments, pull=False
        ),
        WorkloadStarted,
    )
    assert started.image_digest in (f"sha256:{identity}", json.loads(started.event)["image_digest"])
    assert followed(vm)[1].exit_code == 9


def test_a_secret_is_a_file_in_the_container_and_nowhere_else(vm, engine):
    vm.write("run/ccgpu/secrets/hf-token", _SECRET, 0o600)
    script = f"ls -ln /run/secrets/hf-token; cat /run/secrets/hf-token | {PYTHON} -c '"
    script += "import sys, hashlib; print(hashlib.sha256(sys.stdin.buffer.read()).hexdigest())"
    script += f"'; env; echo x >/run/secrets/hf-token; {_FOREVER}"
    mount = "/run/ccgpu/secrets/hf-token:/run/secrets/hf-token:ro"
    done = vm.run_with_tpm(shell("a", script, "-v", mount, secrets=("hf-token",)))
    workload.parse(done, WorkloadStarted)
    told = containers.inspected(engine, "ccgpu-a")
    commands = b"".join(
        file.read_bytes() for file in Path("/proc").glob("[0-9]*/cmdline") if file.exists()
    )
    look = vm.run(FollowWorkload(name="a", until_end=False))
    for _ in range(100):
        if b"Read-only" in look.stdout:
            break
        look = vm.run(FollowWorkload(name="a", until_end=False))
    vm.ask(StopWorkload(name="a"), OneWorkload)
    assert b"-rw-------" in look.stdout.splitlines()[0]
    assert hashlib.sha256(_SECRET.encode()).hexdigest().encode() in look.stdout
    assert b"Read-only file system" in look.stdout
    files = b"".join(file.read_bytes() for file in (vm.root / "run/units").iterdir())
    for place in (told.encode(), commands, look.stdout, look.stderr, done.stdout, vm.log, files):
        assert _SECRET.encode() not in place


def test_a_container_that_is_asked_ends_by_itself(vm, engine):
    vm.ask(shell("a", f"echo up; {_FOREVER}"), WorkloadStarted)
    stopped = vm.ask(StopWorkload(name="a"), OneWorkload).workload
    assert (stopped.state, stopped.exit_code) == ("stopped", None)
    assert "ccgpu-a" not in engine.call("ps", "--all")


def test_a_container_that_does_not_listen_is_killed_in_its_time(vm, engine):
    script = "trap '' TERM; while :; do sleep 0.1; done"
    restart = RestartPolicy(attempts=5, stop_seconds=1)
    vm.ask(shell("a", script, restart=restart), WorkloadStarted)
    stopped = vm.ask(StopWorkload(name="a"), OneWorkload).workload
    assert (stopped.state, stopped.exit_code) == ("stopped", 137)
    assert "ccgpu-a" not in engine.call("ps", "--all")


def test_a_container_of_that_name_that_was_left_is_removed(vm, engine):
    engine.call("run", "--detach", *containers.options("a"), IMAGE, "/bin/sh", "-c", _FOREVER)
    vm.ask(shell("a", "echo mine"), WorkloadStarted)
    assert followed(vm)[0] == b"mine\n"


def test_a_failure_is_tried_again_up_to_a_limit(vm):
    restart = RestartPolicy(attempts=2, window_seconds=600, delay_seconds=0)
    vm.ask(shell("a", "echo try; exit 3", restart=restart), WorkloadStarted)
    log, there = followed(vm)
    assert (there.state, there.exit_code, log) == ("failed", 3, b"try\n" * 3)


def test_a_success_is_not_tried_again(vm):
    restart = RestartPolicy(attempts=2, window_seconds=600, delay_seconds=0)
    vm.ask(shell("a", "echo try", restart=restart), WorkloadStarted)
    log, there = followed(vm)
    assert (there.state, there.exit_code, log) == ("exited", 0, b"try\n")


@pytest.mark.parametrize(
    ("behaviour", "text"),
    mostly_slow(
        starmap(
            pytest.param,
            [("loading", "Tokyo"), ("good", CAPITALS["France"]), ("garbage", GARBAGE)],
        ),
        3,
        3,
    ),
)
def test_a_server_is_asked_through_its_port_on_loopback(vm, behaviour, text):
    port = free_port()
    vm.ask(server(behaviour, port), WorkloadStarted)
    asked = question("Japan" if behaviour == "loading" else "France")
    one = CheckWorkload(name="a", port=port, wait=60.0, requests=(asked,))
    checked = vm.ask(one, WorkloadChecked)
    assert (checked.health.status, checked.workload.state) == (200, "running")
    (answer,) = checked.answers
    assert answer.text == text
    assert answer.completion_tokens == len(text.split()) + 1
    assert_only_on_loopback(port)
    vm.ask(StopWorkload(name="a"), OneWorkload)
    assert not is_open("127.0.0.1", port)


def assert_only_on_loopback(port):
    """The container answers on 127.0.0.1, and on no other address of this machine."""
    listed = subprocess.run(["hostname", "-I"], capture_output=True, text=True, check=True).stdout
    others = [one for one in listed.split() if "." in one]
    assert others
    assert is_open("127.0.0.1", port)
    assert not any(is_open(one, port) for one in others)


def is_open(address, port):
    """Whether something listens there; asked by another program, since tests have loopback only."""
    words = ["bash", "-c", f"exec 3<>/dev/tcp/{address}/{port} && exec 3>&-"]
    try:
        return subprocess.run(words, capture_output=True, timeout=5, check=False).returncode == 0
    except subprocess.TimeoutExpired:
        return False


def test_inputs_go_in_and_outputs_come_out(vm):
    prepared = vm.ask(PrepareWorkload(name="a"), WorkloadPrepared)
    assert prepared.storage == "memory"
    vm.write(f"{prepared.inputs[1:]}/0/data.txt", "21")
    script = f"{PYTHON} -c 'print(2 * int(open(\"/data/data.txt\").read()))' >/outputs/result;"
    script += f'{PYTHON} -c \'import os; os.symlink("/etc/shadow", "/outputs/link")\''
    script += "; echo x >/data/no"
    mounts = ("-v", "/mnt/ccgpu/inputs/a/0:/data:ro", "-v", "/mnt/ccgpu/outputs/a:/outputs")
    vm.ask(shell("a", script, *mounts, outputs=OutputsOwner()), WorkloadStarted)
    log, there = followed(vm)
    assert there.state == "failed"
    assert b"Read-only" in log
    offered = vm.ask(OfferOutputs(name="a"), OutputsOffered)
    assert (offered.files, offered.left) == (1, ("link",))
    assert (vm.root / offered.path[1:] / "result").read_text() == "42\n"


def test_a_user_of_the_container_writes_outputs_of_its_own(vm):
    mounts = ("-v", "/mnt/ccgpu/outputs/a:/outputs", "-u", "1234")
    script = "id -u >/outputs/id"
    vm.ask(shell("a", script, *mounts, outputs=OutputsOwner(1234)), WorkloadStarted)
    assert followed(vm)[1].exit_code == 0
    assert (vm.root / "mnt/ccgpu/outputs/a/id").read_text() == "1234\n"


def test_odd_words_arrive_as_they_are(vm):
    words = ("$HOME", "${X}", "%n", "a b", '"', "'", "\\", ";", "", "ü", "a\nb", "\x01", "{}")
    one = shell("a", "", "-e", 'ODD=%i $x "q" \\n')
    script = "import os, sys, json; print(json.dumps([sys.argv[1:], os.environ['ODD']]))"
    one = StartWorkload(
        name="a",
        image=IMAGE,
        options=one.options,
        arguments=(PYTHON, "-c", script, *words),
        pull=False,
    )
    vm.ask(one, WorkloadStarted)
    assert json.loads(followed(vm)[0]) == [list(words), 'ODD=%i $x "q" \\n'[4:]]


# --- A registry ---


@contextmanager
def registry(engine):
    """A registry on loopback with the image `org/tool:1`; its address, and the image's digest."""
    program = engine.folder / "five"
    source = b"int main(void) { return 5; }"
    words = ["gcc", "-x", "c", "-static", "-o", str(program), "-"]
    subprocess.run(words, input=source, check=True, capture_output=True)
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as archive:
        archive.add(program, "five", recursive=False)
    plain = layer.getvalue()
    packed = gzip.compress(plain, mtime=0)
    config = json.dumps(
        {
            "architecture": "amd64",
            "os": "linux",
            "config": {},
            "rootfs": {"type": "layers", "diff_ids": [_digest(plain)]},
            "history": [{"created": "2026-01-01T00:00:00Z"}],
        }
    ).encode()
    kind = "application/vnd.oci.image"
    described = [
        {"mediaType": f"{kind}.config.v1+json", "digest": _digest(config), "size": len(config)},
        {"mediaType": f"{kind}.layer.v1.tar+gzip", "digest": _digest(packed), "size": len(packed)},
    ]
    form = f"{kind}.manifest.v1+json"
    manifest = json.dumps(
        {"schemaVersion": 2, "mediaType": form, "config": described[0], "layers": described[1:]}
    ).encode()
    blobs = {_digest(one): one for one in (config, packed, manifest)}

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            last = self.path.rpartition("/")[2]
            data = (
                b"{}" if self.path == "/v2/" else blobs.get(last, manifest if last == "1" else b"")
            )
            self.send_response(200 if data else 404)
            is_manifest = "/manifests/" in self.path
            self.send_header("Content-Type", form if is_manifest else "application/octet-stream")
            self.send_header("Docker-Content-Digest", _digest(data))
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(data)

        do_HEAD = do_GET  # noqa: N815  # the name that http.server calls

        def log_message(self, *_):
            pass

    with QuietServer(("127.0.0.1", 0), Handler) as there:
        address = f"127.0.0.1:{there.server_port}"
        insecure = f'[[registry]]\nlocation = "{address}"\ninsecure = true\n'
        (engine.folder / "registries.conf").write_text(insecure)
        thread = threading.Thread(target=there.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield address, _digest(manifest)
        finally:
            there.shutdown()
            thread.join()
            (engine.folder / "registries.conf").write_text("")


def _digest(data):
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def test_an_image_is_pulled_and_runs_by_its_digest(vm, engine):
    options = ("--rm", "--name", "ccgpu-a", "--pull=never", "--network=host")
    with registry(engine) as (address, digest):
        image = f"{address}/org/tool:1"
        one = StartWorkload(name="a", image=image, options=options, arguments=("/five",))
        started = vm.ask(one, WorkloadStarted)
        assert followed(vm)[1].exit_code == 5
        event = json.loads(started.event)
        assert (event["image"], event["image_digest"]) == (image, digest)
        assert f"{address}/org/tool@{digest}" in event["command"]
        other = f"{address}/org/tool@sha256:{'0' * 64}"
        wrong = StartWorkload(name="a", image=other, options=options)
        assert vm.refusal(wrong) == "image.pull"
        missing = StartWorkload(name="a", image=f"{address}/org/tool:2", options=options)
        assert vm.refusal(missing) == "image.pull"
    assert len(vm.log.splitlines()) == 1


def test_a_registry_that_cannot_be_reached_is_told(vm):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        image = f"127.0.0.1:{taken.getsockname()[1]}/org/tool:1"
        one = StartWorkload(name="a", image=image, options=shell("a", "").options)
        assert vm.refusal(one) == "image.pull"
