"""One command under way: its Azure context, its deadline, Azure's time, and the bodies it read."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from ccgpu.azure.context import AzureContext
from ccgpu.azure.server_clock import ServerClock
from ccgpu.domain.catalog import Kind
from ccgpu.domain.events import Event, EventKind, Listener, ignore_event
from ccgpu.domain.resource import Body, ResourceId, key
from ccgpu.domain.vm_view import instance_view, with_instance_view
from ccgpu.scheduling.deadline import Deadline
from ccgpu.scheduling.scheduler import Call, Task, pause

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Run:
    """The state that the requests of one command share.

    observed: the latest body of each resource, by `key`; an interrupted command reports leftovers
    from it. stage: the current stage of a create, for its events.
    """

    cloud: AzureContext
    deadline: Deadline
    server_clock: ServerClock
    listen: Listener = ignore_event
    observed: dict[ResourceId, Body] = field(default_factory=dict)
    stage: str | None = None

    @classmethod
    def begin(cls, cloud: AzureContext, timeout: float, listen: Listener = ignore_event) -> "Run":
        """A command that starts now and has a time limit of `timeout` seconds."""
        clock = cloud.scheduler.clock
        server_clock = ServerClock(clock, cloud.session.server_date)
        return cls(cloud, Deadline.after(clock, timeout), server_clock, listen)

    def with_timeout(self, seconds: float, what: str = "") -> "Run":
        """The same command, with a time limit of `seconds` from now, for the work `what`."""
        return replace(self, deadline=self.deadline.extended(seconds, what))

    def within(self, seconds: float) -> "Run":
        """The same command, whose time limit ends after `seconds` unless it ends before."""
        return replace(self, deadline=self.deadline.within(seconds))

    def call(self, request: Callable[[], Any], doing: str, after: float = 0.0) -> Call:
        """A request that ends by the deadline, to be sent `after` seconds."""
        return Call(request, after, self.deadline, doing)

    def ask(self, request: Callable[[], T], doing: str) -> T:
        """Make one request alone, without retries, and return its answer."""

        def ask() -> Task[T]:
            answer: T = yield self.call(request, doing)
            return answer

        return self.cloud.scheduler.complete(ask())

    def pause(self, seconds: float, doing: str) -> Task[None]:
        """Wait before another look; raises `TimedOut` if there is no time for one."""
        return pause(self.deadline.pause(seconds, doing))

    def tell(
        self,
        what: EventKind,
        text: str,
        id_: ResourceId | None = None,
        kind: Kind | None = None,
        action: str | None = None,
    ) -> None:
        """Emit an event with the current time."""
        at = self.deadline.elapsed()
        self.listen(Event(what, at, text, id_, kind, action, self.stage))

    def observe(self, answer: object) -> None:
        """Note the time of an answer and, if it is a resource, its body.

        If a VM's body has no instance view, the previous one is kept.
        """
        self.server_clock.observe()
        if not isinstance(answer, dict) or not isinstance(answer.get("id"), str):
            return
        at = key(answer["id"])
        view = instance_view(answer)
        self.observed[at] = answer if view else with_instance_view(answer, self.observed.get(at))
