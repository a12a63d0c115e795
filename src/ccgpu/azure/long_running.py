"""Requests with retries, and ARM's long-running operations from start to end.

Most functions return a task for the scheduler. If the status of an operation cannot be read, the
operation may still succeed: the status is polled again, then the resource itself is read. If the
caller has no permission to read the status, the resource is read too, and the command fails with
`Denied` once the outcome is known.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from math import inf
from typing import Generic, TypeVar

from ccgpu.azure.arm import Pending
from ccgpu.azure.looks import Looks, shows_write_ended
from ccgpu.azure.run import Run
from ccgpu.domain.catalog import Kind
from ccgpu.domain.resource import Body, ResourceId, name_of, state_of
from ccgpu.errors import AzureRefused, AzureUnavailable, CcgpuError, Denied, NotFound
from ccgpu.net.retry import poll_delay, retry_delay
from ccgpu.scheduling.durations import in_seconds
from ccgpu.scheduling.scheduler import Task, together

T = TypeVar("T")

# How long transient errors of one request are retried: longer than a NIC's reservation (180 s).
RETRY_TIMEOUT = 300.0
# Seconds after a create in which regional replicas of ARM may disagree (azurerm#18268, #25758).
REPLICATION_DELAY = 60.0
# Maximum delete attempts; delay in seconds before a retry.
MAX_DELETE_ATTEMPTS = 3
DELETE_RETRY_DELAY = 30.0
NOT_FOUND_CODES = frozenset(
    {"InvalidResourceReference", "NotFound", "ResourceGroupNotFound", "ResourceNotFound"}
)


def send_with_retry(
    run: Run, request: Callable[[], T], doing: str, *, lag: bool = False, after: float = 0.0
) -> Task[T]:
    """Send `request`, retry transient errors after a pause, and return the answer.

    `after`: seconds to wait before the first attempt.

    `lag`: the request refers to resources just created, so "not found" is retried too, as long as
    regional replicas of ARM may disagree.
    """
    first: float | None = None
    attempt = 0
    while True:
        try:
            answer: T = yield run.call(request, doing, after)
        except AzureRefused as err:
            run.observe(None)
            now = run.cloud.now()
            first = now if first is None else first
            timeout = _retry_timeout(err, lag)
            if timeout is None or now - first >= timeout:
                raise
            attempt += 1
            wanted = retry_delay(attempt, err.after)
            after = run.deadline.pause(wanted, doing, at_least=err.after or 0.0)
            run.tell("retry", f"{err.code}: again in {in_seconds(after)} ({doing})")
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
    """Start a write, poll it to its end, and return the settled resource."""
    pending = yield from send_with_retry(run, start, doing, lag=True)
    return (yield from follow_write(run, kind, id_, pending, doing))


def tag_and_wait(
    run: Run, kind: Kind, id_: ResourceId, start: Callable[[], Pending | None], doing: str
) -> Task[None]:
    """Write tags. Most such writes are synchronous; the others are polled."""
    pending = yield from send_with_retry(run, start, doing, lag=True)
    if pending is not None:
        yield from follow_write(run, kind, id_, pending, doing)


def follow_write(
    run: Run, kind: Kind, id_: ResourceId, pending: Pending | None, doing: str
) -> Task[Body]:
    """Poll an accepted write to its end, and return the settled resource."""
    looks = Looks(run, kind, id_, doing, shows_write_ended)
    denied = yield from _poll_operation(run, kind, id_, pending, doing, looks)
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
    """Delete a resource, and wait until a GET answers 404; failed deletes are retried.

    Args:
        run: The command under way.
        kind: The kind of the resource.
        id_: Its id.
        start: Sends the DELETE.
        doing: Describes the work in messages.
        still: Whether a body is still that of the deleted resource, not of one created anew under
            its name.

    Returns:
        The `Denied` error if the caller may not read the operation's status, else None. The
        resource is gone in both cases.
    """
    denied: Denied | None = None
    gone = partial(_wait_until_gone, run, kind, id_, doing, still)
    looks = Looks(run, kind, id_, doing, lambda body: body is None or not still(body))
    for attempt in range(MAX_DELETE_ATTEMPTS, 0, -1):
        pending = yield from send_with_retry(run, start, doing)
        try:
            denied = (yield from _poll_operation(run, kind, id_, pending, doing, looks)) or denied
        except AzureRefused as err:  # the accepted delete has failed; another may succeed
            if attempt == 1:
                raise
            run.tell("retry", f"{err.code}: deleting it again", id_, kind)
            yield from run.pause(DELETE_RETRY_DELAY, doing)
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
    """Wait until a GET answers 404; false if the resource is not "Deleting" for `patience` seconds.

    That happens if the response to the DELETE came from a proxy, not from Azure.
    """
    get = partial(run.cloud.arm.get, kind, id_)
    polls, after, since = 0, 0.0, run.cloud.now()
    while True:
        body = yield from send_with_retry(run, get, doing, after=after)
        if body is None or not still(body):
            return True
        if state_of(body) == "Deleting":
            since = run.cloud.now()
        elif run.cloud.now() - since >= patience:
            return False
        after = run.deadline.pause(poll_delay(polls, None), doing)
        polls += 1


@contextmanager
def _preferring_cause(cause: Denied | None) -> Iterator[None]:
    """Raise `cause`, if there is one, instead of an error in the block."""
    try:
        yield
    except CcgpuError as err:
        if cause is not None:
            raise cause from err
        raise


def wait_until_settled(
    run: Run, kind: Kind, id_: ResourceId, doing: str, *, expected: bool = False, view: bool = False
) -> Task[Body | None]:
    """Wait until a resource's state is terminal; returns its body, None if it does not exist.

    Args:
        run: The command under way.
        kind: The kind of the resource.
        id_: Its id.
        doing: Describes the work in messages.
        expected: Whether the resource must exist and succeed.
        view: Whether to read a VM's instance view.

    Raises:
        NotFound: It is `expected`, and a GET answers 404 for `REPLICATION_DELAY`.
        AzureRefused: It is `expected`, and has ended as `Failed` or `Canceled`.
    """
    read = partial(run.cloud.arm.get, kind, id_, view=view)
    since, polls, after = run.cloud.now(), 0, 0.0
    while True:
        body = yield from send_with_retry(run, read, doing, after=after)
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
        after = run.deadline.pause(poll_delay(polls, None), doing)
        polls += 1


def _poll_operation(
    run: Run, kind: Kind, id_: ResourceId, pending: Pending | None, doing: str, looks: Looks
) -> Task[Denied | None]:
    """Poll an operation to its end, or until its status cannot be read before the deadline.

    Between the polls the resource is looked at, which can bring the next poll forward.

    In the latter case the caller reads the resource itself. Returns the `Denied` error if the
    caller has no permission to read the status.
    """
    polls = unreadable = 0
    while pending is not None:
        after = poll_delay(polls, pending.after)
        if not unreadable or pending.after is None:  # an earlier poll would be refused again
            after = yield from looks.wait(after)
        if after > 0.0 and run.deadline.pause(after, doing) < after:
            return None  # the next poll would be too late, and an earlier one is refused
        poll = partial(run.cloud.arm.poll, doing, pending)
        try:
            pending = yield run.call(poll, doing, after)
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


def run_task(run: Run, task: Task[T]) -> T:
    """Run one task alone, to its end, and return its result."""
    return run.cloud.scheduler.complete(task)


def send_alone(run: Run, request: Callable[[], T], doing: str) -> T:
    """Send one request with retries, as the only task, and return its answer."""
    return run_task(run, send_with_retry(run, request, doing))


class Answers(Generic[T]):
    """The answers to requests that were sent together, by the description of each request.

    So are the results of tasks that were run together.
    """

    def __init__(self) -> None:
        self.answers: dict[str, T] = {}
        self.failures: dict[str, CcgpuError] = {}

    def __getitem__(self, doing: str) -> T:
        """The answer; raises the request's error if it has failed."""
        if doing in self.failures:
            raise self.failures[doing]
        return self.answers[doing]


def send_together(run: Run, requests: Mapping[str, Callable[[], T]]) -> Answers[T]:
    """`send_each`, as the only task."""
    return run_task(run, send_each(run, requests))


def send_each(run: Run, requests: Mapping[str, Callable[[], T]]) -> Task[Answers[T]]:
    """Send independent requests concurrently, each with retries, and wait until all have ended."""
    return run_each({doing: send_with_retry(run, one, doing) for doing, one in requests.items()})


def run_each(tasks: Mapping[str, Task[T]]) -> Task[Answers[T]]:
    """Run tasks concurrently, and wait until all have ended."""
    results = Answers[T]()

    def note(doing: str, task: Task[T]) -> Task[None]:
        try:
            results.answers[doing] = yield from task
        except CcgpuError as err:
            results.failures[doing] = err

    yield from together(note(doing, task) for doing, task in tasks.items())
    return results
