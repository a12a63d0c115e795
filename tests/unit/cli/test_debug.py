"""`--debug` and CCGPU_LOG: every request, and nothing of it that is secret."""

import json
import stat
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from ccgpu.fakearm import Request
from support.attesting import make_demo
from support.cli import Shell
from support.faults import FORBIDDEN, THROTTLED, NthRequest, error

_CREATE = "create demo --region eastus2 --ssh-from 203.0.113.7/32"
_CANARY = "hf_Canary7Q2xT9vLw4Zr8Nk1Bd6Fs3Hj5"
_SHORT = 9  # letters; a shorter value may occur by chance


@pytest.fixture
def demo(shell, prepared) -> Shell:
    """A VM that is set up, and that nobody has attested."""
    made: Shell = prepared(shell, make_demo)
    return made


def _reads_of(kind: str) -> Any:
    return lambda request: request.method == "GET" and kind in request.path


def _secrets_of(request: Request) -> set[str]:
    """The values of the headers and the query, and the texts in the body."""
    texts = set(request.headers.values())
    texts |= {value for _, value in parse_qsl(urlsplit(request.url).query)}
    texts |= {word for text in set(texts) for word in text.split()}
    return {text for text in texts | _texts_in(request.body) if len(text) >= _SHORT}


def _texts_in(body: bytes) -> set[str]:
    try:
        document = json.loads(body or b"null")
    except ValueError:
        return set()
    profile = (document or {}).get("properties", {}).get("osProfile", {})
    return {text for text in (profile.get("customData"), _CANARY) if text}


def _log_lines(shell: Shell) -> list[Any]:
    assert shell.log is not None
    return [json.loads(line) for line in shell.log.read_text().splitlines()]


def test_each_request_is_a_line_of_text(demo):
    done = demo("show demo --debug")
    asked = demo.arm.show()["requests"]
    shown = [line for line in done.err.splitlines() if "management.azure.com" in line]
    assert done.code == 0
    assert shown
    assert len(shown) <= len(asked)
    assert all(" in 0 ms, correlation id 0000" in line for line in shown), shown
    assert "?" not in done.err
    assert demo("show demo -v").err.count("correlation id") == len(shown)
    assert "correlation id" not in demo("show demo").err


@pytest.mark.slow
def test_with_json_stderr_has_documents_only(demo):
    for words in ("-o json", "--events ndjson", "-o json --events ndjson"):
        events = demo(f"stop demo --debug {words}").events
        requests = [one for one in events if one["schema"] == "ccgpu.request/1"]
        assert requests
        assert set(requests[0]) == {
            *("schema", "time", "method", "host", "path", "status", "milliseconds"),
            *("retry", "correlation_id", "request_id", "error"),
        }
        demo("start demo")


def test_a_retry_is_counted(demo):
    demo.arm.faults.append(NthRequest(0, _reads_of("/virtualMachines/demo"), THROTTLED, times=2))
    events = demo("show demo --debug -o json").events
    vm = [one for one in events if one["path"].endswith("/virtualMachines/demo")]
    assert [(one["status"], one["retry"]) for one in vm[:3]] == [(429, 0), (429, 1), (200, 2)]


def test_the_file_of_the_variable_gets_each_request_and_is_the_owners_alone(demo, tmp_path):
    demo.log = tmp_path / "requests.log"
    quiet = demo("show demo")
    first = len(_log_lines(demo))
    assert first > 0
    assert "correlation" not in quiet.err
    assert stat.S_IMODE(demo.log.stat().st_mode) == 0o600
    demo("show demo -o json")
    assert len(_log_lines(demo)) > first, "it is appended to"


def test_a_file_that_cannot_be_written_is_refused_before_anything_is_sent(demo, tmp_path):
    demo.log = tmp_path / "none" / "requests.log"
    before = len(demo.arm.show()["requests"])
    done = demo("show demo")
    assert (done.code, len(demo.arm.show()["requests"])) == (2, before)
    assert "error: CCGPU_LOG: " in done.err


@pytest.mark.slow
def test_attest_keeps_its_own_short_option(demo):
    listed = demo("attest demo -v")
    assert "management.azure.com" not in listed.err
    assert len(listed.out.splitlines()) > len(demo("attest demo").out.splitlines())
    assert "management.azure.com" in demo("attest demo --debug").err


def test_an_error_of_azure_has_its_correlation_id(demo):
    refused = error(403, "AuthorizationFailed", x_ms_correlation_request_id="c-17")
    for _ in range(3):
        demo.arm.faults.append(NthRequest(0, _reads_of("/resources"), refused))
    told = demo("list -o json").error
    assert (told["code"], told["correlation_id"]) == ("AuthorizationFailed", "c-17")
    assert "\n  correlation id: c-17\n" in demo("list -v").err
    assert "c-17" not in demo("list").err


def test_an_error_without_an_answer_has_no_correlation_id(demo):
    demo.arm.faults.append(NthRequest(0, _reads_of("/resources"), FORBIDDEN))
    assert "correlation_id" not in demo("list -o json").error


@pytest.mark.slow
def test_nothing_secret_is_in_the_log(shell, monkeypatch, tmp_path):
    monkeypatch.setenv("HF_TOKEN", _CANARY)
    shell.log = tmp_path / "requests.log"
    secret: set[str] = set()
    shell.arm.on_commit = lambda request, _: secret.update(_secrets_of(request))
    shown = ""
    for line in (
        f"{_CREATE} --debug --events ndjson -o json",
        "attest demo --debug",
        "secret put demo token --from-env HF_TOKEN -v",
        "price --debug",
        "logs demo --serial --debug",
        "delete demo --yes --debug",
    ):
        done = shell(line)
        assert done.code == 0, done
        requests = [one for one in done.err.splitlines() if " in 0 ms" in one or "request/1" in one]
        assert requests, line
        shown += "\n".join(requests)
    kinds = {text.split("=")[0] for text in secret if text.startswith("Bearer ")}
    assert kinds, "requests are signed"
    assert any(len(text) == 64 for text in secret), "a signature of a storage URL was sent"
    shown += Path(shell.log).read_text()
    assert [text for text in secret | {_CANARY} if text in shown] == []
