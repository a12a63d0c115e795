"""Adding a user's own resources, in the form of a GET, to the simulated subscription.

All are checked like a PUT before any is added, and their operations end at once. A missing group is
created in the region of the first resource in it.
"""

import json
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from ccgpu.fakearm import errors, kinds, operations
from ccgpu.fakearm.call import ArmCall, group_id
from ccgpu.fakearm.resources import imported
from ccgpu.fakearm.resources.addresses import claim_address
from ccgpu.fakearm.seed_checks import Seed, SeedProblem, check_seeds
from ccgpu.fakearm.seed_kinds import KEPT_PROPERTIES, SEED_KINDS
from ccgpu.fakearm.settings import Settings
from ccgpu.fakearm.store import Store
from ccgpu.fakearm.wire import Body, FakeGap, Request
from ccgpu.fakearm.world import World


class AddedResource(NamedTuple):
    """A resource that now exists. `made_for`: the resource for which a group was created."""

    id: str
    kind: str
    made_for: str | None = None


class SeedingResult(NamedTuple):
    """The added resources in order, or all problems in the order of the input."""

    added: list[AddedResource]
    problems: list[SeedProblem]


class SeedingFailed(Exception):
    """There are problems. The transaction is rolled back."""

    def __init__(self, result: SeedingResult) -> None:
        super().__init__()
        self.result = result


def add_resources(
    store: Store,
    settings: Settings,
    subscription: str,
    resources: Sequence[Any],
    finishers: operations.Finishers,
) -> SeedingResult:
    """Add all resources in the caller's transaction. Raises `SeedingFailed` on any problem."""
    seeds, problems = check_seeds(resources, subscription, settings.value("regions"))
    result = SeedingResult([], problems)
    bad = {
        str(resources[one.place].get("id")).lower()
        for one in problems
        if _is_object(resources, one)
    }
    order = {kind: number for number, kind in enumerate(SEED_KINDS)}
    for seed in sorted(seeds, key=lambda one: order[one.kind]):
        world = World(store, settings, seed.subscription, home=subscription)
        world.begin_request()
        world.instant = True
        try:
            _make_group(world, seed, result)
            _add_resource(world, seed)
        except (errors.Refused, FakeGap) as err:
            if why := _failure_reason(err, bad):
                result.problems.append(SeedProblem(seed.place, (), why))
            bad.add(seed.id.lower())
        else:
            operations.finish_due(world, world.now, finishers)
            result.added.append(AddedResource(_restore_given(world, seed), seed.kind))
        world.end_request()
    if result.problems:
        result.problems.sort(key=lambda one: one.place)
        raise SeedingFailed(SeedingResult([], result.problems))
    return result


def _is_object(resources: Sequence[Any], problem: SeedProblem) -> bool:
    return isinstance(resources[problem.place], dict)


def _failure_reason(err: Exception, bad: set[str]) -> str | None:
    """Azure's error text; None if another resource's failure, already reported, is the cause."""
    if isinstance(err, FakeGap):
        return f"the simulated Azure cannot add it: {err}"
    text = str(err).partition(": ")[2]
    if any(one in text.lower() for one in bad):
        return None
    assert isinstance(err, errors.Refused)  # noqa: S101  # the only other exception caught here
    return f"{text} ({err.error['code']})"


def _make_group(world: World, seed: Seed, result: SeedingResult) -> None:
    if seed.group is None or seed.kind == kinds.GROUP:
        return
    id_ = group_id(world.subscription, seed.group)
    if world.find(id_) is not None:
        return
    if "location" not in seed.body:
        raise errors.group_not_found(seed.group)
    body = {"location": seed.body["location"]}
    _put(world, Seed(seed.place, id_, kinds.GROUP, seed.subscription, seed.group, body))
    result.added.append(AddedResource(id_, kinds.GROUP, seed.id))


def _add_resource(world: World, seed: Seed) -> None:
    if SEED_KINDS[seed.kind].put is not None:
        _put(world, seed)
        return
    for parent in _parents(seed):
        if world.find(parent) is None:
            raise errors.not_found(f"there is no {parent}: add it too")
    imported.store_imported(world, seed.id, seed.kind, seed.body)


def _parents(seed: Seed) -> Iterator[str]:
    """The resources that must exist first: the parent, or the scope of a lock or an assignment."""
    if seed.kind in (kinds.LOCK, kinds.POLICY, kinds.ROLE_ASSIGNMENT):
        scope = seed.id.rpartition("/providers/")[0]
        if scope.count("/") > 2:
            yield scope
    elif seed.kind in (kinds.GALLERY_IMAGE, kinds.GALLERY_VERSION):
        yield seed.id.rsplit("/", 2)[0]


_READ_ONLY = ("provisioningState", "diskState", "timeCreated", "uniqueId")


def _put(world: World, seed: Seed) -> None:
    """Call ARM's PUT handler, with an owner's rights."""
    put = SEED_KINDS[seed.kind].put
    assert put is not None  # noqa: S101  # checked by the caller
    given = seed.body.get("properties") or {}
    properties = {key: value for key, value in given.items() if key not in _READ_ONLY}
    raw = json.dumps({**seed.body, "properties": properties}).encode()
    provider = seed.id.partition("/providers/")[2].split("/")
    names = (seed.subscription, str(seed.group), *provider[2::2])
    request = Request("PUT", f"https://management.azure.com{seed.id}", {}, raw)
    put(ArmCall(request, world, names, {}, "management.azure.com"))


def _restore_given(world: World, seed: Seed) -> str:
    """Restore the values of `KEPT_PROPERTIES` as given. Returns the stored id."""
    found = world.find(seed.id)
    if found is None:  # a subnet or a rule is part of its parent
        return seed.id
    given: Body = seed.body.get("properties") or {}
    for key in KEPT_PROPERTIES.get(seed.kind, ()):
        if given.get(key) and (key != "ipAddress" or claim_address(world, str(given[key]), found)):
            found.properties[key] = given[key]
    world.save(found)
    return found.id
