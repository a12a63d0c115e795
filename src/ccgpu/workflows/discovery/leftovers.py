"""What is there, for the report of a command that failed: one honest look at each id.

Without much patience: a command that fails has spent it. What cannot be looked at is unknown, never
gone. After an interrupt there is no time to look: then what was seen before exists, and
whatever else the journal names is unknown.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial

from ccgpu.azure.run import Run
from ccgpu.domain.catalog import Kind
from ccgpu.domain.desired import Names
from ccgpu.domain.resource import (
    DEPLOYMENT,
    Body,
    ResourceId,
    group_of,
    key,
    kind_of,
    state_of,
    tag,
)
from ccgpu.domain.vm_view import network_interface_ids, power_state
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
from ccgpu.net.retry import poll_delay
from ccgpu.scheduling.scheduler import Call, Task
from ccgpu.workflows.discovery.dependents import (
    find_dependents,
    nic_public_ip_ids,
    vm_disk_ids,
)
from ccgpu.workflows.journal_writer import JournalWriter

# What costs money while it exists; a VM until it is deallocated, also while it is stopped.
BILLED = frozenset({Kind.VM, Kind.DISK, Kind.PUBLIC_IP, Kind.NAT})
# Long enough to read a NIC, too short for a second try.
_READ_TIMEOUT = 1.0
# Looks at an id before "not there" is believed; one that was just made may not be seen everywhere.
_LOOKS, _LOOKS_AT_NEW = 2, 4


def is_billed(kind: Kind, body: Body | None) -> bool:
    """Whether it costs money; `body` is its last GET, a VM's with instance view."""
    return kind in BILLED and not (
        kind is Kind.VM and body is not None and power_state(body) == "deallocated"
    )


def report_leftovers(
    run: Run,
    ids: Mapping[ResourceId, Kind],
    deployment: str,
    made: Collection[ResourceId] = (),
) -> tuple[Leftover, ...]:
    """What of `ids`, and of their VM's dependents, exists or may exist; somebody else's is not.

    `made`: the `key`s of what this command may have made just now.
    """
    look = _Look(run.with_timeout(_READ_TIMEOUT), deployment, made)
    for id_, kind in ids.items():
        run.cloud.scheduler.add(look.at(id_, kind))
    run.cloud.scheduler.run()
    return tuple(look.found.values())


class _Look:
    """One look at each of many ids."""

    def __init__(self, run: Run, deployment: str, made: Collection[ResourceId]) -> None:
        self.found: dict[ResourceId, Leftover] = {}
        self._run = run
        self._deployment = deployment
        self._made = made

    def at(self, id_: ResourceId, kind: Kind) -> Task[None]:
        """Say of one id whether it is there; and of what hangs on it, where it is a VM."""
        try:
            body = yield from self._read(id_, kind)
        except CcgpuError:
            self._say(id_, kind, "unknown", None)
            return
        if body is None or not self._ours(kind, body):
            return
        # What is being deleted may be gone before the rest has been looked at.
        self._say(id_, kind, "unknown" if state_of(body) == "Deleting" else "exists", body)
        if kind is Kind.VM:
            yield from self._around(id_, body)

    def _read(self, id_: ResourceId, kind: Kind) -> Task[Body | None]:
        get = partial(self._run.cloud.arm.get, kind, id_, view=kind is Kind.VM)
        body: Body | None = yield Call(get)
        new = key(id_) in self._made
        for look in range(1, _LOOKS_AT_NEW if new else _LOOKS):
            if body is not None:
                break
            body = yield Call(get, poll_delay(look, None) if new else 0.0)
        return body

    def _around(self, id_: ResourceId, vm: Body) -> Task[None]:
        try:
            around = yield from find_dependents(self._run, id_, vm)
        except CcgpuError:
            return  # the VM that is named speaks for them
        for dependent, kind in around:
            if key(dependent) not in self.found:
                yield from self.at(dependent, kind)

    def _ours(self, kind: Kind, body: Body) -> bool:
        owner = tag(body, DEPLOYMENT)
        return owner == self._deployment or (kind is Kind.DISK and owner is None)

    def _say(self, id_: ResourceId, kind: Kind, state: Presence, body: Body | None) -> None:
        self.found[key(id_)] = Leftover(id_, state, billed=is_billed(kind, body))


def first_denied(errors: Iterable[CcgpuError]) -> Denied | None:
    """The first of `errors` that is for want of a right."""
    return next((err for err in errors if isinstance(err, Denied)), None)


def left_behind_error(
    what: str,
    errors: Iterable[CcgpuError],
    *,
    hint: str | None = None,
    resources: Sequence[Leftover] = (),
) -> LeftBehind:
    """The error that says what is left, because of `errors`: a missing right is named."""
    missing = first_denied(errors)
    if missing is None:
        return LeftBehind(what, hint=hint, resources=resources)
    text = what if str(missing) in what else f"{what}\n{missing}"
    return RemovalDenied(text, hint=hint, resources=resources)


@contextmanager
def reporting_leftovers(
    run: Run,
    ids: Callable[[], Mapping[ResourceId, Kind]],
    deployment: str,
    made: Callable[[], Collection[ResourceId]] = tuple,
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
        err.resources = err.resources or report_leftovers(run, ids(), deployment, made())
        if isinstance(err, LeftBehind) and not err.resources and err.__cause__ is not None:
            raise err.__cause__ from None
        raise


@contextmanager
def converting_interrupt(
    what: str, hint: str, resources: Callable[[], Sequence[Leftover]] = tuple
) -> Iterator[None]:
    """Turn Ctrl-C into an error that says `what` is not done, how to go on, and what there is."""
    try:
        yield
    except KeyboardInterrupt as err:
        raise Interrupted(f"interrupted: {what}", hint=hint, resources=resources()) from err


def recall_leftovers(
    run: Run,
    names: Names,
    writer: JournalWriter | None = None,
    more: Mapping[ResourceId, Kind] | None = None,
) -> tuple[Leftover, ...]:
    """What was read, what the journal names, and `more`, without asking Azure.

    Only what was seen exists, and that only until a DELETE was sent; all else is unknown.
    """
    sighted = _sighted(run, names)
    ids = {key(id_): (id_, kind) for id_, kind in (more or {}).items()} | sighted
    seen = set() if writer is not None and writer.doubtful else sighted.keys()
    if writer is not None:
        ids |= {key(record.id): (record.id, record.kind) for record in writer.journal.records}
        ids = {at: one for at, one in ids.items() if not writer.is_gone(at)}
        seen = seen | {at for at in ids if writer.seen(at)}
    return tuple(
        Leftover(id_, "exists" if at in seen else "unknown", is_billed(kind, run.observed.get(at)))
        for at, (id_, kind) in ids.items()
    )


def _sighted(run: Run, names: Names) -> dict[ResourceId, tuple[ResourceId, Kind]]:
    """What this command has read of the deployment, and what the bodies refer to, by `key`."""
    found: dict[ResourceId, Kind] = {}
    for body in list(run.observed.values()):
        id_, kind = ResourceId(body["id"]), kind_of(body["id"])
        if kind is None or tag(body, DEPLOYMENT) != names.deployment:
            continue
        if key(group_of(id_)) == key(names.group):
            found |= {id_: kind} | _referred(id_, kind, body, run.observed)
    return {key(id_): (id_, kind) for id_, kind in found.items()}


def _referred(
    id_: ResourceId, kind: Kind, body: Body, seen: Mapping[ResourceId, Body]
) -> dict[ResourceId, Kind]:
    """What a VM or a network interface of ours has brought along."""
    if kind is Kind.NIC:
        return dict.fromkeys(nic_public_ip_ids(body), Kind.PUBLIC_IP)
    if kind is not Kind.VM:
        return {}
    nics = network_interface_ids(body)
    ips = [ip for nic in nics for ip in nic_public_ip_ids(seen.get(key(nic)))]
    found = dict.fromkeys(vm_disk_ids(id_, body), Kind.DISK) | dict.fromkeys(nics, Kind.NIC)
    return found | dict.fromkeys(ips, Kind.PUBLIC_IP)
