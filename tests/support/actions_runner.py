"""A runner of GitHub Actions, as an action of JavaScript sees it: one job, its files, its signals.

Source: actions/runner, `ActionRunner.cs` (INPUT_*, STATE_*; the files are read even when the step
has failed) and `ProcessInvoker.cs` (a cancelled step gets SIGINT, SIGTERM after 7.5 s, and 2.5 s
later its tree is killed).
"""

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from ccgpu.fakearm import FakeArm
from support.repository import ROOT

ACTION = ROOT / "action"
CCGPU = Path(sys.executable).parent / "ccgpu"
GRACE = (7.5, 2.5)  # seconds between SIGINT, SIGTERM and SIGKILL
_FILES = ("GITHUB_OUTPUT", "GITHUB_STATE", "GITHUB_PATH", "GITHUB_STEP_SUMMARY")


@dataclass(frozen=True)
class Step:
    """What a step has left: its exit code and its log."""

    code: int
    log: str


@dataclass
class Job:
    """One job on a machine of its own. `inputs` are those of the action that are not defaults."""

    folder: Path
    inputs: dict[str, str] = field(default_factory=dict)
    environ: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not shutil.which("node"):
            pytest.skip("needs nodejs")
        for name in ("workspace", "temp", "home"):
            (self.folder / name).mkdir()
        for name in _FILES:
            (self.folder / name).touch()
        spec = "regions: [eastus2]\nssh_from: 203.0.113.7/32\n"
        (self.workspace / "vm.yaml").write_text(spec)

    @property
    def workspace(self) -> Path:
        """The working directory of the steps."""
        return self.folder / "workspace"

    @property
    def world(self) -> Path:
        """The state of the simulated subscription."""
        return self.folder / "world.sqlite"

    def main(self, action: Path = ACTION) -> Step:
        """Run the main step to its end."""
        with self.start(action) as process:
            log, _ = process.communicate()
        return Step(process.returncode, log)

    def start(self, action: Path = ACTION) -> subprocess.Popen[str]:
        """Start the main step."""
        return self._node(action / self._runs(action)["main"], {})

    def post(self) -> Step:
        """Run the post step to its end."""
        with self.start_post() as process:
            log, _ = process.communicate()
        return Step(process.returncode, log)

    def start_post(self) -> subprocess.Popen[str]:
        """Start the post step, with what the main step saved."""
        states = {f"STATE_{name}": value for name, value in self.entries("GITHUB_STATE").items()}
        return self._node(ACTION / self._runs(ACTION)["post"], states)

    def gc(self) -> Step:
        """Run the action of the scheduled workflow."""
        return self.main(ACTION / "gc")

    def entries(self, name: str) -> dict[str, str]:
        """The entries of a file of `NAME<<END` blocks."""
        found, lines = {}, iter(self.text(name).splitlines())
        for line in lines:
            key, end = line.split("<<", 1)
            value = []
            while (line := next(lines)) != end:
                value.append(line)
            found[key] = "\n".join(value)
        return found

    @property
    def outputs(self) -> dict[str, str]:
        """The outputs of the step."""
        return self.entries("GITHUB_OUTPUT")

    @property
    def summary(self) -> str:
        """The summary of the job."""
        return self.text("GITHUB_STEP_SUMMARY")

    def text(self, name: str) -> str:
        """What a file of the runner has."""
        return (self.folder / name).read_text()

    def requests(self) -> int:
        """How many requests the simulated subscription has had."""
        if not self.world.exists():
            return 0
        database = sqlite3.connect(f"file:{self.world}?mode=ro", uri=True)
        with closing(database), suppress(sqlite3.OperationalError):  # just made, or written to
            return int(database.execute("SELECT coalesce(max(n), 0) FROM requests").fetchone()[0])
        return 0

    def simulated(self, *, after: float = 0) -> Any:
        """Resources, and what bills, once so many seconds have passed."""
        arm = FakeArm(self.world)
        try:
            arm.advance(after)
            return arm.show()
        finally:
            arm.close()

    def _runs(self, action: Path) -> dict[str, str]:
        runs: dict[str, str] = self._definition(action)["runs"]
        return runs

    def _definition(self, action: Path) -> Any:
        return yaml.safe_load((action / "action.yml").read_text())

    def _node(self, script: Path, states: dict[str, str]) -> subprocess.Popen[str]:
        action = script.parent
        defaults = {
            n: one.get("default", "") for n, one in self._definition(action)["inputs"].items()
        }
        given = {"executable": str(CCGPU), "delete-pause": "0"} | self.inputs
        inputs = defaults | {name: value for name, value in given.items() if name in defaults}
        environ = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder / "home"),
            "XDG_STATE_HOME": str(self.folder / "home" / "state"),
            "CCGPU_BACKEND": "fake",
            "CCGPU_FAKE_STATE": str(self.world),
            "CI": "true",
            "GITHUB_RUN_ID": "1234567890",
            "GITHUB_RUN_ATTEMPT": "1",
            "GITHUB_SERVER_URL": "https://github.example",
            "GITHUB_REPOSITORY": "owner/project",
            "RUNNER_TEMP": str(self.folder / "temp"),
            **{name: str(self.folder / name) for name in _FILES},
            **{f"INPUT_{name.upper()}": value for name, value in inputs.items()},
            **self.environ,
            **states,
        }
        return subprocess.Popen(
            ["node", str(script)],
            cwd=self.workspace,
            env=environ,
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def cancel(process: subprocess.Popen[str], scale: float) -> Step:
    """Cancel a step as the runner does, with its times multiplied by `scale`."""
    with process:
        for number, seconds in zip((signal.SIGINT, signal.SIGTERM), GRACE, strict=True):
            process.send_signal(number)  # to this process alone, not to what it has started
            with suppress(subprocess.TimeoutExpired):
                log, _ = process.communicate(timeout=seconds * scale)
                break
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        log, _ = process.communicate()
    return Step(process.returncode, log)


def wait_for_requests(process: subprocess.Popen[str], job: Job, number: int) -> None:
    """Wait until the subscription has had so many requests, or the step has ended."""
    while job.requests() < number and process.poll() is None:
        time.sleep(0.005)  # noqa: TID251  # another process's time


class StubProgram:
    """A program that notes its arguments and does what a table says.

    As a Python it makes environments with itself in them, and wheels.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / "stub"
        self._calls = folder / "calls"
        self._answers = folder / "answers"
        self._answers.mkdir(parents=True)
        places = {"{calls}": str(self._calls), "{answers}": str(self._answers)}
        script = _STUB
        for name, place in places.items():
            script = script.replace(name, place)
        self.path.write_text(script)
        self.path.chmod(0o755)

    def answer(self, command: str, *answers: tuple[int, str]) -> None:
        """The command ends with these codes and prints these texts; the last one repeats."""
        for file in self._answers.glob(f"{command}.*"):
            file.unlink()
        for number, (code, out) in enumerate(answers):
            file = self._answers / f"{command}.{number}.json"
            file.write_text(json.dumps({"code": code, "out": out}))

    @property
    def calls(self) -> list[list[str]]:
        """The arguments of each call."""
        return [call["words"] for call in self._noted()]

    @property
    def environs(self) -> list[dict[str, str]]:
        """The environment of each call."""
        return [call["environ"] for call in self._noted()]

    def _noted(self) -> list[Any]:
        if not self._calls.exists():
            return []
        return [json.loads(line) for line in self._calls.read_text().splitlines()]


_STUB = (
    f"#!{sys.executable} -IS"
    + """
import json, os, pathlib, shutil, sys
words = sys.argv[1:]
with open("{calls}", "a") as calls:
    print(json.dumps(dict(words=words, environ=dict(os.environ))), file=calls)
if "venv" in words:
    folder = pathlib.Path(words[-1], "bin")
    folder.mkdir(parents=True)
    for name in ("python", "ccgpu"):
        shutil.copy(__file__, folder / name)
if "--wheel-dir" in words:
    folder = pathlib.Path(words[words.index("--wheel-dir") + 1])
    folder.mkdir()
    (folder / "ccgpu-1-py3-none-any.whl").touch()
answers = sorted(pathlib.Path("{answers}").glob(words[0] + ".*.json"))
answer = json.loads(answers[0].read_text()) if answers else dict(code=0, out="")
if len(answers) > 1:
    answers[0].unlink()
print(answer["out"])
sys.exit(answer["code"])
"""
)
