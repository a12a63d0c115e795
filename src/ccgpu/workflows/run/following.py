"""The log of a workload, line by line, until it has ended."""

from collections.abc import Callable
from dataclasses import dataclass

from ccgpu.errors import ConnectionLost, GuestUnreachable
from ccgpu.guest.workload_answers import GuestWorkload
from ccgpu.guest.workload_requests import FollowWorkload
from ccgpu.workflows.run.guest_calls import WorkloadGuest

_PAUSE = 5.0  # seconds between two connections
_PATIENCE = 600.0  # seconds in which a VM that cannot be reached has to answer again

Line = Callable[[str], None]


@dataclass
class LogFollower:
    """Hands on each line of a workload's log once, also over several connections.

    since: when the container was started; lines before are of an older one of that name.
    """

    guest: WorkloadGuest
    name: str
    since: float
    line: Line
    _seen: int = 0

    def until_end(self, timeout: float | None = None) -> GuestWorkload:
        """Follow it until it has ended; returns its last state.

        timeout: seconds of one connection; None: no limit.

        Raises:
            ConnectionLost, GuestUnreachable: The VM could not be reached for ten minutes.
            And as `WorkloadGuest.ask`.
        """
        task = self.guest.task
        patient_until = task.now() + _PATIENCE
        while True:
            before = self._seen
            try:
                seen = self.read(until_end=True, timeout=timeout)
            except (ConnectionLost, GuestUnreachable) as err:
                patient_until = _patience(task.now(), patient_until, self._seen > before)
                if _is_final(err) or task.now() >= patient_until:
                    raise
                task.tell("wait", f"{err}: connecting again")
            else:
                if seen.has_ended:
                    return seen
            task.pause(_PAUSE, f"following {self.name}")

    def read(self, *, until_end: bool, timeout: float | None = None) -> GuestWorkload:
        """Hand on what is new; returns the workload's state."""
        skipped = 0

        def take(line: str) -> None:
            nonlocal skipped
            if skipped < already:
                skipped += 1
                return
            self._seen += 1
            self.line(line)

        already = self._seen
        follow = FollowWorkload(name=self.name, since=self.since, until_end=until_end)
        return self.guest.follow(follow, take, timeout).workload


def _patience(now: float, until: float, has_moved: bool) -> float:
    return now + _PATIENCE if has_moved else until


def _is_final(err: ConnectionLost | GuestUnreachable) -> bool:
    return isinstance(err, GuestUnreachable) and not err.transient
