"""The image version: read and judged, made of the uploaded disk, watched, changed, deleted."""

from contextlib import suppress
from functools import partial
from typing import Literal

from ccgpu.azure.long_running import (
    delete_and_wait,
    follow_write,
    send_with_retry,
)
from ccgpu.azure.run import Run
from ccgpu.domain.catalog import Kind
from ccgpu.domain.publication_state import (
    RegionCopy,
    is_half_made,
    region_copies,
    replicas_by_region,
)
from ccgpu.domain.published_image import COMPLETE_TAG
from ccgpu.domain.resource import Body, Resource, ResourceId, state_of, tags_of
from ccgpu.errors import CcgpuError, Denied
from ccgpu.scheduling.scheduler import Task, together
from ccgpu.workflows.publish.context import PublishContext

_LOOK = 30.0  # seconds between two looks at the copies
_ENDED = ("Succeeded", "Failed", "Canceled")


def read_version(context: PublishContext) -> Task[Body | None]:
    """The version, with the state of its copies; None if there is none."""
    id_ = context.wanted.version_id
    get = partial(context.run.cloud.arm.get, Kind.GALLERY_VERSION, id_, view=True)
    return (yield from send_with_retry(context.run, get, f"reading {id_}"))


def make_version(context: PublishContext) -> Task[tuple[RegionCopy, ...]]:
    """Make the version out of the disk, and wait until it is in every region."""
    wanted = context.wanted
    version = wanted.version_resource(context.stamp, wanted.regions)
    return (yield from _put_version(context, version, "create"))


def change_version(
    context: PublishContext, body: Body, profile: Body
) -> Task[tuple[RegionCopy, ...]]:
    """Give a complete version another publishing profile; all else of it stays as it is."""
    changed = {
        "location": body["location"],
        "tags": tags_of(body) | {COMPLETE_TAG: "true"},
        "properties": {
            "publishingProfile": profile,
            "storageProfile": (body.get("properties") or {}).get("storageProfile"),
        },
    }
    resource = Resource(Kind.GALLERY_VERSION, context.wanted.version_id, changed)
    return (yield from _put_version(context, resource, "update"))


def _put_version(
    context: PublishContext, version: Resource, action: Literal["create", "update"]
) -> Task[tuple[RegionCopy, ...]]:
    """PUT the version, and follow it; returns its copies."""
    run, id_ = context.run, version.id
    run.tell("begin", f"{action} {id_}", id_, Kind.GALLERY_VERSION, action)
    context.journal.begin(version)
    doing = {"create": f"creating {id_}", "update": f"updating {id_}"}[action]
    put = partial(run.cloud.arm.put, version)
    pending = yield from send_with_retry(run, put, doing, lag=True)
    followed = follow_write(run, Kind.GALLERY_VERSION, id_, pending, doing)
    yield from together([_discard(followed), _watch(context)])
    context.journal.done((id_, Kind.GALLERY_VERSION))
    run.tell("done", f"{action} {id_}", id_, Kind.GALLERY_VERSION, action)
    return region_copies((yield from read_version(context)) or {})


def _discard(task: Task[Body]) -> Task[None]:
    yield from task


def _watch(context: PublishContext) -> Task[None]:
    """Tell how far each copy is, until the version has ended; an error ends the telling alone."""
    run = context.run
    with suppress(CcgpuError):
        while True:
            yield from run.pause(_LOOK, "watching the copies")
            body = yield from read_version(context)
            if body is None or state_of(body) in _ENDED:
                return
            for copy in region_copies(body):
                percent = "" if copy.progress is None else f", {copy.progress} %"
                text = f"{copy.region}: {copy.state.lower()}{percent}"
                run.tell("wait", text, context.wanted.version_id, Kind.GALLERY_VERSION)


def wait_for_version(context: PublishContext) -> Task[Body | None]:
    """Wait until a version in motion has ended; None if it was deleted."""
    run = context.run
    while True:
        body = yield from read_version(context)
        if body is None or state_of(body) in _ENDED:
            return body
        run.tell("wait", state_of(body).lower(), context.wanted.version_id, Kind.GALLERY_VERSION)
        yield from run.pause(_LOOK, "waiting for the image version")


def remove_half_made(run: Run, id_: ResourceId, *, begun: bool = False) -> Task[Denied | None]:
    """Delete a version that Azure has given up, and wait until it is gone; any other stays.

    begun: as `is_half_made` takes it.
    """
    doing = f"deleting {id_}"
    get = partial(run.cloud.arm.get, Kind.GALLERY_VERSION, id_, view=True)
    body = yield from send_with_retry(run, get, f"reading {id_}")
    if body is None or not is_half_made(body, begun=begun):
        return None
    run.tell("begin", f"delete {id_}", id_, Kind.GALLERY_VERSION, "delete")
    delete = partial(run.cloud.arm.delete, Kind.GALLERY_VERSION, id_)
    denied = yield from delete_and_wait(
        run, Kind.GALLERY_VERSION, id_, delete, doing, _is_still_failed
    )
    run.tell("gone", f"delete {id_}", id_, Kind.GALLERY_VERSION, "delete")
    return denied


def _is_still_failed(body: Body) -> bool:
    """Whether it is the version that was judged, or being deleted; nobody has made it anew."""
    return is_half_made(body, begun=True) or state_of(body) == "Deleting"


def all_copied(body: Body) -> tuple[RegionCopy, ...]:
    """The copies of a complete version; its regions, if Azure tells no more."""
    return region_copies(body) or tuple(
        RegionCopy(region, "Completed", replicas=number)
        for region, number in replicas_by_region(body).items()
    )
