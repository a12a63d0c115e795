"""The disk of an upload: made, written, compared, closed, and deleted.

What is written is what is not zero. What an interrupted command has written is read back, and sent
again only where it differs. The permission to write ends before the version is made, and before the
disk is deleted: Azure refuses both while it lasts.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from math import inf
from uuid import UUID

from ccgpu.azure.arm import Pending
from ccgpu.azure.disk_access import DiskAccess
from ccgpu.azure.long_running import (
    REPLICATION_DELAY,
    delete_and_wait,
    run_task,
    send_with_retry,
    tag_and_wait,
    wait_until_settled,
    write_and_wait,
)
from ccgpu.azure.page_blob import PERMISSION_OVER, PageBlob, UploadUrl
from ccgpu.azure.run import Run
from ccgpu.domain.catalog import Kind
from ccgpu.domain.publication import is_of_an_image
from ccgpu.domain.publication_state import judge_disk
from ccgpu.domain.resource import Body, ResourceId, tags_of
from ccgpu.errors import AzureRefused, AzureUnavailable, Denied, UsageProblem
from ccgpu.image import vhd
from ccgpu.image.page_ranges import PageRange, covers, data_ranges, merged, ranges_outside
from ccgpu.net.retry import poll_delay
from ccgpu.scheduling.scheduler import Task, together
from ccgpu.workflows.publish.context import PublishContext

_AT_ONCE = 8  # ranges under way: one for each thread of the pool, and 32 MiB of memory
_AFTER = 900.0  # seconds that the permission to write outlives the command's time limit
_TRIES = 3
_READS, _READ_DELAY = 3, 2.0  # as of what a rollback deletes: replicas of ARM may disagree
# azure-mgmt-compute, DiskState: somebody has a permission to read or write the disk.
_OPEN = ("ActiveUpload", "ActiveSAS", "ActiveSASFrozen")


def make_disk(context: PublishContext) -> int:
    """Make the disk, unless it is there, and write the image to it; returns the bytes sent.

    1. Find the disk of an interrupted command; make it anew if it cannot be gone on with.
    2. Ask for the permission to write.
    3. Send what is not there yet, and compare what is there.
    4. Take the permission back.

    If the permission ends meanwhile (an interrupted command may have asked for that just before),
    all of it is done once more.
    """
    try:
        return run_task(context.run, _write_disk(context))
    except AzureRefused as err:
        if err.code != PERMISSION_OVER:
            raise
    context.run.tell("note", "the permission to write has ended: looking at the disk again")
    return run_task(context.run, _write_disk(context))


def _write_disk(context: PublishContext) -> Task[int]:
    """Steps 1 to 4."""
    run = context.run
    yield from _open_disk(context)
    access = DiskAccess(run.cloud.arm, context.wanted.disk_id)
    url = yield from _ask_to_write(run, access)
    sent = yield from _Upload(context, PageBlob(run.cloud.session, url)).carry_out()
    yield from _close(run, access)
    return sent


def _open_disk(context: PublishContext) -> Task[None]:
    """Step 1: a disk that can be written."""
    run, wanted, id_ = context.run, context.wanted, context.wanted.disk_id
    get = partial(run.cloud.arm.get, Kind.DISK, id_)
    found = judge_disk(wanted, (yield from send_with_retry(run, get, f"reading {id_}")))
    if found.foreign:
        raise UsageProblem(
            f"{id_} exists, and `image publish` has not made it",
            hint="delete it, or publish to a gallery in another resource group",
        )
    if found.writable:
        run.tell("note", "an earlier upload is there: going on with it")
        disk = wanted.disk(context.stamp)
        context.journal.begin(disk)
        tagging = partial(run.cloud.arm.tag, Kind.DISK, id_, disk.body["tags"])  # a later end
        yield from tag_and_wait(run, Kind.DISK, id_, tagging, f"tagging {id_}")
        return
    if found.why_anew is not None:
        run.tell("note", f"the upload begins anew: {found.why_anew}")
        yield from delete_disk(context, run)
    disk = wanted.disk(context.stamp)
    run.tell("begin", f"create {id_}", id_, Kind.DISK, "create")
    context.journal.begin(disk)
    put = partial(run.cloud.arm.put, disk)
    yield from write_and_wait(run, Kind.DISK, id_, put, f"creating {id_}")
    context.journal.done((id_, Kind.DISK))
    run.tell("done", f"create {id_}", id_, Kind.DISK, "create")


def _ask_to_write(run: Run, access: DiskAccess) -> Task[UploadUrl]:
    """Step 2. If the answer cannot be read, ask again: a second permission does no harm."""
    doing = f"asking to write {access.disk}"
    for left in range(_TRIES - 1, -1, -1):
        seconds = run.deadline.at_most(inf, doing) + _AFTER
        grant = partial(access.grant, seconds)
        result: Pending | UploadUrl = yield from send_with_retry(run, grant, doing, lag=True)
        polls = 0
        try:
            while isinstance(result, Pending):
                wanted, least = poll_delay(polls, result.after), result.after or 0.0
                after = run.deadline.pause(wanted, doing, at_least=least)
                polls += 1
                result = yield run.call(partial(access.poll, result), doing, after)
        except AzureUnavailable as err:
            if not left:
                raise
            run.tell("retry", f"{err.code}: asking again ({doing})")
        else:
            return result
    raise RuntimeError("the last try returns or raises")


@dataclass(slots=True)
class _Upload:
    """Step 3. `sent`: bytes of this command; `settled`: bytes that are certainly there."""

    context: PublishContext
    blob: PageBlob
    sent: int = 0
    settled: int = 0
    total: int = 0
    unreadable: bool = False

    def carry_out(self) -> Task[int]:
        wanted = list(data_ranges(self.context.disk))
        self.total = sum(one.size for one in wanted)
        there = yield from self._ranges()
        # The footer first: with it Azure closes the disk at any time, and so deletes it.
        *others, footer = wanted
        yield from self._settle(footer, there)
        yield from together((self._settle(one, there) for one in others), _AT_ONCE)
        yield from self._compare(wanted, (yield from self._ranges()))
        return self.sent

    def _ranges(self) -> Task[list[PageRange]]:
        """What is on the disk."""
        listed = yield from send_with_retry(
            self.context.run, self.blob.ranges, "reading what is on the disk"
        )
        return merged(PageRange(offset, end) for offset, end in listed)

    def _settle(self, wanted: PageRange, there: Sequence[PageRange]) -> Task[None]:
        """Send a range, unless the disk has the same bytes."""
        self.context.run.deadline.at_most(inf, "writing the disk")
        data = self.context.disk.read(wanted.offset, wanted.size)
        if not (covers(there, wanted) and (yield from self._has(wanted, data))):
            write = partial(self.blob.write, wanted.offset, data)
            yield from send_with_retry(self.context.run, write, "writing the disk")
            self.sent += wanted.size
        self.settled += wanted.size
        text = f"{self.settled >> 20} of {self.total >> 20} MiB uploaded"
        self.context.run.tell("wait", text, self.context.wanted.disk_id, Kind.DISK)

    def _has(self, wanted: PageRange, data: bytes) -> Task[bool]:
        """Whether the disk has these bytes; false if it cannot be read."""
        if self.unreadable:
            return False
        try:
            return (yield from self._read(wanted)) == data
        except AzureRefused as err:
            if err.transient:
                raise
            self.unreadable = True
            text = f"what is on the disk cannot be read [{err.code}]: all of it is sent again"
            self.context.run.tell("note", text)
            return False

    def _read(self, wanted: PageRange) -> Task[bytes]:
        read = partial(self.blob.read, wanted.offset, wanted.size)
        return (yield from send_with_retry(self.context.run, read, "reading what is on the disk"))

    def _compare(self, wanted: Sequence[PageRange], there: Sequence[PageRange]) -> Task[None]:
        """Raise `AzureRefused` unless the disk has all that is wanted, and else zeros."""
        missing = [one for one in wanted if not covers(there, one)]
        if missing:
            raise _differs(f"{len(missing)} of {len(wanted)} ranges are not on it")
        for one in ranges_outside(there, wanted):
            if any((yield from self._read(one))):
                raise _differs(f"from byte {one.offset} it has what the VHD does not have")


def _differs(how: str) -> AzureRefused:
    return AzureRefused(f"the disk is not what was sent: {how}", code="UploadDiffers")


def delete_disk(context: PublishContext, run: Run) -> Task[Denied | None]:
    """Delete the disk of an upload, if there is one that `image publish` made.

    The permission to write is taken back before: Azure deletes no disk while there is one. Returns
    the error of a status that the caller may not read, as `delete_and_wait` does.
    """
    id_ = context.wanted.disk_id
    denied = yield from remove_upload_disk(run, id_)
    context.journal.gone(id_)
    return denied


def remove_upload_disk(
    run: Run, id_: ResourceId, assessed: Mapping[str, str] | None = None
) -> Task[Denied | None]:
    """Delete this disk, if `image publish` made it, and wait until it is gone.

    `assessed`: the tags on which the decision was based; with others it stays.
    """
    body = yield from read_upload_disk(run, id_)
    if body is None or not is_of_an_image(body) or assessed not in (None, tags_of(body)):
        return None
    run.tell("begin", f"delete {id_}", id_, Kind.DISK, "delete")
    if _is_open(body):
        yield from _close_unfinished(run, body)
    delete = partial(run.cloud.arm.delete, Kind.DISK, id_)
    denied = yield from delete_and_wait(
        run, Kind.DISK, id_, delete, f"deleting {id_}", is_of_an_image
    )
    run.tell("gone", f"delete {id_}", id_, Kind.DISK, "delete")
    return denied


def _close_unfinished(run: Run, body: Body) -> Task[None]:
    """Take the permission back from a disk that nobody will use.

    Azure takes it back from a whole VHD alone (AzureStorageExplorer#8800). If the footer is not
    there yet, an empty one is written.
    """
    access = DiskAccess(run.cloud.arm, ResourceId(body["id"]))
    try:
        yield from _close(run, access)
    except AzureRefused as err:
        if err.code != "InvalidVhd":
            raise
    else:
        return
    blob = PageBlob(run.cloud.session, (yield from _ask_to_write(run, access)))
    size = body["properties"]["creationData"]["uploadSizeBytes"] - vhd.FOOTER
    write = partial(blob.write, size, vhd.footer(size, UUID(int=0)))
    yield from send_with_retry(run, write, "writing the disk")
    yield from _close(run, access)


def _close(run: Run, access: DiskAccess) -> Task[None]:
    """Take the permission back, and wait until the disk says so.

    That the disk is settled does not say it: where the operation cannot be followed, the disk's
    state alone tells.
    """
    doing, id_ = f"closing {access.disk}", access.disk
    get = partial(run.cloud.arm.get, Kind.DISK, id_)
    for _ in range(_TRIES):
        yield from write_and_wait(run, Kind.DISK, id_, access.revoke, doing)
        since, polls = run.cloud.now(), 0
        while _is_open((yield from send_with_retry(run, get, doing))):
            if run.cloud.now() - since >= REPLICATION_DELAY:
                break
            yield from run.pause(poll_delay(polls, None), doing)
            polls += 1
        else:
            return
    raise AzureRefused(f"{doing}: it is still open for writing", code="DiskOpen")


def _is_open(body: Body | None) -> bool:
    """Whether somebody has a permission to read or write the disk."""
    return ((body or {}).get("properties") or {}).get("diskState") in _OPEN


def read_upload_disk(run: Run, id_: ResourceId) -> Task[Body | None]:
    """The disk, settled. One that was created just now may not be shown yet: it is read again."""
    doing = f"reading {id_}"
    for attempt in range(_READS):
        body = yield from wait_until_settled(run, Kind.DISK, id_, doing)
        if body is not None or attempt == _READS - 1:
            return body
        yield from run.pause(_READ_DELAY, doing)
    raise RuntimeError("the last read returns")
