"""Disks that are filled by an upload: their PUT, the access to their bytes, and its end.

ReadyToUpload → beginGetAccess (Write) → ActiveUpload → endGetAccess → Unattached. Source: Microsoft
Learn, "Upload a VHD to Azure" (direct upload); SDK models (CreationData, GrantAccessData).
"""

from typing import Any

from ccgpu.fakearm import compute_errors, errors, kinds, operations
from ccgpu.fakearm.call import IN_GROUP, ArmCall, Route, Routes, accepted_response, require_group
from ccgpu.fakearm.operations import Operation
from ccgpu.fakearm.resources import tracked
from ccgpu.fakearm.storage import hosts, pages, vhd
from ccgpu.fakearm.wire import Body, FakeGap, Response
from ccgpu.fakearm.world import StoredResource, World

_MIB, _GIB = 1024**2, 1024**3
_LEAST, _MOST = 20 * _MIB + vhd.FOOTER, 32 * 1024 * _GIB + vhd.FOOTER  # SDK, CreationData
_LONGEST = 60 * 24 * 3600  # seconds; Microsoft Learn, managed disks: a SAS lasts at most 60 days
_BEFORE = ("ReadyToUpload", "ActiveUpload")
# A disk with other values gives access to some clients only.
_OPEN = {
    "networkAccessPolicy": "AllowAll",
    "publicNetworkAccess": "Enabled",
    "dataAccessAuthMode": "None",
}
_SIZE = "creationData.uploadSizeBytes"


def has_access(disk: StoredResource) -> bool:
    """Whether an access to the disk's bytes was given out, and not ended."""
    return disk.properties.get("diskState") in ("ActiveUpload", "ActiveSAS")


def refuse_attach(disk: StoredResource) -> None:
    """Refuse to give a VM a disk that waits for its upload, or to which there is access."""
    _refuse_access(disk, "attaching")
    if disk.properties.get("diskState") == "ReadyToUpload":
        raise compute_errors.operation_not_allowed(
            f"Cannot attach disk '{disk.name}' because its state is ReadyToUpload: it waits for "
            "its upload."
        )


def refuse_delete(world: World, disk: StoredResource) -> None:
    """Refuse to delete a disk with outstanding access, or one that an image is being made of."""
    _refuse_access(disk, "deleting")
    refuse_while_copied(world, disk)


def _refuse_access(disk: StoredResource, doing: str) -> None:
    if has_access(disk):
        raise compute_errors.operation_not_allowed(
            f"There is an active shared access signature outstanding for disk {disk.name}. Call "
            f"EndGetAccess before {doing} the disk."
        )


def refuse_while_copied(world: World, disk: StoredResource) -> None:
    """Refuse what an image version prevents that is being made of the disk."""
    if world.references_to(disk.id, "image-source"):
        raise errors.Refused(
            409,
            "Conflict",
            f"The source image '{disk.id}' is being used by another replication currently. Please "
            "retry after some time.",
        )


def new_properties(world: World, wanted: tracked.PutRequest) -> tuple[Body, Body]:
    """The properties and the internal state of a disk that waits for its upload; else nothing."""
    given: Any = wanted.properties["creationData"]
    option, old = given.get("createOption"), wanted.existing
    security = (wanted.properties.get("securityProfile") or {}).get("securityType")
    if option == "Upload" and str(security).startswith("ConfidentialVM"):
        raise FakeGap("the upload of a confidential VM's disk")
    if option == "UploadPreparedSecure":
        if not security:
            raise errors.invalid_parameter(
                "disk.securityProfile.securityType",
                "Required parameter 'disk.securityProfile.securityType' is missing (null).",
            )
        raise FakeGap("the upload of a VM's guest state")
    if old is not None and "content" in old.internal_state:
        return _kept(given, old), old.internal_state
    if option != "Upload":
        return {}, {}
    size = _checked_size(given.get("uploadSizeBytes")) - vhd.FOOTER
    properties = {
        "diskState": "ReadyToUpload",
        "diskSizeBytes": size,
        "diskSizeGB": -(-size // _GIB),
    }
    return properties, {"content": world.new_hex(), "contentBytes": size + vhd.FOOTER}


def _kept(given: Body, old: StoredResource) -> Body:
    before = old.properties["creationData"]
    for key in ("createOption", "uploadSizeBytes"):
        if given.get(key) != before[key]:
            raise compute_errors.property_change(f"creationData.{key}")
    return {key: old.properties[key] for key in ("diskState", "diskSizeBytes", "diskSizeGB")}


def _checked_size(size: Any) -> int:
    if size is None:
        raise errors.invalid_parameter(_SIZE, f"Required parameter '{_SIZE}' is missing (null).")
    if not isinstance(size, int) or not _LEAST <= size <= _MOST:
        raise errors.invalid_parameter(
            _SIZE,
            f"The value {size} of parameter {_SIZE} is out of range. The value must be between "
            f"{_LEAST} and {_MOST}, inclusive.",
        )
    rest = size - vhd.FOOTER
    if rest % _MIB:
        raise errors.bad_request(
            f"The upload size in bytes {size} - {vhd.FOOTER} bytes for the VHD footer ({rest} in "
            "this case) must be a multiple of MiB."
        )
    return size


def begin_access(call: ArmCall) -> Response:
    """Accept a grant. The operation's output is the address with its signature."""
    disk = tracked.require(call, kinds.DISK)
    require_group(call, write=True)
    level, seconds = _checked_grant(call.body())
    tracked.refuse_while_busy(call, disk)
    state = disk.properties["diskState"]
    states = _BEFORE if level == "Write" else ("Unattached", "ActiveSAS")
    if state not in states:
        raise compute_errors.operation_not_allowed(
            f"{level} access to disk {disk.name} cannot be granted while its state is {state}."
        )
    limits = {key: disk.properties.get(key, usual) for key, usual in _OPEN.items()}
    if "content" not in disk.internal_state or limits != _OPEN:
        raise FakeGap(f"access to a disk that was not uploaded, or with {limits}")
    lasts = call.world.duration("disk.access")
    operation = operations.begin(
        call.world, "disk.grant", disk, lasts, level=level, access_seconds=seconds
    )
    return accepted_response(call, 202, operation, None, retry_after=2)


def _checked_grant(given: Body) -> tuple[str, int]:
    level, seconds = given.get("access"), given.get("durationInSeconds")
    if level not in ("Read", "Write"):
        raise errors.invalid_parameter(
            "grantAccessData.access", f"The value '{level}' of parameter 'access' is invalid."
        )
    if not isinstance(seconds, int) or not 1 <= seconds <= _LONGEST:
        raise errors.invalid_parameter(
            "grantAccessData.durationInSeconds",
            f"The value {seconds} of parameter grantAccessData.durationInSeconds is out of range. "
            f"The value must be between 1 and {_LONGEST}, inclusive.",
        )
    known = {"access", "durationInSeconds"}
    if unknown := sorted(key for key in given.keys() - known if given[key]):
        raise FakeGap(f"access to a disk with {unknown}")
    return level, seconds


def finish_grant(world: World, operation: Operation, disk: StoredResource) -> Body | None:
    """Give access. A second grant has the address of the first, and its own end."""
    level, lasts = operation.data["level"], operation.data["access_seconds"]
    before = disk.internal_state.get("access")
    same = before is not None and before["level"] == level
    policy = before["policy"] if same and before else world.new_guid()
    access = {"policy": policy, "level": level, "from": world.now, "until": world.now + lasts}
    disk.internal_state["access"] = access
    disk.properties["diskState"] = "ActiveUpload" if level == "Write" else "ActiveSAS"
    world.save(disk)
    url = hosts.signed_url(disk.internal_state["content"], access)
    operation.data["output"] = {"accessSAS": url}
    return None


def end_access(call: ArmCall) -> Response:
    disk = tracked.require(call, kinds.DISK)
    require_group(call, write=True)
    tracked.refuse_while_busy(call, disk)
    operation = operations.begin(
        call.world, "disk.revoke", disk, call.world.duration("disk.access")
    )
    return accepted_response(call, 202, operation, None, retry_after=2)


def finish_revoke(world: World, _: Operation, disk: StoredResource) -> Body | None:
    """End the access. An upload has ended then, if the bytes end with a VHD's footer."""
    state = disk.properties["diskState"]
    if state == "ActiveUpload":
        content, size = disk.internal_state["content"], disk.properties["diskSizeBytes"]
        footer = pages.read(world.store, content, size, size + vhd.FOOTER)
        blob = f"https://{hosts.blob_host(content)}:8443{hosts.blob_path(content)}"
        if problem := vhd.footer_problem(footer, size, blob):
            return problem
    if state in ("ActiveUpload", "ActiveSAS"):
        disk.properties["diskState"] = "Unattached"
    disk.internal_state.pop("access", None)
    world.save(disk)
    return None


_ONE = f"{IN_GROUP}{kinds.DISK.lower()}/*"
ROUTES: Routes = {
    ("POST", f"{_ONE}/begingetaccess"): Route(begin_access, kinds.DISK_API),
    ("POST", f"{_ONE}/endgetaccess"): Route(end_access, kinds.DISK_API),
}
FINISHERS = {"disk.grant": finish_grant, "disk.revoke": finish_revoke}
