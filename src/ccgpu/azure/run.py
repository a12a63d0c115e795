"""One command under way: its subscription, its deadline, Azure's time, and what it has seen."""

from dataclasses import dataclass, field, replace

from ccgpu.azure.context import AzureContext
from ccgpu.azure.server_clock import ServerClock
from ccgpu.domain.catalog import Kind
from ccgpu.domain.events import Event, EventKind, Listener, ignore_event
from ccgpu.domain.resource import Body, ResourceId, key
from ccgpu.domain.vm_view import instance_view, with_instance_view
from ccgpu.scheduling.deadline import Deadline


@dataclass(frozen=True, slots=True)
class Run:
    """What the requests of one command share.

    `observed`: the body of each resource as it was read last, by the `key` of its id; an
    interrupted command reports from it. `stage`: of a create, the one that its events are of.
    """

    cloud: AzureContext
    deadline: Deadline
    server_clock: ServerClock
    listen: Listener = ignore_event
    observed: dict[ResourceId, Body] = field(default_factory=dict)
    stage: str | None = None

    @classmethod
    def begin(cls, cloud: AzureContext, timeout: float, listen: Listener = ignore_event) -> "Run":
        """A command that starts now and has `timeout` seconds."""
        clock = cloud.scheduler.clock
        server_clock = ServerClock(clock, cloud.session.server_date)
        return cls(cloud, Deadline.after(clock, timeout), server_clock, listen)

    def with_timeout(self, seconds: float) -> "Run":
        """The same command, with so many seconds from now."""
        return replace(self, deadline=self.deadline.extended(seconds))

    def tell(
        self,
        what: EventKind,
        text: str,
        id_: ResourceId | None = None,
        kind: Kind | None = None,
        action: str | None = None,
    ) -> None:
        """Emit an event of now."""
        at = self.deadline.elapsed()
        self.listen(Event(what, at, text, id_, kind, action, self.stage))

    def observe(self, answer: object) -> None:
        """Keep a resource that Azure has shown, and the time of the answer.

        An answer without the VM's instance view leaves the one that was seen before.
        """
        self.server_clock.observe()
        if not isinstance(answer, dict) or not isinstance(answer.get("id"), str):
            return
        at = key(answer["id"])
        told = instance_view(answer)
        self.observed[at] = answer if told else with_instance_view(answer, self.observed.get(at))
