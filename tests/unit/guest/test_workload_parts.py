"""Parts of the script for workloads: requests, run lines, units, storage, secrets, models."""

import hashlib
import json
import os
import stat
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccgpu.guest.workload_requests import OfferOutputs, PrepareWorkload
from ccgpu.templates.guest.workload import (
    devices,
    images,
    journal,
    models,
    outputs,
    request,
    runline,
    secrets,
    start,
    storage,
    units,
)
from ccgpu.templates.guest.workload.base import WorkloadError, locked, locked_name, run_folder
from support.unit_programs import words_of
from support.workload_parts import request_of, vm_at

_OPTIONS = ["--rm", "--name", "ccgpu-a", "--pull=never"]
_DIGEST = f"sha256:{'ab' * 32}"
_NOTHING = hashlib.sha256(b"").hexdigest()


@pytest.fixture
def vm(tmp_path):
    """A VM with a tmpfs at /mnt."""
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/mounts").write_text("/dev/sda1 / ext4 rw 0 0\ntmpfs /mnt tmpfs rw 0 0\n")
    return vm_at(tmp_path)


def refused(code, work, *arguments, **named):
    with pytest.raises(WorkloadError) as caught:
        work(*arguments, **named)
    assert caught.value.code == code, caught.value
    return str(caught.value)


# --- Requests ---


@pytest.mark.parametrize("text", ["", "[]", "{", "[" * 9999, '"a"'])
def test_what_is_no_object_is_no_request(text):
    refused("request", request.parse_request, text)


@pytest.mark.parametrize(
    ("method", "given", "arguments"),
    [
        ("text", {}, ()),
        ("text", {"x": 1}, ()),
        ("text", {"x": "a\0"}, ()),
        ("text", {"x": "\ud800"}, ()),
        ("chosen", {"x": "c"}, ("a", "b")),
        ("words", {"x": "a"}, ()),
        ("words", {"x": ["a", 1]}, ()),
        ("flag", {"x": 0}, ()),
        ("number", {"x": True}, (0, 1)),
        ("number", {"x": 2}, (0, 1)),
        ("number", {"x": float("nan")}, (0, 1)),
        ("whole", {"x": 0.5}, (0, 1)),
        ("part", {"x": []}, ()),
        ("parts", {"x": {}}, ()),
        ("parts", {"x": [1]}, ()),
    ],
)
def test_a_member_of_another_type_is_named(method, given, arguments):
    one = request.Request(given)
    assert "`x`" in refused("request", getattr(one, method), "x", *arguments)


@pytest.mark.parametrize("name", ["", "-a", "A", "a" * 64, "a/b", "a\n", "ä"])
def test_a_name_is_part_of_a_units_name(name):
    with pytest.raises(WorkloadError):
        _ = request.Request({"name": name}).name


# --- Run lines ---


@pytest.mark.parametrize(
    "more",
    [
        ["-v", "/a:/b"],
        ["-v", "/a:/b:ro", "-e", "A=", "-e", "B=c=d"],
        ["-p", "127.0.0.1:8000:8000", "--device", "nvidia.com/gpu=all"],
        ["--entrypoint=", "--shm-size", "32g", "--ipc=host", "-u", "1000"],
    ],
)
def test_these_options_are_allowed(more):
    runline.check_options("a", [*_OPTIONS, *more])


@pytest.mark.parametrize(
    "options",
    [
        _OPTIONS[1:],
        ["--rm"],
        ["--rm", "--name", "ccgpu-b"],
        [*_OPTIONS, "--name=ccgpu-a"],
        [*_OPTIONS, "-d"],
        [*_OPTIONS, "-it"],
        [*_OPTIONS, "-v"],
        [*_OPTIONS, "-v", "a:/b"],
        [*_OPTIONS, "-v", "/a"],
        [*_OPTIONS, "-v", "/a:/b:rw"],
        [*_OPTIONS, "-v", "/a:/b:ro:z"],
        [*_OPTIONS, "-v", "/a/../b:/b"],
        [*_OPTIONS, "-v/a:/b"],
        [*_OPTIONS, "-e", "HF_TOKEN"],
        [*_OPTIONS, "-e", "=x"],
        [*_OPTIONS, "-e", "--volume=x"],
        [*_OPTIONS, "-p", "8000:8000"],
        [*_OPTIONS, "-p", "0.0.0.0:8000:8000"],
        [*_OPTIONS, "-p", "127.0.0.1:8000:8000/udp"],
        [*_OPTIONS, "-P"],
        *([*_OPTIONS, word] for word in runline.FORBIDDEN),
        *([*_OPTIONS, f"{word}=x"] for word in runline.FORBIDDEN),
    ],
)
def test_these_options_are_refused(options):
    refused("request", runline.check_options, "a", options)


def test_an_event_tells_the_run_line_and_no_values_of_its_own():
    options = [*_OPTIONS, "-v", "/a:/b:ro", "-e", "A=ä", "-e", "B=2"]
    line = runline.event_line(
        name="a", image="i:1", digest=_DIGEST, run=["run", "ä"], options=options, model=None
    )
    assert line == (
        b'{"command":["run","\\u00e4"],"environment":["A","B"],"image":"i:1","image_digest":"'
        + _DIGEST.encode()
        + b'","model":null,"mounts":["/a:/b:ro"],"name":"a","schema":"ccgpu.workload-event/1"}'
    )


def test_an_event_is_bounded():
    given: dict[str, Any] = {"name": "a", "image": "i", "digest": _DIGEST}
    given |= {"options": [], "model": None}
    refused("request", runline.event_line, run=["x" * 65536], **given)


# --- Units ---

_RESTARTS = units.Restarts(attempts=3, window=600, delay=10, stop=30)


def test_a_unit_as_a_whole(golden):
    run = [
        "run",
        *_OPTIONS,
        "-e",
        'A=100% "$HOME" \\ ;',
        f"repo@{_DIGEST}",
        "sh",
        "-c",
        "a\tb\n",
        "",
    ]
    text = units.render_unit("a", "/usr/bin/docker", run, _RESTARTS, {"image": "i\nExecStart=x"})
    golden("guest/workload-unit.service", text)


@given(st.lists(st.text().filter(lambda text: "\0" not in text and request.encodes(text))))
def test_the_words_of_a_unit_are_those_of_the_run_line(words):
    text = units.render_unit("a", "/e", words, _RESTARTS, {})
    (line,) = [one for one in text.split("\n") if one.startswith("ExecStart=")]
    raw = line.removeprefix("ExecStart=:").encode().decode("latin-1")
    assert words_of(raw) == ["/e", *words]


@pytest.mark.parametrize(
    ("active", "sub", "code", "status", "state", "exit_code"),
    [
        ("active", "running", "0", "0", "running", None),
        ("active", "exited", "1", "0", "exited", 0),
        ("activating", "start", "0", "0", "starting", None),
        ("activating", "auto-restart", "1", "7", "restarting", None),
        ("deactivating", "stop-sigterm", "1", "7", "stopping", None),
        ("failed", "failed", "1", "7", "failed", 7),
        ("failed", "failed", "2", "9", "failed", 137),
        ("failed", "failed", "0", "0", "failed", None),
        ("inactive", "dead", "0", "0", "stopped", None),
        ("unheard-of", "x", "0", "0", "stopped", None),
    ],
)
def test_the_state_is_systemds(active, sub, code, status, state, exit_code):
    shown = {
        "ActiveState": active,
        "SubState": sub,
        "ExecMainCode": code,
        "ExecMainStatus": status,
        "Result": "success",
        "StateChangeTimestampMonotonic": "",
    }
    found = units.state(shown)
    assert (found["state"], found["exit_code"]) == (state, exit_code)


# --- Storage ---


def _crypt(vm, uuid):
    (vm.root / "dev/mapper").mkdir(parents=True)
    (vm.root / "dev/dm-0").touch()
    (vm.root / "dev/mapper/ccgpu-temp").symlink_to("../dm-0")
    folder = vm.root / "sys/class/block/dm-0/dm"
    folder.mkdir(parents=True)
    (folder / "uuid").write_text(uuid)


_TEMP = "/dev/mapper/ccgpu-temp /mnt ext4 rw 0 0\n"


@pytest.mark.parametrize(
    ("mounts", "uuid", "os_disk", "kind"),
    [
        ("tmpfs /mnt tmpfs rw 0 0\n", None, False, "memory"),
        (_TEMP, "CRYPT-LUKS2-1-ccgpu-temp", False, "encrypted"),
        (_TEMP, "LVM-1", False, None),
        (_TEMP, None, False, None),
        ("/dev/sdb1 /mnt ext4 rw 0 0\n", None, True, None),
        (f"{_TEMP}/dev/sdb1 /mnt ext4 rw 0 0\n", "CRYPT-1", True, None),
        (f"{_TEMP}/dev/sdb1 /mnt/ccgpu ext4 rw 0 0\n", "CRYPT-1", True, None),
        (f"{_TEMP}/dev/sdb1 /mnt/other ext4 rw 0 0\n", "CRYPT-1", False, "encrypted"),
        ("", None, False, None),
        ("", None, True, "os-disk"),
    ],
)
def test_folders_lie_where_the_host_cannot_read(vm, mounts, uuid, os_disk, kind):
    (vm.root / "proc/mounts").write_text(f"/dev/sda1 / ext4 rw 0 0\n{mounts}")
    if uuid:
        _crypt(vm, uuid)
    if kind is None:
        refused("storage.plain", storage.require_storage, vm, os_disk=os_disk)
    else:
        assert storage.require_storage(vm, os_disk=os_disk) == kind


def test_inputs_are_empty_and_outputs_are_kept(vm):
    for part in ("inputs", "outputs"):
        (vm.root / "mnt/ccgpu" / part / "a").mkdir(parents=True)
        (vm.root / "mnt/ccgpu" / part / "a/old").touch()
    answer = storage.prepare(vm, request_of(PrepareWorkload(name="a")))
    assert answer["inputs"] == "/mnt/ccgpu/inputs/a"
    assert answer["outputs"] == "/mnt/ccgpu/outputs/a"
    assert (answer["storage"], answer["free"] > 0) == ("memory", True)
    assert [one.name for one in (vm.root / "mnt/ccgpu/inputs/a").iterdir()] == []
    assert [one.name for one in (vm.root / "mnt/ccgpu/outputs/a").iterdir()] == ["old"]


@pytest.mark.parametrize("path", ["mnt/ccgpu", "mnt/ccgpu/inputs", "mnt/ccgpu/inputs/a"])
def test_no_link_is_followed(vm, path, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "kept").mkdir(parents=True)
    link = vm.root / path
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(elsewhere)
    refused("storage.error", storage.prepare, vm, request_of(PrepareWorkload(name="a")))
    assert [one.name for one in elsewhere.iterdir()] == ["kept"]


# --- Locks ---


def test_one_action_on_a_name_at_a_time(vm):
    with locked_name(vm, "a"):
        with locked_name(vm, "b"):
            pass
        refused("busy", locked_name(vm, "a").__enter__)
    with locked_name(vm, "a"):
        pass


def test_shared_locks_bear_each_other(vm):
    with locked(vm, "l", "x", shared=True), locked(vm, "l", "x", shared=True):
        refused("busy", locked(vm, "l", "x").__enter__)


def test_the_folder_in_memory_is_roots_alone(vm):
    assert stat.S_IMODE(run_folder(vm).stat().st_mode) == 0o700
    run_folder(vm).chmod(0o711)
    run_folder(vm)
    run_folder(vm).chmod(0o720)
    refused("storage.error", run_folder, vm)
    run_folder_path = vm.root / "run/ccgpu"
    run_folder_path.rmdir()
    run_folder_path.symlink_to("/tmp")
    refused("storage.error", run_folder, vm)


# --- Secrets and files ---


def test_a_secret_is_a_file_of_this_boot(vm):
    folder = vm.root / "run/ccgpu/secrets"
    folder.mkdir(parents=True)
    (folder / "a").write_text("token\n")
    (folder / "b").symlink_to("a")
    secrets.require_secrets(vm, ["a"])
    assert secrets.read_secret(vm, "a") == "token"
    refused("secret.absent", secrets.require_secrets, vm, ["a", "c"])
    refused("secret.absent", secrets.require_secrets, vm, ["b"])
    for bad in (b"", b"a b", b"a\r\nX: y", "ä".encode(), b"a" * 65537):
        (folder / "a").write_bytes(bad)
        said = refused("secret.absent", secrets.read_secret, vm, "a")
        assert "aaa" not in said


def test_a_file_of_ours_lies_under_its_hash(vm):
    start.keep_file(vm, "server.py", b"print()")
    digest = hashlib.sha256(b"print()").hexdigest()
    file = vm.root / f"run/ccgpu/files/{digest}/server.py"
    assert (file.read_bytes(), stat.S_IMODE(file.stat().st_mode)) == (b"print()", 0o644)
    assert len(list(file.parent.iterdir())) == 1


# --- Images ---


@pytest.mark.parametrize(
    ("reference", "name", "bare"),
    [
        ("vllm/vllm-openai:v0.27.0", "docker.io/vllm/vllm-openai", "vllm/vllm-openai"),
        ("busybox", "docker.io/library/busybox", "busybox"),
        ("docker.io/busybox:1", "docker.io/library/busybox", "docker.io/busybox"),
        ("localhost:5000/a/b:1", "localhost:5000/a/b", "localhost:5000/a/b"),
        ("nvcr.io/nvidia/pytorch:26.04-py3", "nvcr.io/nvidia/pytorch", "nvcr.io/nvidia/pytorch"),
    ],
)
def test_a_repository_has_one_full_name(reference, name, bare):
    assert images.without_tag(reference) == bare
    assert images.full_name(bare) == name


def test_digests_of_other_repositories_do_not_count():
    other = f"sha256:{'cd' * 32}"
    known = [f"docker.io/a/b@{_DIGEST}", f"docker.io/a/c@{other}", "a/b@sha256:short"]
    assert images.digests_of({"RepoDigests": known}, "a/b:1") == [_DIGEST]


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ("docker.io/a/b:v1", f"docker.io/a/b@{_DIGEST}"),
        ("a/b:v1", f"a/b@{_DIGEST}"),
        (f"a/b:v1@{_DIGEST}", f"a/b@{_DIGEST}"),
        ("a/b:v2", "a/b:v2"),
        ("a/b", "a/b"),
        (f"a/b:v1@sha256:{'0' * 64}", f"a/b:v1@sha256:{'0' * 64}"),
    ],
)
def test_an_image_that_a_measured_image_has_is_named_by_its_digest(vm, reference, expected):
    assert images.included(vm, reference) == reference
    file = vm.root / images.INCLUDED
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps({"docker.io/a/b:v1": _DIGEST}))
    assert images.included(vm, reference) == expected
    file.write_text("{")
    refused("engine.error", images.included, vm, reference)


# --- The GPU ---


def _program(vm, name, script):
    file = vm.root / "usr/bin" / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"#!/bin/bash\n{script}\n")
    file.chmod(0o755)


@pytest.mark.parametrize(
    ("refresh", "generate", "code"),
    [
        ("mkdir -p {0}/etc/cdi; echo nvidia.com/gpu >{0}/etc/cdi/nvidia.yaml", "exit 1", None),
        ("exit 5", 'echo "kind: nvidia.com/gpu" >"${{3#--output=}}"', None),
        ("exit 5", "exit 1", "gpu.cdi"),
        ("exit 0", 'echo "kind: other" >"${{3#--output=}}"', "gpu.cdi"),
    ],
)
def test_the_gpu_is_described_before_a_container_asks_for_it(vm, refresh, generate, code):
    _program(vm, "systemctl", refresh.format(vm.root))
    _program(vm, "nvidia-ctk", generate.format(vm.root))
    if code:
        refused(code, devices.require_gpu, vm)
    else:
        devices.require_gpu(vm)
        _program(vm, "systemctl", "exit 9")
        _program(vm, "nvidia-ctk", "exit 9")
        devices.require_gpu(vm)


def test_a_vm_without_the_toolkit_is_told(vm):
    _program(vm, "systemctl", "exit 5")
    assert "nvidia-ctk cannot be run" in refused("gpu.cdi", devices.require_gpu, vm)


# --- Models ---


def _model(*files):
    listed = [{"path": path, "size": len(data), "sha256": _sha(data)} for path, data in files]
    given = {"repository": "org/name", "commit": "0" * 40, "files": listed}
    return models.parse_model(request.Request(given))


def _sha(data):
    return hashlib.sha256(data).hexdigest()


def test_a_manifest_is_canonical():
    document = (
        '{"commit":"' + "0" * 40 + '","files":[{"path":"a","sha256":"' + _sha(b"1")
        + '","size":1},{"path":"b/c","sha256":"' + _sha(b"") + '","size":0}],'
        '"repository":"org/name","schema":"ccgpu.model-manifest/1"}'
    )  # fmt: skip
    wanted = f"sha256:{_sha(document.encode())}"
    assert _model(("b/c", b""), ("a", b"1")).manifest == wanted
    assert _model(("a", b"1"), ("b/c", b"")).manifest == wanted


@pytest.mark.parametrize(
    "path", ["", "/a", "a/", "../a", "a/../b", "a//b", "./a", "a\n", "a.part", "x" * 1025]
)
def test_a_path_of_a_model_stays_below_it(path):
    refused("request", _model, (path, b""))


def test_a_path_stands_once():
    refused("request", _model, ("a", b""), ("a", b""))
    refused("request", _model, ("a", b""), ("a/b", b""))
    refused("request", _model)


@pytest.fixture
def model(vm):
    """A model in the VM."""
    one = _model(("a", b"1"), ("b/c", b"22"))
    folder = vm.below_root(one.folder)
    (folder / "b").mkdir(parents=True)
    (folder / "a").write_bytes(b"1")
    (folder / "b/c").write_bytes(b"22")
    return one


def test_a_model_is_read_again(vm, model, capsys):
    models.require_model(vm, model)
    last = capsys.readouterr().err.splitlines()[-1]
    assert json.loads(last) == {"progress": "check-model", "done": 3, "total": 3}


def _changes():
    yield "model.changed", lambda folder: (folder / "b/c").write_bytes(b"23")
    yield "model.changed", lambda folder: (folder / "b/c").write_bytes(b"2")
    yield "model.changed", lambda folder: (folder / "b/more").touch()
    yield "model.changed", lambda folder: (folder / "link").symlink_to("b")
    yield "model.changed", lambda folder: _swap(folder / "a")
    yield "model.absent", lambda folder: (folder / "a").unlink()
    yield "model.absent", lambda folder: folder.rename(folder.with_name("x"))


def _swap(file):
    file.rename(file.parents[1] / "x")
    file.symlink_to(file.parents[1] / "x")


@pytest.mark.parametrize(("code", "change"), list(_changes()))
def test_a_model_that_changed_is_refused(vm, model, code, change):
    change(vm.below_root(model.folder))
    refused(code, models.require_model, vm, model)


# --- Outputs ---


def test_outputs_are_linked_without_what_is_no_file(vm):
    folder = vm.root / "mnt/ccgpu/outputs/a"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep/model.bin").write_bytes(b"12345")
    (folder / "log").write_bytes(b"1")
    (folder / "log").chmod(0o000)
    (folder / "link").symlink_to("/etc/passwd")
    os.mkfifo(folder / "deep/fifo")
    offered = outputs.offer_outputs(vm, request_of(OfferOutputs(name="a")))
    assert offered == outputs.offer_outputs(vm, request_of(OfferOutputs(name="a")))
    path = vm.below_root(offered.pop("path"))
    assert offered == {"files": 2, "bytes": 6, "left": ["deep/fifo", "link"]}
    found = sorted(one.relative_to(path).as_posix() for one in path.rglob("*"))
    assert found == ["deep", "deep/model.bin", "log"]
    assert stat.S_IMODE((path / "log").stat().st_mode) == 0o400
    assert (folder / "log").samefile(path / "log")


def test_outputs_that_do_not_exist_are_an_error(vm):
    refused("outputs.absent", outputs.offer_outputs, vm, request_of(OfferOutputs(name="a")))


# --- The journal ---


@pytest.mark.parametrize(
    ("message", "data"),
    [("ä", "ä".encode()), ([255, 10], b"\xff\n"), (None, b""), ("\udcff", b"\xff")],
)
def test_a_message_of_the_journal_is_bytes(message, data):
    assert journal.message_of({"MESSAGE": message}) == data
