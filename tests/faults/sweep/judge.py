"""What must hold whatever goes wrong; the simulated subscription is the witness, not the tool.

I1 no leak · I2 journal ⊇ cloud · I3 one VM, same ids · I4 delete is total · I5 the report is true ·
I8 it ends · I9 others' things are untouched · I10 tokens stay home · I11 exit codes by cause ·
I12 no traceback.
"""

import json
import traceback
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from ccgpu.errors import CcgpuError, LeftBehind
from ccgpu.fakearm import FAKE_SUBSCRIPTION, Answer, FakeArm, Request
from support.cloud import Machine

_HOST = "management.azure.com"
# The longest a command may take: its own hour, an undo, and a pause that began just before.
_LONGEST = 3600.0 + 1200.0 + 600.0


@dataclass
class Witness:
    """Watches every request, and keeps what was wrong."""

    machine: Machine
    strangers: dict[str, str] = field(default_factory=dict)
    elements: set[str] = field(default_factory=set)  # paths of rules and subnets of others
    wrong: list[str] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)

    def blame(self, what: str, detail: str) -> None:
        """Something that must hold does not."""
        self.counts[what] = self.counts.get(what, 0) + 1
        self.wrong.append(f"{what}: {detail}")

    def sees(self, request: Request) -> Answer | None:
        """Before anything else: where does the token go?"""
        host = urlsplit(request.url).hostname
        if host != _HOST and request.headers.get("Authorization"):
            self.blame("tokens sent to foreign hosts", str(host))
        return None

    def committed(self, request: Request, answer: Answer) -> None:
        """After each write: is all that exists in a journal, and is there one VM?"""
        vm = request.path.endswith("/virtualMachines/demo")
        if request.method == "PUT" and vm and answer.status == 200:
            self.blame("duplicate VMs", "a VM that was there was written over")
        if request.method in ("PUT", "PATCH"):
            self.all_known()

    def all_known(self) -> None:
        """Is everything of ours in the journal, but for what Azure names; and is there one VM?"""
        ours = self.ours()
        if ours == self._kept():
            return  # deleted, but for the group that guests live in
        if sum("/virtualmachines/" in id_ for id_ in ours) > 1:
            self.blame("duplicate VMs", ", ".join(ours))
        known = _journalled(self.machine)
        for id_ in ours:
            azure_named = "/networkinterfaces/" in id_ or "/demo-ip-" in id_
            if id_ not in known and not azure_named:
                self.blame("not in the journal", id_)

    def ours(self) -> set[str]:
        """Ids, without case, of what exists and is not somebody else's."""
        return {id_ for id_ in created(self.machine.arm) if id_ not in self.strangers}

    def ended(self, code: int, allowed: Collection[int], *, left: bool) -> None:
        """Is the exit code one of its causes, or 7, where something is named that may be left?"""
        if code not in allowed and not (code == LeftBehind.exit_code and left):
            self.blame("exit codes of another cause", f"{code}, not of {sorted(allowed)}")

    def judge(self, error: BaseException | None, began: float, *, deletes: bool) -> None:
        """The end of the command under the fault."""
        if error is not None and not isinstance(error, CcgpuError):
            self.blame("tracebacks", "".join(traceback.format_exception(error)[-3:]))
        if self.machine.arm.now() - began > _LONGEST:
            self.blame("unbounded", f"{self.machine.arm.now() - began:.0f} s")
        ours = self.ours()
        if error is None and deletes and (ours - self._kept()):
            self.blame("false gone", ", ".join(sorted(ours - self._kept())))
        if isinstance(error, CcgpuError):
            self._check_report(error, ours)

    def _check_report(self, error: CcgpuError, ours: set[str]) -> None:
        told = {one.id.casefold(): one.state for one in error.resources}
        for id_, state in told.items():
            if state == "gone" and id_ in ours:
                self.blame("false gone", id_)
            if state == "exists" and id_ not in ours:
                self.blame("false exists", id_)
        silent = {
            id_ for id_ in ours if told.get(id_, "gone") == "gone" and not _speaks_for(id_, told)
        }
        if silent - self._kept():
            self.blame("left unsaid", f"{error}: {', '.join(sorted(silent))}")

    def _kept(self) -> set[str]:
        """Our group where guests live in it, and our network where they have a subnet."""
        group = f"/subscriptions/{FAKE_SUBSCRIPTION}/resourcegroups/ccgpu-demo"
        if any("/subnets/" in path for path in self.elements):
            return {group, f"{group}/providers/microsoft.network/virtualnetworks/demo-vnet"}
        guests = any("/resourcegroups/ccgpu-demo/" in id_ for id_ in self.strangers)
        return {group} if guests else set()

    def elements_stay(self) -> None:
        """What others put into our network is there; a rule goes with the group of its rules."""
        there = created(self.machine.arm)
        for path in self.elements:
            parent, _, name = path.rsplit("/", 2)
            id_ = f"/subscriptions/{FAKE_SUBSCRIPTION}{parent}".casefold()
            if id_ in there:
                body = self.machine.get(parent, "2026-03-01")["properties"]
                listed = body.get("securityRules") or body.get("subnets") or ()
                found = name in {one["name"] for one in listed}
            else:
                found = "/securityRules/" in path
            if not found:
                self.blame("foreign resources touched", path)

    def vm_id(self) -> str | None:
        """The id that Azure gave the VM; another one is another machine."""
        path = "/resourceGroups/ccgpu-demo/providers/Microsoft.Compute/virtualMachines/demo"
        if not any(id_.endswith("/virtualmachines/demo") for id_ in self.ours()):
            return None
        found: str = self.machine.get(path)["properties"]["vmId"]
        return found

    def same_vm(self, before: str | None) -> None:
        """After a create: a VM that has run is not replaced."""
        after = self.vm_id()
        if before is not None and after is not None and before != after:
            self.blame("good VMs replaced", f"{before} by {after}")

    def nothing_left(self) -> None:
        """After the last delete."""
        if left := self.ours() - self._kept():
            self.blame("leaked resources", ", ".join(sorted(left)))
        bodies = created(self.machine.arm)
        for id_, body in self.strangers.items():
            if bodies.get(id_) != body:
                self.blame("foreign resources touched", id_)


def _speaks_for(id_: str, told: Iterable[str]) -> bool:
    """A VM that is named speaks for its NIC and public IP, which Azure names."""
    dependent = "/networkinterfaces/" in id_ or "/demo-ip-" in id_
    return dependent and any("/virtualmachines/" in one for one in told)


def created(arm: FakeArm) -> dict[str, str]:
    """Every resource of the subscription by its id without case, and when it was made."""
    return {one["id"].casefold(): one["created"] for one in arm.show()["resources"]}


def _journalled(machine: Machine) -> set[str]:
    """Ids in the journals of all machines of the case."""
    found: set[str] = set()
    for file in machine.state.parent.glob(f"*/journals/{FAKE_SUBSCRIPTION}/*.json"):
        document = json.loads(file.read_text(encoding="utf-8"))
        found |= {record["id"].casefold() for record in document["records"]}
    return found
