"""The journal of a deployment that `gc` deletes: it must not keep anything billing.

Its lock is not waited for. A journal that cannot be read, or is of another group, is left alone.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ccgpu.azure.run import Run
from ccgpu.domain.catalog import Kind
from ccgpu.domain.garbage import Collected
from ccgpu.domain.journal import Journal, Record
from ccgpu.domain.resource import ResourceId, key
from ccgpu.errors import StateUnusable
from ccgpu.store.journals import JournalFile
from ccgpu.workflows.journal_lock import warn_not_recorded
from ccgpu.workflows.journal_writer import JournalWriter
from ccgpu.workflows.record_names import name_beside


class JournalLocked(Exception):
    """Another process has locked the deployment's journal."""


@contextmanager
def locked_journal(run: Run, name: str) -> Iterator[JournalFile]:
    """Lock the deployment's journal; raises `JournalLocked` instead of waiting for the lock."""

    def raise_locked() -> None:
        raise JournalLocked

    place, warn = (run.cloud.subscription, name), warn_not_recorded(run, name)
    with run.cloud.journals.locked(*place, raise_locked, unwritable=warn) as file:
        yield file


def open_journal(
    run: Run, result: Collected, file: JournalFile, vm: ResourceId | None
) -> JournalWriter | None:
    """This machine's journal of the deployment, if it is locked; else None.

    One that cannot be read keeps nothing billing, since all is found by tags. It stays as it is, as
    does that of another group. What was recorded beside that one goes with the VM.
    """
    if not file.locked:
        return None
    try:
        journal = file.read()
    except StateUnusable as err:
        run.tell("note", f"{err}; it is left as it is")
        return None
    warn = warn_not_recorded(run, result.name)
    if journal is not None and key(journal.group) in ("", key(result.group)):
        return JournalWriter(file, journal, warn)
    cloud = run.cloud
    place = (cloud.journals.folder, cloud.subscription, name_beside(result.name, result.group))
    records = () if vm is None else (Record(vm, Kind.VM, "", "done"),)
    beside = Journal(result.name, cloud.subscription, result.group, "", "", records=records)
    return JournalWriter(None, beside, warn, place)


def gone_handler(
    writer: JournalWriter | None, left: dict[ResourceId, Kind]
) -> Callable[[ResourceId], None]:
    """A function that removes a deleted id from `left` and from this machine's journal.

    A journal without records is removed, so the next create of that name starts afresh.
    """

    def record_gone(id_: ResourceId) -> None:
        left.pop(id_, None)
        if writer is None:
            return
        writer.gone(id_)
        if not writer.journal.records:
            writer.forget()

    return record_gone
