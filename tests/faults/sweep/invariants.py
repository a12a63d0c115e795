"""What must hold whatever goes wrong; the simulated subscription is the checker, not the tool.

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
from ccgpu.fakearm import FAKE_SUBSCRIPTION, FakeArm, Request, Response
from support.cloud import Machine

_HOST = "management.azure.com"
# The longest a command may take: its own hour, an undo, and a pause that began just before.
_MAX_DURATION = 3600.0 + 1200.0 + 600.0


@dataclass
class InvariantChecker:
    """Watches every request, and keeps what was wrong."""

    machine: Machine
    foreign_resources: dict[str, str] = field(default_factory=dict)
    foreign_elements: set[str] = field(default_factory=set)  # paths of rules and subnets of others
    violations: list[str] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)

    def report(self, what: str, detail: str) -> None:
        """Something that must hold does not."""
        self.counts[what] = self.counts.get(what, 0) + 1
        self.violations.append(f"{what}: {detail}")

    def check_token(self, request: Request) -> Response | None:
        """Before anything else: where does the token go?"""
        host = urlsplit(request.url).hostname
        if host != _HOST and request.headers.get("Authorization"):
            self.report("tokens sent to foreign hosts", str(host))
        return None

    def check_write(self, request: Request, answer: Response) -> None:
        """After each write: is all that exists in a journal, and is there one VM?"""
        vm = request.path.endswith("/virtualMachines/demo")
        if request.method == "PUT" and vm and answer.status == 200:
            self.report("duplicate VMs", "a VM that was there was written over")
        if request.method in ("PUT", "PATCH"):
            self.check_journal()

    def check_journal(self) -> None:
        """Is everything of ours in the journal, but for what Azure names; and is there one VM?"""
        ours = self.own_resources()
        if ours == self._retained():
            return  # deleted, but for the group that guests live in
        if sum("/virtualmachines/" in id_ for id_ in ours) > 1:
            self.report("duplicate VMs", ", ".join(ours))
        known = _journalled_ids(self.machine)
        for id_ in ours:
            azure_named = "/networkinterfaces/" in id_ or "/demo-ip-" in id_
            if id_ not in known and not azure_named:
                self.report("not in the journal", id_)

    def own_resources(self) -> set[str]:
        """Ids, without case, of what exists and is not somebody else's."""
        return {
            id_ for id_ in creation_times(self.machine.arm) if id_ not in self.foreign_resources
        }

    def check_exit_code(self, code: int, allowed: Collection[int], *, left: bool) -> None:
        """Is the exit code one of its causes, or 7, where something is named that may be left?"""
        if code not in allowed and not (code == LeftBehind.exit_code and left):
            self.report("exit codes of another cause", f"{code}, not of {sorted(allowed)}")

    def check_outcome(self, error: BaseException | None, began: float, *, deletes: bool) -> None:
        """The end of the command under the fault."""
        if error is not None and not isinstance(error, CcgpuError):
            self.report("tracebacks", "".join(traceback.format_exception(error)[-3:]))
        if self.machine.arm.now() - began > _MAX_DURATION:
            self.report("unbounded", f"{self.machine.arm.now() - began:.0f} s")
        ours = self.own_resources()
        if error is None and deletes and (ours - self._retained()):
            self.report("false gone", ", ".join(sorted(ours - self._retained())))
        if isinstance(error, CcgpuError):
            self._check_report(error, ours)

    def _check_report(self, error: CcgpuError, ours: set[str]) -> None:
        told = {one.id.casefold(): one.state for one in error.resources}
        for id_, state in told.items():
            if state == "gone" and id_ in ours:
                self.report("false gone", id_)
            if state == "exists" and id_ not in ours:
                self.report("false exists", id_)
        silent = {
            id_ for id_ in ours if told.get(id_, "gone") == "gone" and not _implied_by_vm(id_, told)
        }
        if silent - self._retained():
            self.report("left unsaid", f"{error}: {', '.join(sorted(silent))}")

    def _retained(self) -> set[str]:
        """Our group where guests live in it, and our network where they have a subnet."""
        group = f"/subscriptions/{FAKE_SUBSCRIPTION}/resourcegroups/ccgpu-demo"
        if any("/subnets/" in path for path in self.foreign_elements):
            return {group, f"{group}/providers/microsoft.network/virtualnetworks/demo-vnet"}
        guests = any("/resourcegroups/ccgpu-demo/" in id_ for id_ in self.foreign_resources)
        return {group} if guests else set()

    def check_foreign_elements(self) -> None:
        """What others put into our network is there; a rule goes with the group of its rules."""
        there = creation_times(self.machine.arm)
        for path in self.foreign_elements:
            parent, _, name = path.rsplit("/", 2)
            id_ = f"/subscriptions/{FAKE_SUBSCRIPTION}{parent}".casefold()
            if id_ in there:
                body = self.machine.get(parent, "2026-03-01")["properties"]
                listed = body.get("securityRules") or body.get("subnets") or ()
                found = name in {one["name"] for one in listed}
            else:
                found = "/securityRules/" in path
            if not found:
                self.report("foreign resources touched", path)

    def vm_id(self) -> str | None:
        """The id that Azure gave the VM; another one is another machine."""
        path = "/resourceGroups/ccgpu-demo/providers/Microsoft.Compute/virtualMachines/demo"
        if not any(id_.endswith("/virtualmachines/demo") for id_ in self.own_resources()):
            return None
        found: str = self.machine.get(path)["properties"]["vmId"]
        return found

    def check_same_vm(self, before: str | None) -> None:
        """After a create: a VM that has run is not replaced."""
        after = self.vm_id()
        if before is not None and after is not None and before != after:
            self.report("good VMs replaced", f"{before} by {after}")

    def check_nothing_left(self) -> None:
        """After the last delete."""
        if left := self.own_resources() - self._retained():
            self.report("leaked resources", ", ".join(sorted(left)))
        bodies = creation_times(self.machine.arm)
        for id_, body in self.foreign_resources.items():
            if bodies.get(id_) != body:
                self.report("foreign resources touched", id_)


def _implied_by_vm(id_: str, told: Iterable[str]) -> bool:
    """A VM that is named speaks for its NIC and public IP, which Azure names."""
    dependent = "/networkinterfaces/" in id_ or "/demo-ip-" in id_
    return dependent and any("/virtualmachines/" in one for one in told)


def creation_times(arm: FakeArm) -> dict[str, str]:
    """Every resource of the subscription by its id without case, and when it was made."""
    return {one["id"].casefold(): one["created"] for one in arm.show()["resources"]}


def _journalled_ids(machine: Machine) -> set[str]:
    """Ids in the journals of all machines of the case."""
    found: set[str] = set()
    for file in machine.state.parent.glob(f"*/journals/{FAKE_SUBSCRIPTION}/*.json"):
        document = json.loads(file.read_text(encoding="utf-8"))
        found |= {record["id"].casefold() for record in document["records"]}
    return found
