"""What this machine remembers of a workload, and the command that starts it again."""

import shlex

import pytest

from ccgpu.domain.workload_record import WorkloadRecord


def _record(**section: object) -> WorkloadRecord:
    return WorkloadRecord("one", "job", (8000,), "boot", "2026-01-01T00:00:00Z", section)


@pytest.mark.parametrize(
    ("section", "words"),
    [
        ({"image": "r/i:1"}, "--workload image --image r/i:1"),
        ({"use": "sglang", "model": "o/n@c"}, "--workload sglang --model o/n@c"),
        (
            {"use": "x", "name": "one", "parameters": {"a": "1", "b": "c d"}},
            "--workload x --as one --parameter a=1 --parameter 'b=c d'",
        ),
        (
            {"use": "x", "inputs": [{"from": "./a b", "to": "/in"}], "secrets": ["k", "l"]},
            "--workload x --input './a b:/in' --secret k --secret l",
        ),
        ({"use": "x", "command": ["sh", "-c", "exit 3"]}, "--workload x -- sh -c 'exit 3'"),
    ],
)
def test_the_command_says_all_that_options_can(section, words):
    command = _record(**section).command("demo")
    assert command == f"ccgpu run demo {words}"
    assert shlex.split(command)[:3] == ["ccgpu", "run", "demo"]


@pytest.mark.parametrize("field", ["environment", "outputs", "gpus", "ports"])
def test_what_no_option_says_has_no_command(field):
    assert _record(use="x", **{field: "y"}).command("demo") is None
