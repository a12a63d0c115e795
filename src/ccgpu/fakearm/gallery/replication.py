"""Copies of an image version in its regions, each of which takes virtual time and may fail.

The state of a copy follows from the time alone. Setting `replication`: `seconds` has the seconds of
virtual time by region or `*`, `fails` the regions whose copies fail at their end.
"""

from collections.abc import Mapping
from typing import Any

from ccgpu.fakearm.wire import Body
from ccgpu.fakearm.world import StoredResource, World

# region -> {"from": time, "until": time, "fails": bool, "replicas": number}
_COPIES = "copies"


def region_name(given: object) -> str:
    return str(given).replace(" ", "").lower()


def find_replication_problems(values: Mapping[str, Any]) -> list[tuple[tuple[str, ...], str]]:
    """What is wrong with the setting `replication`."""
    found: list[tuple[tuple[str, ...], str]] = []
    for key, value in values.items():
        if key == "seconds" and isinstance(value, dict):
            number = "must be a number, 0 or more"
            found += [((key, str(k)), number) for k, v in value.items() if not _is_time(v)]
        elif key == "fails" and isinstance(value, list):
            text = "must be the name of a region"
            found += [((key, str(n)), text) for n, v in enumerate(value) if not isinstance(v, str)]
        else:
            found.append(((str(key),), "must be seconds, a mapping, or fails, a list"))
    return found


def _is_time(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value >= 0


def start_copies(world: World, version: StoredResource, regions: Mapping[str, int]) -> float:
    """Keep the copies that exist, start those that do not or have failed, drop the others.

    Further replicas in a region take as long as its first; VMs can be made of that meanwhile.
    regions: with the number of replicas in each. Returns how many seconds the last one still takes.
    """
    known: dict[str, Any] = version.internal_state.get(_COPIES, {})
    copies: dict[str, Body] = {}
    ends = [world.now]
    for region, replicas in regions.items():
        old, new = known.get(region), _new_copy(world, region)
        failed = old is not None and old["fails"] and old["until"] <= world.now
        copies[region] = {**(new if old is None or failed else old), "replicas": replicas}
        more = old is not None and replicas > old.get("replicas", 1)
        ends.append(float((new if more else copies[region])["until"]))
    version.internal_state[_COPIES] = copies
    return max(ends) - world.now


def _new_copy(world: World, region: str) -> Body:
    seconds = world.settings.value("replication", "seconds")
    lasts = 0.0 if world.instant else float(seconds.get(region, seconds["*"]))
    fails = region in {region_name(one) for one in world.settings.value("replication", "fails")}
    return {"from": world.now, "until": world.now + lasts, "fails": fails}


def failed_regions(world: World, version: StoredResource) -> list[str]:
    copies: dict[str, Any] = version.internal_state.get(_COPIES, {})
    return [region for region, one in copies.items() if _state(world, one) == "Failed"]


def is_available(world: World, version: StoredResource, region: str) -> bool:
    """Whether VMs in the region can be made of the version. One that was added has no copies."""
    if version.state in ("Creating", "Deleting"):
        return False
    copy = version.internal_state.get(_COPIES, {}).get(region)
    return copy is None or _state(world, copy) == "Completed"


def status_of(world: World, version: StoredResource) -> Body:
    """`replicationStatus` of the version."""
    copies: dict[str, Any] = version.internal_state.get(_COPIES, {})
    summary = [_region_status(world, region, one) for region, one in copies.items()]
    states = {one["state"] for one in summary}
    overall = "InProgress" if "Replicating" in states else "Completed"
    return {"aggregatedState": "Failed" if "Failed" in states else overall, "summary": summary}


def _state(world: World, copy: Body) -> str:
    if world.now < copy["until"]:
        return "Replicating"
    return "Failed" if copy["fails"] else "Completed"


def _region_status(world: World, region: str, copy: Body) -> Body:
    state, lasts = _state(world, copy), copy["until"] - copy["from"]
    progress = 100 if world.now >= copy["until"] else int(100 * (world.now - copy["from"]) / lasts)
    details = f"The replication job failed in region '{region}'." if state == "Failed" else ""
    return {"region": region, "state": state, "details": details, "progress": progress}
