"""`ccgpu image publish`: a measured image becomes a version of a gallery's image.

1. Measure the disk: it must be that of the manifest beside it. Nothing is sent before.
2. Find the gallery and the version; of a complete version of the same image, only regions and
   replicas can be changed, and that is all.
3. Make group, gallery and definition, if they are missing.
4. Make a disk, write the image to it, compare, and close it.
5. Make the version of the disk, and wait until it is in every region.
6. Delete the disk.

Ids follow from gallery, name and version, so the same command finds what an interrupted one left,
and goes on. Each id is in the journal before its PUT is sent.
"""

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

from ccgpu.azure.context import AzureContext
from ccgpu.azure.long_running import run_task
from ccgpu.azure.run import Run
from ccgpu.domain.built_image import DISK, MANIFEST
from ccgpu.domain.events import Listener, ignore_event
from ccgpu.domain.image_manifest import ImageFile
from ccgpu.domain.journal import Journal
from ccgpu.domain.publication import Publication, PublicationStamp
from ccgpu.domain.publication_checks import (
    definition_name,
    distinct_regions,
    parse_gallery,
    require_size,
    require_version,
)
from ccgpu.domain.publication_outcome import PublicationAction, PublishOutcome
from ccgpu.domain.publication_state import (
    RegionCopy,
    VersionFinding,
    changed_profile,
    judge_version,
    replicas_by_region,
)
from ccgpu.domain.resource import Body
from ccgpu.errors import CcgpuError, ImageRejected, Interrupted, UsageProblem
from ccgpu.scheduling.clock import rfc3339
from ccgpu.store import image_files
from ccgpu.store.image_files import DiskFile
from ccgpu.workflows.journal_lock import lock_journal
from ccgpu.workflows.journal_writer import JournalWriter
from ccgpu.workflows.measure_image import measure_file
from ccgpu.workflows.publish.cleanup import clean_up_and_raise, leftovers
from ccgpu.workflows.publish.context import (
    ApproveNew,
    PublishContext,
    PublishRequest,
)
from ccgpu.workflows.publish.gallery import (
    make_gallery,
    read_gallery,
    regions_of,
    require_regions,
)
from ccgpu.workflows.publish.upload import delete_disk, make_disk
from ccgpu.workflows.publish.version import (
    all_copied,
    change_version,
    make_version,
    read_version,
    remove_half_made,
    wait_for_version,
)

T = TypeVar("T")

_ONCE_COMPLETE = (VersionFinding.PUBLISHED, VersionFinding.CHANGE_FAILED)

# The disk is garbage this many seconds after the time limit of the command that made it.
_AFTER = 3600.0


def publish_image(
    cloud: AzureContext,
    request: PublishRequest,
    listen: Listener = ignore_event,
    approve: ApproveNew = lambda _: None,
) -> PublishOutcome:
    """Publish the image in a folder; see the steps above.

    Raises:
        ImageRejected: The disk is not that of the manifest. Nothing was sent.
        InvalidFile: A region does not exist. Nothing was written.
        UsageProblem: The gallery, its definition or its version cannot be used for this image.
    """
    run = Run.begin(cloud, request.timeout, listen)
    image = image_files.load_manifest(request.folder / MANIFEST)
    require_version(image)
    require_size(image)
    name = definition_name(image, request.name)
    place = parse_gallery(request.gallery, cloud.subscription, request.group)
    with image_files.open_disk(request.folder / DISK) as disk:
        run.tell("note", f"measuring {disk.path}")
        unchanged = _measure(disk, image)
        gallery = run_task(run, read_gallery(run, place))
        require_regions(run, request.regions)
        regions = regions_of(request.regions, gallery)
        named = distinct_regions(request.regions)
        wanted = Publication(image, place, name, regions, request.replicas, named)
        with _opened_journal(run, wanted) as journal:
            stamp = _stamp(run, journal, request.timeout)
            context = PublishContext(run, wanted, stamp, journal, disk, approve)
            with _reporting_interrupt(context):
                return _Publishing(context, unchanged).carry_out()


def _measure(disk: DiskFile, image: ImageFile) -> tuple[int, int]:
    """Step 1. Returns when the disk was last changed."""
    at = disk.changed_at()
    measured = measure_file(disk, image)
    measured.require_same()
    if disk.size == image.manifest.disk.size:
        raise ImageRejected(f"{disk.path} is a raw disk; Azure takes a fixed VHD")
    return at


@contextmanager
def _opened_journal(run: Run, wanted: Publication) -> Iterator[JournalWriter]:
    """The journal of the publication, locked; an unfinished one goes on with its run."""
    journals, name = run.cloud.journals.publications, wanted.journal_name
    with lock_journal(run, name, f"publishes {wanted.name}", journals) as file:
        fresh = Journal(
            name,
            run.cloud.subscription,
            wanted.gallery.group,
            run=secrets.token_hex(8),
            created=rfc3339(run.cloud.now()),
        )
        yield JournalWriter(file, file.read() or fresh)


def _stamp(run: Run, journal: JournalWriter, timeout: float) -> PublicationStamp:
    """The tags of this run; a disk's end is by Azure's clock."""
    expires = rfc3339(run.server_clock.now() + timeout + _AFTER)
    return PublicationStamp(journal.journal.run, journal.journal.created, expires)


@contextmanager
def _reporting_interrupt(context: PublishContext) -> Iterator[None]:
    """Turn a Ctrl-C that was not cleaned up after into an `Interrupted` with what may be left."""
    try:
        yield
    except KeyboardInterrupt as err:
        raise Interrupted(
            "interrupted: the image is not published",
            hint="the same command goes on",
            resources=leftovers(context),
        ) from err


@dataclass(frozen=True, slots=True)
class _Publishing:
    """Steps 2 to 6. unchanged: when the disk had last changed as it was measured."""

    context: PublishContext
    unchanged: tuple[int, int]

    def carry_out(self) -> PublishOutcome:
        """Publish the image, or find it published."""
        context, run = self.context, self.context.run
        body = run_task(run, read_version(context))
        begun = context.version_is_begun
        finding = judge_version(context.wanted, body, begun=begun)
        if finding is VersionFinding.IN_MOTION:
            run.tell("note", "an earlier command has begun the version: waiting for it")
            body = self._cleaning_up(lambda: run_task(run, wait_for_version(context)))
            finding = judge_version(context.wanted, body, begun=begun)
        self._refuse_other(finding)
        if finding in _ONCE_COMPLETE and body is not None:
            return self._complete(body, again=finding is VersionFinding.CHANGE_FAILED)
        run_task(run, make_gallery(context))
        if finding is VersionFinding.HALF_MADE:
            run.tell("note", "the version of an earlier command was not completed: deleting it")
            run_task(run, remove_half_made(run, context.wanted.version_id, begun=begun))
        return self._cleaning_up(self._make)

    def _refuse_other(self, finding: VersionFinding) -> None:
        wanted = self.context.wanted
        if finding is VersionFinding.OTHER:
            raise UsageProblem(
                f"{wanted.name} {wanted.version} is in the gallery {wanted.gallery.name} already, "
                "and is another image: its tags name other digests, or none",
                hint="give the image another version in its recipe, and build it again",
            )

    def _complete(self, body: Body, *, again: bool) -> PublishOutcome:
        """A complete version of this image: change its copies, and delete what else is left.

        again: its last change has failed, so it is sent once more.
        """
        context, run = self.context, self.context.run
        self._delete_disk()
        profile = changed_profile(context.wanted, body, always=again)
        if profile is None:
            return self._outcome("unchanged", all_copied(body))
        has = replicas_by_region(body)
        action: PublicationAction = "extended" if {*context.wanted.regions} - {*has} else "updated"
        try:
            return self._outcome(action, run_task(run, change_version(context, body, profile)))
        except KeyboardInterrupt as err:
            raise Interrupted(
                "interrupted: the image stays published; Azure may go on changing its copies",
                hint="the same command goes on",
            ) from err

    def _make(self) -> PublishOutcome:
        """Steps 4 to 6."""
        context, run = self.context, self.context.run
        sent = make_disk(context)
        if context.disk.changed_at() != self.unchanged:
            raise ImageRejected(f"{context.disk.path} has changed while it was uploaded")
        copies = run_task(run, make_version(context))
        self._delete_disk()
        return self._outcome("published", copies, sent)

    def _delete_disk(self) -> None:
        denied = run_task(self.context.run, delete_disk(self.context, self.context.run))
        if denied is not None:
            raise denied

    def _outcome(
        self, action: PublicationAction, copies: tuple[RegionCopy, ...], sent: int = 0
    ) -> PublishOutcome:
        self.context.journal.forget()
        return PublishOutcome(self.context.wanted, action, copies, sent)

    def _cleaning_up(self, work: Callable[[], T]) -> T:
        """The result of `work`; after a failure or Ctrl-C, what was begun is removed."""
        try:
            return work()
        except (CcgpuError, KeyboardInterrupt) as err:
            clean_up_and_raise(self.context, err)
