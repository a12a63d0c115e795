"""The scripts of the GitHub Action: what they pass on, publish and print, and that they delete."""

import json
import re
import shutil
import subprocess
from itertools import starmap

import pytest

from support.actions_runner import ACTION, CCGPU, Job, StubProgram
from support.repository import ROOT
from support.slow import mostly_slow

_SHOWN = json.dumps({"public_ip": "198.51.100.7", "private_ip": "10.0.0.4"})
_HOSTILE = "</td><script>x</script> | @all [a](b) `c` **d** ::set-output name=verdict::accepted"


def verdict(what: str = "accepted", **changes: object) -> str:
    """A verdict document of `attest`."""
    document = {
        "verdict": what,
        "simulated": False,
        "policy": "default",
        "at": "2026-01-01T00:00:00Z",
    }
    return json.dumps(document | {"reasons": [], "not_proven": []} | changes)


@pytest.fixture
def stub(tmp_path):
    stub = StubProgram(tmp_path / "tools")
    stub.answer("show", (0, _SHOWN))
    stub.answer("attest", (0, verdict()))
    return stub


@pytest.fixture
def job(tmp_path, stub):
    return Job(tmp_path, {"executable": str(stub.path)})


def test_the_scripts_need_nothing_but_node():
    scripts = {str(file.relative_to(ACTION)): file.read_text() for file in ACTION.rglob("*.js")}
    assert sorted(scripts) == [
        *("gc/main.js", "lib/deployment.js", "lib/install.js", "lib/programs.js"),
        *("lib/runner.js", "lib/summary.js", "main.js", "post.js"),
    ]
    needed = re.findall(r"(?:require|import)\(['\"](.*?)['\"]\)", "".join(scripts.values()))
    assert len(needed) > 20
    assert all(name.startswith(("node:", "./", "../")) for name in needed)


@pytest.mark.slow
def test_it_creates_attests_and_publishes(job, stub):
    step = job.main()
    assert step.code == 0, step.log
    name = job.outputs["name"]
    assert re.fullmatch(r"ci-1234567890-1-[0-9a-f]{8}", name)
    create, show, attest = stub.calls
    spec = f"--file={job.workspace / 'vm.yaml'}"
    words = [spec, "--ttl=4h", "--no-input", "--yes", "--policy=default"]
    assert create == ["create", name, *words]
    assert show == ["show", name, "-o", "json"]
    folder = job.folder / "temp" / f"ccgpu-{name}"
    bundle, report = folder / "ccgpu-bundle.json", folder / "ccgpu-report.html"
    files = [f"--save={bundle}", f"--report={report}"]
    assert attest == ["attest", name, "--policy=default", *files, "-o", "json"]
    assert job.outputs == {
        "name": name,
        "address": "198.51.100.7",
        "ssh": f"{stub.path} ssh {name}",
        "verdict": "accepted",
        "bundle": str(bundle),
        "report": str(report),
    }
    assert job.text("GITHUB_PATH") == f"{stub.path.parent}\n"
    assert "**accepted**" in job.summary
    assert "https://github.example/owner/project/actions/runs/1234567890#artifacts" in job.summary


@pytest.mark.slow
def test_no_two_jobs_have_the_same_name(tmp_path, stub):
    names = set()
    for number in range(3):
        (tmp_path / str(number)).mkdir()
        job = Job(tmp_path / str(number), {"executable": str(stub.path)})
        assert job.main().code == 0
        names.add(job.outputs["name"])
    assert len(names) == 3


@pytest.mark.slow
def test_a_private_vm_has_its_private_address(job, stub):
    stub.answer("show", (0, json.dumps({"public_ip": None, "private_ip": "10.0.0.4"})))
    assert job.main().code == 0
    assert job.outputs["address"] == "10.0.0.4"


@pytest.mark.slow
def test_the_post_step_deletes_what_the_main_step_named(job, stub):
    job.main()
    step = job.post()
    assert step.code == 0, step.log
    assert stub.calls[-1] == ["delete", job.outputs["name"], "--yes", "--no-input"]
    assert "deleted, nothing is left" in job.summary


@pytest.mark.slow
def test_the_name_is_saved_before_the_create_begins(job, stub):
    """The stub dies in the create, as if it and the main step had been killed there."""
    stub.answer("create", (137, ""))
    assert job.main().code == 1
    assert job.entries("GITHUB_STATE") == {
        "executable": str(stub.path),
        "name": stub.calls[0][1],
    }


def test_a_job_that_created_nothing_has_nothing_to_delete(job, stub):
    job.inputs["ttl"] = "forever"
    assert job.main().code == 1
    step = job.post()
    assert (step.code, "nothing was created" in step.log) == (0, True)
    assert stub.calls == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("code", "attested", "meaning"),
    mostly_slow(
        [
            pytest.param(9, True, "the evidence was rejected"),
            pytest.param(5, False, "the quota does not suffice"),
            pytest.param(6, False, "Azure has no capacity"),
            pytest.param(7, False, "something of it is left"),
            pytest.param(10, False, "does not become ready"),
            pytest.param(1, False, "ended with 1"),
        ],
        3,
    ),
)
def test_a_create_that_fails_fails_the_step(job, stub, code, attested, meaning):
    stub.answer("create", (code, ""))
    step = job.main()
    assert step.code == 1
    assert meaning in step.log
    assert ("attest" in [words[0] for words in stub.calls]) == attested


@pytest.mark.slow
@pytest.mark.parametrize(
    ("code", "out", "published"),
    mostly_slow(
        starmap(
            pytest.param,
            [
                (9, verdict("rejected", reasons=["some.reason"]), "rejected"),
                (8, "", None),
                (0, "", None),
            ],
        ),
        3,
    ),
)
def test_only_an_accepted_verdict_passes(job, stub, code, out, published):
    stub.answer("attest", (code, out))
    assert job.main().code == 1
    assert job.outputs.get("verdict") == published
    assert ("some&#46;reason" in job.summary) == (published == "rejected")


@pytest.mark.slow
def test_a_delete_that_fails_is_tried_again(job, stub):
    stub.answer("delete", (4, ""), (7, ""), (0, ""))
    job.main()
    step = job.post()
    assert step.code == 0
    assert [words[0] for words in stub.calls].count("delete") == 3


@pytest.mark.slow
def test_a_post_step_that_cannot_delete_fails_and_says_what_to_do(job, stub):
    stub.answer("delete", (7, ""))
    job.inputs["delete-attempts"] = "2"
    job.main()
    step = job.post()
    name = job.outputs["name"]
    assert step.code == 1
    assert [words[0] for words in stub.calls].count("delete") == 2
    assert f"::error title=ccgpu::the VM was not deleted: {name} may still be there" in step.log
    assert f"`ccgpu delete {name} --yes`" in step.log
    assert "**Not deleted**" in job.summary


@pytest.mark.slow
@pytest.mark.parametrize("value", ["", "none", "-1", "0", "1e9"])
def test_no_input_keeps_the_post_step_from_deleting(job, stub, value):
    job.main()
    job.inputs["delete-attempts"] = job.inputs["delete-pause"] = value
    assert job.post().code == 0
    assert stub.calls[-1][0] == "delete"


@pytest.mark.slow
def test_no_summary_and_no_folder_keep_the_post_step_from_deleting(job, stub):
    job.main()
    shutil.rmtree(job.folder / "temp")
    shutil.rmtree(job.folder / "home")
    job.environ["GITHUB_STEP_SUMMARY"] = str(job.folder / "none" / "summary")
    assert job.post().code == 0
    assert stub.calls[-1][0] == "delete"


@pytest.mark.slow
def test_a_program_that_a_step_has_removed_is_found_again(job, stub, tmp_path):
    job.main()
    state = (job.folder / "GITHUB_STATE").read_text()
    (job.folder / "GITHUB_STATE").write_text(state.replace(str(stub.path), str(tmp_path / "gone")))
    step = job.post()
    assert (step.code, "is gone: installing ccgpu again" in step.log) == (0, True)
    assert stub.calls[-1][0] == "delete"


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["spec", "policy", "set", "prefix", "ttl", "executable", "wheel", "ref"]
)
@pytest.mark.parametrize(
    "value",
    mostly_slow(
        [
            "$(touch pwned)",
            "`touch pwned`",
            "--yes\n--file=x",
            "'; touch pwned; '",
            "a && touch pwned",
        ],
        *(5, 2),
    ),
)
def test_no_input_reaches_a_shell_or_becomes_an_option(job, stub, name, value):
    job.inputs[name] = value
    if name in {"wheel", "ref"}:
        job.inputs["executable"] = ""
    job.main()
    assert not list(job.folder.rglob("pwned"))
    for words in stub.calls:
        known = (
            "--file=",
            "--ttl=",
            "--policy=",
            "--set=",
            "--save=",
            "--report=",
            "-o",
            "--no-input",
        )
        options = [word for word in words if word.startswith("-") and not word.startswith(known)]
        assert options in ([], ["--yes"])


@pytest.mark.slow
def test_fields_are_given_one_a_line(job, stub):
    job.inputs["set"] = "os_disk.size_gib=512\n\n  spot=true\n"
    job.main()
    assert stub.calls[0][-2:] == ["--set=os_disk.size_gib=512", "--set=spot=true"]


@pytest.mark.slow
def test_what_a_vm_says_is_no_command_to_the_runner_and_no_markup(job, stub):
    stub.answer("create", (0, _HOSTILE))
    stub.answer("attest", (9, verdict("rejected", reasons=[_HOSTILE])))
    step = job.main()
    at = step.log.index("set-output")
    token = re.findall(r"::stop-commands::([\w-]{36})\n", step.log[:at])[-1]
    assert f"\n::{token}::\n" in step.log[at:]
    assert f"::{token}::" not in step.log[:at].split("::stop-commands::")[-1]
    assert not re.search(r"<script|@all|\]\(b\)|`c`|\*\*d", job.summary)


@pytest.mark.slow
def test_secrets_are_not_printed_and_pip_does_not_get_them(job, stub, tmp_path):
    canaries = {
        "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "canary-one",
        "AZURE_CLIENT_SECRET": "canary-two",
        "GITHUB_TOKEN": "canary-three",
    }
    job.environ |= canaries
    job.main()
    assert canaries.items() <= stub.environs[0].items()  # ccgpu signs in with them
    logs = (
        job.main().log
        + job.post().log
        + "".join(p.read_text() for p in job.folder.glob("GITHUB_*"))
    )
    python = StubProgram(tmp_path / "python")
    python.answer("-I", (1, ""))
    job.inputs |= {"executable": "", "python": str(python.path)}
    step = job.main()
    assert "is not a Python 3.11 or newer" in step.log
    assert python.environs
    assert not any(set(environ) & set(canaries) for environ in python.environs)
    assert "canary" not in logs + step.log


@pytest.mark.slow
@pytest.mark.parametrize(
    ("inputs", "problem"),
    [
        ({"wheel": "a.whl", "ref": "0" * 40}, "give one of them"),
        ({"wheel": "none.whl", "lock": "vm.yaml"}, "none.whl does not exist"),
        ({"wheel": "a.whl"}, "input lock"),
        ({"wheel": "vm.yaml", "lock": "vm.yaml"}, "is not the path of a wheel"),
        ({"ref": "main"}, "is not a full commit id"),
        ({"ref": "0" * 40, "repository": "../x/y"}, "is not OWNER/NAME"),
        ({"executable": "none"}, "does not exist"),
        (
            {"wheel": "a.whl", "lock": "vm.yaml", "python": "no-such-python"},
            "is not a Python 3.11 or newer",
        ),
    ],
)
def test_an_installation_that_is_not_pinned_is_refused(job, inputs, problem):
    (job.workspace / "a.whl").touch()
    job.inputs |= {"executable": ""} | inputs
    step = job.main()
    assert (step.code, problem in step.log) == (1, True), step.log
    assert job.text("GITHUB_STATE") == ""


@pytest.fixture
def python(job, tmp_path):
    """A Python that notes what it is asked to install; it answers for the installed ccgpu too."""
    python = StubProgram(tmp_path / "python")
    python.answer("show", (0, _SHOWN))
    python.answer("attest", (0, verdict()))
    job.inputs |= {"executable": "", "python": str(python.path)}
    return python


def pip_calls(python):
    """What pip was asked, from the command on."""
    calls = [words for words in python.calls if words[:3] == ["-I", "-m", "pip"]]
    return [words[words.index("-qq") + 1 :] for words in calls]


def from_lock(lock):
    """An installation of all that a lock pins, and of nothing else."""
    return ["install", "--no-deps", "--require-hashes", "--only-binary", ":all:", "-r", str(lock)]


@pytest.mark.slow
def test_a_wheel_is_installed_with_its_lock(job, python):
    for name in ("a.whl", "some.lock"):
        (job.workspace / name).touch()
    job.inputs |= {"wheel": "a.whl", "lock": "some.lock"}
    step = job.main()
    assert step.code == 0, step.log
    assert pip_calls(python) == [
        from_lock(job.workspace / "some.lock"),
        ["install", "--no-deps", "--no-index", str(job.workspace / "a.whl")],
        ["check"],
    ]
    env = job.folder / "temp" / f"ccgpu-{job.outputs['name']}" / "env"
    assert job.text("GITHUB_PATH") == f"{env / 'bin'}\n"
    assert job.outputs["ssh"].startswith(f"{env / 'bin' / 'ccgpu'} ssh ")


@pytest.mark.slow
def test_without_wheel_and_ref_the_commit_of_the_action_is_built_and_installed(job, python):
    assert job.main().code == 0
    assert_built_from(ROOT, python)


def assert_built_from(source, python):
    """A wheel of `source` was built by the locked backend, and installed with the lock there."""
    backend, build, lock, install, check = pip_calls(python)
    assert backend == from_lock(source / "requirements-build.lock")
    options = ["wheel", "--no-deps", "--no-index", "--no-build-isolation", "--wheel-dir"]
    assert (build[:5], build[6]) == (options, str(source))
    assert lock == from_lock(source / "requirements.lock")
    wheel = f"{build[5]}/ccgpu-1-py3-none-any.whl"
    assert install == ["install", "--no-deps", "--no-index", wheel]
    assert check == ["check"]


@pytest.mark.slow
def test_a_ref_is_fetched_by_its_commit(job, python, tmp_path):
    commit = make_repository(tmp_path / "owner" / "project.git")
    job.inputs["ref"] = commit
    job.environ["GITHUB_SERVER_URL"] = f"file://{tmp_path}"
    step = job.main()
    assert step.code == 0, step.log
    source = job.folder / "temp" / f"ccgpu-{job.outputs['name']}" / "source"
    assert (source / "marker").read_text() == "this commit"
    assert_built_from(source, python)


@pytest.mark.slow
def test_a_ref_that_the_repository_lacks_is_refused(job, python, tmp_path):
    make_repository(tmp_path / "owner" / "project.git")
    job.inputs["ref"] = "0123456789" * 4
    job.environ["GITHUB_SERVER_URL"] = f"file://{tmp_path}"
    assert job.main().code == 1
    assert pip_calls(python) == []


def make_repository(folder):
    """A repository with one commit; returns its id."""
    if not shutil.which("git"):
        pytest.skip("needs git")
    folder.mkdir(parents=True)
    (folder / "marker").write_text("this commit")
    who = ("-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false")
    for words in (["init", "-q"], ["add", "."], [*who, "commit", "-qm", "a"]):
        subprocess.run(["git", "-C", folder, *words], check=True, capture_output=True)
    command = ["git", "-C", folder, "rev-parse", "HEAD"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.mark.slow
def test_gc_reports_what_it_found_and_fails_if_something_is_left(job, stub):
    found = {"name": "ci-1", "why": "expired", "action": "failed", "reason": "Locked"}
    stub.answer("gc", (7, json.dumps({"deployments": [found]})))
    step = job.gc()
    assert step.code == 1
    assert stub.calls == [["gc", "--yes", "-o", "json"]]
    assert "expired, failed, Locked" in job.summary
    stub.answer("gc", (0, json.dumps({"deployments": []})))
    assert job.gc().code == 0


@pytest.mark.slow
def test_on_the_simulated_subscription_a_vm_is_there_until_the_post_step(tmp_path):
    job = Job(tmp_path)
    step = job.main()
    assert step.code == 0, step.log
    assert job.simulated()["billing"]
    assert job.outputs["verdict"] == "accepted"
    assert "simulated: this proves nothing" in job.summary
    for name in ("bundle", "report"):
        assert (tmp_path / "temp").joinpath(job.outputs[name]).stat().st_size > 1000
    assert job.post().code == 0
    assert job.simulated()["resources"] == []


@pytest.mark.slow
def test_a_rejected_vm_fails_the_step_with_a_report_and_is_deleted(tmp_path):
    job = Job(tmp_path)
    environ = {"CCGPU_FAKE_STATE": str(job.world), "HOME": str(tmp_path / "home")}
    subprocess.run(
        [CCGPU, "fake", "scenario", "old-firmware"], env=environ, check=True, capture_output=True
    )
    assert job.main().code == 1
    assert job.outputs["verdict"] == "rejected"
    assert (tmp_path / job.outputs["report"]).stat().st_size > 1000
    assert job.post().code == 0
    assert job.simulated()["billing"] == []
