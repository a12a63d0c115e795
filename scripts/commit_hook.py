"""Build hook: puts the commit's id into the wheel, for `ccgpu --version -o json`.

The id is that of git, if all files are those of the commit. An sdist has it in a file already. An
editable install has none, nor has what is built from changed files or without git.
"""

import os
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

COMMIT_FILE = "ccgpu/commit.txt"
_PLACES = {"wheel": COMMIT_FILE, "sdist": f"src/{COMMIT_FILE}"}


class CommitHook(BuildHookInterface[Any]):
    """Adds the file with the commit's id."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called before each build; `version` is its kind."""
        root = Path(self.root)
        if version == "editable" or (root / "src" / COMMIT_FILE).is_file():
            return
        commit = clean_commit(root)
        if commit is None:
            return
        self._folder = tempfile.TemporaryDirectory()
        file = Path(self._folder.name) / "commit.txt"
        file.write_text(f"{commit}\n", "ascii")
        build_data["force_include"][str(file)] = _PLACES[self.target_name]

    def finalize(self, *_: Any) -> None:
        """Called after each build."""
        if hasattr(self, "_folder"):
            self._folder.cleanup()


def clean_commit(root: Path) -> str | None:
    """The commit whose files are in `root`; None if they are changed, or there is no git.

    A folder within the repository of something else is not a commit of it.
    """
    try:
        top = _git(root, "rev-parse", "--show-toplevel")
        if Path(top).resolve() != root.resolve() or _git(root, "status", "--porcelain"):
            return None
        return _git(root, "rev-parse", "--verify", "HEAD^{commit}")
    except (OSError, subprocess.CalledProcessError):
        return None


def _git(root: Path, *words: str) -> str:
    # Variables such as GIT_DIR, which a git hook has, are about another repository.
    environ = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    done = subprocess.run(
        ["git", "-C", str(root), *words], env=environ, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()
