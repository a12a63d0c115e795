"""`ccgpu attest` under one fault, and what has to hold whatever the fault is.

- It ends within `--timeout`, with one of the exit codes 0, 8, 9, 10 and 11 and no traceback.
- The message names the cause.
- Unless the evidence was accepted, the GPU is not ready and the host key not attested.
- Unless `attest` ended with 0, `show` does not say `attested`.
- It ends with 0 only under the faults that it rides out, and then all is as it is without a fault.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from ccgpu.fakearm import FakeArm
from ccgpu.fakeguest.guest import SimulatedGuest
from support.attesting import Attester
from support.cli import CommandResult, Shell

LIMIT = 55.0  # seconds, `--timeout`: less than any command in the guest may take
DONE, UNAVAILABLE, REJECTED, NOT_READY, TIMED_OUT = 0, 8, 9, 10, 11


class Fault(Protocol):
    """Something that goes wrong."""

    def install(self, attester: Attester) -> Attester:
        """The same machine, with the fault on its way."""
        ...

    @property
    def fired(self) -> bool:
        """Whether it has happened."""
        ...


@dataclass(frozen=True)
class Case:
    """A fault, and how `attest` ends under it.

    says: is in what the user reads. accepted: whether the verdict is, when the exit code is not 0.
    gpu_ready: whether the GPU has to be ready at an end with 0; not if the guest lies about it.
    limit: seconds of `--timeout`.
    """

    name: str
    fault: Any
    code: int
    says: str = ""
    accepted: bool = False
    gpu_ready: bool = True
    limit: float = LIMIT


@dataclass
class Trial:
    """One run of `attest` under a fault."""

    case: Case
    attester: Attester
    violations: list[str] = field(default_factory=list)

    def run(self) -> list[str]:
        """What did not hold."""
        fault, arm = self.case.fault, self.attester.shell.arm
        began = arm.now()
        done = fault.install(self.attester)(f"--timeout {self.case.limit:.0f}s")
        self._require(fault.fired, "the fault did not happen")
        took = arm.now() - began
        self._require(took <= self.case.limit, f"it took {took:.0f} s")
        self._require(done.code == self.case.code, f"exit {done.code}, not {self.case.code}")
        self._require("Traceback" not in done.err and done.code != 1, "a traceback")
        self._require(self.case.says in done.out + done.err, f"does not say {self.case.says!r}")
        self._check_consequences(done)
        if self.violations:
            self.violations.append(str(done)[-3000:])
        return self.violations

    def _check_consequences(self, done: CommandResult) -> None:
        """What became of the VM, by its own word and this machine's records."""
        accepted = bool(done.out) and done.document["verdict"] == "accepted"
        good = self.case.code == DONE
        self._require(accepted == (good or self.case.accepted), f"accepted: {accepted}")
        shown = self.attester.shown
        known = self.attester.known_key(shown["vm_id"])
        attested = known is not None and known.source == "attested"
        self._require(attested == accepted, f"the host key is attested: {attested}")
        ready = _is_ready(self.attester, shown["public_ip"])
        self._require(accepted or not ready, "the GPU is ready")
        state = shown["state"]
        self._require((state == "attested") == (done.code == DONE), f"show says {state}")
        if done.code == DONE:
            self._require(ready == self.case.gpu_ready, f"the GPU is ready: {ready}")
            self._require(all(one["ok"] for one in done.document["checks"]), "a check failed")

    def _require(self, held: bool, otherwise: str) -> None:
        if not held:
            self.violations.append(otherwise)


def _is_ready(attester: Attester, address: str) -> bool:
    """Whether the GPU of the VM is ready, as the simulated machine has it."""
    with attester.shell.arm.machine_at(address) as machine:
        return machine is not None and SimulatedGuest(machine).is_ready


def prepare(folder: Path) -> Path:
    """A machine's state beside a subscription with the VMs `demo` and `other`, both set up."""
    folder.mkdir()
    arm = FakeArm(folder / "world")
    Attester(Shell(folder, arm).with_key()).make().make("other")
    arm.close()
    return folder


@contextmanager
def copied(prepared: Path, folder: Path) -> Iterator[Attester]:
    """The prepared state for one trial alone."""
    shutil.copytree(prepared, folder)
    arm = FakeArm(folder / "world")
    yield Attester(Shell(folder, arm))
    arm.close()
