"""The workloads of a VM: list them, stop one, read a log, find a port. No verdict is needed.

The VM is reached over its pinned host key. What was started in an earlier boot is known from this
machine's record alone.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

from ccgpu.azure.context import AzureContext
from ccgpu.domain.workload_record import WorkloadRecord
from ccgpu.errors import NotFound, UsageProblem, WorkloadFailed
from ccgpu.guest.channel import Channel
from ccgpu.guest.listed_workload import ListedWorkload
from ccgpu.guest.workload_answers import AllWorkloads, GuestWorkload, OneWorkload
from ccgpu.guest.workload_requests import ListWorkloads, StatusOfWorkload, StopWorkload
from ccgpu.scheduling.deadline import Deadline
from ccgpu.store.workload_records import WorkloadRecords
from ccgpu.workflows.guest_task import GuestTask
from ccgpu.workflows.record_names import record_name
from ccgpu.workflows.run.following import Line, LogFollower
from ccgpu.workflows.run.guest_calls import WorkloadGuest

TIMEOUT = 900.0  # seconds of a command, but for following a log
_LIST, _STOP, _READ = 60.0, 300.0, 60.0  # seconds
_LOG = "/run/ccgpu/workloads.log"


@dataclass(frozen=True, slots=True)
class WorkloadsOfVm:
    """The workloads of one deployment's VM, over a channel that is connected.

    recorded: The name of this machine's records of the deployment.
    """

    cloud: AzureContext
    name: str
    recorded: str
    guest: WorkloadGuest

    def list_all(self) -> tuple[ListedWorkload, ...]:
        """All workloads by name; raises as `WorkloadGuest.ask`."""
        found = self.guest.ask(ListWorkloads(), AllWorkloads, _LIST)
        records = self._records()
        seen = {one.name: one for one in found.workloads}
        earlier = {
            one.name: one for one in records.values() if one.boot_id != found.boot and not one.ended
        }
        return tuple(
            ListedWorkload(name, seen.get(name), records.get(name))
            for name in sorted(seen.keys() | earlier.keys())
        )

    def stop(self, workload: str) -> GuestWorkload:
        """Stop a workload, and forget it; one of an earlier boot is only forgotten.

        Raises:
            NotFound: There is none of that name.
            And as `WorkloadGuest.ask`.
        """
        try:
            stopped = self.guest.ask(StopWorkload(name=workload), OneWorkload, _STOP).workload
        except WorkloadFailed as err:
            if err.reason == "absent":
                raise self._no_such(workload) from err
            raise
        WorkloadRecords(self.cloud.journals.folder).forget(
            self.cloud.subscription, self.recorded, workload
        )
        return stopped

    def log_of(self, workload: str, line: Line) -> LogFollower:
        """What reads a workload's log, from its last start on; raises `NotFound` if it is none."""
        try:
            status = StatusOfWorkload(name=workload)
            seen = self.guest.ask(status, OneWorkload, _LIST).workload
        except WorkloadFailed as err:
            if err.reason == "absent":
                raise self._no_such(workload) from err
            raise
        return LogFollower(self.guest, workload, seen.started_at, line)

    def resolve_port(self, port: int | str) -> int:
        """A port by its number, or that of a workload by its name; raises as `find_port`."""
        return port if isinstance(port, int) else self.find_port(port)

    def find_port(self, workload: str) -> int:
        """The first port of a workload that runs.

        Raises:
            NotFound: It does not run.
            UsageProblem: It has no port.
        """
        running = {one.name: one.seen for one in self.list_all()}
        seen = running.get(workload)
        if seen is None or seen.has_ended:
            raise self._no_such(workload)
        record = self._records().get(workload)
        ports = record.ports if record is not None else self._measured_ports(workload)
        if not ports:
            raise UsageProblem(f"the workload {workload} has no port")
        return ports[0]

    def _measured_ports(self, workload: str) -> tuple[int, ...]:
        """The ports in the VM's log of workloads: another machine has started it."""
        done = self.guest.channel.run(["sudo", "-n", "cat", _LOG], timeout=_READ)
        ports: tuple[int, ...] = ()
        for line in done.stdout.decode("utf-8", "replace").splitlines():
            event = _read_event(line)
            if event.get("name") == workload:
                ports = _ports(event.get("command"))
        return ports

    def _records(self) -> Mapping[str, WorkloadRecord]:
        records = WorkloadRecords(self.cloud.journals.folder)
        return records.find(self.cloud.subscription, self.recorded)

    def _no_such(self, workload: str) -> NotFound:
        record = self._records().get(workload)
        again = record.command(self.name) if record is not None else None
        if again is not None:
            return NotFound(
                f"the workload {workload} does not run: a reboot, or somebody, has stopped it",
                code="WorkloadAbsent",
                hint=f"`{again}` starts it after a new verdict",
            )
        return NotFound(
            f"there is no workload {workload} in {self.name}",
            code="WorkloadAbsent",
            hint=f"`ccgpu ps {self.name}` lists them",
        )


def workloads_of(
    cloud: AzureContext,
    name: str,
    group: str | None,
    channel: Channel,
    timeout: float | None = None,
) -> WorkloadsOfVm:
    """The workloads of a deployment's VM, whose channel is connected.

    group: the deployment's; None: that of its journal. timeout: seconds for all.
    """
    clock = cloud.scheduler.clock
    deadline = Deadline.after(clock, TIMEOUT if timeout is None else timeout)
    task = GuestTask(name, cloud.scheduler, deadline)
    return WorkloadsOfVm(cloud, name, record_name(cloud, name, group), WorkloadGuest(task, channel))


def _read_event(line: str) -> dict[str, object]:
    try:
        event = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return event if isinstance(event, dict) else {}


def _ports(command: object) -> tuple[int, ...]:
    words = [str(word) for word in command] if isinstance(command, list) else []
    pairs = pairwise(words)
    published = [value.split(":") for word, value in pairs if word == "-p"]
    return tuple(int(one[1]) for one in published if len(one) == 3 and one[1].isdecimal())
