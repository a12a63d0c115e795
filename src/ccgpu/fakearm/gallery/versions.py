"""Image versions: made of a managed disk, copied to regions, and fixed but for where they are.

Rules: SDK models (GalleryImageVersion…) and Microsoft Learn, "Troubleshoot images in Azure Compute
Gallery". Sources but managed disks, data disks and encryption sets are gaps.
"""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

from ccgpu.fakearm import compute_errors, kinds, operations
from ccgpu.fakearm.call import ArmCall, accepted_response
from ccgpu.fakearm.clock import arm_time
from ccgpu.fakearm.gallery import galleries, publishing, refusals, replication
from ccgpu.fakearm.operations import Operation
from ccgpu.fakearm.resources import tracked
from ccgpu.fakearm.resources.uploads import refuse_while_copied
from ccgpu.fakearm.wire import Body, FakeGap, Response
from ccgpu.fakearm.world import Reference, StoredResource, World

_NAME = re.compile(r"(?:0|[1-9]\d{0,9})(?:\.(?:0|[1-9]\d{0,9})){2}")
_MOST = 2**31 - 1  # of each number, an Int32
_SOURCE = "galleryImageVersion.properties.storageProfile.osDiskImage.source.id"
# From API version 2026-03-03 on (azure-cli, breaking changes of `sig image-version create`).
_LIFE = timedelta(days=183)
_GIB = 1024**3


def _refuse_delete(world: World, version: StoredResource) -> None:
    safety = version.properties.get("safetyProfile") or {}
    end = (version.properties.get("publishingProfile") or {}).get("endOfLifeDate")
    if safety.get("blockDeletionBeforeEndOfLife") and end and world.now < _moment(end):
        raise refusals.deletion_blocked(version.name, end)


def _view(_: World, version: StoredResource) -> Body:
    """A version as GET returns it. One that was added may lack what Azure fills in."""
    profile = {"excludeFromLatest": False, **(version.properties.get("publishingProfile") or {})}
    return {**version.body, "properties": {**version.properties, "publishingProfile": profile}}


RULES = tracked.KindRules(
    kinds.GALLERY_VERSION,
    view=_view,
    refuse_delete=_refuse_delete,
    delete_seconds="gallery.delete",
    delete_after=galleries.DELETE_AFTER,
    get_options=frozenset({"$expand"}),
)


def put(call: ArmCall) -> Response:
    name = call.name_of(kinds.GALLERY_VERSION)
    if not _NAME.fullmatch(name) or any(int(part) > _MOST for part in name.split(".")):
        raise refusals.invalid_version_name()
    definition = tracked.require_parent(call, kinds.GALLERY_VERSION, write=True)
    wanted = tracked.validate_put(call, kinds.GALLERY_VERSION)
    old = wanted.existing
    _refuse_unknown(wanted.properties)
    profile = publishing.read(call.world, wanted)
    if old is None:
        storage, disk = _storage_of(call.world, wanted, definition)
    else:
        storage, disk = old.properties.get("storageProfile") or {}, None
        _refuse_other_source(wanted, storage)
    properties = {"publishingProfile": profile, "storageProfile": storage}
    properties["safetyProfile"] = _safety(wanted.properties, old)
    state = "Updating" if old else "Creating"
    made = tracked.build_resource(call.world, kinds.GALLERY_VERSION, wanted, properties, state)
    seconds = replication.start_copies(call.world, made, publishing.replicas(profile))
    if disk is not None:
        for key in ("content", "contentBytes"):
            made.internal_state[key] = disk.internal_state.get(key)
        held = Reference(disk.id, made.id, made.key, "image-source")
        call.world.set_references(made, [held])
    call.world.save(made)
    seconds += call.world.duration("gallery")
    operation = operations.begin(call.world, "gallery.version", made, seconds)
    return accepted_response(call, wanted.status, operation, made.body)


def _refuse_unknown(given: Body) -> None:
    known = ("publishingProfile", "storageProfile", "safetyProfile", "provisioningState")
    unknown = sorted(key for key in given.keys() - {*known} if given[key] is not None)
    if unknown:
        raise FakeGap(f"an image version with {unknown}")


def _source_of(given: Body) -> str:
    """The id of the one source, a disk's."""
    storage: Any = given.get("storageProfile")
    if not isinstance(storage, dict):
        raise refusals.missing("galleryImageVersion.properties.storageProfile")
    whole, disk = ((storage.get(key) or {}) for key in ("source", "osDiskImage"))
    own = disk.get("source") or {}
    others = (storage.get("dataDiskImages"), own.get("storageAccountId"))
    if any(others) or whole.get("virtualMachineId"):
        raise FakeGap("an image version with data disks, or of a blob or a VM")
    if bool(whole.get("id")) == bool(own.get("id")):
        raise refusals.no_single_source()
    if whole.get("id"):
        raise FakeGap("an image version of a VM, an image or another version")
    return str(own["id"])


def _storage_of(
    world: World, wanted: tracked.PutRequest, definition: StoredResource
) -> tuple[Body, StoredResource]:
    """The storage profile of a new version, and the disk that it is made of."""
    id_ = _source_of(wanted.properties)
    for one in definition.properties.get("features") or ():
        if str(one["value"]).lower() in ("trustedlaunch", "confidentialvm"):
            raise FakeGap("an image version with the guest state of a VM")
    if f"/{kinds.DISK}/".lower() not in id_.lower():
        raise refusals.source_not_a_disk(id_)
    disk = world.find(id_)
    if disk is None or disk.location != wanted.location:
        raise refusals.source_missing(id_)
    state = disk.properties["diskState"]
    if state in ("ReadyToUpload", "ActiveUpload") or not disk.settled:
        raise refusals.source_not_ready(disk.id, state)
    refuse_while_copied(world, disk)
    its, of = disk.properties, definition.properties
    for key, what in (("hyperVGeneration", "Hypervisor generation"), ("osType", "OS type")):
        if its.get(key, "V1" if key == "hyperVGeneration" else "None") != of[key]:
            raise refusals.source_differs(disk.id, what, str(its.get(key)), of[key])
    given = wanted.properties["storageProfile"]["osDiskImage"]
    size = -(-int(its.get("diskSizeBytes") or its.get("diskSizeGB", 1) * _GIB) // _GIB)
    image = {
        "sizeInGB": size,
        "hostCaching": given.get("hostCaching") or "None",
        "source": {"id": disk.id},
    }
    return {"osDiskImage": image}, disk


def _refuse_other_source(wanted: tracked.PutRequest, storage: Body) -> None:
    before = str(((storage.get("osDiskImage") or {}).get("source") or {}).get("id"))
    if _source_of(wanted.properties).lower() != before.lower():
        raise compute_errors.property_change(_SOURCE)


def _safety(given: Body, old: StoredResource | None) -> Body:
    """Deletion is blocked before the end of life, unless the request says otherwise."""
    before = (old.properties.get("safetyProfile") or {}) if old else {}
    wanted = {k: v for k, v in (given.get("safetyProfile") or {}).items() if v is not None}
    usual = {
        "reportedForPolicyViolation": False,
        "allowDeletionOfReplicatedLocations": True,
        "blockDeletionBeforeEndOfLife": True,
    }
    if unknown := wanted.keys() - usual.keys():
        raise FakeGap(f"a safety profile with {sorted(unknown)}")
    return {**usual, **before, **wanted}


def _moment(text: str) -> float:
    moment = datetime.fromisoformat(text)
    return moment.replace(tzinfo=moment.tzinfo or UTC).timestamp()


def finish_write(world: World, _: Operation, version: StoredResource) -> Body | None:
    """End a write: in all regions, or failed with those that it did not reach."""
    world.set_references(version, [])
    profile = version.properties["publishingProfile"]
    if "publishedDate" not in profile:
        profile["publishedDate"] = arm_time(world.now)
    if not profile.get("endOfLifeDate"):
        profile["endOfLifeDate"] = arm_time(world.now + _LIFE.total_seconds())
    failed = replication.failed_regions(world, version)
    version.state = "Failed" if failed else "Succeeded"
    world.save(version)
    return refusals.replication_incomplete(failed) if failed else None


def get(call: ArmCall) -> Response:
    expand = call.query.get("$expand")
    answer = tracked.get(RULES, call)
    if expand is None:
        return answer
    if expand != "ReplicationStatus":
        raise FakeGap(f"$expand={expand}")
    version = tracked.require(call, kinds.GALLERY_VERSION)
    status = replication.status_of(call.world, version)
    properties = {**answer.body["properties"], "replicationStatus": status}
    return Response(200, {**answer.body, "properties": properties}, answer.headers)


FINISHERS = {"gallery.version": finish_write}
