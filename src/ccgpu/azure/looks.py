"""Looks at a resource between the polls of the operation on it.

Azure asks for pauses of up to a minute between polls (`Retry-After`), and most operations end
within one. A look that shows the end brings the next poll forward, and decides nothing else: a
stale replica of ARM may show an old state or a 404, and only the operation has the cause of a
failure.
"""

from collections.abc import Callable
from functools import partial
from math import ceil

from ccgpu.azure.run import Run
from ccgpu.domain.catalog import Kind
from ccgpu.domain.resource import Body, ResourceId, state_of
from ccgpu.domain.status import AT_REST
from ccgpu.errors import AzureRefused
from ccgpu.scheduling.scheduler import Task

# Seconds between reads of a resource. A VM's are limited: 12 a minute are refilled for each VM
# (compute-throttling-limits, "low-cost Get"), of which looks take half.
_VM_DELAY, _DELAY = 10.0, 5.0


def shows_write_ended(body: Body | None) -> bool:
    """Whether a resource that is being written is in a terminal state."""
    return body is not None and state_of(body) in AT_REST


class Looks:
    """The looks at one resource.

    They bring one poll forward. If the operation turns out to be still in progress, they bring
    another one forward only after the resource has been seen in motion.
    """

    def __init__(
        self,
        run: Run,
        kind: Kind,
        id_: ResourceId,
        doing: str,
        shows_end: Callable[[Body | None], bool],
    ) -> None:
        self._run = run
        self._doing = doing
        self._read = partial(run.cloud.arm.get, kind, id_)
        self._delay = _VM_DELAY if kind is Kind.VM else _DELAY
        self._shows_end = shows_end
        self._believed = True

    def wait(self, seconds: float) -> Task[float]:
        """Look at the resource in a pause of `seconds` before the next poll, in equal parts of it.

        Returns the seconds that the poll has still to wait: 0 after a look that shows the end. A
        look that fails is the last one before the poll.
        """
        now = self._run.cloud.now
        until, parts = now() + seconds, ceil(seconds / self._delay)
        for left in range(parts, 1, -1):
            at = until - seconds * (left - 1) / parts
            after = self._run.deadline.pause(max(0.0, at - now()), self._doing)
            try:
                body = yield self._run.call(self._read, self._doing, after)
            except AzureRefused:
                self._run.observe(None)
                break
            self._run.observe(body)
            if self._is_end(body):
                return 0.0
        return max(0.0, until - now())

    def _is_end(self, body: Body | None) -> bool:
        """Whether the body shows the end, and is believed."""
        if not self._shows_end(body):
            self._believed = self._believed or (body is not None and state_of(body) not in AT_REST)
            return False
        believed, self._believed = self._believed, False
        return believed
