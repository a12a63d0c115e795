"""Secrets of a run: released after the verdict, once, and seen by the container alone."""

import json
from pathlib import Path

import pytest

from support.attesting import make_demo
from support.running import JOB, Runner

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
  command: [cat, /run/secrets/api-key]
"""


@pytest.fixture
def runner(shell, prepared, monkeypatch) -> Runner:
    """A user with a VM that is set up, and a spec with a secret."""
    monkeypatch.setenv("API_KEY", "canary-4711")
    Path("vm.yaml").write_text(_SPEC)
    return Runner(prepared(shell, make_demo))


def _in_order(runner: Runner) -> list[str]:
    marks = ("ccgpu-collect", "ccgpu-release", '"start"', "put ")
    found = [next((mark for mark in marks if mark in line), "") for line in runner.sent]
    return [mark for mark in found if mark]


@pytest.mark.slow
def test_a_secret_is_released_after_the_verdict_and_before_the_start(runner):
    document = runner.document("-f vm.yaml --wait")
    assert document["secrets"] == {"released": ["api-key"], "kept": []}
    order = _in_order(runner)
    assert order.index("ccgpu-collect") < order.index("ccgpu-release") < order.index('"start"')
    shown = runner.shell("logs demo --workload image --backend fake")
    assert shown.out == "canary-4711\n"  # the container prints what it was given
    assert not any("canary-4711" in line for line in runner.sent)


@pytest.mark.slow
def test_what_the_vm_holds_is_not_released_again(runner, monkeypatch):
    runner.document("-f vm.yaml --wait")
    monkeypatch.delenv("API_KEY")
    document = runner.document("-f vm.yaml --wait --replace")
    assert document["secrets"] == {"released": [], "kept": ["api-key"]}


@pytest.mark.slow
def test_a_source_that_is_not_there_starts_nothing(runner, monkeypatch):
    monkeypatch.delenv("API_KEY")
    document = runner.document("-f vm.yaml --wait", 2)
    assert "API_KEY is not set" in document["cause"]["message"]
    assert "start" not in runner.actions()


def test_a_secret_of_no_known_source_is_named(runner):
    done = runner(f"{JOB} --secret other --wait -- true")
    assert done.code == 2
    assert "the VM does not have the secret other" in done.err
    assert "ccgpu secret put demo other --from-file FILE" in done.err
    assert "start" not in runner.actions()


@pytest.mark.slow
def test_a_rejected_vm_gets_no_secret(runner):
    runner.scenario("old-firmware")
    runner.document("-f vm.yaml --wait", 9)
    assert not any("ccgpu-release" in line for line in runner.sent)


def test_the_event_names_the_mount_and_never_the_value(runner):
    event = json.loads(runner.document("-f vm.yaml --wait")["workload"]["event"])
    assert event["mounts"] == ["/run/ccgpu/secrets/api-key:/run/secrets/api-key:ro"]
    assert "canary" not in json.dumps(event)
    assert not any("canary" in one.read_text() for one in runner.shell.state.rglob("*.workloads"))
