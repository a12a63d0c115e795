"""After a failure or Ctrl-C: the disk goes, and so does a half-made version.

A version that Azure is still making stays, and so does the disk that it is made of: the same
command goes on with it. If the version cannot be read, the disk stays.
"""

from collections.abc import Sequence
from functools import partial
from typing import NoReturn

from ccgpu.azure.long_running import run_task, send_with_retry
from ccgpu.azure.run import Run
from ccgpu.domain.advice import own_hint, then_try_again
from ccgpu.domain.catalog import Kind
from ccgpu.domain.publication_state import VersionFinding, judge_version
from ccgpu.domain.resource import Body, ResourceId, key
from ccgpu.errors import CcgpuError, Interrupted, Leftover
from ccgpu.scheduling.scheduler import Task
from ccgpu.workflows.discovery.leftovers import left_behind_error
from ccgpu.workflows.publish.context import PublishContext
from ccgpu.workflows.publish.upload import delete_disk
from ccgpu.workflows.publish.version import remove_half_made

# Seconds. After Ctrl-C people wait, and a pipeline kills soon; a second Ctrl-C ends it at once.
_TIMEOUT, _TIMEOUT_OF_INTERRUPT = 900.0, 60.0
_READS_OF_BEGUN, _READ_DELAY = 3, 2.0
_HINT = (
    "the same command goes on; `ccgpu gc --yes` removes what is left once the command's time is "
    "over"
)


def clean_up_and_raise(context: PublishContext, cause: BaseException) -> NoReturn:
    """Remove what was begun, and raise the error for `cause` with what is left."""
    interrupted = isinstance(cause, KeyboardInterrupt)
    seconds = _TIMEOUT_OF_INTERRUPT if interrupted else _TIMEOUT
    run = context.run.with_timeout(seconds)
    errors: list[CcgpuError] = []
    kept = False
    run.tell("note", "removing what was begun")
    try:
        kept = _remove(context, run)
    except CcgpuError as err:
        errors.append(err)
    left = leftovers(context) if errors or kept else ()
    if not left:
        context.journal.forget()
    what = _what_is_left(kept=kept, failed=bool(errors))
    if interrupted:
        raise Interrupted(f"interrupted: {what}", hint=_HINT, resources=left) from cause
    if not isinstance(cause, CcgpuError):
        raise cause
    if errors:
        raise left_behind_error(
            f"{cause}\nand {what}: {errors[0]}",
            (cause, *errors),
            hint=then_try_again([own_hint(errors[0])], _HINT),
            resources=left,
        ) from cause
    if kept:
        cause.hint = cause.hint or _HINT
        cause.resources = cause.resources or left
    raise cause


def _remove(context: PublishContext, run: Run) -> bool:
    """Remove version and disk; returns whether both stay, because Azure is making the version."""
    begun = context.version_is_begun
    body = run_task(run, _read_begun(context, run))
    finding = judge_version(context.wanted, body, begun=begun)
    if finding is VersionFinding.IN_MOTION:
        return True
    if finding is VersionFinding.HALF_MADE:
        run_task(run, remove_half_made(run, context.wanted.version_id, begun=begun))
        context.journal.gone(context.wanted.version_id)
    run_task(run, delete_disk(context, run))
    return False


def _read_begun(context: PublishContext, run: Run) -> Task[Body | None]:
    """The version; if its PUT may have been sent just now, one 404 does not say that it is not."""
    id_ = context.wanted.version_id
    get = partial(run.cloud.arm.get, Kind.GALLERY_VERSION, id_, view=True)
    begun = key(id_) in {key(one.id) for one in context.journal.journal.records}
    doing, left = f"reading {id_}", _READS_OF_BEGUN if begun else 1
    while True:
        body = yield from send_with_retry(run, get, doing)
        left -= 1
        if body is not None or not left:
            return body
        yield from run.pause(_READ_DELAY, doing)


def _what_is_left(*, kept: bool, failed: bool) -> str:
    if kept:
        return "Azure goes on making the image version"
    if failed:
        return "the disk of the upload could not be removed"
    return "the disk of the upload is removed, the image is not published"


def leftovers(context: PublishContext) -> tuple[Leftover, ...]:
    """What may be left, without a request: what the journal has, and was not seen to be gone."""
    kinds: Sequence[Kind] = (Kind.DISK, Kind.GALLERY_VERSION)
    records = [one for one in context.journal.journal.records if one.kind in kinds]
    return tuple(_leftover(context, record.id) for record in records)


def _leftover(context: PublishContext, id_: ResourceId) -> Leftover:
    seen = context.journal.seen(id_) or key(id_) in context.run.observed
    return Leftover(id_, "exists" if seen else "unknown", billed=True)
