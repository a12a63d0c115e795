"""One request with patience, one write until its end: what all workflows are made of.

Each is a generator for the scheduler. An answer that cannot be read is not a failed write: it is
asked again, and then the resource itself is asked, by its id. So is one whose status may not be
asked for: the command fails for want of that right, but only once the outcome is known.
"""

from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from math import inf
from typing import Any, TypeVar

from ccgpu.azure.arm import Pending
from ccgpu.azure.context import AzureContext
from ccgpu.azure.github import UNAVAILABLE
from ccgpu.domain.catalog import Kind
from ccgpu.domain.events import Event, Listener, ignore_event
from ccgpu.domain.resource import Body, ResourceId, key, name_of, state_of
from ccgpu.errors import AzureRefused, AzureUnavailable, CcgpuError, Denied, NotFound, TimedOut
from ccgpu.net.retry import poll_delay, retry_delay
from ccgpu.scheduling.scheduler import Call

T = TypeVar("T")
Asking = Generator[Call, Any, T]

# How long one request may go without a good answer: longer than a NIC's reservation (180 s).
RETRY_TIMEOUT = 300.0
# Regional replicas of ARM disagree for a while after a create (azurerm#18268, #25758).
REPLICATION_DELAY = 60.0
# A delete that was accepted and then failed, or of which nothing is seen, is started anew so often;
# after a failure after so many seconds.
MAX_DELETE_ATTEMPTS = 3
DELETE_RETRY_DELAY = 30.0
NOT_FOUND_CODES = frozenset(
    {"InvalidResourceReference", "NotFound", "ResourceGroupNotFound", "ResourceNotFound"}
)


@dataclass(slots=True)
class Run:
    """One workflow under way: its cloud, its end, and who listens."""

    cloud: AzureContext
    until: float
    listen: Listener = ignore_event
    started: float = field(init=False)
    seen: dict[ResourceId, Body] = field(init=False, default_factory=dict)  # as read last, by `key`
    _ahead: float | None = field(init=False, default=None)  # ARM's clock less ours

    def __post_init__(self) -> None:
        self.started = self.cloud.now()

    def tell(
        self,
        what: Any,
        text: str,
        id_: ResourceId | None = None,
        kind: Kind | None = None,
        action: str | None = None,
    ) -> None:
        """Emit an event of now."""
        at = round(self.cloud.now() - self.started, 3)
        self.listen(Event(what, at, text, id_, kind, action))

    def notice(self, answer: object) -> None:
        """Remember a resource that Azure has shown: an interrupted command reports it."""
        if not isinstance(answer, dict) or not isinstance(answer.get("id"), str):
            return
        at = key(answer["id"])
        view = _properties(self.seen.get(at)).get("instanceView")
        if view is not None and "instanceView" not in _properties(answer):
            answer = {**answer, "properties": {**_properties(answer), "instanceView": view}}
        self.seen[at] = answer

    def set_by_server(self) -> None:
        """Compare our clock with the `Date` of the answer that has just come."""
        date = self.cloud.session.server_date.take()
        if date is not None:
            self._ahead = date - self.cloud.now()

    def server_time(self) -> float | None:
        """What time it is at ARM, whatever this machine's clock says; None before an answer."""
        return None if self._ahead is None else self.cloud.now() + self._ahead

    def server_now(self) -> float:
        """What time it is at ARM: what leases are written and judged by."""
        now = self.server_time()
        if now is None:
            raise AzureRefused(
                "Azure's answers do not say what time it is there",
                code="NoDate",
                hint="leases go by Azure's time; a proxy may have taken the `Date` of its answers",
            )
        return now

    def left(self, wanted: float, doing: str) -> float:
        """`wanted` seconds, if the run's end leaves so many; else `TimedOut`."""
        if self.cloud.now() + wanted > self.until:
            allowed = (self.until - self.started) / 60
            raise TimedOut(f"{doing}: not done within {allowed:.0f} minutes")
        return wanted


def _properties(body: Body | None) -> Body:
    return (body or {}).get("properties") or {}


def send_with_retry(
    run: Run, request: Callable[[], T], doing: str, *, lag: bool = False
) -> Asking[T]:
    """Make `request`; and again, with pauses, as long as Azure only asks for patience.

    `lag`: what it refers to has just been made, so "not there" is not believed at once.
    """
    first: float | None = None
    attempt, after = 0, 0.0
    while True:
        try:
            answer: T = yield Call(request, after)
        except AzureRefused as err:
            run.set_by_server()
            now = run.cloud.now()
            first = now if first is None else first
            patience = _retry_timeout(err, lag)
            if patience is None or now - first >= patience:
                raise
            attempt += 1
            after = run.left(retry_delay(attempt, err.after), doing)
            run.tell("retry", f"{err.code}: again in {after:.0f} s ({doing})")
        else:
            run.set_by_server()
            run.notice(answer)
            return answer


def _retry_timeout(err: AzureRefused, lag: bool) -> float | None:
    if isinstance(err, AzureUnavailable) or err.code == UNAVAILABLE:
        return None if err.code == "ForeignHost" else RETRY_TIMEOUT
    return REPLICATION_DELAY if lag and err.code in NOT_FOUND_CODES else None


def write_and_wait(
    run: Run, kind: Kind, id_: ResourceId, start: Callable[[], Pending | None], doing: str
) -> Asking[Body]:
    """Start a write, ask after it until it has ended, and give the resource as it is then."""
    pending = yield from send_with_retry(run, start, doing, lag=True)
    denied = yield from _poll_operation(run, kind, id_, pending, doing)
    with _preferring_cause(denied):
        body = yield from wait_until_settled(run, kind, id_, doing, expected=True)
    if denied is not None:
        raise denied
    return body or {}


def delete_and_wait(
    run: Run,
    kind: Kind,
    id_: ResourceId,
    start: Callable[[], Pending | None],
    doing: str,
    still: Callable[[Body], bool] = lambda _: True,
) -> Asking[Denied | None]:
    """Start a delete, and go on until a GET of the resource answers 404.

    Or with one that is not `still` the same: somebody has made it anew. What comes back is why it
    could not be asked how far the delete is: the resource is gone all the same.
    """
    denied: Denied | None = None
    gone = partial(_wait_until_gone, run, kind, id_, doing, still)
    for attempt in range(MAX_DELETE_ATTEMPTS, 0, -1):
        pending = yield from send_with_retry(run, start, doing)
        try:
            denied = (yield from _poll_operation(run, kind, id_, pending, doing)) or denied
        except AzureRefused as err:  # accepted, and then it failed: another one may not
            if attempt == 1:
                raise
            run.tell("retry", f"{err.code}: deleting it again", id_, kind)
            yield Call(_no_request, run.left(DELETE_RETRY_DELAY, doing))
            continue
        with _preferring_cause(denied):
            if (yield from gone(REPLICATION_DELAY if attempt > 1 else inf)):
                break
        run.tell("retry", "done, it was said, but it is there: deleting it again", id_, kind)
    return denied


def _wait_until_gone(
    run: Run,
    kind: Kind,
    id_: ResourceId,
    doing: str,
    still: Callable[[Body], bool],
    patience: float,
) -> Asking[bool]:
    """Wait until a GET answers 404; not longer than `patience` where nothing is being deleted.

    Some answers to a DELETE are not Azure's, but those of something in between.
    """
    get = partial(run.cloud.arm.get, kind, id_)
    polls, since = 0, run.cloud.now()
    while (body := (yield from send_with_retry(run, get, doing))) is not None and still(body):
        if state_of(body) == "Deleting":
            since = run.cloud.now()
        elif run.cloud.now() - since >= patience:
            return False
        yield Call(_no_request, run.left(poll_delay(polls, None), doing))
        polls += 1
    return True


@contextmanager
def _preferring_cause(cause: Denied | None) -> Iterator[None]:
    """What fails here fails because of `cause`, if there is one."""
    try:
        yield
    except CcgpuError as err:
        if cause is not None:
            raise cause from err
        raise


def wait_until_settled(
    run: Run, kind: Kind, id_: ResourceId, doing: str, *, expected: bool = False, view: bool = False
) -> Asking[Body | None]:
    """The resource once its state is terminal; None if it is not there.

    `expected`: it must be there, so "not there" is only believed after a while, and a terminal
    `Failed` or `Canceled` is an error.
    """
    read = partial(run.cloud.arm.get, kind, id_, view=view)
    since, polls = run.cloud.now(), 0
    while True:
        body = yield from send_with_retry(run, read, doing)
        if body is None:
            if not expected:
                return None
            if run.cloud.now() - since >= REPLICATION_DELAY:
                raise NotFound(f"{doing}: it is not there", code="ResourceNotFound")
        elif (state := state_of(body)) in ("Succeeded", "Failed", "Canceled"):
            if expected and state != "Succeeded":
                raise AzureRefused(f"{doing}: it ended as {state}", code=f"Provisioning{state}")
            return body
        else:
            run.tell("wait", state.lower(), id_, kind)
        yield Call(_no_request, run.left(poll_delay(polls, None), doing))
        polls += 1


def _poll_operation(
    run: Run, kind: Kind, id_: ResourceId, pending: Pending | None, doing: str
) -> Asking[Denied | None]:
    """Poll an operation to its end.

    One whose status stays unreadable, or may not be read, is left to the caller, who asks the
    resource itself.
    """
    polls = unreadable = 0
    while pending is not None:
        after = run.left(poll_delay(polls, pending.after), doing)
        poll = partial(run.cloud.arm.poll, doing, pending)
        try:
            pending = yield Call(poll, after)
            unreadable = 0
        except AzureUnavailable as err:
            unreadable += 1
            if err.code == "ForeignHost" or unreadable > 3:
                run.tell("retry", f"{err.code}: asking {name_of(id_)} itself", id_, kind)
                return None
            pending = Pending(pending.url, err.after, pending.by_location)
        except Denied as err:
            run.tell("retry", f"{err.code}: asking {name_of(id_)} itself", id_, kind)
            return err
        polls += 1
        if pending is not None:
            run.tell("wait", doing, id_, kind)
    return None


def _no_request() -> None:
    """The request of a call that only waits."""


def run_task(run: Run, asking: Asking[T]) -> T:
    """Run one task alone, to its end, and give its result."""
    results: list[T] = []

    def alone() -> Generator[Call, Any, None]:
        results.append((yield from asking))

    run.cloud.schedule.add(alone())
    run.cloud.schedule.run()
    return results[0]
