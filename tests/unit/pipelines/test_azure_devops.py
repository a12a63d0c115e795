"""The template for Azure DevOps: what its scripts do on the simulated subscription."""

import re

import pytest
import yaml

from support.pipelines import AZURE_GC, AZURE_JOB, Agent, AzureJob, azure_steps
from support.slow import mostly_slow

_HOSTILE = "$(touch pwned)'; touch pwned; '`touch pwned`"
_NAME = "ci-0a1b2c3d-555-1-12f1170f"


@pytest.fixture
def doubled(machine):
    """A job on a machine whose `ccgpu` is a double."""
    return AzureJob(machine)


@pytest.mark.slow
def test_a_job_has_an_attested_vm_until_its_last_step(tmp_path):
    job = AzureJob(Agent(tmp_path))
    install, create, delete = azure_steps(AZURE_JOB)
    assert job.run(install).code == 0
    assert job.variables["ccgpuName"] == _NAME
    done = job.run(create)
    assert done.code == 0, done.log
    uploaded = re.findall(r"##vso\[artifact\.upload artifactname=(\S+)\](\S+)", done.log)
    assert [path.rsplit("/", 1)[1] for _, path in uploaded] == [
        "ccgpu-bundle.json",
        "ccgpu-report.html",
    ]
    assert job.agent.simulated()["billing"]
    assert job.run(delete).code == 0
    assert job.agent.simulated()["resources"] == []


@pytest.mark.slow
@pytest.mark.parametrize("requests", mostly_slow([35, 20, 50], 3, 3))
def test_a_killed_create_is_tidied_up_by_the_last_step_and_by_gc(tmp_path, requests):
    for number in range(2):
        job = AzureJob(Agent(tmp_path / str(number)))
        install, create, delete = azure_steps(AZURE_JOB)
        job.run(install)
        job.run(create, kill_after=requests)
        assert job.agent.simulated()["resources"]
        if number:
            job.agent.simulated(after=4 * 3600 + 660)
            install, collect = azure_steps(AZURE_GC)
            job.run(install)
            done = job.run(collect)
        else:
            done = job.run(delete)
        assert done.code == 0, done.log
        left = job.agent.simulated(after=3600)
        assert (left["resources"], left["billing"]) == ([], [])


def test_the_last_step_deletes_the_vm_and_tries_again(doubled, tools):
    install, _, delete = azure_steps(AZURE_JOB)
    doubled.run(install)
    tools.answer("delete", (7, ""), (0, ""))
    assert doubled.run(delete).code == 0
    assert tools.calls == [["delete", _NAME, "--yes", "--no-input"]] * 2


@pytest.mark.slow
def test_the_last_step_fails_if_something_is_left(doubled, tools):
    install, _, delete = azure_steps(AZURE_JOB)
    doubled.run(install)
    tools.answer("delete", (7, ""))
    done = doubled.run(delete)
    assert done.code == 1
    assert f"##vso[task.logissue type=error]{_NAME} may still be there" in done.log


def test_a_job_that_created_nothing_has_nothing_to_delete(doubled, tools):
    done = doubled.run(azure_steps(AZURE_JOB)[2])
    assert (done.code, done.log) == (0, "nothing was created\n")
    assert tools.calls == []


@pytest.mark.slow
@pytest.mark.parametrize(("create", "attest", "code"), [(9, 9, 9), (5, 0, 5), (0, 8, 8), (9, 0, 9)])
def test_a_step_without_an_accepted_verdict_fails(doubled, tools, create, attest, code):
    install, step, _ = azure_steps(AZURE_JOB)
    doubled.run(install)
    tools.answer("create", (create, ""))
    tools.answer("attest", (attest, ""))
    assert doubled.run(step).code == code


def test_what_a_vm_says_is_no_command_to_the_agent(doubled, tools):
    install, create, _ = azure_steps(AZURE_JOB)
    doubled.run(install)
    tools.answer("create", (0, "x ##vso[task.setvariable variable=ccgpuName]other"))
    done = doubled.run(create)
    assert "##vso" not in done.log
    assert doubled.variables == {"ccgpuName": _NAME}


@pytest.mark.slow
def test_no_parameter_reaches_a_shell(doubled, tools, tmp_path):
    parameters = {"spec": _HOSTILE, "ttl": _HOSTILE, "policy": _HOSTILE, "lock": _HOSTILE}
    install, create, _ = azure_steps(AZURE_JOB, **parameters)
    doubled.run(install)
    doubled.run(create)
    assert {f"--file={_HOSTILE}", f"--ttl={_HOSTILE}"} <= set(tools.calls[0])
    assert doubled.run(azure_steps(AZURE_JOB, prefix=_HOSTILE)[0]).code == 2
    assert not list(tmp_path.rglob("pwned"))


@pytest.mark.parametrize("file", [AZURE_JOB, AZURE_GC], ids=lambda file: file.name)
def test_parameters_and_variables_stand_in_no_script(file):
    for step in azure_steps(file):
        assert not re.search(r"\$\{\{|\$\([a-z]\w*\)(?!\))", step["script"].replace("$(date)", ""))


def test_what_always_runs_says_so():
    job = yaml.safe_load(AZURE_JOB.read_text())["jobs"][0]
    last = job["steps"][-1]
    assert (last["condition"], job["cancelTimeoutInMinutes"]) == ("always()", "30")
    assert "ccgpu delete" in last["inputs"]["inlineScript"]
    connections = [s["inputs"]["azureSubscription"] for s in job["steps"] if "task" in s]
    assert connections == ["${{ parameters.serviceConnection }}"] * 2
