"""The component for GitLab: what its scripts do on the simulated subscription."""

import pytest

from support.pipelines import COMPONENT, Agent, gitlab_environ, gitlab_jobs
from support.slow import mostly_slow

_HOSTILE = "$(touch pwned)'; touch pwned; '`touch pwned`"
_LEASE = 4 * 3600


class GitLabJob:
    """A job that extends `.confidential-gpu`, and the two jobs of the component."""

    def __init__(self, agent: Agent, **inputs: str) -> None:
        self.agent = agent
        self.jobs = gitlab_jobs(**inputs)

    def run(self, name: str, *keywords: str, more: str = "", kill_after: int | None = None):
        """Run the scripts of these keywords in one shell."""
        lines = [line for keyword in keywords for line in self.jobs[name][keyword]]
        environ = gitlab_environ(self.jobs, name, self.agent)
        return self.agent.run("\n".join(["set -e", *lines, more]), environ, kill_after)

    def before(self, more: str = "true", kill_after: int | None = None):
        """The create, and the user's script `more`."""
        return self.run(".confidential-gpu", "before_script", more=more, kill_after=kill_after)

    def after(self):
        """What always runs, in a shell of its own."""
        return self.run(".confidential-gpu", "after_script")


@pytest.fixture
def doubled(machine):
    """A job on a machine whose `ccgpu` is a double."""
    return GitLabJob(machine)


@pytest.mark.slow
def test_a_job_has_an_attested_vm_until_after_script(tmp_path):
    job = GitLabJob(Agent(tmp_path))
    done = job.before('ccgpu show "$CCGPU_NAME" --query state -o tsv')
    assert done.code == 0, done.log
    assert done.log.endswith("attested\n")
    for name in ("ccgpu-report.html", "ccgpu-bundle.json"):
        assert (job.agent.project / name).stat().st_size > 1000
    assert job.agent.simulated()["billing"]
    assert job.after().code == 0
    assert job.agent.simulated()["resources"] == []
    assert "canary" not in done.log


@pytest.mark.slow
@pytest.mark.parametrize("requests", mostly_slow([35, 20, 50], 3, 3))
def test_a_killed_job_is_tidied_up_by_any_of_the_three(tmp_path, requests):
    for number, tidy_up in enumerate(("after", "delete", "gc")):
        job = GitLabJob(Agent(tmp_path / str(number)))
        job.before(kill_after=requests)
        assert job.agent.simulated()["resources"]
        if tidy_up == "after":
            done = job.after()
        elif tidy_up == "delete":
            done = job.run("confidential-gpu-delete", "script")
        else:
            job.agent.simulated(after=_LEASE + 660)
            done = job.run("confidential-gpu-gc", "script")
        assert done.code == 0, done.log
        left = job.agent.simulated(after=3600)
        assert (left["resources"], left["billing"]) == ([], [])


def test_the_last_job_deletes_what_its_pipeline_left_and_nothing_else(doubled, tools):
    tools.answer("list", (0, "ci-42-777-1001\nci-42-777-1002"))
    done = doubled.run("confidential-gpu-delete", "script")
    assert done.code == 0, done.log
    listed, *deleted = tools.calls
    query = "deployments[?starts_with(name, 'ci-42-777-')].[name]"
    assert listed == ["list", "--query", query, "-o", "tsv"]
    assert [words[:2] for words in deleted] == [
        ["delete", "ci-42-777-1001"],
        ["delete", "ci-42-777-1002"],
    ]


@pytest.mark.slow
def test_the_last_job_fails_if_something_is_left(doubled, tools):
    tools.answer("list", (0, "ci-42-777-1001"))
    tools.answer("delete", (7, ""))
    done = doubled.run("confidential-gpu-delete", "script")
    assert done.code == 1
    assert "may still be there and cost money: ci-42-777-1001" in done.log


@pytest.mark.slow
def test_the_last_job_fails_if_it_cannot_list(doubled, tools):
    tools.answer("list", (4, ""))
    assert doubled.run("confidential-gpu-delete", "script").code == 4


@pytest.mark.slow
def test_a_delete_that_fails_is_tried_again(doubled, tools):
    tools.answer("delete", (7, ""), (0, ""))
    assert doubled.after().code == 0
    tools.answer("delete", (7, ""))
    done = doubled.after()
    assert (done.code, "confidential-gpu-delete tries again" in done.log) == (1, True)


@pytest.mark.slow
@pytest.mark.parametrize(("create", "attest", "code"), [(9, 9, 9), (5, 0, 5), (0, 8, 8), (9, 0, 9)])
def test_a_job_without_an_accepted_verdict_fails(doubled, tools, create, attest, code):
    tools.answer("create", (create, ""))
    tools.answer("attest", (attest, ""))
    assert doubled.before("echo the script runs").code == code
    assert [words[0] for words in tools.calls] == ["create", *["attest"] * (create in {0, 9})]


def test_no_input_reaches_a_shell(machine, tools, tmp_path):
    inputs = {"spec": _HOSTILE, "policy": _HOSTILE}
    job = GitLabJob(machine, **inputs)
    job.before()
    assert f"--file={_HOSTILE}" in tools.calls[0]
    assert not list(tmp_path.rglob("pwned"))


@pytest.mark.parametrize("name", ["prefix", "ttl"])
def test_inputs_that_name_things_have_a_form(name):
    with pytest.raises(ValueError, match=name):
        gitlab_jobs(**{name: _HOSTILE})


def test_inputs_stand_in_no_script():
    _, body = COMPONENT.read_text().split("\n---\n")
    for line in body.splitlines():
        assert "$[[" not in line or line.split("$[[")[0].rstrip().endswith(":"), line


def test_the_assertion_is_in_a_file_of_its_own_that_others_cannot_read(doubled):
    doubled.before()
    (file,) = doubled.agent.folder.glob("builds/assertion-*")
    assert (file.read_text(), file.stat().st_mode & 0o777) == ("canary.assertion.text", 0o600)


def test_what_always_runs_says_so():
    jobs = gitlab_jobs()
    assert jobs["confidential-gpu-delete"]["when"] == "always"
    assert jobs["confidential-gpu-delete"]["stage"] == ".post"
    assert jobs["confidential-gpu-gc"]["rules"][0]["when"] == "always"
    audience = {"aud": "api://AzureADTokenExchange"}
    assert jobs[".confidential-gpu-base"]["id_tokens"] == {"AZURE_ASSERTION": audience}
    assert all(job.get("extends") for name, job in jobs.items() if not name.endswith("-base"))
