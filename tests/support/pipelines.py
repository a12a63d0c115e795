"""Jobs of GitLab and Azure DevOps: the scripts of our files, run as the services run them.

What the services insert is inserted here: `$[[ inputs.x ]]` and variables by GitLab,
`${{ parameters.x }}` and `$(variable)` by Azure DevOps. Scripts run in real shells, on the
simulated subscription or on a double of `ccgpu`.
"""

import os
import re
import signal
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from ccgpu.fakearm import FakeArm
from support.actions_runner import CCGPU, Step
from support.repository import ROOT

COMPONENT = ROOT / "templates" / "confidential-gpu.yml"
AZURE_JOB = ROOT / "pipelines" / "azure-devops" / "confidential-gpu.yml"
AZURE_GC = ROOT / "pipelines" / "azure-devops" / "gc.yml"


@dataclass
class Agent:
    """A machine that runs the scripts of one job; the programs of `programs` come first."""

    folder: Path
    programs: Path = CCGPU.parent
    environ: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("project", "home", "builds"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        spec = "regions: [eastus2]\nssh_from: 203.0.113.7/32\n"
        (self.project / "vm.yaml").write_text(spec)

    @property
    def project(self) -> Path:
        """The working directory."""
        return self.folder / "project"

    @property
    def world(self) -> Path:
        """The state of the simulated subscription."""
        return self.folder / "world.sqlite"

    def run(self, script: str, environ: Mapping[str, str], kill_after: int | None = None) -> Step:
        """Run a script; kill it with all that it started after so many requests."""
        whole = {
            "PATH": f"{self.programs}:{os.environ['PATH']}",
            "HOME": str(self.folder / "home"),
            "XDG_STATE_HOME": str(self.folder / "home" / "state"),
            "CCGPU_BACKEND": "fake",
            "CCGPU_FAKE_STATE": str(self.world),
            "CI": "true",
            **self.environ,
            **environ,
        }
        process = subprocess.Popen(
            ["bash", "--noprofile", "--norc", "-c", script],
            cwd=self.project,
            env=whole,
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        with process:
            if kill_after is not None:
                self._wait_for_requests(process, kill_after)
                os.killpg(process.pid, signal.SIGKILL)
            log, _ = process.communicate()
        return Step(process.returncode, log)

    def simulated(self, *, after: float = 0) -> Any:
        """Resources, and what bills, once so many seconds have passed."""
        arm = FakeArm(self.world)
        try:
            arm.advance(after)
            return arm.show()
        finally:
            arm.close()

    def _wait_for_requests(self, process: subprocess.Popen[str], number: int) -> None:
        while process.poll() is None:
            if self.world.exists() and len(self.simulated()["requests"]) >= number:
                return
            time.sleep(0.01)  # noqa: TID251  # another process's time


def gitlab_jobs(**inputs: str) -> dict[str, Any]:
    """The jobs of the component with these inputs, and defaults for the others."""
    header, body = COMPONENT.read_text().split("\n---\n")
    declared = yaml.safe_load(header)["spec"]["inputs"]
    given = {"image": "python"} | {
        n: str(o["default"]) for n, o in declared.items() if "default" in o
    }
    given |= inputs
    for name, value in given.items():
        if not re.search(declared[name].get("regex", ""), value):
            raise ValueError(name)

    def inserted(node: Any) -> Any:
        if isinstance(node, dict):
            return {key: inserted(value) for key, value in node.items()}
        if isinstance(node, list):
            return [inserted(value) for value in node]
        if not isinstance(node, str):
            return node
        return re.sub(r"\$\[\[ inputs\.([\w-]+) \]\]", lambda found: given[found[1]], node)

    jobs: dict[str, Any] = inserted(yaml.safe_load(body))
    return jobs


def gitlab_environ(jobs: Mapping[str, Any], name: str, agent: Agent) -> dict[str, str]:
    """The variables of a job; GitLab expands those that are not marked `expand: false`."""
    predefined = {
        "CI_PROJECT_ID": "42",
        "CI_PIPELINE_ID": "777",
        "CI_JOB_ID": "1001",
        "CI_BUILDS_DIR": str(agent.folder / "builds"),
        "AZURE_ASSERTION": "canary.assertion.text",
    }
    base = jobs[".confidential-gpu-base"]["variables"]
    variables = base | jobs[name].get("variables", {})
    found = dict(predefined)
    for key, value in variables.items():
        raw = not isinstance(value, str)
        found[key] = value["value"] if raw else _expanded(value, found)
    return found


def _expanded(text: str, variables: Mapping[str, str]) -> str:
    return re.sub(r"\$(\w+)", lambda found: variables.get(found[1], ""), text)


def azure_steps(file: Path, **parameters: str) -> list[dict[str, Any]]:
    """The steps of our job with these parameters; the user's own are left out."""
    template = yaml.safe_load(file.read_text())
    given = {
        one["name"]: str(one.get("default", "")) for one in template["parameters"]
    } | parameters
    steps = [step for step in template["jobs"][0]["steps"] if isinstance(step, dict)]
    for step in steps:
        step["env"] = {
            key: re.sub(r"\$\{\{ parameters\.(\w+) \}\}", lambda found: given[found[1]], value)
            for key, value in step.get("env", {}).items()
        }
        step["script"] = step.get("bash") or step.get("inputs", {}).get("inlineScript")
    return [step for step in steps if step["script"]]


@dataclass
class AzureJob:
    """A job of Azure DevOps: variables that a step sets are there for the next one."""

    agent: Agent
    variables: dict[str, str] = field(default_factory=dict)

    def run(self, step: Mapping[str, Any], kill_after: int | None = None) -> Step:
        """Run a step and obey the commands in its log."""
        predefined = {
            "AGENT_TEMPDIRECTORY": str(self.agent.folder / "builds"),
            "SYSTEM_COLLECTIONID": "0a1b2c3d-0000-4000-8000-000000000001",
            "SYSTEM_JOBID": "12f1170f-54f2-53f3-20dd-22fc7dff55f9",
            "SYSTEM_JOBATTEMPT": "1",
            "BUILD_BUILDID": "555",
        }
        environ = {key: self._replaced(value) for key, value in step["env"].items()}
        done = self.agent.run(step["script"], predefined | environ, kill_after)
        for name, value in re.findall(r"##vso\[task\.setvariable variable=(\w+)\](.*)", done.log):
            self.variables[name] = value
        return done

    def _replaced(self, text: str) -> str:
        return re.sub(r"\$\((\w+)\)", lambda m: self.variables.get(m[1], m[0]), text)
