"""A one shot that a signal hits at any moment: nothing is left, and nothing was released unproven.

SIGINT and SIGTERM end as docs/run.md says: the process deletes the VM itself. After SIGKILL, what
the page promises does: `ccgpu delete` on this machine, or on any other `ccgpu gc --yes` once the
lease is over.
"""

import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ccgpu.fakearm import FakeArm
from support.cli import Shell
from support.cloud import PUBLIC_KEY, vendors
from support.repository import ROOT
from support.slow import mostly_slow

pytestmark = pytest.mark.slow  # tests/unit/cli/test_run_endings.py has endings in this process

MOMENTS = 50
_SIGNALS = (signal.SIGKILL, signal.SIGINT, signal.SIGTERM)
_JOB = """
name: demo
regions: [eastus2]
ssh_from: 203.0.113.7/32
ttl: 3h
secrets:
  - {name: api-key, env: API_KEY}
workload:
  use: image
  image: docker.io/library/python:3.12-slim
  secrets: [api-key]
  outputs: /outputs
  command: [python, train.py]
"""
_LINE = "create -f job.yaml --run --then-delete --output-dir out -o json"
_ATTESTED = 1310.0  # virtual seconds at which the VM is attested
_AWAY = 4 * 3600.0  # virtual seconds after which the lease is over


@dataclass
class OneShotUser:
    """A user whose one shot is hit by a signal."""

    folder: Path

    def prepare(self, settings: Mapping[str, Any]) -> None:
        """An empty subscription with these settings, a key, and the job."""
        (self.folder / "home" / ".ssh").mkdir(parents=True)
        key = self.folder / "home" / ".ssh" / "id_ed25519.pub"
        key.write_text(f"{PUBLIC_KEY} me\n")
        (self.folder / "job.yaml").write_text(_JOB)
        (self.folder / "vendors.json").write_text(vendors().as_text())
        arm = FakeArm(self.folder / "world")
        arm.configure(settings)
        arm.close()

    def start(self, number: int, at: int) -> subprocess.CompletedProcess[str]:
        """The command, which is sent this signal at this step."""
        env = {
            **os.environ,
            "HOME": str(self.folder / "home"),
            "API_KEY": "canary-4711",
            "PYTHONPATH": os.pathsep.join((str(ROOT / "src"), str(ROOT / "tests"))),
        }
        own = ["support.one_shot_process", str(self.folder), str(number), str(at)]
        return subprocess.run(
            [sys.executable, "-m", *own, *_LINE.split()],
            cwd=self.folder,
            env=env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )

    def run(self, line: str, *, elsewhere: bool = False) -> None:
        """Clean up, on this machine or on one that knows nothing of the deployment."""
        arm = FakeArm(self.folder / "world")
        if elsewhere:
            arm.advance(_AWAY)
        place = self.folder / "elsewhere" if elsewhere else self.folder
        done = Shell(place, arm=arm)(line)
        arm.close()
        assert done.code == 0, done

    def left(self) -> set[str]:
        """The ids that exist, and those that bill, when all that is under way has ended."""
        arm = FakeArm(self.folder / "world")
        arm.advance(3600)
        shown = arm.show()
        arm.close()
        return {one["id"] for one in shown["resources"]} | {*shown["billing"]}

    def require_proven_releases(self) -> None:
        """Each release was to a boot that had given good evidence before, and was good then."""
        file = self.folder / "witness"
        proven: set[str] = set()
        for line in file.read_text().splitlines() if file.exists() else ():
            seen = json.loads(line)
            if seen["what"] == "evidence" and seen["good"]:
                proven.add(seen["boot"])
            elif seen["what"] == "evidence":
                proven.discard(seen["boot"])
            else:
                assert seen["good"], "a secret was released to a VM that was bad by then"
                assert seen["boot"] in proven, "a secret was released without evidence"


@pytest.fixture(scope="module")
def steps(tmp_path_factory: pytest.TempPathFactory) -> int:
    """How many steps a one shot has that nothing hits."""
    user = OneShotUser(tmp_path_factory.mktemp("unhurt"))
    user.prepare({})
    done = user.start(0, -1)
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert (document["deleted"], document["job_exit_code"]) == (True, 0)
    assert user.left() == set()
    user.require_proven_releases()
    return int((user.folder / "steps").read_text())


def test_a_one_shot_has_enough_steps_to_be_hit_at(steps: int) -> None:
    assert steps >= 2 * MOMENTS


@pytest.mark.parametrize("seed", mostly_slow(range(MOMENTS), MOMENTS, 25))
def test_nothing_is_left_and_nothing_released_unproven(
    tmp_path: Path, steps: int, seed: int
) -> None:
    random_ = random.Random(seed)
    number = _SIGNALS[seed % len(_SIGNALS)]
    at = random_.randrange(steps)
    user = OneShotUser(tmp_path)
    user.prepare(_settings(random_))
    done = user.start(number, at)
    where = f"seed {seed}: {signal.Signals(number).name} at step {at} of {steps}"
    user.require_proven_releases()
    if number == signal.SIGKILL:
        _clean_up(user, random_)
    else:
        assert done.returncode in (0, 4, 9, 130), f"{where}: {done.stderr}"
    assert user.left() == set(), f"{where}: {done.returncode} {done.stderr}"


def _settings(random_: random.Random) -> dict[str, Any]:
    """In every third subscription, the VM's firmware turns bad around the time of its verdict."""
    if random_.random() > 1 / 3:
        return {}
    after = _ATTESTED + random_.uniform(-60.0, 60.0)
    bad = {"guest": {"evidence": "old-firmware"}}
    return {"timeline": [{"after": after, "settings": bad}]}


def _clean_up(user: OneShotUser, random_: random.Random) -> None:
    if random_.random() < 1 / 2:
        user.run("delete demo --backend fake --yes")
    else:
        (user.folder / "elsewhere").mkdir()
        user.run("gc --backend fake --yes", elsewhere=True)
