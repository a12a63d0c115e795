"""What is there, for the report of a command that failed: one honest look at each id.

Without patience: a command that fails has spent it. What cannot be looked at is unknown, never
gone. After an interrupt there is no time to look: then what was seen before exists, and
whatever else the journal names is unknown.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial

from ccgpu.domain.catalog import Kind
from ccgpu.domain.resource import DEPLOYMENT, Body, ResourceId, key, tag
from ccgpu.errors import (
    CcgpuError,
    Denied,
    Interrupted,
    InvalidFile,
    LeftBehind,
    Leftover,
    Presence,
    RemovalDenied,
    UsageProblem,
)
from ccgpu.workflows.dependents import dependents
from ccgpu.workflows.keeper import Keeper
from ccgpu.workflows.requests import Run
from ccgpu.workflows.schedule import Call, Task

# What costs money while it exists; a VM also while it is stopped but allocated.
BILLED = frozenset({Kind.VM, Kind.DISK, Kind.PUBLIC_IP, Kind.NAT})
# Long enough to read a NIC, too short for a second try.
_HURRY = 1.0


def inventory(run: Run, ids: Mapping[ResourceId, Kind], deployment: str) -> tuple[Leftover, ...]:
    """What of `ids`, and of their VM's dependents, exists or may exist; somebody else's is not."""
    look = _Look(Run(run.cloud, run.cloud.now() + _HURRY), deployment)
    for id_, kind in ids.items():
        run.cloud.schedule.add(look.at(id_, kind))
    run.cloud.schedule.run()
    return tuple(look.found.values())


class _Look:
    """One look at each of many ids."""

    def __init__(self, run: Run, deployment: str) -> None:
        self.found: dict[ResourceId, Leftover] = {}
        self._run = run
        self._deployment = deployment

    def at(self, id_: ResourceId, kind: Kind) -> Task:
        """Say of one id whether it is there; and of what hangs on it, where it is a VM."""
        try:
            get = partial(self._run.cloud.arm.get, kind, id_)
            body = yield Call(get)
            if body is None:
                body = yield Call(get)  # one replica that lags behind does not make it gone
        except CcgpuError:
            self._say(id_, kind, "unknown")
            return
        if body is None or not self._ours(kind, body):
            return
        self._say(id_, kind, "exists")
        if kind is Kind.VM:
            yield from self._around(id_, body)

    def _around(self, id_: ResourceId, vm: Body) -> Task:
        try:
            around = yield from dependents(self._run, id_, vm)
        except CcgpuError:
            return  # the VM that is named speaks for them
        for dependent, kind in around:
            if key(dependent) not in self.found:
                yield from self.at(dependent, kind)

    def _ours(self, kind: Kind, body: Body) -> bool:
        owner = tag(body, DEPLOYMENT)
        return owner == self._deployment or (kind is Kind.DISK and owner is None)

    def _say(self, id_: ResourceId, kind: Kind, state: Presence) -> None:
        self.found[key(id_)] = Leftover(id_, state, billed=kind in BILLED)


def denied(errors: Iterable[CcgpuError]) -> Denied | None:
    """The first of `errors` that is for want of a right."""
    return next((err for err in errors if isinstance(err, Denied)), None)


def left_behind(
    what: str,
    errors: Iterable[CcgpuError],
    *,
    hint: str | None = None,
    resources: Sequence[Leftover] = (),
) -> LeftBehind:
    """The error that says what is left, because of `errors`: a missing right is named."""
    missing = denied(errors)
    if missing is None:
        return LeftBehind(what, hint=hint, resources=resources)
    text = what if str(missing) in what else f"{what}\n{missing}"
    return RemovalDenied(text, hint=hint, resources=resources)


@contextmanager
def reported(
    run: Run, ids: Callable[[], Mapping[ResourceId, Kind]], deployment: str
) -> Iterator[None]:
    """Give each error that leaves the inventory of `ids`; none to what the user said wrong.

    Nor to an interrupt, which waits for nothing.
    A `LeftBehind` of which nothing is there any more was only its cause.
    """
    try:
        yield
    except (UsageProblem, InvalidFile, Interrupted):
        raise
    except CcgpuError as err:
        err.resources = err.resources or inventory(run, ids(), deployment)
        if isinstance(err, LeftBehind) and not err.resources and err.__cause__ is not None:
            raise err.__cause__ from None
        raise


def remembered(keeper: Keeper, more: Mapping[ResourceId, Kind]) -> tuple[Leftover, ...]:
    """What the journal names, and `more`, without asking Azure: only what was seen exists."""
    ids = {**more, **{record.id: record.kind for record in keeper.journal.records}}
    named = {key(id_): (id_, kind) for id_, kind in ids.items()}
    return tuple(
        Leftover(id_, "exists" if keeper.seen(id_) else "unknown", billed=kind in BILLED)
        for id_, kind in named.values()
    )
