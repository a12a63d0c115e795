"""Check what is for CI services: schemas by check-jsonschema, workflows by zizmor, both offline.

    lint_pipelines.py [ROOT]

The schemas come with check-jsonschema. What services accept and schemas do not know is put into the
form that it has in a run: the header of a GitLab component is a document of its own, and steps and
name of a job that a template of Azure DevOps is given stand in it.
"""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
_BIN = Path(sys.executable).parent
_SCHEMAS: dict[str, tuple[list[str], list[str]]] = {
    "vendor.github-workflows": (["examples/ci/github-*.yml", ".github/workflows/*.yml"], []),
    "vendor.github-actions": (["action/**/action.yml"], []),
    "vendor.gitlab-ci": (
        ["examples/ci/gitlab-*.yml", "templates/*.yml"],
        ["--data-transform", "gitlab-ci"],
    ),
    "vendor.azure-pipelines": (  # its patterns are no Unicode ones
        ["examples/ci/azure-*.yml", "pipelines/azure-devops/*.yml"],
        ["--data-transform", "azure-pipelines", "--regex-variant", "nonunicode"],
    ),
}
_INSERTED = {  # by Azure DevOps, before a run
    "- ${{ parameters.steps }}\n": "- bash: inserted\n",
    "job: ${{ parameters.job }}\n": "job: confidential_gpu\n",
}


def commands(root: Path, work: Path) -> Iterator[list[str]]:
    """The command of each check. Files in the form of a run are written below `work`."""
    for schema, (patterns, options) in _SCHEMAS.items():
        files = [file for pattern in patterns for file in sorted(root.glob(pattern))]
        if not files:
            sys.exit(f"error: there is no file for {schema}")
        copies = [str(copy) for file in files for copy in _as_in_a_run(file, root, work)]
        yield [str(_BIN / "check-jsonschema"), "--builtin-schema", schema, *options, *copies]
    of_github = ("vendor.github-workflows", "vendor.github-actions")
    workflows = [file for name in of_github for one in _SCHEMAS[name][0] for file in root.glob(one)]
    words = ["--offline", "--persona", "pedantic", "--no-progress", "--no-config", "--quiet"]
    yield [str(_BIN / "zizmor"), *words, *map(str, sorted(workflows))]


def _as_in_a_run(file: Path, root: Path, work: Path) -> Iterator[Path]:
    """A copy of each document of the file."""
    text = file.read_text(encoding="utf-8")
    for expression, value in _INSERTED.items():
        text = text.replace(expression, value)
    for number, document in enumerate(text.split("\n---\n")):
        copy = work / str(number) / file.relative_to(root)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text(document + "\n", encoding="utf-8")
        yield copy


def main(arguments: list[str]) -> int:
    """Run each check; 1 if any has found something."""
    root = Path(arguments[0]).resolve() if arguments else ROOT
    with tempfile.TemporaryDirectory() as folder:
        codes = [subprocess.run(c, check=False).returncode for c in commands(root, Path(folder))]
    return 1 if any(codes) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
