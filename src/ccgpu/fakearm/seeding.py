"""Adding what users bring: resources as a GET tells them, put into the simulated subscription.

They are checked as a PUT is, all of them before anything is added, and what is written is done at
once. A group that is not there is made, in the region of the first resource that is in it.
"""

import json
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from ccgpu.fakearm import errors, kinds, operations
from ccgpu.fakearm.call import ArmCall, group_id
from ccgpu.fakearm.resources import brought
from ccgpu.fakearm.resources.addresses import claim_address
from ccgpu.fakearm.seed_checks import Seed, SeedProblem, check_seeds
from ccgpu.fakearm.seed_kinds import KEPT_PROPERTIES, SEED_KINDS
from ccgpu.fakearm.settings import Settings
from ccgpu.fakearm.store import Store
from ccgpu.fakearm.wire import Body, FakeGap, Request
from ccgpu.fakearm.world import World


class AddedResource(NamedTuple):
    """A resource that is there now. `made_for`: the resource for which a group was made."""

    id: str
    kind: str
    made_for: str | None = None


class SeedingResult(NamedTuple):
    """What was added, in order; or all that is wrong, by the place in the list."""

    added: list[AddedResource]
    flaws: list[SeedProblem]


class SeedingFailed(Exception):
    """Something is wrong: what was written is taken back."""

    def __init__(self, outcome: SeedingResult) -> None:
        super().__init__()
        self.outcome = outcome


def add_resources(
    store: Store,
    settings: Settings,
    subscription: str,
    resources: Sequence[Any],
    finishers: operations.Finishers,
) -> SeedingResult:
    """Add all of them within the caller's transaction; raises `Undone` if anything is wrong."""
    seeds, flaws = check_seeds(resources, subscription, settings.at("regions"))
    outcome = SeedingResult([], flaws)
    bad = {
        str(resources[one.place].get("id")).lower() for one in flaws if _is_object(resources, one)
    }
    order = {kind: number for number, kind in enumerate(SEED_KINDS)}
    for seed in sorted(seeds, key=lambda one: order[one.kind]):
        world = World(store, settings, seed.subscription, home=subscription)
        world.enter()
        world.instant = True
        try:
            _make_group(world, seed, outcome)
            _add_resource(world, seed)
        except (errors.Refused, FakeGap) as err:
            if why := _failure_reason(err, bad):
                outcome.flaws.append(SeedProblem(seed.place, (), why))
            bad.add(seed.id.lower())
        else:
            operations.finish_due(world, world.at, finishers)
            outcome.added.append(AddedResource(_restore_given(world, seed), seed.kind))
        world.leave()
    if outcome.flaws:
        outcome.flaws.sort(key=lambda one: one.place)
        raise SeedingFailed(SeedingResult([], outcome.flaws))
    return outcome


def _is_object(resources: Sequence[Any], flaw: SeedProblem) -> bool:
    return isinstance(resources[flaw.place], dict)


def _failure_reason(err: Exception, bad: set[str]) -> str | None:
    """Azure's words; nothing if the fault is another resource's, of which they are told already."""
    if isinstance(err, FakeGap):
        return f"the simulated Azure cannot add it: {err}"
    text = str(err).partition(": ")[2]
    if any(one in text.lower() for one in bad):
        return None
    assert isinstance(err, errors.Refused)  # noqa: S101  # the only other one that is caught
    return f"{text} ({err.error['code']})"


def _make_group(world: World, seed: Seed, outcome: SeedingResult) -> None:
    if seed.group is None or seed.kind == kinds.GROUP:
        return
    id_ = group_id(world.subscription, seed.group)
    if world.find(id_) is not None:
        return
    if "location" not in seed.body:
        raise errors.group_not_found(seed.group)
    body = {"location": seed.body["location"]}
    _put(world, Seed(seed.place, id_, kinds.GROUP, seed.subscription, seed.group, body))
    outcome.added.append(AddedResource(id_, kinds.GROUP, seed.id))


def _add_resource(world: World, seed: Seed) -> None:
    if SEED_KINDS[seed.kind].put is not None:
        _put(world, seed)
        return
    for parent in _parents(seed):
        if world.find(parent) is None:
            raise errors.not_found(f"there is no {parent}: add it too")
    brought.store_imported(world, seed.id, seed.kind, seed.body)


def _parents(seed: Seed) -> Iterator[str]:
    """The resources that this one is a part of; of a lock or an assignment, what it is put on."""
    if seed.kind in (kinds.LOCK, kinds.POLICY):
        scope = seed.id.rpartition("/providers/")[0]
        if scope.count("/") > 2:
            yield scope
    elif seed.kind in (kinds.GALLERY_IMAGE, kinds.GALLERY_VERSION):
        yield seed.id.rsplit("/", 2)[0]


_READ_ONLY = ("provisioningState", "diskState", "timeCreated", "uniqueId")


def _put(world: World, seed: Seed) -> None:
    """ARM's own PUT, as if by an owner."""
    put = SEED_KINDS[seed.kind].put
    assert put is not None  # noqa: S101  # looked at by the caller
    given = seed.body.get("properties") or {}
    properties = {key: value for key, value in given.items() if key not in _READ_ONLY}
    raw = json.dumps({**seed.body, "properties": properties}).encode()
    provider = seed.id.partition("/providers/")[2].split("/")
    names = (seed.subscription, str(seed.group), *provider[2::2])
    request = Request("PUT", f"https://management.azure.com{seed.id}", {}, raw)
    put(ArmCall(request, world, names, {}, "management.azure.com"))


def _restore_given(world: World, seed: Seed) -> str:
    """Let what a GET said and Azure decides be as it was given; answers the id as it is kept."""
    found = world.find(seed.id)
    if found is None:  # a subnet or a rule, which is a part of another
        return seed.id
    given: Body = seed.body.get("properties") or {}
    for key in KEPT_PROPERTIES.get(seed.kind, ()):
        if given.get(key) and (key != "ipAddress" or claim_address(world, str(given[key]), found)):
            found.properties[key] = given[key]
    world.save(found)
    return found.id
