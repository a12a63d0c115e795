"""The client's side of the script for workloads: command line, script, answers."""

import ast
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccgpu.errors import UsageProblem, WorkloadFailed
from ccgpu.guest import workload
from ccgpu.guest.channel import Completed
from ccgpu.guest.workload_answers import (
    AllWorkloads,
    GuestWorkload,
    HttpAnswer,
    OneWorkload,
    WorkloadProgress,
)
from ccgpu.guest.workload_requests import (
    CheckWorkload,
    FetchModel,
    FileText,
    FollowWorkload,
    HashedFile,
    HttpRequest,
    ListWorkloads,
    ModelFiles,
    OfferOutputs,
    OutputsOwner,
    PrepareWorkload,
    StartWorkload,
    StatusOfWorkload,
    StopWorkload,
    WorkloadRequest,
)
from ccgpu.templates.guest.workload import main
from support.repository import ROOT

_FOLDER = ROOT / "templates" / "guest" / "workload"
_FILES = (HashedFile("a", 1, "0" * 64),)
_REQUESTS: list[WorkloadRequest] = [
    PrepareWorkload(name="a"),
    StartWorkload(
        name="a",
        image="i",
        options=("--rm",),
        files=(FileText("a", "b"),),
        model=ModelFiles("a/b", "0" * 40, "sha256:", _FILES),
        outputs=OutputsOwner(1000),
    ),
    StopWorkload(name="a"),
    StatusOfWorkload(name="a"),
    ListWorkloads(),
    CheckWorkload(name="a", port=1, requests=(HttpRequest(path="/"),)),
    FetchModel(repository="a/b", commit="0" * 40, files=_FILES),
    FollowWorkload(name="a"),
    OfferOutputs(name="a"),
]
_STATE: dict[str, Any] = {
    "name": "a",
    "state": "running",
    "exit_code": None,
    "since": 1.5,
    "started_at": 1,
    "restarts": 0,
    "image": "i",
    "image_digest": "sha256:1",
    "result": "success",
}
_ANSWER = {"schema": "ccgpu.workload/1", "boot": "b", "workloads": [_STATE]}


def _done(document, code=0, stderr=b""):
    return Completed(code, json.dumps(document).encode() + b"\n", stderr)


def test_there_is_a_request_for_every_action_of_the_script():
    assert {one.action for one in _REQUESTS} == main.ACTIONS.keys()


@pytest.mark.parametrize("request_", _REQUESTS, ids=lambda one: one.action)
def test_a_request_is_one_word_of_the_command_line(request_):
    *before, name, text = workload.command_line(request_)
    assert before == ["sudo", "-n", "python3", "-I", "-S", "-"]
    assert name == "ccgpu-workload"
    assert json.loads(text)["action"] == request_.action


def test_a_request_that_no_command_line_holds_is_refused():
    request = StartWorkload(name="a", image="i", options=(), arguments=("x" * 100_000,))
    with pytest.raises(UsageProblem, match="a command line holds 100,000"):
        workload.command_line(request)


def test_the_script_imports_the_standard_library_and_the_parts_before_alone():
    seen: set[str] = set()
    script = ast.parse(workload.script())
    (sources,) = (
        ast.literal_eval(one.iter.func.value)
        for one in script.body
        if isinstance(one, ast.For)
        and isinstance(one.iter, ast.Call)
        and isinstance(one.iter.func, ast.Attribute)
    )
    for name, source in sources.items():
        nodes = ast.walk(ast.parse(source))
        used = {one.module or "" for one in nodes if isinstance(one, ast.ImportFrom)}
        assert {one for one in used if one.startswith("ccgpu.")} <= seen, name
        seen.add(name)
    parts = {f"ccgpu.templates.guest.workload.{file.stem}" for file in _FOLDER.glob("*.py")}
    assert parts <= seen


def test_an_answer_is_read():
    answer = workload.parse(_done(_ANSWER), AllWorkloads)
    assert answer.boot == "b"
    assert answer.workloads == (GuestWorkload(**_STATE),)
    assert not answer.workloads[0].has_ended


def test_the_last_line_is_the_answer_of_what_streams():
    answer = {"schema": "ccgpu.workload/1", "boot": "b", "workload": {**_STATE, "state": "exited"}}
    output = b'{"progress":"x"}\n' + json.dumps(answer).encode() + b"\n"
    assert workload.parse_line(0, output, b"", OneWorkload).workload.has_ended


@pytest.mark.parametrize(
    ("done", "said"),
    [
        (Completed(1, b"", b"sudo: a password is required\n"), "exit code 1: sudo: a password"),
        (Completed(0, b"[]", b""), "not an object"),
        (_done({**_ANSWER, "schema": "other"}), "its schema is not"),
        (_done(_ANSWER, 3), "exit code 3"),
        (_done({**_ANSWER, "workloads": [{**_STATE, "since": "x"}]}), "workloads.0.since"),
        (Completed(0, b"[" * 40_000, b""), "cannot be read"),
        (Completed(0, b" " * (workload.ANSWER_LIMIT + 1), b""), "more than"),
    ],
)
def test_another_answer_is_an_error(done, said):
    with pytest.raises(WorkloadFailed, match=said) as caught:
        workload.parse(done, AllWorkloads)
    assert (caught.value.reason, caught.value.exit_code) == ("answer", 10)


@pytest.mark.parametrize("code", [*workload.HINTS, "unheard-of"])
def test_an_error_of_the_script_has_its_code_and_a_hint(code):
    error = {"schema": "ccgpu.workload-error/1", "code": code, "message": "a\nb\x1b[0m"}
    with pytest.raises(WorkloadFailed) as caught:
        workload.parse(_done(error, 1), AllWorkloads)
    assert caught.value.reason == code
    assert caught.value.hint == workload.HINTS.get(code)
    assert "\x1b" not in str(caught.value)


def test_every_code_of_the_script_has_a_hint():
    codes = set()
    for file in _FOLDER.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            match node:
                case ast.Call(func=ast.Name("WorkloadError"), args=[ast.Constant(code), _]):
                    codes.add(code)
                case ast.keyword("code", ast.Constant(code)):
                    codes.add(code)
                case _:
                    pass
    assert codes - {"request"} <= workload.HINTS.keys()
    assert len(codes) > 20


def test_progress_is_told_from_other_lines():
    line = b'{"progress": "fetch", "done": 1, "total": 2}'
    assert workload.parse_progress(line) == WorkloadProgress(progress="fetch", done=1, total=2)
    for other in (b"warning", b'{"progress": 1}', b'{"progress":'):
        assert workload.parse_progress(other) is None


def _http(body):
    return HttpAnswer(status=200, seconds=1.0, size=1, sha256="", body=body, error="")


@pytest.mark.parametrize(
    ("document", "text", "tokens"),
    [
        ({"choices": [{"text": "Paris"}], "usage": {"completion_tokens": 2}}, "Paris", 2),
        ({"choices": [{"message": {"content": "Paris"}}], "usage": {}}, "Paris", None),
        ({"choices": [{"message": {"content": None}}]}, None, None),
        ({"choices": [], "usage": {"completion_tokens": True}}, None, None),
        ([], None, None),
    ],
)
def test_openais_forms_are_read(document, text, tokens):
    answer = _http(json.dumps(document))
    assert (answer.text, answer.completion_tokens) == (text, tokens)


@pytest.mark.slow
@given(st.none() | st.text())
def test_any_body_is_read(body):
    answer = _http(body)
    assert answer.text is None or isinstance(answer.text, str)
