"""What Azure has of a publication, judged from a GET: what may be used, and what may be deleted.

Nothing is deleted that does not carry the tags of `image publish`, and no version that is complete,
or was before a change of its copies failed.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum

from ccgpu.domain.catalog import Kind
from ccgpu.domain.lease import GRACE, YOUNG, parse_moment
from ccgpu.domain.publication import Publication, is_of_an_image
from ccgpu.domain.published_image import COMPLETE_TAG
from ccgpu.domain.resource import (
    CREATED,
    EXPIRES,
    Body,
    ResourceId,
    key,
    kind_of,
    location,
    state_of,
    tag,
    tags_of,
)

# Azure has accepted a change, and has not ended it (`provisioningState`).
_FAILED = ("Failed", "Canceled")
_WRITABLE = ("ReadyToUpload", "ActiveUpload")  # azure-mgmt-compute, DiskState


class VersionFinding(StrEnum):
    """What a version of the image's number is."""

    ABSENT = "absent"
    PUBLISHED = "published"  # complete, and of this image
    CHANGE_FAILED = "change failed"  # it was complete, until a change of its copies failed
    IN_MOTION = "in motion"  # of this image: Azure copies it, or deletes it
    HALF_MADE = "half-made"  # ours, and will never be complete
    OTHER = "other"  # of another image, or not made by `image publish`


def judge_version(wanted: Publication, body: Body | None, *, begun: bool = False) -> VersionFinding:
    """What the version is that has the number of `wanted`; see `is_half_made`."""
    if body is None:
        return VersionFinding.ABSENT
    if is_half_made(body, begun=begun):
        return VersionFinding.HALF_MADE
    if not wanted.matches(body):
        return VersionFinding.OTHER
    if state_of(body) in _FAILED:
        return VersionFinding.CHANGE_FAILED
    done = state_of(body) == "Succeeded"
    return VersionFinding.PUBLISHED if done else VersionFinding.IN_MOTION


def is_half_made(body: Body, *, begun: bool = False) -> bool:
    """Whether `image publish` began a version that Azure has given up before it was complete.

    A version with a complete copy may have been complete, until a change by others failed: only
    their tags are not told. It is half-made if this machine's journal says that it is `begun`.

    Args:
        body: The version, with the state of its copies.
        begun: Whether `image publish` has begun to make it, and has not seen it complete.
    """
    failed = state_of(body) in _FAILED and is_of_an_image(body)
    if not failed or COMPLETE_TAG in tags_of(body):
        return False
    return begun or all(copy.state != "Completed" for copy in region_copies(body))


@dataclass(frozen=True, slots=True)
class DiskFinding:
    """What a disk of the upload's name is.

    writable: The upload can go on. why_anew: it is ours, and has to be made anew, because of this.
    Neither: there is none, or (`foreign`) it is somebody else's.
    """

    writable: bool = False
    why_anew: str | None = None
    foreign: bool = False


def judge_disk(wanted: Publication, body: Body | None) -> DiskFinding:
    """What the disk is that has the name of the upload's."""
    if body is None:
        return DiskFinding()
    if not is_of_an_image(body):
        return DiskFinding(foreign=True)
    why = _why_anew(wanted, body)
    return DiskFinding(writable=why is None, why_anew=why)


def _why_anew(wanted: Publication, body: Body) -> str | None:
    """Why an upload cannot go on to a disk of ours; None if it can."""
    if not wanted.matches(body):
        return "it is of another image"
    if location(str(body.get("location"))) != location(wanted.regions[0]):
        return f"it is not in {wanted.regions[0]}"
    properties = body.get("properties") or {}
    size = (properties.get("creationData") or {}).get("uploadSizeBytes")
    if size is not None and size != wanted.vhd_size:
        return f"it is for {size} bytes"
    state = properties.get("diskState")
    if state_of(body) in _FAILED or state not in _WRITABLE:
        return f"its state is {state}, so nothing can be written to it"
    return None


def is_abandoned_disk(body: Body, now: float) -> bool:
    """Whether an upload's disk has outlived its command at `now`, by Azure's time."""
    end = parse_moment(tag(body, EXPIRES))
    return is_of_an_image(body) and end is not None and now > end + GRACE


def is_abandoned_version(body: Body, uploads: Collection[ResourceId], now: float) -> bool:
    """Whether a half-made version has outlived its command at `now`, by Azure's time.

    A publication removes its upload's disk once the version is complete. So a version is known to
    be half-made only while the disk is there that it is made of. In doubt it is kept.

    Args:
        body: The version, with the state of its copies; without it nothing is known.
        uploads: The `key`s of the disks that publications have left.
        now: Azure's time.
    """
    made = parse_moment(tag(body, CREATED))
    known = "replicationStatus" in (body.get("properties") or {})
    if not known or not is_half_made(body) or source_of(body) not in uploads:
        return False
    return made is not None and now > made + YOUNG


def source_of(body: Body) -> ResourceId | None:
    """The `key` of the disk that a version was made of, if Azure tells it."""
    image = ((body.get("properties") or {}).get("storageProfile") or {}).get("osDiskImage") or {}
    source = (image.get("source") or {}).get("id")
    return None if source is None else key(str(source))


def is_in_motion(body: Body) -> bool:
    """Whether Azure is changing a version, and so may read the disk that it is made of."""
    moving = state_of(body) not in ("Succeeded", *_FAILED)
    return kind_of(str(body.get("id"))) is Kind.GALLERY_VERSION and moving


@dataclass(frozen=True, slots=True)
class RegionCopy:
    """How far Azure has copied a version to one region. replicas: the copies that it shall have."""

    region: str
    state: str
    progress: int | None = None
    details: str | None = None
    replicas: int = 1

    @property
    def is_failed(self) -> bool:
        """Whether Azure has given it up."""
        return self.state == "Failed"


def region_copies(body: Body) -> tuple[RegionCopy, ...]:
    """The regions of a version's `replicationStatus`, as ARM names them, in the given order."""
    status = (body.get("properties") or {}).get("replicationStatus") or {}
    replicas = replicas_by_region(body)
    return tuple(
        RegionCopy(
            region := location(str(one.get("region"))),
            str(one.get("state")),
            one.get("progress"),
            one.get("details") or None,
            replicas.get(region, 1),
        )
        for one in status.get("summary") or ()
    )


def replicas_by_region(body: Body) -> Mapping[str, int]:
    """The regions of a version, as ARM names them, with the copies that each shall have."""
    profile = _profile(body)
    return {_region(one): _replicas(one, profile) for one in profile.get("targetRegions") or ()}


def changed_profile(wanted: Publication, body: Body, *, always: bool = False) -> Body | None:
    """The publishing profile of a complete version with regions and replicas as wanted.

    None if it has them, unless `always`. All else of it stays as it is.
    """
    profile = dict(_profile(body))
    has = list(profile.get("targetRegions") or ())
    known = [_region(one) for one in has]
    missing = [region for region in wanted.regions if region not in known]
    targets = [_with_replicas(one, wanted, profile) for one in has]
    targets += wanted.publishing_profile(missing)["targetRegions"]
    if targets == has and not always:
        return None
    profile.pop("publishedDate", None)  # read-only
    return {**profile, "targetRegions": targets}


def _with_replicas(target: Body, wanted: Publication, profile: Body) -> Body:
    """A target region with the wanted replicas; as it is if it has them, or is not meant."""
    meant = not wanted.named or _region(target) in wanted.named
    if wanted.replicas is None or not meant or _replicas(target, profile) == wanted.replicas:
        return target
    return {**target, "regionalReplicaCount": wanted.replicas}


def _profile(body: Body) -> Body:
    return (body.get("properties") or {}).get("publishingProfile") or {}


def _region(target: Body) -> str:
    return location(str(target.get("name")))


def _replicas(target: Body, profile: Body) -> int:
    """Of a target region; without a number it has that of the profile (GalleryImageVersion)."""
    return int(target.get("regionalReplicaCount") or profile.get("replicaCount") or 1)
