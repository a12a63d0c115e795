"""Where a program reads stderr, it holds nothing but JSON; a stream of events has an end."""

import json
from datetime import datetime

import pytest

from ccgpu.errors import LeftBehind
from support.slow import mostly_slow

_CREATE = "create demo --region eastus2 --ssh-from 203.0.113.7/32"
_JSON = ["-o json", "-ojson", "--query x", "--query x -o text"]
_WRONG = {
    "usage": ("create demo --nonsense", 2),
    "spec": ("create demo --zone 9", 3),
    "unknown": ("wait demo --for lunch", 2),
    "nobody": ("wait nobody --for ready", 4),
    "unconfirmed": (f"{_CREATE} --zone 2 --replace", 2),
}


@pytest.fixture
def made(shell, prepared):
    prepared(shell, _CREATE)
    shell.ask = lambda _: pytest.fail("asked")
    return shell


@pytest.mark.slow
@pytest.mark.parametrize("terminal", mostly_slow([False, True], 2))
@pytest.mark.parametrize("words", mostly_slow(_JSON, 4, 2))
def test_a_successful_json_command_leaves_stderr_empty(shell, words, terminal):
    shell.terminal = terminal
    for line in (_CREATE, _CREATE, "stop demo", "start demo", "delete demo --yes", "gc"):
        done = shell(f"{line} {words}")
        assert (done.code, done.err) == (0, "")
        json.loads(done.out)


@pytest.mark.parametrize("words", mostly_slow(_JSON, 4, 2))
@pytest.mark.parametrize(("line", "code"), _WRONG.values(), ids=_WRONG)
def test_an_error_is_the_one_document_on_stderr(made, line, code, words):
    done = made(f"{line} {words}")
    assert (done.code, done.out, done.err.count("\n")) == (code, "", 1)
    assert done.error["exit_code"] == code


@pytest.mark.slow
def test_a_script_reads_a_bare_value(made):
    address = made("show demo -o json").document["public_ip"]
    assert made("show demo --query public_ip -o tsv").out == f"{address}\n"
    assert made("show demo --query public_ip").out == f"{address}\n"
    assert made("show demo --query public_ip -o json").document == address
    assert made("list --query deployments[].[name,state] -o tsv").out == "demo\tready\n"
    assert made("list -o tsv").out.startswith("demo\t")
    assert made("gc -o tsv").out == ""  # a loop over its lines has nothing to do
    missing = made("show nobody --query public_ip -o tsv")
    assert (missing.code, missing.out) == (4, "")
    assert missing.err.startswith("error: ")


@pytest.mark.slow
def test_a_plan_tells_by_its_exit_code_whether_it_changes_anything(made):
    assert made("plan demo --exit-code").code == 0
    assert made("plan demo --tag team=ml").code == 0
    done = made("plan demo --tag team=ml --exit-code -o json")
    assert (done.code, done.err, done.document["schema"]) == (20, "", "ccgpu.plan/1")
    assert made("plan other --region eastus2 --exit-code").code == 20
    assert made("plan other --zone 9 --exit-code").code == 3


def test_an_invalid_query_is_an_error_document(shell):
    for line in ("list --query [", "list --query abs(deployments)"):
        done = shell(line)
        assert (done.code, done.out, done.error["code"]) == (2, "", "UsageProblem")


@pytest.mark.parametrize("words", ["-o json", "--query gone", "--events ndjson"])
@pytest.mark.parametrize("terminal", [False, True])
def test_json_output_never_asks_for_confirmation(made, words, terminal):
    made.terminal = terminal
    before = made.kinds()
    done = made(f"delete demo {words}")
    assert done.code == 2
    assert "--yes" in done.error["hint"]
    assert made.kinds() == before


def _end(done):
    *_, end = done.events
    assert [one["what"] for one in done.events if one.get("what") == "end"] == ["end"]
    return end


@pytest.mark.slow
def test_the_event_stream_ends_with_the_outcome(shell):
    done = shell(f"{_CREATE} --events ndjson -o json")
    end = _end(done)
    assert (end["outcome"], end["exit_code"], end["code"]) == ("success", 0, None)
    assert json.loads(done.out)["schema"] == "ccgpu.create/1"
    shown = [datetime.fromisoformat(one["time"]) for one in done.events]
    assert all(one["time"].endswith("Z") for one in done.events)
    assert shown == sorted(shown)
    first = shown[0]
    for event, time in zip(done.events[:-1], shown[:-1], strict=True):
        assert abs((time - first).total_seconds() - event["at"]) <= 1


@pytest.mark.parametrize(("line", "code"), _WRONG.values(), ids=_WRONG)
def test_the_event_stream_of_a_failure_ends_with_the_outcome(made, line, code):
    done = made(f"{line} --events ndjson")
    end = _end(done)
    assert done.code == code
    assert (end["outcome"], end["exit_code"]) == ("error", code)
    assert end["code"] == done.error["code"]
    assert done.events[-2] == done.error
    datetime.fromisoformat(end["time"])


@pytest.mark.parametrize(
    ("error", "outcome", "code"),
    [
        (KeyboardInterrupt(), "interrupted", 130),
        (EOFError(), "interrupted", 130),
        (ZeroDivisionError(), "bug", 1),
        (LeftBehind("x"), "error", 7),
    ],
)
def test_the_event_stream_ends_with_the_outcome_of_any_exception(shell, error, outcome, code):
    def fail(_):
        raise error

    shell.arm.faults.append(fail)
    end = _end(shell("start demo --events ndjson"))
    assert (end["outcome"], end["exit_code"]) == (outcome, code)


@pytest.mark.slow
def test_help_and_hints_appear_only_in_text(shell):
    assert "hint: `ccgpu ssh" in shell(_CREATE).err
    assert "hint" not in shell(f"{_CREATE} --events ndjson").err
    assert shell("list -o json").err == ""
