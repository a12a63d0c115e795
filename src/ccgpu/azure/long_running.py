"""Requests with retries, and ARM's long-running operations from start to end.

Each function is a task for the scheduler. An unreadable status is not a failed write: it is polled
again, and then the resource itself is read, by its id. So is an operation whose status the caller
may not read: the command fails for want of that right, once the outcome is known.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from math import inf
from typing import Generic, TypeVar

from ccgpu.azure.arm import Pending
from ccgpu.azure.run import Run
from ccgpu.domain.catalog import Kind
from ccgpu.domain.resource import Body, ResourceId, name_of, state_of
from ccgpu.errors import AzureRefused, AzureUnavailable, CcgpuError, Denied, NotFound
from ccgpu.net.retry import poll_delay, retry_delay
from ccgpu.scheduling.scheduler import Call, Task

T = TypeVar("T")

# How long transient errors of one request are retried: longer than a NIC's reservation (180 s).
RETRY_TIMEOUT = 300.0
# Regional replicas of ARM disagree for a while after a create (azurerm#18268, #25758).
REPLICATION_DELAY = 60.0
# Maximum delete attempts; delay in seconds before a retry.
MAX_DELETE_ATTEMPTS = 3
DELETE_RETRY_DELAY = 30.0
NOT_FOUND_CODES = frozenset(
    {"InvalidResourceReference", "NotFound", "ResourceGroupNotFound", "ResourceNotFound"}
)


def send_with_retry(
    run: Run, request: Callable[[], T], doing: str, *, lag: bool = False
) -> Task[T]:
    """Send `request` until it is answered; transient errors are retried after a pause.

    `lag`: what it refers to has just been made, so "not found" is retried too, for as long as
    regional replicas may disagree.
    """
    first: float | None = None
    attempt, after = 0, 0.0
    while True:
        try:
            answer: T = yield Call(request, after)
        except AzureRefused as err:
            run.observe(None)
            now = run.cloud.now()
            first = now if first is None else first
            timeout = _retry_timeout(err, lag)
            if timeout is None or now - first >= timeout:
                raise
            attempt += 1
            after = run.deadline.require(retry_delay(attempt, err.after), doing)
            run.tell("retry", f"{err.code}: again in {after:.0f} s ({doing})")
        else:
            run.observe(answer)
            return answer


def _retry_timeout(err: AzureRefused, lag: bool) -> float | None:
    if err.transient:
        return RETRY_TIMEOUT
    return REPLICATION_DELAY if lag and err.code in NOT_FOUND_CODES else None


def write_and_wait(
    run: Run, kind: Kind, id_: ResourceId, start: Callable[[], Pending | None], doing: str
) -> Task[Body]:
    """Start a write, poll it until it has ended, and return the resource as it is then."""
    pending = yield from send_with_retry(run, start, doing, lag=True)
    return (yield from _follow_write(run, kind, id_, pending, doing))


def tag_and_wait(
    run: Run, kind: Kind, id_: ResourceId, start: Callable[[], Pending | None], doing: str
) -> Task[None]:
    """Write tags. Azure answers most such writes when they are done; others are polled."""
    pending = yield from send_with_retry(run, start, doing, lag=True)
    if pending is not None:
        yield from _follow_write(run, kind, id_, pending, doing)


def _follow_write(
    run: Run, kind: Kind, id_: ResourceId, pending: Pending | None, doing: str
) -> Task[Body]:
    """Poll an accepted write to its end, and return the resource as it is then."""
    denied = yield from _poll_operation(run, kind, id_, pending, doing)
    view = kind is Kind.VM
    with _preferring_cause(denied):
        body = yield from wait_until_settled(run, kind, id_, doing, expected=True, view=view)
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
) -> Task[Denied | None]:
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
            yield Call(_no_request, run.deadline.require(DELETE_RETRY_DELAY, doing))
            continue
        with _preferring_cause(denied):
            if (yield from gone(REPLICATION_DELAY if attempt > 1 else inf)):
                break
        run.tell("retry", "reported as deleted, but still there: deleting it again", id_, kind)
    return denied


def _wait_until_gone(
    run: Run,
    kind: Kind,
    id_: ResourceId,
    doing: str,
    still: Callable[[Body], bool],
    patience: float,
) -> Task[bool]:
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
        yield Call(_no_request, run.deadline.require(poll_delay(polls, None), doing))
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
) -> Task[Body | None]:
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
                raise NotFound(f"{doing}: it does not exist", code="ResourceNotFound")
        elif (state := state_of(body)) in ("Succeeded", "Failed", "Canceled"):
            if expected and state != "Succeeded":
                raise AzureRefused(
                    f"{doing}: it ended in the state {state}", code=f"Provisioning{state}"
                )
            return body
        else:
            run.tell("wait", state.lower(), id_, kind)
        yield Call(_no_request, run.deadline.require(poll_delay(polls, None), doing))
        polls += 1


def _poll_operation(
    run: Run, kind: Kind, id_: ResourceId, pending: Pending | None, doing: str
) -> Task[Denied | None]:
    """Poll an operation to its end.

    One whose status stays unreadable, or may not be read, is left to the caller, who asks the
    resource itself.
    """
    polls = unreadable = 0
    while pending is not None:
        after = run.deadline.require(poll_delay(polls, pending.after), doing)
        poll = partial(run.cloud.arm.poll, doing, pending)
        try:
            pending = yield Call(poll, after)
            unreadable = 0
        except AzureUnavailable as err:
            unreadable += 1
            if not err.transient or unreadable > 3:
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


def run_task(run: Run, task: Task[T]) -> T:
    """Run one task alone, to its end, and return its result."""
    return run.cloud.scheduler.complete(task)


def send_alone(run: Run, request: Callable[[], T], doing: str) -> T:
    """Send one request with retries, while nothing else is under way, and return its answer."""
    return run_task(run, send_with_retry(run, request, doing))


class Answers(Generic[T]):
    """The answers to requests that were sent together, by what was said of each request."""

    def __init__(self) -> None:
        self.answers: dict[str, T] = {}
        self.failures: dict[str, CcgpuError] = {}

    def __getitem__(self, doing: str) -> T:
        """The answer; raises what the request has failed with."""
        if doing in self.failures:
            raise self.failures[doing]
        return self.answers[doing]


def send_together(run: Run, requests: Mapping[str, Callable[[], T]]) -> Answers[T]:
    """Send independent requests at once, each with retries, and wait until all have ended."""
    found = Answers[T]()

    def send(doing: str, request: Callable[[], T]) -> Task[None]:
        try:
            found.answers[doing] = yield from send_with_retry(run, request, doing)
        except CcgpuError as err:
            found.failures[doing] = err

    for doing, request in requests.items():
        run.cloud.scheduler.add(send(doing, request))
    run.cloud.scheduler.run()
    return found
