"""What a workload answers is passed on as it is, within limits of time and size."""

import hashlib
import json
import threading
from contextlib import contextmanager

import pytest

from ccgpu.guest.workload_requests import CheckWorkload, HttpRequest
from ccgpu.templates.guest.workload import check
from ccgpu.templates.guest.workload.base import WorkloadError
from support.model_server import CAPITALS, GARBAGE, model_server
from support.workload_parts import request_of, vm_at

_STATES = {
    "running": "ActiveState=active\nSubState=running",
    "failed": "ActiveState=failed\nSubState=failed",
}
_SHOWN = "Result=success\nExecMainCode=0\nExecMainStatus=0\nNRestarts=0\n"
_QUESTIONS = (
    HttpRequest(path="/v1/models"),
    HttpRequest(path="/v1/completions", method="POST", body={"prompt": "The capital of Japan is"}),
    HttpRequest(
        path="/v1/chat/completions",
        method="POST",
        body={"messages": [{"role": "user", "content": "The capital of Italy?"}]},
    ),
)


@contextmanager
def serving(behaviour):
    """The port of a server."""
    with model_server(0, behaviour) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def vm(tmp_path):
    """A VM with a workload that runs."""
    unit = tmp_path / "run/systemd/system/ccgpu-workload-a.service"
    unit.parent.mkdir(parents=True)
    told = {"image": "i", "image_digest": "d", "started_at": 1.0}
    unit.write_text(f"# ccgpu: {json.dumps(told)}\n")
    made = vm_at(tmp_path)
    set_state(made, "running")
    return made


def set_state(vm, state):
    text = f"{_STATES[state]}\n{_SHOWN}StateChangeTimestampMonotonic=5"
    file = vm.root / "usr/bin/systemctl"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"#!/bin/sh\ncat <<'END'\n{text}\nEND\n")
    file.chmod(0o755)


def ask(vm, port, *requests, **changes):
    return check.check(
        vm, request_of(CheckWorkload(name="a", port=port, requests=requests, **changes))
    )


@pytest.mark.parametrize(
    ("behaviour", "texts"),
    [("good", [CAPITALS["Japan"], CAPITALS["Italy"]]), ("garbage", [GARBAGE, GARBAGE])],
)
def test_answers_are_passed_on_and_not_judged(vm, behaviour, texts):
    with serving(behaviour) as port:
        answer = ask(vm, port, *_QUESTIONS)
    assert answer["health"]["status"] == 200
    assert answer["workload"]["state"] == "running"
    models, completion, chat = (json.loads(one["body"]) for one in answer["answers"])
    assert models["data"][0]["id"] == "stub"
    assert completion["choices"][0]["text"] == texts[0]
    assert chat["choices"][0]["message"]["content"] == texts[1]
    for one in answer["answers"]:
        raw = one["body"].encode()
        assert (one["status"], one["error"], one["size"]) == (200, "", len(raw))
        assert one["sha256"] == hashlib.sha256(raw).hexdigest()
        assert 0 < one["seconds"] < 60


def test_an_error_of_the_server_is_an_answer(vm):
    with serving("good") as port:
        answer = ask(vm, port, HttpRequest(path="/nowhere"), HttpRequest(path="/v1/models"))
    assert [one["status"] for one in answer["answers"]] == [404, 200]


@pytest.mark.slow
def test_health_is_waited_for(vm):
    with serving("loading") as port:
        early = ask(vm, port, *_QUESTIONS)
        assert (early["health"]["status"], early["answers"]) == (503, [])
        late = ask(vm, port, *_QUESTIONS, wait=30.0)
    assert (late["health"]["status"], len(late["answers"])) == (200, 3)


def test_a_workload_that_has_ended_is_not_waited_for(vm):
    set_state(vm, "failed")
    answer = ask(vm, 1, *_QUESTIONS, wait=600.0)
    assert (answer["health"]["status"], answer["workload"]["state"]) == (None, "failed")


def test_a_server_that_dies_meanwhile_is_no_answer(vm):
    with serving("dead") as port:
        answer = ask(vm, port, _QUESTIONS[1])
    first = answer["answers"][0]
    assert (first["status"], first["body"], first["size"]) == (None, "", 0)
    assert "Disconnected" in first["error"] or "refused" in first["error"]


def test_an_answer_without_end_is_cut_off_in_time(vm):
    with serving("endless") as port:
        answer = ask(
            vm, port, HttpRequest(path="/v1/completions", method="POST", body={}, timeout=0.3)
        )
    (one,) = answer["answers"]
    assert (one["status"], one["error"]) == (None, "no answer within 0.3 seconds")
    assert one["seconds"] < 5


def test_large_answers_are_told_by_size_and_hash_alone(vm):
    with serving("good") as port:
        answer = ask(vm, port, HttpRequest(path="/v1/models", limit=10))
    (one,) = answer["answers"]
    assert (one["status"], one["body"]) == (200, None)
    assert one["size"] > 10


@pytest.mark.parametrize("path", ["health", "/a b", "/ä", "/a\r\nX: y", ""])
def test_a_path_is_one(vm, path):
    with pytest.raises(WorkloadError, match="is not a path"):
        ask(vm, 1, HttpRequest(path=path))


def test_there_are_not_too_many_questions(vm):
    with pytest.raises(WorkloadError, match="more than 64"):
        ask(vm, 1, *[HttpRequest(path="/")] * 65)


def test_an_absent_workload_is_not_asked(vm):
    with pytest.raises(WorkloadError) as caught:
        check.check(vm, request_of(CheckWorkload(name="b", port=1)))
    assert caught.value.code == "absent"
