"""Runs the GitHub Action as a runner would, on the simulated subscription.

Here it really builds and installs the commit that it belongs to: the tests of its scripts have no
network.
"""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

from commands import ROOT, fail, say
from environment import BIN
from installer import index_settings

_FILES = ("GITHUB_OUTPUT", "GITHUB_STATE", "GITHUB_PATH", "GITHUB_STEP_SUMMARY")
_ENTRY = re.compile(r"^(\w+)<<(\S+)\n(.*?)\n\2$", re.MULTILINE | re.DOTALL)


def run_action(folder: Path) -> None:
    """Let the Action install, create, attest and delete; end if any of it fails."""
    node = shutil.which("node")
    if node is None:
        if os.environ.get("CI"):
            fail("the GitHub Action needs nodejs", "install Node.js 18 or newer")
        say("the GitHub Action is not run: it needs nodejs")
        return
    environ = _environ(folder)
    _step(node, "main.js", environ)
    outputs, states = (_entries(folder / name) for name in ("GITHUB_OUTPUT", "GITHUB_STATE"))
    if outputs.get("verdict") != "accepted" or not Path(outputs["report"]).is_file():
        fail("the GitHub Action has no accepted verdict with a report", json.dumps(outputs))
    _step(node, "post.js", environ | {f"STATE_{name}": value for name, value in states.items()})
    command = [states["executable"], "fake", "show", "-o", "json"]
    shown = subprocess.run(command, env=environ, capture_output=True, check=True).stdout
    if json.loads(shown)["resources"]:
        fail("the post step of the GitHub Action left resources", shown.decode())


def _step(node: str, script: str, environ: dict[str, str]) -> None:
    say(f"$ node action/{script}")
    home = environ["HOME"]
    done = subprocess.run([node, ROOT / "action" / script], cwd=home, env=environ, check=False)
    if done.returncode:
        fail(f"action/{script} ended with {done.returncode}", "its log is above")


def _environ(folder: Path) -> dict[str, str]:
    home = folder / "workspace"
    home.mkdir()
    (home / "vm.yaml").write_text("regions: [eastus2]\nssh_from: 203.0.113.7/32\n")
    inputs = {"PYTHON": str(BIN / "python"), "SPEC": "vm.yaml", "PREFIX": "ci", "TTL": "1h"}
    for name in _FILES:
        (folder / name).touch()
    return {
        **index_settings(BIN / "python"),
        **{name: str(folder / name) for name in _FILES},
        **{f"INPUT_{name}": value for name, value in inputs.items()},
        "CCGPU_BACKEND": "fake",
        "CCGPU_FAKE_STATE": str(folder / "fake.sqlite"),
        "HOME": str(home),
        "PATH": os.environ["PATH"],
        "RUNNER_TEMP": str(folder / "temp"),
    }


def _entries(file: Path) -> dict[str, str]:
    """The entries of a file of `NAME<<END` blocks."""
    return {name: value for name, _, value in _ENTRY.findall(file.read_text())}
