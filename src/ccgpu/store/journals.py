"""The journals on disk: one file a deployment, whole or not there, locked while one works on it.

A write is durable before `write` returns (`store.atomic`): files are 0600, folders 0700. A journal
that cannot be written stops the create before its PUT; one that cannot be read is said to be so,
and never overwritten.
"""

import fcntl
import json
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ccgpu.domain.catalog import Kind
from ccgpu.domain.given import RememberedSpec
from ccgpu.domain.journal import Journal, Record
from ccgpu.domain.resource import ResourceId, is_deployment_name
from ccgpu.errors import StateUnusable
from ccgpu.store import atomic

# Version 1 has no spec. Before version 3, `finished` stood for both stages of a create, and the
# state of a record was called `stage`.
VERSION = 3
SCHEMA = f"ccgpu.journal/{VERSION}"
_STAGES_OF_2 = ("provision", "boot")


class JournalFile:
    """The journal of one deployment; only to be used while its lock is held."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> Journal | None:
        """What it says, or None where there is none. `StateUnusable` for anything unreadable."""
        try:
            text = self.path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as err:
            raise StateUnusable(f"cannot read the journal {self.path}: {err}") from err
        try:
            document = json.loads(text)
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
        """Make `journal` what the file says, durably."""
        document = {"schema": SCHEMA, **asdict(journal)}
        text = json.dumps(document, indent=1) + "\n"
        try:
            atomic.replace(self.path, text.encode())
        except OSError as err:
            raise StateUnusable(
                f"cannot write the journal {self.path}: {err.strerror or err}",
                hint="free disk space or fix the permissions",
            ) from err

    def remove(self) -> None:
        """Forget the deployment: all that the journal named is gone."""
        try:
            atomic.remove(self.path)
        except OSError as err:
            raise StateUnusable(f"cannot remove the journal {self.path}: {err}") from err


class Journals:
    """The folder of all journals of this machine's user."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def peek(self, subscription: str, deployment: str) -> Journal | None:
        """What the deployment's journal says now, to those who only read: without its lock."""
        return JournalFile(self._folder / subscription / f"{deployment}.json").read()

    def every(self, subscription: str) -> list[Journal]:
        """All journals of a subscription that can be read, as `peek` does."""
        found = []
        for path in sorted((self._folder / subscription).glob("*.json")):
            with suppress(StateUnusable):
                found.append(JournalFile(path).read())
        return [journal for journal in found if journal is not None]

    def remembered(self, subscription: str, deployment: str) -> RememberedSpec | None:
        """The spec of the last create that began to make or change something; None without one.

        Without the lock: a journal is replaced as a whole, so what is read is whole.
        """
        if not is_deployment_name(deployment):
            return None  # nor is it the name of a file
        journal = self.peek(subscription, deployment)
        return journal.spec if journal is not None else None

    @contextmanager
    def locked(
        self, subscription: str, deployment: str, waiting: Callable[[], None]
    ) -> Iterator[JournalFile]:
        """The deployment's journal, held by this process alone. Calls `waiting` before it waits."""
        folder = self._folder / subscription
        try:
            _private_folder(folder)
            # Not written by `atomic`: the lock is the file itself, which stays empty.
            lock = os.open(folder / f"{deployment}.lock", os.O_RDWR | os.O_CREAT | _SAFE, 0o600)
        except OSError as err:
            raise StateUnusable(f"cannot use the state folder {folder}: {err.strerror}") from err
        try:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                waiting()
                fcntl.flock(lock, fcntl.LOCK_EX)
            path = folder / f"{deployment}.json"
            atomic.discard_leftovers(path)
            yield JournalFile(path)
        finally:
            os.close(lock)


_SAFE = os.O_NOFOLLOW | os.O_CLOEXEC


def _schema_version(document: Any) -> int:
    found = re.fullmatch(r"ccgpu\.journal/([1-9][0-9]{0,8})", str(document["schema"]), re.ASCII)
    if found is None:
        raise ValueError("its schema is unknown")
    return int(found[1])


def _parse_journal(document: Any) -> Journal:
    del document["schema"]
    records = tuple(
        Record(ResourceId(r["id"]), Kind(r["kind"]), r["run"], r["state"])
        for r in document.pop("records")
    )
    spec, stages = document.pop("spec"), tuple(document.pop("stages"))
    if not all(isinstance(stage, str) for stage in stages):
        raise TypeError("its stages are no names")
    remembered = None if spec is None else _parse_spec(spec)
    return Journal(**document, stages=stages, records=records, spec=remembered)


def _upgrade(document: Any, version: int) -> Any:
    """A document of an earlier version in the words of this one."""
    if version < VERSION:
        document.setdefault("spec", None)
        document["stages"] = _STAGES_OF_2 if document.pop("finished") else []
        for record in document["records"]:
            record["state"] = record.pop("stage")
    return document


def _parse_spec(document: Any) -> RememberedSpec:
    values, given = document["values"], document["given"]
    if not isinstance(values, dict) or not all(isinstance(field, str) for field in given):
        raise TypeError("its spec is none")
    return RememberedSpec(values, tuple(given))


def _private_folder(folder: Path) -> None:
    """Make it, 0700; its parents as the user's umask has them."""
    folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.mkdir(mode=0o700, exist_ok=True)
