"""`ccgpu delete`: everything a deployment owns, by id, each until a GET answers 404.

Works without a journal, on any machine: ids come from the journal, from the names we give, and
from the tags. Done again it finds nothing and says so.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from ccgpu.domain.catalog import Kind
from ccgpu.domain.desired import Names
from ccgpu.domain.events import Listener, ignored
from ccgpu.domain.journal import Journal
from ccgpu.domain.resource import DEPLOYMENT, ResourceId, key, own_group, tag
from ccgpu.errors import Interrupted
from ccgpu.workflows.cloud import Cloud
from ccgpu.workflows.inventory import denied, inventory, left_behind, remembered, reported
from ccgpu.workflows.keeper import Keeper
from ccgpu.workflows.locate import deployments, names_of
from ccgpu.workflows.removal import Owner, Removal, remove
from ccgpu.workflows.requests import Run, ask, complete
from ccgpu.workflows.survey import as_is, deployment_ids, nameable_ids

TIMEOUT = 1800.0

# Shows what would be deleted; raises to refuse.
Approve = Callable[[list[ResourceId]], None]


@dataclass(frozen=True, slots=True)
class Deleted:
    """What a delete has done: gone, and kept with the reason."""

    name: str
    gone: tuple[ResourceId, ...]
    kept: tuple[tuple[ResourceId, str], ...]


def delete(
    cloud: Cloud,
    name: str,
    group: str | None = None,
    *,
    timeout: float = TIMEOUT,
    listen: Listener = ignored,
    approve: Approve = lambda _: None,
) -> Deleted:
    """Remove the deployment; `LeftBehind` with the list if anything of it may still be there.

    `Denied` if it is gone, although a right was missing that it should have taken.
    """
    run = Run(cloud, cloud.now() + timeout, listen)

    def waiting() -> None:
        run.tell("note", f"another ccgpu is working on {name}: waiting for it")

    known = nameable_ids(Names(cloud.subscription, group or own_group(name), name))
    locked = cloud.journals.locked(cloud.subscription, name, waiting)
    with reported(run, lambda: known, name), locked as file:  # a full disk is reported too
        journal = file.read() or Journal(name, cloud.subscription, group or "", "", "")
        keeper = Keeper(file, journal)
        there = group or journal.group or own_group(name)
        known |= nameable_ids(Names(cloud.subscription, there, name))
        known |= {record.id: record.kind for record in journal.records}
        present: dict[ResourceId, Kind] = {}
        try:
            with reported(run, lambda: known, name):
                names = names_of(run, name, group or journal.group or None)
                known |= nameable_ids(names)
                return _delete(run, names, keeper, known, present, approve)
        except KeyboardInterrupt as err:
            raise Interrupted(
                f"interrupted: {name} is not wholly deleted",
                hint=f"`ccgpu delete {name}` goes on",
                resources=remembered(keeper, present),
            ) from err


def _delete(
    run: Run,
    names: Names,
    keeper: Keeper,
    known: dict[ResourceId, Kind],
    present: dict[ResourceId, Kind],
    approve: Approve,
) -> Deleted:
    """Remove it all; `known` is told of every id that may be there, `present` of those that are."""

    def gone(id_: ResourceId) -> None:
        keeper.gone(id_)
        present.pop(id_, None)

    targets, owner = _targets(run, names, keeper.journal)
    known |= targets
    present |= {id_: targets[id_] for id_ in _present(run, targets, owner)}
    if present:
        approve(sorted(present))
    result = remove(run, targets, owner, gone)
    _what_came_late(run, names, owner, gone, result)
    kept = {key(id_) for id_, _ in result.kept}
    if result.errors:
        there = inventory(run, known | result.left, names.deployment)
        if any(key(one.id) not in kept for one in there):
            raise left_behind(
                f"{names.deployment} is not wholly deleted: {result.errors[0]}",
                result.errors,
                hint=f"`ccgpu delete {names.deployment}` tries again",
                resources=there,
            ) from result.errors[0]
    keeper.forget()
    if missing := denied(result.errors):
        raise missing
    return Deleted(names.deployment, tuple(result.gone), tuple(result.kept))


def _targets(run: Run, names: Names, journal: Journal) -> tuple[dict[ResourceId, Kind], Owner]:
    """All ids that may be the deployment's, and whose they must be to be removed."""
    targets = {key(id_): (id_, kind) for id_, kind in deployment_ids(names).items()}
    for record in journal.records:
        targets.setdefault(key(record.id), (record.id, record.kind))
    disks = {key(r.id) for r in journal.records if r.kind is Kind.DISK}
    for found in deployments(run, names.deployment):
        if found.group.casefold() == names.group.casefold():
            for id_, kind in found.kinds.items():
                targets.setdefault(key(id_), (id_, kind))
    group = names.of(Kind.GROUP)
    body = complete(run, ask(run, partial(run.cloud.arm.get, Kind.GROUP, group), "reading"))
    if tag(body, DEPLOYMENT) == names.deployment:  # in our own group its disk can only be ours
        targets.setdefault(key(names.os_disk), (names.os_disk, Kind.DISK))
        disks.add(key(names.os_disk))
    return dict(targets.values()), Owner(names.deployment, promised=frozenset(disks))


def _present(run: Run, targets: dict[ResourceId, Kind], owner: Owner) -> list[ResourceId]:
    """What of `targets` is there and would be removed."""
    found = as_is(run, targets)
    return [id_ for id_ in targets if key(id_) in found and owner.has(id_, found[key(id_)])]


def _what_came_late(
    run: Run, names: Names, owner: Owner, gone: Callable[[ResourceId], None], first: Removal
) -> None:
    """Look once more by tag: what a lagging answer hid, a NIC or IP that no VM named any more.

    A group that stayed because of it is then looked at again.
    """
    again = {id_: Kind.GROUP for id_, _ in first.kept}
    seen = first.seen() - {key(id_) for id_ in again}
    for found in deployments(run, names.deployment):
        if found.group.casefold() != names.group.casefold():
            continue
        late = {id_: kind for id_, kind in found.kinds.items() if key(id_) not in seen}
        if late.keys() - again.keys():
            first.kept.clear()
            first.add(remove(run, late | again, owner, gone))
