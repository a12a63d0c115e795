"""Workloads of a simulated guest: what its script answers, by the client of real guests."""

import hashlib
import json
from typing import Any

import pytest

from ccgpu.errors import WorkloadFailed
from ccgpu.guest.workload_answers import (
    AllWorkloads,
    ModelFetched,
    OneWorkload,
    OutputsOffered,
    WorkloadChecked,
    WorkloadPrepared,
)
from ccgpu.guest.workload_requests import (
    CheckWorkload,
    FetchModel,
    FileText,
    HttpRequest,
    ListWorkloads,
    OfferOutputs,
    PrepareWorkload,
    StopWorkload,
)
from support.simulated_guests import GuestBench, make_bench
from support.workload_client import IMAGE, PORT, WorkloadClient, model_files

PULL, LOAD, JOB = 90.0, 75.0, 600.0


@pytest.fixture
def guest(bench: GuestBench) -> WorkloadClient:
    """A guest that is set up; its GPU need not be ready."""
    return WorkloadClient(bench.channel)


def _refusal(act: Any) -> str:
    with pytest.raises(WorkloadFailed) as caught:
        act()
    return str(caught.value.reason)


def _check(guest: WorkloadClient, wait: float = 0.0, *requests: HttpRequest) -> WorkloadChecked:
    check = CheckWorkload(name="server", port=PORT, wait=wait, requests=requests)
    return guest.ask(check, WorkloadChecked)


def _completion(prompt: str, most: int = 8) -> HttpRequest:
    body = {"prompt": prompt, "max_tokens": most, "temperature": 0}
    return HttpRequest(path="/v1/completions", method="POST", body=body)


def test_a_start_pulls_once_measures_and_starts(bench, guest):
    before = bench.az.arm.now()
    started = guest.train()
    assert bench.az.arm.now() == before + PULL
    assert started.state == "running"
    assert started.run[-3] == f"docker.io/library/python@{started.image_digest}"
    line = started.event.encode()
    digest = hashlib.sha256(bytes(32) + hashlib.sha256(line).digest()).hexdigest()
    assert started.pcr13 == digest
    log = bench.channel.run(["cat", "/run/ccgpu/workloads.log"], timeout=5).stdout
    assert log == line + b"\n"
    event = json.loads(line)
    assert event["command"] == list(started.run)
    assert event["mounts"] == ["/mnt/ccgpu/outputs/job:/outputs"]
    moment = bench.az.arm.now()
    guest.start("again", "true")
    assert bench.az.arm.now() == moment


def test_a_server_is_healthy_once_its_model_is_loaded(bench, guest):
    guest.serve()
    early = _check(guest, 10.0, _completion("The capital of France is"))
    assert (early.health.status, early.answers) == (None, ())
    late = _check(guest, 600.0, _completion("The capital of France is"))
    assert late.health.status == 200
    assert late.workload.state == "running"
    (answer,) = late.answers
    assert (answer.status, answer.text, answer.completion_tokens) == (200, " Paris.", 2)
    assert answer.size == len((answer.body or "").encode())
    assert LOAD < bench.az.arm.now() - late.workload.started_at < LOAD + 1


def test_a_job_prints_ends_and_writes_its_outputs(bench, guest):
    guest.train()
    lines, ended = guest.follow("job")
    assert (lines[0], lines[-1]) == ("begin on the CPU", "wrote 3 files")
    assert (ended.state, ended.exit_code) == ("exited", 0)
    assert bench.az.arm.now() == ended.started_at + JOB
    offered = guest.ask(OfferOutputs(name="job"), OutputsOffered)
    below = bench.channel.run(["ls", offered.path], timeout=5).stdout.split()
    assert (offered.files, below) == (3, [b"adapter", b"result.json"])
    written = bench.channel.run(["cat", "/mnt/ccgpu/outputs/job/result.json"], timeout=5)
    assert json.loads(written.stdout)["simulated"] is True


def test_a_command_of_the_guest_runs_with_the_paths_of_the_container(bench, guest, tmp_path):
    (tmp_path / "data").write_text("rows\n")
    guest.ask(PrepareWorkload(name="job"), WorkloadPrepared)
    bench.channel.put(tmp_path / "data", "/mnt/ccgpu/inputs/job/0")
    guest.start("job", "cat", "/in", options=("-v", "/mnt/ccgpu/inputs/job/0:/in:ro"))
    assert guest.follow("job")[0] == ["rows"]
    guest.start("job", "sh", "-c", "exit 7", replace=True)
    _, ended = guest.follow("job")
    assert (ended.state, ended.exit_code, ended.result) == ("failed", 7, "exit-code")


def test_only_the_last_lines_or_what_is_there_already(guest):
    guest.train()
    assert guest.follow("job", until_end=False)[0] == ["begin on the CPU"]
    guest.follow("job")
    assert guest.follow("job", lines=1)[0] == ["wrote 3 files"]


def test_a_stop_ends_a_workload_and_forgets_it(guest):
    guest.serve()
    stopped = guest.ask(StopWorkload(name="server"), OneWorkload).workload
    assert stopped.state == "stopped"
    assert guest.ask(ListWorkloads(), AllWorkloads).workloads == ()
    assert _refusal(lambda: guest.status("server")) == "absent"


def test_a_reboot_ends_all_but_the_images(bench, guest):
    guest.ask(FetchModel(**_fetch()), ModelFetched)
    guest.serve()
    bench.reboot()
    assert guest.ask(ListWorkloads(), AllWorkloads).workloads == ()
    assert bench.channel.run(["ls", "/run/ccgpu"], timeout=5).exit_code != 0
    assert _refusal(lambda: guest.serve(model=model_files())) == "model.absent"
    moment = bench.az.arm.now()
    started = guest.serve()
    assert bench.az.arm.now() == moment
    assert (
        started.pcr13
        == hashlib.sha256(bytes(32) + hashlib.sha256(started.event.encode()).digest()).hexdigest()
    )


def _fetch(repository: str = "org/model", token: str | None = None) -> dict[str, Any]:
    model = model_files(repository)
    members = {"repository": repository, "commit": model.commit, "files": model.files}
    return members | {"token": token}


def test_a_model_is_fetched_once_and_has_to_be_the_one_that_is_measured(guest):
    assert guest.ask(FetchModel(**_fetch()), ModelFetched).fetched == 100
    assert guest.ask(FetchModel(**_fetch()), ModelFetched).fetched == 0
    assert guest.serve(model=model_files()).state == "running"
    other = model_files()
    changed = type(other)(other.repository, other.commit, f"sha256:{'0' * 64}", other.files)
    assert _refusal(lambda: guest.start("b", model=changed)) == "model.changed"


def test_gated_models_need_a_token(guest):
    fetch = FetchModel(**_fetch("meta-llama/Llama"))
    assert _refusal(lambda: guest.ask(fetch, ModelFetched)) == "fetch.refused"
    with_token = FetchModel(**_fetch("meta-llama/Llama", "hf-token"))
    assert _refusal(lambda: guest.ask(with_token, ModelFetched)) == "secret.absent"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"secrets": ("token",)}, "secret.absent"),
        ({"options": ("-v", "/mnt/ccgpu/inputs/x/0:/in")}, "mount.absent"),
        ({"options": ("-v", "relative:/in")}, "request"),
        ({"options": ("--detach",)}, "request"),
        ({"options": ("-p", "0.0.0.0:80:80")}, "request"),
        ({"pull": False}, "image.absent"),
    ],
)
def test_a_start_that_cannot_be_is_refused_and_measures_nothing(bench, guest, changes, reason):
    assert _refusal(lambda: guest.start("job", "true", **changes)) == reason
    assert bench.channel.run(["cat", "/run/ccgpu/workloads.log"], timeout=5).exit_code == 1


def test_a_name_that_runs_is_taken_until_it_is_replaced(guest):
    guest.serve()
    assert _refusal(guest.serve) == "exists"
    assert guest.serve(replace=True).state == "running"


def test_files_of_ours_lie_under_their_hash(guest):
    text = "print(1)\n"
    source = f"/run/ccgpu/files/{hashlib.sha256(text.encode()).hexdigest()}/one.py"
    files = (FileText("one.py", text),)
    guest.start("job", "cat", "/one.py", options=("-v", f"{source}:/one.py:ro"), files=files)
    assert guest.follow("job")[0] == ["print(1)"]


@pytest.mark.parametrize(
    ("workload", "reason"),
    [("pull-fails", "image.pull"), ("no-gpu", "gpu.cdi"), ("disk-full", "storage.space")],
)
def test_what_keeps_a_server_from_starting(bench, guest, workload, reason):
    bench.az.arm.configure({"guest": {"workload": workload}})
    start = guest.train if workload == "disk-full" else guest.serve
    assert _refusal(start) == reason


def test_a_model_that_is_not_as_it_was_pinned_is_refused(bench, guest):
    bench.az.arm.configure({"guest": {"workload": "model-mismatch"}})
    fetch = FetchModel(**_fetch())
    assert _refusal(lambda: guest.ask(fetch, ModelFetched)) == "fetch.content"


def test_a_server_that_exits_is_started_again_then_given_up(bench, guest):
    bench.az.arm.configure({"guest": {"workload": "exits", "workload_exit_code": 9}})
    guest.serve()
    bench.az.arm.advance(6)
    assert guest.status("server").state == "restarting"
    bench.az.arm.advance(10)
    assert (guest.status("server").state, guest.status("server").restarts) == ("running", 1)
    bench.az.arm.advance(60)
    given_up = guest.status("server")
    assert (given_up.state, given_up.exit_code) == ("failed", 9)
    assert (given_up.result, given_up.restarts) == ("start-limit-hit", 3)


def test_a_server_that_never_gets_healthy(bench, guest):
    bench.az.arm.configure({"guest": {"workload": "unhealthy"}})
    guest.serve()
    checked = _check(guest, 600.0)
    assert (checked.health.status, checked.workload.state) == (None, "running")
    assert guest.follow("server")[0][-1].startswith("still loading")


@pytest.mark.parametrize(
    ("workload", "text", "speed"),
    [("good", " 4, 5,", 40), ("garbage", "!!!!", 40), ("slow", " 4, 5,", 4)],
)
def test_answers_and_their_speed(bench, guest, workload, text, speed):
    bench.az.arm.configure({"guest": {"workload": workload}})
    guest.serve()
    (answer,) = _check(guest, 600.0, _completion("1, 2, 3,", 40)).answers
    assert (answer.text or "").startswith(text)
    assert round(40 / answer.seconds) == speed


def test_without_the_encrypted_disk_nothing_is_stored(az):
    from support.simulated_guests import cloud_config

    bench = make_bench(az, os__customData=cloud_config(CCGPU_TEMP_DISK="none"))
    guest = WorkloadClient(bench.channel)
    prepare = PrepareWorkload(name="job")
    assert _refusal(lambda: guest.ask(prepare, WorkloadPrepared)) == "storage.plain"
    allowed = PrepareWorkload(name="job", os_disk=True)
    assert guest.ask(allowed, WorkloadPrepared).storage == "os-disk"


def test_units_and_the_journal_show_workloads(bench, guest):
    guest.train()
    run = lambda *words: bench.channel.run(list(words), timeout=5).stdout.decode()  # noqa: E731
    assert run("systemctl", "is-active", "ccgpu-workload-job.service") == "active\n"
    assert run("journalctl", "-u", "ccgpu-workload-job", "--no-pager") == "begin on the CPU\n"
    bench.az.arm.advance(JOB)
    assert run("systemctl", "is-active", "ccgpu-workload-job") == "inactive\n"


@pytest.mark.parametrize(
    "request_", ["no json", "[]", "{}", '{"action": "no-such"}', '{"action": "stop", "name": "A"}']
)
def test_a_request_that_cannot_be_read_is_refused(bench, request_):
    argv = ["sudo", "-n", "python3", "-I", "-S", "-", "ccgpu-workload", request_]
    done = bench.channel.run(argv, b"script", timeout=5)
    assert (done.exit_code, json.loads(done.stdout)["code"]) == (1, "request")


def test_the_image_may_name_its_digest(guest):
    digest = f"sha256:{'5' * 64}"
    assert guest.start("job", "true", image=f"{IMAGE}@{digest}").image_digest == digest
