"""`ccgpu create --run`: one command from capacity to deletion, with one exit code."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support.attesting import make_demo
from support.running import Runner
from support.slow import mostly_slow

_SPEC = """
name: demo
regions: [eastus2]
ssh_from: 203.0.113.7/32
secrets:
  - {name: api-key, env: API_KEY}
workload:
  use: image
  image: docker.io/library/python:3.12-slim
  secrets: [api-key]
  outputs: /outputs
  command: [COMMAND]
"""
_CREATE = "create -f job.yaml --run --backend fake"


def _write_job(*command: str) -> None:
    Path("job.yaml").write_text(_SPEC.replace("COMMAND", ", ".join(command)))


@pytest.fixture
def runner(shell, monkeypatch) -> Runner:
    """A user without a VM."""
    monkeypatch.setenv("API_KEY", "canary-4711")
    _write_job("python", "train.py")
    return Runner(shell)


@pytest.fixture
def with_vm(runner: Runner, prepared) -> Runner:
    """The same user, whose VM is set up: what takes long is done."""
    prepared(runner.shell, make_demo)
    return runner


def _document(runner: Runner, words: str = "", code: int = 0) -> Any:
    done = runner.shell(f"{_CREATE} {words} -o json")
    assert done.code == code, done
    return done.document


def _is_clean(runner: Runner) -> bool:
    shown = runner.shell.arm.show()
    return not shown["billing"] and not shown["resources"]


@pytest.mark.slow
def test_from_nothing_to_nothing_with_the_outputs(runner):
    document = _document(runner, "--then-delete --output-dir out")
    assert document["create"]["schema"] == "ccgpu.create/1"
    assert document["create"]["secrets"] == {"released": ["api-key"], "held": []}
    assert document["verdict"]["verdict"] == "accepted"
    assert document["workload"]["state"] == "exited"
    assert (document["deleted"], document["job_exit_code"]) == (True, 0)
    assert Path("out/result.json").is_file()
    assert _is_clean(runner)


@pytest.mark.slow
def test_the_exit_code_is_the_jobs(with_vm):
    _write_job("sh", "-c", "exit 3")
    document = _document(with_vm, "--then-delete", 3)
    assert (document["deleted"], document["job_exit_code"], document["cause"]) == (True, 3, None)
    assert _is_clean(with_vm)


@pytest.mark.slow
def test_a_vm_that_is_rejected_runs_nothing_and_is_deleted(with_vm):
    with_vm.scenario("old-firmware")
    done = with_vm.shell(f"{_CREATE} --then-delete -o json")
    document = done.document
    assert (done.code, document["cause"]["code"]) == (9, "EvidenceRejected")
    assert document["deleted"] is True
    assert (done.error["resources"], "demo is deleted" in done.error["hint"]) == ([], True)
    assert not any("ccgpu-release" in one for one in with_vm.sent)
    assert with_vm.actions() == []
    assert _is_clean(with_vm)


@pytest.mark.slow
def test_without_then_delete_the_vm_stays(with_vm):
    document = _document(with_vm)
    assert (document["deleted"], document["workload"]["state"]) == (False, "exited")
    assert with_vm.workloads == {"image": "exited"}


@pytest.mark.slow
def test_no_capacity_leaves_nothing(runner):
    runner.scenario("capacity-full")
    document = _document(runner, "--then-delete", 6)
    assert document["create"] is None
    assert document["workload"]["state"] is None
    assert _is_clean(runner)


@pytest.mark.parametrize("words", ["--then-delete", "--output-dir out"])
def test_options_of_a_run_need_one(runner, words):
    done = runner.shell(f"create -f job.yaml --backend fake {words}")
    assert done.code == 2
    assert runner.shell.kinds() == []


def test_a_place_for_outputs_that_cannot_be_written_is_refused_before_anything_is_made(runner):
    Path("a-file").touch()
    done = runner.shell(f"{_CREATE} --output-dir a-file/out --then-delete")
    assert (done.code, "a-file is not a folder" in done.err) == (2, True), done
    assert runner.shell.kinds() == []


@pytest.mark.parametrize("words", ["--no-wait", "--no-attest"])
def test_a_run_needs_a_proven_vm(runner, words):
    assert runner.shell(f"{_CREATE} {words}").code == 2
    assert runner.shell.kinds() == []


@pytest.mark.parametrize(
    ("before", "after", "code", "message"),
    [
        ("workload:", "unknown:", 3, "unknown"),
        ("use: image", "use: nothing", 2, "there is no workload 'nothing'"),
        ("secrets: [api-key]", "secrets: [other]", 2, "does not say where the secret other comes"),
        ("env: API_KEY", "env: NO_SUCH_KEY", 2, "NO_SUCH_KEY is not set"),
        ("outputs:", "inputs: [{from: none, to: /data}]\n  outputs:", 2, "none does not exist"),
    ],
)
def test_what_cannot_be_run_makes_nothing(runner, before, after, code, message):
    Path("job.yaml").write_text(Path("job.yaml").read_text().replace(before, after, 1))
    done = runner.shell(f"{_CREATE} --then-delete")
    assert done.code == code, done
    assert message in done.err
    assert runner.shell.kinds() == []


def test_a_spec_without_a_workload_makes_nothing(runner):
    text = Path("job.yaml").read_text()
    Path("job.yaml").write_text(text.partition("workload:")[0])
    done = runner.shell(_CREATE)
    assert done.code == 2
    assert "it is not said what is to run in demo" in done.err
    assert "--workload" not in done.err  # an option of `run`, not of `create`
    assert runner.shell.kinds() == []


def _raise_at(mark: str, error: BaseException) -> Callable[[str], None]:
    left = [mark]

    def before(line: str) -> None:
        if left and left[0] in line:
            left.pop()
            raise error

    return before


@pytest.mark.parametrize(
    "mark", mostly_slow(["ccgpu-collect", "ccgpu-release", '"start"', '"follow"', "get "], 5)
)
def test_ctrl_c_at_any_part_of_it_deletes(with_vm, mark):
    with_vm.before = _raise_at(mark, KeyboardInterrupt())
    done = with_vm.shell(f"{_CREATE} --then-delete --output-dir out -o json")
    assert (done.code, done.document["deleted"]) == (130, True)
    assert (done.error["resources"], "ccgpu" in (done.error["hint"] or "")) == ([], False)
    assert _is_clean(with_vm)


@pytest.mark.slow
def test_what_was_interrupted_is_gone_on_with(with_vm):
    with_vm.before = _raise_at('"follow"', KeyboardInterrupt())
    assert _document(with_vm, "", 130)["workload"]["state"] == "running"
    with_vm.sent.clear()
    document = _document(with_vm, "--output-dir out")
    assert document["job_exit_code"] == 0
    assert document["workload"]["event"] is None  # the earlier run has it
    assert "start" not in with_vm.actions()
    assert Path("out/result.json").is_file()


@pytest.mark.slow
def test_after_a_reboot_it_is_started_anew_with_a_new_release(with_vm):
    with_vm.before = _raise_at('"follow"', KeyboardInterrupt())
    _document(with_vm, "", 130)
    assert with_vm.shell("restart demo --backend fake").code == 0
    with_vm.sent.clear()
    document = _document(with_vm)
    assert document["workload"]["event"] is not None
    assert document["create"]["secrets"]["released"] == ["api-key"]
    assert with_vm.actions().count("start") == 1


@pytest.mark.slow
def test_another_workload_of_that_name_is_started_anew(with_vm):
    with_vm.before = _raise_at('"follow"', KeyboardInterrupt())
    _document(with_vm, "", 130)
    _write_job("sh", "-c", "exit 5")
    assert _document(with_vm, "", 5)["job_exit_code"] == 5


@pytest.mark.slow
def test_what_is_left_outranks_the_job(with_vm):
    with_vm.scenario("locked")
    document = _document(with_vm, "--then-delete", 7)
    assert (document["deleted"], document["job_exit_code"]) == (False, 0)


def test_a_sign_in_that_fails_at_once_leaves_nothing_to_delete(runner):
    """Nothing was made, so nothing is said to be left."""
    runner.scenario("subscription-disabled")
    document = _document(runner, "--then-delete", 4)
    assert document["exit_code"] == 4
    assert _is_clean(runner)
