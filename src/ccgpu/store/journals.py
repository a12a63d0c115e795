"""The journal files: one for each deployment, locked while a command changes the deployment.

A write is atomic, and durable before `write` returns (`store.atomic`). Files have mode 0600 and
folders 0700. If a journal cannot be written, the create stops before its PUT. A journal that cannot
be read is an error and is never overwritten.
"""

import errno
import fcntl
import json
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import fields
from pathlib import Path
from typing import Any

from ccgpu.domain.catalog import Kind
from ccgpu.domain.given import RememberedSpec
from ccgpu.domain.journal import Journal, Record
from ccgpu.domain.resource import (
    ResourceId,
    group_of,
    is_deployment_name,
    is_group_name,
    key,
    kind_of,
    subscription_of,
)
from ccgpu.errors import StateUnusable
from ccgpu.store import atomic, folders, own_files

# Version 1 has no spec. Before version 3, `finished` stood for both stages of a create, and the
# state of a record was called `stage`.
VERSION = 3
SCHEMA = f"ccgpu.journal/{VERSION}"
_MAX_BYTES = 64 * 1024 * 1024  # a journal has some KiB
_STAGES_OF_2 = ("provision", "boot")


# Errors of a folder that cannot be written; any other is not of the folder (too many open files).
_UNWRITABLE = (
    *(errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO),
    *(errno.ENOENT, errno.ENOTDIR, errno.EEXIST),
)


class JournalFile:
    """The journal file of one deployment. Hold its lock to write it.

    locked: whether this process holds the lock.
    """

    def __init__(self, path: Path, *, locked: bool = True) -> None:
        self.path = path
        self.locked = locked

    @property
    def place(self) -> tuple[Path, str, str]:
        """The folder of all journals, the subscription and the deployment."""
        return self.path.parents[1], self.path.parent.name, self.path.stem

    def read(self) -> Journal | None:
        """The journal, or None if the file does not exist.

        Raises:
            StateUnusable: the file cannot be read, is damaged, is of a newer version, or may be of
                others: it names programs that are run, and what may be deleted.
        """
        raw = own_files.read(self.path, "the journal", _MAX_BYTES)
        if raw is None:
            return None
        try:
            document = json.loads(raw.decode("utf-8"))
            version = _schema_version(document)
            if version > VERSION:
                raise StateUnusable(
                    f"the journal {self.path} was written by a newer ccgpu: {document['schema']}",
                    hint="use that ccgpu, or a newer one, for this deployment",
                )
            return _parse_journal(_upgrade(document, version))
        except (ValueError, KeyError, TypeError, AttributeError) as err:
            raise StateUnusable(
                f"the journal {self.path} is damaged, or of another version of ccgpu: {err}",
                hint="move the file away; "
                f"`ccgpu delete {self.path.stem}` finds the resources by their tags",
            ) from err

    def write(self, journal: Journal) -> None:
        """Replace the file durably."""
        document = {"schema": SCHEMA, **_fields_of(journal)}
        text = json.dumps(document, indent=1, default=_fields_of) + "\n"
        try:
            atomic.replace(self.path, text.encode())
        except OSError as err:
            raise StateUnusable(
                f"cannot write the journal {self.path}: {err.strerror or err}",
                hint="free disk space or fix the permissions",
            ) from err

    def remove(self) -> None:
        """Remove the file. Every resource in the journal must be deleted."""
        try:
            atomic.remove(self.path)
        except OSError as err:
            raise StateUnusable(
                f"cannot remove the journal {self.path}: {err.strerror or err}"
            ) from err


def _fields_of(value: Any) -> dict[str, Any]:
    """The fields of a value, without the copies that `asdict` makes: it is written at once."""
    return {one.name: getattr(value, one.name) for one in fields(value)}


class Journals:
    """The journals of this user on this machine."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def publications(self) -> "Journals":
        """The journals of images that are being published, apart from those of deployments."""
        return Journals(self.folder / "publications")

    def peek(self, subscription: str, deployment: str) -> Journal | None:
        """The deployment's journal, read without its lock, or None."""
        return JournalFile(self.folder / subscription / f"{deployment}.json").read()

    def names(self, subscription: str) -> list[str]:
        """The names of the deployments that have a journal, sorted."""
        return sorted(path.stem for path in (self.folder / subscription).glob("*.json"))

    def every(self, subscription: str) -> list[Journal]:
        """All readable journals of a subscription, read without their locks."""
        journals = []
        for path in sorted((self.folder / subscription).glob("*.json")):
            with suppress(StateUnusable):
                journals.append(JournalFile(path).read())
        return [journal for journal in journals if journal is not None]

    def remembered(
        self, subscription: str, deployment: str, group: str | None = None
    ) -> RememberedSpec | None:
        """The spec of the last create that sent a write, or None.

        With `group`, that of a deployment of this name in another group is not meant.

        It is read without the lock. A journal file is replaced atomically, so it is complete.
        """
        if not is_deployment_name(deployment):
            return None  # an invalid name must not become a path
        journal = self.peek(subscription, deployment)
        if journal is None or (group and key(journal.group) not in ("", key(group))):
            return None
        return journal.spec

    @contextmanager
    def locked(
        self,
        subscription: str,
        deployment: str,
        waiting: Callable[[], None],
        wait: Callable[[Callable[[], None]], object] = lambda block: block(),
        unwritable: Callable[[StateUnusable], None] | None = None,
    ) -> Iterator[JournalFile]:
        """Lock the deployment's journal for this process.

        Args:
            subscription: The subscription's id.
            deployment: The deployment's name.
            waiting: Called before a wait.
            wait: Gets a function that returns when the lock is had, and calls it, in any thread; it
                may raise an error to wait no longer.
            unwritable: Gets the error if the folder cannot be written, and so has no lock: the file
                is then not locked. None: it is raised.
        """
        folder = self.folder / subscription
        path = folder / f"{deployment}.json"
        try:
            folders.make_private(folder)
            # The lock file stays empty, so `atomic` is not needed.
            lock = os.open(
                folder / f"{deployment}.lock", os.O_RDWR | os.O_CREAT | _LOCK_FLAGS, 0o600
            )
        except OSError as err:
            error = StateUnusable(f"cannot use the state folder {folder}: {err.strerror}")
            if unwritable is None or err.errno not in _UNWRITABLE:
                raise error from err
            unwritable(error)
            yield JournalFile(path, locked=False)
            return
        try:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                waiting()
                wait(_blocking_lock(lock))
            atomic.discard_leftovers(path)
            yield JournalFile(path)
        finally:
            os.close(lock)


def _blocking_lock(lock: int) -> Callable[[], None]:
    """A function that waits for the lock, by a descriptor that stays its own if it is given up."""
    own = os.dup(lock)

    def block() -> None:
        try:
            fcntl.flock(own, fcntl.LOCK_EX)
        finally:
            os.close(own)

    return block


_LOCK_FLAGS = os.O_NOFOLLOW | os.O_CLOEXEC


def _schema_version(document: Any) -> int:
    match = re.fullmatch(r"ccgpu\.journal/([1-9][0-9]{0,8})", str(document["schema"]), re.ASCII)
    if match is None:
        raise ValueError("its schema is unknown")
    return int(match[1])


def _parse_journal(document: Any) -> Journal:
    del document["schema"]
    records = tuple(map(_parse_record, document.pop("records")))
    for name in ("deployment", "subscription", "group", "run", "created"):
        _require(isinstance(document[name], str), f"its {name} is no text")
    _require(document["group"] == "" or is_group_name(document["group"]), "its group is no name")
    spec, stages = document.pop("spec"), tuple(document.pop("stages"))
    _require(all(isinstance(stage, str) for stage in stages), "its stages are no names")
    remembered = None if spec is None else _parse_spec(spec)
    return Journal(**document, stages=stages, records=records, spec=remembered)


def _parse_record(document: Any) -> Record:
    """A record, whose id becomes the path of requests."""
    id_, kind = ResourceId(document["id"]), Kind(document["kind"])
    run, state = document["run"], document["state"]
    start, *names = id_.split("/")
    sound = start == "" and all(names) and not {".", ".."} & set(names)
    sound = sound and kind_of(id_) is kind and bool(subscription_of(id_) and group_of(id_))
    _require(sound, f"{id_!r} is no id of a {kind}")
    _require(isinstance(run, str) and state in ("begun", "done"), f"the record of {id_} is none")
    return Record(id_, kind, run, state)


def _require(condition: object, problem: str) -> None:
    if not condition:
        raise ValueError(problem)


def _upgrade(document: Any, version: int) -> Any:
    """Convert a document of an earlier version to the current one."""
    if version < VERSION:
        document.setdefault("spec", None)
        document["stages"] = _STAGES_OF_2 if document.pop("finished") else []
        for record in document["records"]:
            record["state"] = record.pop("stage")
    return document


def _parse_spec(document: Any) -> RememberedSpec:
    values, given = document["values"], document["given"]
    sound = isinstance(values, dict) and all(isinstance(field, str) for field in given)
    _require(sound, "its spec is none")
    return RememberedSpec(values, tuple(given))
