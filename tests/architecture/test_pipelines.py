"""What is for CI services passes its linters, and the linters find what they are for."""

import shutil
import subprocess

import pytest

import lint_pipelines
from support.pipelines import AZURE_GC, AZURE_JOB, azure_steps, gitlab_jobs
from support.repository import ROOT


@pytest.fixture
def copy(tmp_path):
    """The files that are linted, in a folder of their own."""
    for name in ("action", "pipelines", "examples/ci", ".github"):
        shutil.copytree(ROOT / name, tmp_path / name)
    (tmp_path / "templates").mkdir()
    shutil.copy(ROOT / "templates" / "confidential-gpu.yml", tmp_path / "templates")
    return tmp_path


_SLIPS = [
    ("action/action.yml", "using: node20", "using: node8", "node8"),
    ("examples/ci/github-gc.yml", "runs-on:", "runs_on:", "runs_on"),
    ("templates/confidential-gpu.yml", "stage: .post\n  when: always", "when: often", "often"),
    ("pipelines/azure-devops/gc.yml", "displayName: Install", "display: Install", "devops/gc.yml"),
    (".github/workflows/release.yml", "timeout-minutes", "timeout", "'timeout'"),
    (".github/workflows/release.yml", "permissions: {}", "permissions: write-all", "excessive"),
    (
        "examples/ci/github-actions.yml",
        'ccgpu exec "$NAME"',
        "ccgpu exec ${{ github.head_ref }}",
        "template-injection",
    ),
    (
        "examples/ci/github-actions.yml",
        "action@0000000000000000000000000000000000000000",
        "action@main",
        "unpinned-uses",
    ),
]


@pytest.mark.slow
def test_each_slip_is_found(copy, capfd):
    """The files themselves pass: `dev.py check` runs the linters on them."""
    for file, old, new, _ in _SLIPS:
        text = (copy / file).read_text()
        assert old in text
        (copy / file).write_text(text.replace(old, new, 1))
    assert lint_pipelines.main([str(copy)]) == 1
    found = "".join(capfd.readouterr())
    assert [said for *_, said in _SLIPS if said not in found] == []


def test_a_kind_of_file_that_is_missing_is_an_error(copy, tmp_path):
    shutil.rmtree(copy / "pipelines")
    (copy / "examples" / "ci" / "azure-pipelines.yml").unlink()
    with pytest.raises(SystemExit, match=r"no file for vendor\.azure-pipelines"):
        list(lint_pipelines.commands(copy, tmp_path / "work"))


@pytest.mark.slow
def test_every_script_in_a_pipeline_passes_shellcheck():
    if not shutil.which("shellcheck"):
        pytest.skip("needs shellcheck")
    keywords = ("before_script", "script", "after_script")
    jobs = gitlab_jobs().values()
    scripts = [("sh", "\n".join(job[key])) for job in jobs for key in keywords if key in job]
    scripts += [("bash", step["script"]) for f in (AZURE_JOB, AZURE_GC) for step in azure_steps(f)]
    assert len(scripts) >= 9
    for shell, script in scripts:
        command = ["shellcheck", "-s", shell, "-"]
        done = subprocess.run(command, input=script, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout) == (0, ""), script
