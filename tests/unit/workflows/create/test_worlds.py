"""Many worlds: a create ends where Azure has room, or says why not; never with two VMs at once."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from ccgpu.errors import (
    AzureRefused,
    CapacityUnavailable,
    InvalidFile,
    NotFound,
    QuotaExceeded,
    TimedOut,
)
from ccgpu.fakearm import NCC_SIZE, Request, Response
from support import faults
from support.cloud import Machine, make_spec
from support.slow import mostly_slow

_FAMILY = "StandardNCCads2023Family"
_THREE = ["eastus2", "westeurope", "centralus"]
_FULL = {"": 0, "1": 0, "2": 0, "3": 0}
_SOLD_OUT = {"capacity": {NCC_SIZE: dict.fromkeys(_THREE, _FULL)}}
_CLOSED = [{"type": "Location", "reasonCode": "NotAvailableForSubscription"}]


def _no_room(*regions: str, **zones: int) -> dict[str, Any]:
    """No room in these regions, but for these zones (z1=1) of the last one."""
    rooms: dict[str, dict[str, int]] = {region: dict(_FULL) for region in regions}
    rooms[regions[-1]] |= {zone.removeprefix("z"): room for zone, room in zones.items()}
    return {"capacity": {NCC_SIZE: rooms}}


@dataclass(frozen=True)
class World:
    """A simulated Azure, a wish, and how the create has to end.

    ends: region and zone of the VM, or the class of the error. says: texts of the error or of the
    events. tries: the places that Azure had no room in. hours: how long it takes at most.
    """

    name: str
    settings: dict[str, Any]
    ends: Any
    spec: dict[str, Any] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)
    says: tuple[str, ...] = ()
    tries: tuple[str, ...] = ()
    hours: float = 1.0


def _quota(region: str = "*", **limits: int) -> dict[str, Any]:
    return {"quota": {region: {name.replace("family", _FAMILY): n for name, n in limits.items()}}}


_EAST, _WEST = ("eastus2", None), ("westeurope", None)
_WAIT = {"wait_for_capacity": 6 * 3600.0}
_WORLDS = [
    World("usual", {}, _EAST),
    World("zero quota", _quota(family=0), QuotaExceeded, says=("0 of 0 used, 40 more needed",)),
    World("quota elsewhere", _quota("eastus2", family=0), _WEST),
    World("family enough, region not", _quota(cores=39), QuotaExceeded, says=("Total Regional",)),
    World("one region without cores", _quota("eastus2", cores=39), _WEST),
    World("spot quota", _quota(lowPriorityCores=3), QuotaExceeded, {"spot": True}),
    World("spot needs no family", _quota(family=0), _EAST, {"spot": True}),
    World(
        "quota at the PUT stops it",
        _quota("eastus2", family=0),
        QuotaExceeded,
        options={"skip_preflight": True},
        says=("eastus2", "Standard NCCads2023 Family vCPUs: 0 of 0 used, 40 more needed"),
    ),
    World("restricted location", {"restrictions": {NCC_SIZE: {"eastus2": _CLOSED}}}, _WEST),
    World(
        "restricted everywhere",
        {"restrictions": {NCC_SIZE: dict.fromkeys(_THREE, _CLOSED)}},
        CapacityUnavailable,
        says=("NotAvailableForSubscription",),
    ),
    World(
        "restricted everywhere is not waited for",
        {"restrictions": {NCC_SIZE: dict.fromkeys(_THREE, _CLOSED)}},
        CapacityUnavailable,
        options=_WAIT,
        hours=0.1,
    ),
    World(
        "restricted zone",
        {
            "restrictions": {
                NCC_SIZE: {"eastus2": [{"type": "Zone", "reasonCode": "QuotaId", "zones": ["1"]}]}
            }
        },
        ("westeurope", "1"),
        {"zone": "1"},
    ),
    World(
        "a restricted zone is not tried",
        {
            "restrictions": {
                NCC_SIZE: {"eastus2": [{"type": "Zone", "reasonCode": "QuotaId", "zones": ["1"]}]}
            },
            **_no_room("eastus2", z3=1),
        },
        ("eastus2", "3"),
        tries=("eastus2", "eastus2, zone 2"),
    ),
    World(
        "sold out in zone 1 only, which is wanted",
        {"capacity": {NCC_SIZE: {"eastus2": {"1": 0}}}},
        ("westeurope", "1"),
        {"zone": "1"},
        tries=("eastus2, zone 1",),
    ),
    World("sold out in zone 1 only", {"capacity": {NCC_SIZE: {"eastus2": {"1": 0}}}}, _EAST),
    World(
        "room in one zone only",
        _no_room("eastus2", z2=1),
        ("eastus2", "2"),
        {"regions": ["eastus2"]},
        tries=("eastus2", "eastus2, zone 1"),
    ),
    World(
        "the last zone of the second region",
        _no_room("eastus2", "westeurope", z2=1),
        ("westeurope", "2"),
        tries=(
            *("eastus2", "eastus2, zone 1", "eastus2, zone 2", "eastus2, zone 3"),
            *("westeurope", "westeurope, zone 1"),
        ),
    ),
    World("first region full", _no_room("eastus2"), _WEST),
    World("two regions full", _no_room("eastus2", "westeurope"), ("centralus", None)),
    World(
        "sold out everywhere",
        _SOLD_OUT,
        CapacityUnavailable,
        says=("eastus2, zone 3", "westeurope, zone 2", "centralus", "AllocationFailed", "after "),
    ),
    World("sold out, and nobody waits", _SOLD_OUT, CapacityUnavailable, hours=0.5),
    World(
        "sold out, then free after two hours",
        {
            **_SOLD_OUT,
            "timeline": [
                {"after": 7200, "settings": {"capacity": {NCC_SIZE: {"centralus": {"": 1}}}}}
            ],
        },
        ("centralus", None),
        options=_WAIT,
        hours=3.5,
        says=("no capacity anywhere: trying again in 5 min",),
    ),
    World(
        "sold out for longer than is waited",
        _SOLD_OUT,
        CapacityUnavailable,
        options={"wait_for_capacity": 3600.0},
        hours=2.0,
    ),
    *(
        World(
            f"moves on after {code}",
            {"allocation_error": code, **_no_room("eastus2")},
            _WEST,
            says=(code,),
        )
        for code in (
            *("AllocationFailed", "ZonalAllocationFailed", "OverconstrainedAllocationRequest"),
            *("OverconstrainedZonalAllocationRequest", "SkuNotAvailable"),
        )
    ),
    World(
        "size not in the wanted region",
        {},
        InvalidFile,
        {"regions": ["northeurope"]},
        says=("northeurope does not offer",),
    ),
    World("any region", {}, ("centralus", None), {"regions": ["northeurope"], "any_region": True}),
    World(
        "any region, the cheapest first",
        {"prices": {"vm": {"centralus": 9.0, "westeurope": 8.0}}, **_no_room("eastus2")},
        _WEST,
        {"regions": ["eastus2"], "any_region": True},
    ),
    World(
        "any region, and none has room",
        _SOLD_OUT,
        CapacityUnavailable,
        {"regions": ["eastus2"], "any_region": True},
        says=("westeurope", "centralus"),
    ),
    World("no sizes listed", {"reported": {"sizes": False}}, _EAST),
    World(
        "quota misreported as zero",
        {"reported": {"quota": {"*": {_FAMILY: 0}}}},
        QuotaExceeded,
        says=("0 of 0 used",),
    ),
    World(
        "quota misreported as zero, and skipped",
        {"reported": {"quota": {"*": {_FAMILY: 0}}}},
        _EAST,
        options={"skip_preflight": True},
    ),
    World(
        "restriction misreported, and skipped",
        {"reported": {"restrictions": {NCC_SIZE: dict.fromkeys(_THREE, _CLOSED)}}},
        _EAST,
        options={"skip_preflight": True},
    ),
    World(
        "quota misreported as enough",
        {**_quota(family=0), "reported": {"quota": {"*": {_FAMILY: 80}}}},
        QuotaExceeded,
        says=("40 more needed",),
    ),
    World(
        "no image",
        {},
        NotFound,
        {"image": "Canonical:ubuntu-24_04-lts:cvm:1.0.0"},
        says=("eastus2", "westeurope", "centralus"),
    ),
    World(
        "denied by a policy",
        {"denied": [{"kind": "Microsoft.Compute/virtualMachines", "message": "no VMs here"}]},
        AzureRefused,
        says=("no VMs here",),
    ),
    World("prices away", {"prices": {"service": "down"}}, _EAST),
    World("time runs out before the wait ends", _SOLD_OUT, TimedOut, options={"timeout": 20.0}),
]


def _run(machine: Machine, world: World) -> tuple[Any, list[int]]:
    """Create in this world; returns the outcome or the error, and the VMs after each request."""
    machine.arm.configure(world.settings)
    seen = [0]

    def count(request: Request, _: Response) -> None:
        if request.method in ("PUT", "DELETE"):
            seen.append(machine.kinds().count("virtualMachines"))

    machine.arm.on_commit = count
    spec = make_spec(**{"regions": _THREE} | world.spec)
    try:
        return machine.create(spec, **world.options), seen
    except AzureRefused as err:
        return err, seen
    except (InvalidFile, TimedOut) as err:
        return err, seen
    finally:
        machine.arm.on_commit = None


@pytest.mark.parametrize("world", mostly_slow(_WORLDS, 20, 2), ids=lambda world: world.name)
def test_a_create_ends_where_there_is_room_or_says_why_not(machine: Machine, world: World) -> None:
    began = machine.arm.now()
    ended, seen = _run(machine, world)
    assert max(seen) <= 1
    assert machine.arm.now() - began <= world.hours * 3600
    told = "\n".join(event.text for event in machine.events)
    if isinstance(world.ends, tuple):
        assert not isinstance(ended, Exception), ended
        place = ended.candidate.placement
        assert (place.region, place.zone) == world.ends
        assert machine.kinds().count("virtualMachines") == 1
        if world.tries:
            assert tuple(one.place for one in ended.tries) == world.tries
    else:
        assert type(ended) is world.ends, ended
        assert machine.ids() == set()
        assert machine.arm.show()["billing"] == []
        problems = getattr(ended, "problems", ())
        told += f"\n{ended}\n{problems}"
    for text in world.says:
        assert text in told, told


@pytest.mark.slow
def test_the_vm_of_another_region_is_kept_by_the_same_wish(machine: Machine) -> None:
    machine.arm.configure(_no_room("eastus2"))
    spec = make_spec(regions=["eastus2"], any_region=True)
    first = machine.create(spec)
    assert first.candidate.placement.region == "centralus"
    assert machine.create(spec).plan.changes == ()


def test_throttled_lists_are_read_again_not_taken_for_a_no(machine: Machine) -> None:
    asked: list[str] = []

    def throttle(request: Request) -> Response | None:
        if request.path.endswith(("/skus", "/usages")) and len(asked) < 4:
            asked.append(request.path)
            return faults.error(429, "TooManyRequests")
        return None

    machine.arm.faults.append(throttle)
    assert machine.create(make_spec(regions=["eastus2"])).candidate.placement.region == "eastus2"
    assert len(asked) == 4


@pytest.mark.slow
def test_a_try_says_what_azure_said_and_how_long_it_took(machine: Machine) -> None:
    machine.arm.configure(_no_room("eastus2"))
    tries = machine.create(make_spec(regions=_THREE)).tries
    assert [(one.place, one.code) for one in tries] == [
        ("eastus2", "AllocationFailed"),
        *((f"eastus2, zone {zone}", "ZonalAllocationFailed") for zone in "123"),
    ]
    assert all("sufficient capacity" in one.message and one.seconds > 30 for one in tries)


def test_keep_on_failure_ends_at_the_first_lack_of_capacity(machine: Machine) -> None:
    machine.arm.configure(_no_room("eastus2"))
    with pytest.raises(Exception, match="are kept"):
        machine.create(make_spec(regions=_THREE), keep_on_failure=True)
    assert machine.kinds().count("virtualMachines") <= 1
