"""How a run ends: Ctrl-C, a lost connection, and `--then-delete`, whatever happened before."""

from collections.abc import Callable
from itertools import starmap
from pathlib import Path

import pytest

from ccgpu.errors import ConnectionLost
from support.attesting import make_demo
from support.running import JOB, SERVER, Runner
from support.slow import mostly_slow


@pytest.fixture
def runner(shell, prepared) -> Runner:
    """A user with a VM that is set up."""
    return Runner(prepared(shell, make_demo))


def _billed(runner: Runner) -> list[str]:
    found: list[str] = runner.shell.arm.show()["billing"]
    return found


def _interrupt_at(mark: str) -> Callable[[str], None]:
    """Ctrl-C when that is sent, once."""
    left = [mark]

    def before(line: str) -> None:
        if left and left[0] in line:
            left.pop()
            raise KeyboardInterrupt

    return before


@pytest.mark.slow
def test_ctrl_c_leaves_the_workload_running_and_says_so(runner, golden):
    runner.before = _interrupt_at('"follow"')
    done = runner(f"{JOB} --wait -- python train.py")
    golden("cli/run-interrupted.txt", str(done))
    assert done.code == 130
    assert runner.workloads == {"image": "running"}


@pytest.mark.slow
def test_ctrl_c_before_the_start_starts_nothing(runner):
    runner.before = _interrupt_at('"start"')
    document = runner.document(f"{JOB} --wait -- python train.py", 130)
    assert document["cause"]["message"] == "interrupted: image was not started"
    assert runner.workloads == {}


@pytest.mark.parametrize("mark", mostly_slow(["ccgpu-collect", '"start"', '"follow"', "get "], 4))
def test_ctrl_c_with_then_delete_deletes(runner, mark):
    runner.before = _interrupt_at(mark)
    words = f"{JOB} --wait --output-dir out --then-delete -- python train.py"
    document = runner.document(words, 130)
    assert document["deleted"] is True
    assert _billed(runner) == []


@pytest.mark.slow
def test_a_good_job_is_fetched_then_deleted(runner, golden):
    words = f"{JOB} --wait --output-dir out --then-delete -- python train.py"
    golden("cli/run-then-delete.txt", str(runner(words)))
    assert Path("out/result.json").is_file()
    assert _billed(runner) == []
    assert runner.shell("list --backend fake -o json").document["deployments"] == []
    assert [*runner.shell.state.rglob("demo.workloads")] == []


@pytest.mark.parametrize(
    ("scenario", "words", "code"),
    mostly_slow(
        starmap(
            pytest.param,
            [
                ("workload-exits", f"{JOB} --wait -- python train.py", 3),
                ("garbage-answers", SERVER, 10),
                ("devtools", f"{JOB} --wait -- python train.py", 9),
                ("tpm-absent", f"{JOB} --wait -- python train.py", 8),
                ("usual", SERVER, 0),
            ],
        ),
        5,
    ),
)
def test_whatever_happened_the_vm_is_deleted(runner, scenario, words, code):
    runner.scenario(scenario)
    options, dashes, command = words.partition(" -- ")
    document = runner.document(f"{options} --then-delete{dashes}{command}", code)
    assert document["deleted"] is True
    assert _billed(runner) == []


@pytest.mark.slow
def test_a_bug_of_ours_deletes_too(runner):
    def fail(line: str) -> None:
        if '"start"' in line:
            raise ZeroDivisionError

    runner.before = fail
    done = runner(f"{JOB} --wait --then-delete -- python train.py")
    assert done.code == 1
    assert "ZeroDivisionError" in done.err
    assert _billed(runner) == []


def test_what_is_refused_at_once_deletes_nothing(runner):
    assert runner("--workload nothing --then-delete").code == 2
    assert _billed(runner) != []


@pytest.mark.slow
def test_what_is_left_outranks_the_job(runner):
    runner.scenario("locked")
    document = runner.document(f"{JOB} --wait --then-delete -- sh -c 'exit 3'", 7)
    assert document["deleted"] is False
    assert (document["job_exit_code"], document["exit_code"]) == (3, 7)
    assert document["cause"]["code"] in ("LeftBehind", "RemovalDenied")


@pytest.mark.slow
def test_a_connection_that_ends_is_made_anew_and_no_line_comes_twice(runner):
    lost: list[str] = []

    def lose(line: str) -> None:
        if '"follow"' in line and len(lost) < 3:
            lost.append(line)
            raise ConnectionLost("the connection ended")

    runner.before = lose
    done = runner(f"{JOB} --wait -- python train.py")
    assert (done.code, len(lost)) == (0, 3)
    lines = done.out.splitlines()
    assert len(lines) == len(set(lines))
    assert lines[-1].startswith("step 10/10")


@pytest.mark.slow
def test_a_vm_that_is_not_reached_any_more_is_given_up(runner):
    def lose(line: str) -> None:
        if '"follow"' in line:
            raise ConnectionLost("the connection ended")

    runner.before = lose
    document = runner.document(f"{JOB} --wait -- python train.py", 10)
    assert document["cause"]["code"] == "ConnectionLost"
    assert document["workload"]["state"] == "running"


@pytest.mark.slow
def test_a_job_that_takes_longer_than_it_may_goes_on(runner):
    document = runner.document(f"{JOB} --wait --timeout 5m -- python train.py", 11)
    assert document["cause"]["code"] == "TimedOut"
    assert runner.workloads == {"image": "running"}


@pytest.mark.slow
def test_a_vm_that_restarts_meanwhile_is_no_longer_the_proven_one(runner):
    def restart(line: str) -> None:
        if '"start"' in line:
            runner.before = lambda _: None
            assert runner.shell("restart demo --backend fake").code == 0

    runner.before = restart
    done = runner(f"{JOB} --wait -- python train.py")
    assert done.code == 10
    assert "has been started anew" in done.err
