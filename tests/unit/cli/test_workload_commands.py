"""`ps`, `run --stop`, `logs --workload` and `tunnel` of a workload's port."""

import json
import urllib.request
from dataclasses import replace
from typing import Any

import pytest

from support.attesting import another_machine, make_demo
from support.running import JOB, SERVER, Runner


@pytest.fixture
def runner(shell, prepared) -> Runner:
    """A user with a VM that is set up."""
    return Runner(prepared(shell, make_demo))


def test_a_vm_without_workloads(runner):
    assert runner.shell("ps demo --backend fake").out == "no workloads\n"


@pytest.mark.slow
def test_workloads_are_listed(runner, golden):
    runner(SERVER)
    runner(f"{JOB} --wait -- sh -c 'exit 3'")
    golden("cli/ps.txt", str(runner.shell("ps demo --backend fake")))
    (job, server) = runner.shell("ps demo --backend fake -o json").document["workloads"]
    assert (job["state"], job["exit_code"], job["kind"]) == ("failed", 3, "job")
    assert (server["state"], server["ports"]) == ("running", [30000])


@pytest.mark.slow
def test_a_reboot_stops_them_and_ps_says_how_to_go_on(runner, golden):
    runner(SERVER)
    runner(f"{JOB} --wait -- true")
    assert runner.shell("restart demo --backend fake").code == 0
    golden("cli/ps-rebooted.txt", str(runner.shell("ps demo --backend fake")))
    (server,) = runner.shell("ps demo --backend fake -o json").document["workloads"]
    assert server["state"] == "stopped-by-reboot"
    assert runner.shell(server["command"].removeprefix("ccgpu ")).code == 0
    assert runner.workloads == {"sglang": "running"}


def test_a_workload_is_stopped_by_name(runner):
    runner(SERVER)
    done = runner("--stop sglang")
    assert (done.code, done.out) == (0, "sglang of demo is stopped\n")
    assert runner.workloads == {}
    again = runner("--stop sglang")
    assert again.code == 4
    assert "there is no workload sglang in demo" in again.err


@pytest.mark.parametrize("more", ["--wait", "--workload sglang", "--output-dir x"])
def test_a_stop_runs_nothing(runner, more):
    assert runner(f"--stop sglang {more}").code == 2
    assert runner.sent == []


@pytest.mark.slow
def test_the_log_of_a_workload(runner):
    runner(f"{JOB} --wait -- echo hello")
    assert runner.shell("logs demo --workload image --backend fake").out == "hello\n"
    document = runner.shell("logs demo --workload image --backend fake -o json").document
    assert document == {
        "schema": "ccgpu.logs/1",
        "name": "demo",
        "source": "workload",
        "workload": "image",
        "text": "hello\n",
    }
    assert runner.shell("logs demo --workload image --serial --backend fake").code == 2
    assert runner.shell("logs demo --workload none --backend fake").code == 4


@pytest.mark.slow
def test_a_log_is_followed_to_its_end_or_until_ctrl_c(runner):
    runner(f"{JOB} -- python train.py")
    done = runner.shell("logs demo --workload image --follow --backend fake")
    assert done.out.splitlines()[-1].startswith("step 10/10")

    runner(SERVER)

    def stop(_: float) -> None:
        raise KeyboardInterrupt

    runner.shell = replace(runner.shell, pause=stop)
    followed = runner.shell("logs demo --workload sglang --follow --backend fake")
    assert followed.code == 0
    assert followed.out.splitlines()[-1] == "ready: listening on port 30000"


def _ask_through_tunnel(runner: Runner, words: str) -> dict[str, Any]:
    """The models of the server, while a tunnel is open."""
    found: dict[str, Any] = {}

    def use(_: float) -> None:
        address = runner.shell.out.getvalue().strip()
        with urllib.request.urlopen(
            f"http://{address}/v1/models", timeout=10
        ) as answer:  # on loopback
            found.update(json.loads(answer.read()))
        raise KeyboardInterrupt

    runner.shell = replace(runner.shell, pause=use)
    assert runner.shell(f"tunnel demo {words} --backend fake").code == 0
    return found


@pytest.mark.slow
def test_a_tunnel_to_a_workload_by_its_name(runner):
    runner(SERVER)
    assert _ask_through_tunnel(runner, "sglang")["data"][0]["id"] == "org/small"
    assert _ask_through_tunnel(runner, "30000")["data"][0]["id"] == "org/small"


@pytest.mark.slow
def test_a_workload_that_does_not_run_has_no_port(runner):
    done = runner.shell("tunnel demo sglang --backend fake")
    assert done.code == 4
    runner(f"{JOB} -- python train.py")
    assert runner.shell("tunnel demo image --backend fake").code == 2


@pytest.mark.slow
def test_another_machine_finds_the_port_in_the_log_of_the_vm(runner, tmp_path):
    runner(SERVER)
    other = another_machine(tmp_path, runner.shell.arm)
    (listed,) = other("ps demo --backend fake -o json").document["workloads"]
    assert (listed["name"], listed["kind"], listed["ports"]) == ("sglang", None, [])

    def stop(_: float) -> None:
        raise KeyboardInterrupt

    done = replace(other, pause=stop)("tunnel demo sglang --backend fake -o json")
    assert done.document["port"] == 30000
