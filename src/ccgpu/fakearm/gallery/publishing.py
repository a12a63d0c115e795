"""The publishing profile of an image version: its regions, replicas, and whether it is a latest."""

from typing import Any

from ccgpu.fakearm import compute_errors, kinds
from ccgpu.fakearm.errors import location_unavailable
from ccgpu.fakearm.gallery import refusals
from ccgpu.fakearm.gallery.replication import region_name
from ccgpu.fakearm.resources.tracked import PutRequest
from ccgpu.fakearm.wire import Body, FakeGap
from ccgpu.fakearm.world import World

_PATH = "galleryImageVersion.properties.publishingProfile"
_REPLICAS = (1, 100)  # Microsoft Learn, "Azure Compute Gallery", limits: 100 replicas a region
_STORAGE = ("Standard_LRS", "Standard_ZRS", "Premium_LRS")
_FIXED = ("storageAccountType", "replicationMode")
_DEFAULTS = {
    "replicaCount": 1,
    "excludeFromLatest": False,
    "storageAccountType": "Standard_LRS",
    "replicationMode": "Full",
}
_DATES = ("publishedDate", "endOfLifeDate")


def read(world: World, wanted: PutRequest) -> Body:
    """The profile with its defaults. What may not change keeps its value."""
    given = _present(wanted.properties.get("publishingProfile") or {})
    if unknown := given.keys() - {*_DEFAULTS, *_DATES, "targetRegions"}:
        raise FakeGap(f"a publishing profile with {sorted(unknown)}")
    before: Body = {}
    if wanted.existing is not None:
        before = wanted.existing.properties.get("publishingProfile") or {}
        for key in _FIXED:
            if key in given and given[key] != before.get(key, given[key]):
                raise compute_errors.property_change(f"{_PATH}.{key}")
    profile = {**_DEFAULTS, **before, **given}
    if published := before.get("publishedDate"):
        profile["publishedDate"] = published
    _check(profile)
    targets = given.get("targetRegions") or before.get("targetRegions")
    profile["targetRegions"] = [
        _target(world, one, profile) for one in targets or [{"name": wanted.location}]
    ]
    names = regions(profile)
    if len(set(names)) != len(names):
        raise refusals.regions_twice()
    if wanted.location not in names:
        raise refusals.regions_lack_own(names, wanted.location)
    return profile


def regions(profile: Body) -> list[str]:
    """The names of the profile's regions in ARM's short form."""
    return [region_name(one["name"]) for one in profile["targetRegions"]]


def replicas(profile: Body) -> dict[str, int]:
    """The number of replicas in each of the profile's regions."""
    targets = profile["targetRegions"]
    return {region_name(one["name"]): one["regionalReplicaCount"] for one in targets}


def _present(given: Body) -> Body:
    return {key: value for key, value in given.items() if value is not None}


def _check(profile: Body) -> None:
    _check_replicas(f"{_PATH}.replicaCount", profile["replicaCount"])
    if profile["storageAccountType"] not in _STORAGE:
        path = f"{_PATH}.storageAccountType"
        raise refusals.invalid_value(path, profile["storageAccountType"], _STORAGE)
    if profile["replicationMode"] != "Full":
        raise FakeGap(f"the replication mode {profile['replicationMode']}")


def _check_replicas(path: str, count: Any) -> None:
    least, most = _REPLICAS
    if not isinstance(count, int) or not least <= count <= most:
        raise refusals.out_of_range(path, count, least, most)


def _target(world: World, given: Body, profile: Body) -> Body:
    """A target region with its defaults."""
    target = _present(given)
    known = ("name", "regionalReplicaCount", "storageAccountType", "excludeFromLatest")
    if unknown := target.keys() - {*known}:
        raise FakeGap(f"a target region with {sorted(unknown)}")
    name, offered = target.get("name"), world.settings.value("regions")
    if not name:
        raise refusals.missing(f"{_PATH}.targetRegions.name")
    if region_name(name) not in offered:
        raise location_unavailable(kinds.GALLERY, str(name), offered)
    count = target.setdefault("regionalReplicaCount", profile["replicaCount"])
    _check_replicas(f"{_PATH}.targetRegions.regionalReplicaCount", count)
    target.setdefault("storageAccountType", profile["storageAccountType"])
    return {**target, "excludeFromLatest": target.get("excludeFromLatest", False)}
