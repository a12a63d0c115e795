"""The journal of a deployment that `gc` deletes: it must not keep anything billing.

Its lock is not waited for. A journal that cannot be read, or is of another group, is left alone.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ccgpu.azure.run import Run
from ccgpu.domain.catalog import Kind
from ccgpu.domain.garbage import Collected
from ccgpu.domain.resource import ResourceId, key
from ccgpu.errors import StateUnusable
from ccgpu.store.journals import JournalFile
from ccgpu.workflows.journal_lock import warn_not_recorded
from ccgpu.workflows.journal_writer import JournalWriter


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


def open_journal(run: Run, result: Collected, file: JournalFile) -> JournalWriter | None:
    """This machine's journal of the deployment, if it has one that is locked; else None.

    One that cannot be read keeps nothing billing, since all is found by tags. It stays as it is.
    """
    if not file.locked:
        return None
    try:
        journal = file.read()
    except StateUnusable as err:
        run.tell("note", f"{err}; it is left as it is")
        return None
    if journal is None or key(journal.group) not in ("", key(result.group)):
        return None
    return JournalWriter(file, journal, warn_not_recorded(run, result.name))


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
