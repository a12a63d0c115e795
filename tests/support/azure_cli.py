"""Azure's own CLI, signed in to a `ccgpu fake serve`."""

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import azure_cli
from support.served import Served

# The user's cache folder, and not that of the empty home of a test.
_TOOL = azure_cli.az_environment(os.environ)


@dataclass
class RealAz:
    """`az` with the settings that the server has printed."""

    environment: dict[str, str]

    @property
    def for_scripts(self) -> dict[str, str]:
        """The environment of a script that calls `az`."""
        return self.environment | {"PATH": f"{_TOOL.folder / 'bin'}:{self.environment['PATH']}"}

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run `az WORDS`."""
        command = [str(_TOOL.program("az")), *words]
        return subprocess.run(
            command,
            env=self.environment,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            check=False,
        )

    def __call__(self, line: str, *words: str) -> Any:
        """Run `az LINE WORDS`, which must succeed; its JSON, or None."""
        done = self.run(*line.split(), *words)
        assert done.returncode == 0, f"az {line}: {done.stderr}"
        return json.loads(done.stdout) if done.stdout.strip() else None


def signed_in(served: Served, home: Path) -> RealAz:
    """Sign in with the very commands that the server has printed; skip the test without `az`."""
    if not _TOOL.is_ready():
        pytest.skip("needs azure-cli: python3 scripts/dev.py azure-cli")
    own = {"PATH": os.environ["PATH"], "HOME": str(home), "AZURE_CORE_ONLY_SHOW_ERRORS": "true"}
    az = RealAz(own | served.document["environment"])
    for words in served.document["commands"]:
        done = az.run(*words[1:])
        assert done.returncode == 0, done.stderr
    return az
