"""What `gc` finds of images that were not published to their end: disks, and half-made versions.

Azure's list only gives ids. Each is read, judged by its own tags, and read again before its DELETE.
A complete version is never deleted, and no disk of which Azure is making a version. While the disk
is there, a version that Azure has given up is known to be half-made: it goes first.
"""

from collections.abc import Iterable
from dataclasses import replace
from functools import partial

from ccgpu.azure.long_running import send_with_retry
from ccgpu.azure.run import Run
from ccgpu.domain.catalog import Kind
from ccgpu.domain.garbage import Collected
from ccgpu.domain.lease import Lease
from ccgpu.domain.publication import is_of_an_image
from ccgpu.domain.publication_state import (
    is_abandoned_disk,
    is_abandoned_version,
    is_half_made,
    is_in_motion,
    source_of,
)
from ccgpu.domain.published_image import MANIFEST_TAG
from ccgpu.domain.resource import (
    CREATED,
    EXPIRES,
    Body,
    ResourceId,
    group_of,
    kind_of,
    name_of,
    tag,
    tags_of,
)
from ccgpu.errors import CcgpuError, Leftover
from ccgpu.scheduling.scheduler import Task, together
from ccgpu.workflows.discovery.snapshot import Actual, read_each_now
from ccgpu.workflows.publish.upload import remove_upload_disk
from ccgpu.workflows.publish.version import remove_half_made

_AT_ONCE = 8


def collect_images(
    run: Run, to_delete: dict[ResourceId, Kind], *, yes: bool
) -> Task[list[Collected]]:
    """Find what is left of publications whose time is over; with `yes`, delete it.

    `to_delete` gets what is being deleted, and keeps what is not deleted in the end.
    """
    ids = yield from _listed_ids(run)
    bodies, unread = yield from read_each_now(run, ids)
    now = run.server_clock.now()
    disks = {at: body for at, body in bodies.items() if kind_of(at) is Kind.DISK}
    versions = {at: body for at, body in bodies.items() if at not in disks}
    uploads = {at for at, body in disks.items() if is_of_an_image(body)}
    over = {at: body for at, body in versions.items() if is_abandoned_version(body, uploads, now)}
    found = yield from _collect_each(run, over, to_delete, yes=yes)
    gone = {at for at, one in found.items() if one.action != "failed"}
    copied = {tag(body, MANIFEST_TAG) for body in versions.values() if is_in_motion(body)}
    # The disk of a half-made version that stays is what tells that it is half-made.
    stays = [body for at, body in versions.items() if at not in gone and is_half_made(body)]
    needed = {source_of(body) for body in stays}
    unused = {
        at: body
        for at, body in disks.items()
        if is_abandoned_disk(body, now)
        and tag(body, MANIFEST_TAG) not in copied
        and at not in needed
    }
    found |= yield from _collect_each(run, unused, to_delete, yes=yes)
    return [*found.values(), *_failures(unread.items())]


def _collect_each(
    run: Run, bodies: Actual, to_delete: dict[ResourceId, Kind], *, yes: bool
) -> Task[dict[ResourceId, Collected]]:
    """Delete each resource, if that is wanted; what became of it, by `key`."""
    work = (_collect(run, body, to_delete, yes=yes) for body in bodies.values())
    return dict(zip(bodies, (yield from together(work, _AT_ONCE)), strict=True))


def _listed_ids(run: Run) -> Task[dict[ResourceId, Kind]]:
    """The disks and versions that have our tag, by Azure's list."""
    listing = partial(run.cloud.queries.tagged_resources, MANIFEST_TAG)
    listed = yield from send_with_retry(run, listing, "listing what is left of images")
    ids = {ResourceId(one["id"]): kind_of(one["id"]) for one in listed}
    return {id_: kind for id_, kind in ids.items() if kind in (Kind.DISK, Kind.GALLERY_VERSION)}


def _collect(
    run: Run, body: Body, to_delete: dict[ResourceId, Kind], *, yes: bool
) -> Task[Collected]:
    """Delete one resource, if that is wanted."""
    id_ = ResourceId(body["id"])
    lease = Lease(tag(body, EXPIRES), tag(body, CREATED))
    found = Collected(
        name_of(id_), group_of(id_), "unfinished", lease, "would-remove", resources=(id_,)
    )
    if not yes:
        return found
    kind = Kind.DISK if kind_of(id_) is Kind.DISK else Kind.GALLERY_VERSION
    to_delete[id_] = kind
    try:
        if kind is Kind.DISK:
            denied = yield from remove_upload_disk(run, id_, tags_of(body))
        else:
            denied = yield from remove_half_made(run, id_)
    except CcgpuError as err:
        run.tell("failed", str(err), id_, kind, "delete")
        return _failed(found, err)
    to_delete.pop(id_)
    return replace(found, action="removed", denied=denied)


def _failed(found: Collected, err: CcgpuError) -> Collected:
    left = tuple(Leftover(id_, "unknown", billed=True) for id_ in found.resources)
    return replace(found.failed(err), resources=(), left=left)


def _failures(unread: Iterable[tuple[ResourceId, CcgpuError]]) -> list[Collected]:
    """The results of listed resources that cannot be read."""
    return [
        _failed(
            Collected(name_of(id_), group_of(id_), None, Lease(), "failed", resources=(id_,)), err
        )
        for id_, err in unread
    ]
