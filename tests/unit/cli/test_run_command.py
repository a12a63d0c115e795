"""`exec --via run-command`: asked for, warned of, and whole or refused."""

import json
from dataclasses import dataclass, field

import pytest

from ccgpu.fakearm import FakeArm, Request, Response
from support.faults import error

_CREATE = "create demo --region eastus2 --ssh-from 203.0.113.7/32 --set guest.lockdown=false"
_RESULT, _STATUS = (f"https://management.azure.com/subscriptions/x/{one}" for one in ("r", "s"))


@dataclass
class _Agent:
    """Azure's side of Run Command (recorded: 202 with both URLs), and the agent's answer."""

    message: str
    status: dict[str, object] = field(default_factory=lambda: {"status": "Succeeded"})
    scripts: list[list[str]] = field(default_factory=list)

    def __call__(self, request: Request) -> Response | None:
        path = request.url.partition("?")[0]
        if request.method == "POST" and path.lower().endswith("/runcommand"):
            body = json.loads(request.body)
            assert body["commandId"] == "RunShellScript"
            self.scripts.append(body["script"])
            return Response(202, None, {"Azure-AsyncOperation": _STATUS, "Location": _RESULT})
        if path == _STATUS:
            return Response(200, self.status)
        if path == _RESULT:
            return Response(200, {"value": [{"code": "x", "message": self.message}]})
        return None


@dataclass
class _NoExtensions:
    """Shows each VM as one that was created with `allowExtensionOperations: false`."""

    arm: FakeArm
    asking: bool = False

    def __call__(self, request: Request) -> Response | None:
        if self.asking:
            return None
        self.asking = True
        answer = self.arm.send(request)
        self.asking = False
        if isinstance(answer.body, dict) and "osProfile" in answer.body.get("properties", {}):
            answer.body["properties"]["osProfile"]["allowExtensionOperations"] = False
        return answer


def _message(out: str, err: str = "") -> str:
    return f"Enable succeeded: \n[stdout]\n{out}\n[stderr]\n{err}"


@pytest.fixture
def run(shell, prepared):
    """Runs a command by an agent that answers with a message."""
    prepared(shell, _CREATE)

    def run(agent, line="exec demo --via run-command -- cat '/etc/os release'"):
        shell.arm.faults.append(agent)
        return shell(line)

    return run


@pytest.mark.slow
def test_the_output_is_passed_on_with_a_warning(run):
    agent = _Agent(_message("out\nccgpu-exit-code=3\n", "err\n"))
    done = run(agent)
    assert (done.code, done.out) == (3, "out\n")
    assert done.err.startswith("NOT ATTESTED: ")
    assert done.err.endswith("err\n")
    assert agent.scripts == [["cat '/etc/os release'", 'echo "ccgpu-exit-code=$?"']]


def test_without_being_asked_nothing_goes_that_way(run):
    agent = _Agent(_message("ccgpu-exit-code=0\n"))
    assert run(agent, "exec demo -- true").code == 0
    assert agent.scripts == []


def test_long_output_is_refused_and_none_of_it_is_printed(run):
    done = run(_Agent(_message("x" * 4077 + "\nccgpu-exit-code=0\n")))
    assert (done.code, done.out) == (10, "")
    assert "4096 bytes or more" in done.err
    assert "`ccgpu exec demo --via ssh -- cat '/etc/os release'` has no limit" in done.err


def test_an_answer_without_an_exit_code_is_no_success(run):
    done = run(_Agent(_message("out\n")))
    assert (done.code, done.out) == (10, "")
    assert "no exit code" in done.err


def test_a_refusal_of_azure_is_told(run):
    def deny(request):
        path = request.url.partition("?")[0].lower()
        return error(403, "AuthorizationFailed") if path.endswith("/runcommand") else None

    done = run(deny)
    assert done.code == 4
    assert "AuthorizationFailed" in done.err


@pytest.mark.slow
def test_a_failed_operation_is_told(run):
    agent = _Agent("", {"status": "Failed", "error": {"code": "VMAgentStatusCommunicationError"}})
    done = run(agent)
    assert (done.code, done.out) == (4, "")
    assert "VMAgentStatusCommunicationError" in done.err


@pytest.mark.slow
def test_a_vm_that_allows_no_extensions_is_told_apart_before_anything_is_sent(run, shell):
    agent = _Agent(_message("ccgpu-exit-code=0\n"))
    shell.arm.faults.append(_NoExtensions(shell.arm))
    done = run(agent)
    assert done.code == 2
    assert "guest.lockdown" in done.err
    assert "`ccgpu exec demo --via ssh -- cat '/etc/os release'`" in done.err
    assert agent.scripts == []
