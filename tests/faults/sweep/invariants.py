"""What must hold under every fault. The simulated subscription proves it, not the tool's output.

I1 no leak · I2 the journal names all that exists · I3 one VM, same ids · I4 delete is complete · I5
reports are true · I8 it ends · I9 foreign resources are untouched · I10 tokens go to ARM only · I11
exit codes match the cause · I12 no traceback.
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
# A command's longest duration: its hour, a rollback, and a pause that began before the end.
_MAX_DURATION = 3600.0 + 1200.0 + 600.0


@dataclass
class InvariantChecker:
    """Checks every request and the end of the command; collects violations."""

    machine: Machine
    foreign_resources: dict[str, str] = field(default_factory=dict)
    foreign_elements: set[str] = field(default_factory=set)  # paths of rules and subnets
    violations: list[str] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    repeats: int = 0  # ends that were like one that was judged before

    def report_violation(self, what: str, detail: str) -> None:
        """Record that something that must hold does not."""
        self.counts[what] = self.counts.get(what, 0) + 1
        self.violations.append(f"{what}: {detail}")

    def check_token(self, request: Request) -> Response | None:
        """Before any fault: the token goes to ARM's host only."""
        host = urlsplit(request.url).hostname
        if host != _HOST and request.headers.get("Authorization"):
            self.report_violation("tokens sent to foreign hosts", str(host))
        return None

    def check_write(self, request: Request, answer: Response) -> None:
        """After each write: no VM is overwritten, and the journal is complete."""
        vm = request.path.endswith("/virtualMachines/demo")
        if request.method == "PUT" and vm and answer.status == 200:
            self.report_violation("duplicate VMs", "a VM that was there was written over")
        if request.method in ("PUT", "PATCH"):
            self.check_journal()

    def check_journal(self) -> None:
        """All own resources are in the journal, except those Azure names; there is one VM."""
        ours = self.own_resources()
        if ours == self._retained():
            return  # deleted, except the group that holds foreign resources
        if sum("/virtualmachines/" in id_ for id_ in ours) > 1:
            self.report_violation("duplicate VMs", ", ".join(ours))
        known = _journalled_ids(self.machine)
        for id_ in ours:
            azure_named = "/networkinterfaces/" in id_ or "/demo-ip-" in id_
            if id_ not in known and not azure_named:
                self.report_violation("not in the journal", id_)

    def own_resources(self) -> set[str]:
        """The case-folded ids of all resources that are not foreign."""
        return {
            id_ for id_ in creation_times(self.machine.arm) if id_ not in self.foreign_resources
        }

    def check_exit_code(self, code: int, allowed: Collection[int], *, left: bool) -> None:
        """The exit code matches a cause, or is 7 and the report names what is left."""
        if code not in allowed and not (code == LeftBehind.exit_code and left):
            self.report_violation(
                "exit codes of another cause", f"{code}, not of {sorted(allowed)}"
            )

    def check_outcome(
        self, error: BaseException | None, began: float, *, deletes: bool, reads: bool = False
    ) -> None:
        """Check how the command under the fault ended. reads: it names nothing that is left."""
        if error is not None and not isinstance(error, CcgpuError):
            self.report_violation("tracebacks", "".join(traceback.format_exception(error)[-3:]))
        if self.machine.arm.now() - began > _MAX_DURATION:
            self.report_violation("unbounded", f"{self.machine.arm.now() - began:.0f} s")
        ours = self.own_resources()
        if error is None and deletes and (ours - self._retained()):
            self.report_violation("false gone", ", ".join(sorted(ours - self._retained())))
        if isinstance(error, CcgpuError) and not reads:
            self._check_report(error, ours)

    def _check_report(self, error: CcgpuError, ours: set[str]) -> None:
        reported = {one.id.casefold(): one.state for one in error.resources}
        for id_, state in reported.items():
            if state == "gone" and id_ in ours:
                self.report_violation("false gone", id_)
            if state == "exists" and id_ not in ours:
                self.report_violation("false exists", id_)
        silent = {
            id_
            for id_ in ours
            if reported.get(id_, "gone") == "gone" and not _implied_by_vm(id_, reported)
        }
        if silent - self._retained():
            self.report_violation("left unsaid", f"{error}: {', '.join(sorted(silent))}")

    def _retained(self) -> set[str]:
        """The group with foreign resources in it, and the network with a foreign subnet."""
        group = f"/subscriptions/{FAKE_SUBSCRIPTION}/resourcegroups/ccgpu-demo"
        if any("/subnets/" in path for path in self.foreign_elements):
            return {group, f"{group}/providers/microsoft.network/virtualnetworks/demo-vnet"}
        shared = any("/resourcegroups/ccgpu-demo/" in id_ for id_ in self.foreign_resources)
        return {group} if shared else set()

    def check_foreign_elements(self) -> None:
        """Foreign rules and subnets still exist; a rule may go with its group."""
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
                self.report_violation("foreign resources touched", path)

    def vm_id(self) -> str | None:
        """The VM's id from Azure. Another id is another VM."""
        path = "/resourceGroups/ccgpu-demo/providers/Microsoft.Compute/virtualMachines/demo"
        if not any(id_.endswith("/virtualmachines/demo") for id_ in self.own_resources()):
            return None
        found: str = self.machine.get(path)["properties"]["vmId"]
        return found

    def check_same_vm(self, before: str | None) -> None:
        """After a create: a VM that has run is not replaced."""
        after = self.vm_id()
        if before is not None and after is not None and before != after:
            self.report_violation("good VMs replaced", f"{before} by {after}")

    def check_nothing_left(self) -> None:
        """After the last delete: no own resource is left, foreign ones are unchanged."""
        if left := self.own_resources() - self._retained():
            self.report_violation("leaked resources", ", ".join(sorted(left)))
        bodies = creation_times(self.machine.arm)
        for id_, body in self.foreign_resources.items():
            if bodies.get(id_) != body:
                self.report_violation("foreign resources touched", id_)


def _implied_by_vm(id_: str, reported: Iterable[str]) -> bool:
    """Whether a named VM also names this NIC or public IP, whose names Azure chose."""
    dependent = "/networkinterfaces/" in id_ or "/demo-ip-" in id_
    return dependent and any("/virtualmachines/" in one for one in reported)


def creation_times(arm: FakeArm) -> dict[str, str]:
    """The creation time of every resource by case-folded id."""
    return {one["id"].casefold(): one["created"] for one in arm.show()["resources"]}


def _journalled_ids(machine: Machine) -> set[str]:
    """The ids in the journals of all machines of the case."""
    found: set[str] = set()
    for file in machine.state.parent.glob(f"*/journals/{FAKE_SUBSCRIPTION}/*.json"):
        document = json.loads(file.read_text(encoding="utf-8"))
        found |= {record["id"].casefold() for record in document["records"]}
    return found
