"""The state of the simulated subscription: one SQLite file, or memory.

Every request is one `BEGIN IMMEDIATE` transaction, so several processes may share a file. The file
survives a killed process but not necessarily a power cut (`synchronous=OFF`).
"""

import os
import sqlite3
import threading
import weakref
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

SCHEMA_VERSION = 7
_BUSY_SECONDS = 30.0
_MEMORY = ":memory:"

# `world` has one row: virtual time, the serial number of ids, and the settings.
_SCHEMA = """
CREATE TABLE world (now REAL, serial INTEGER, revision INTEGER, settings TEXT);
CREATE TABLE resources (
  key TEXT PRIMARY KEY, id TEXT, kind TEXT, grp TEXT, created REAL, body TEXT, hidden TEXT
) WITHOUT ROWID;
CREATE INDEX resources_by_group ON resources (grp);
CREATE INDEX resources_by_kind ON resources (kind);
CREATE TABLE refs (target TEXT, source TEXT, owner TEXT, role TEXT, detail TEXT);
CREATE INDEX refs_by_target ON refs (target);
CREATE INDEX refs_by_owner ON refs (owner);
CREATE TABLE operations (
  id TEXT PRIMARY KEY, action TEXT, target TEXT, started REAL, due REAL, ended REAL,
  status TEXT, error TEXT, data TEXT, polls INTEGER
) WITHOUT ROWID;
CREATE INDEX operations_pending ON operations (due) WHERE ended IS NULL;
CREATE INDEX operations_by_target ON operations (target) WHERE ended IS NULL;
CREATE TABLE allocations (
  vm TEXT PRIMARY KEY, region TEXT, zone TEXT, size TEXT, family TEXT, cores INTEGER,
  spot INTEGER, allocated INTEGER
) WITHOUT ROWID;
CREATE TABLE billing (resource TEXT, since REAL, until REAL);
CREATE INDEX billing_by_resource ON billing (resource);
CREATE TABLE gone (
  key TEXT, id TEXT, kind TEXT, grp TEXT, body TEXT, created REAL, hidden TEXT, at REAL
);
CREATE TABLE past (
  key TEXT, id TEXT, kind TEXT, grp TEXT, created REAL, body TEXT, hidden TEXT, until REAL,
  PRIMARY KEY (key, until)
) WITHOUT ROWID;
CREATE TABLE buckets (name TEXT PRIMARY KEY, tokens REAL, at REAL) WITHOUT ROWID;
CREATE TABLE unseen (key TEXT PRIMARY KEY, "left" INTEGER) WITHOUT ROWID;
CREATE TABLE guest_files (
  vm TEXT, path TEXT, mode INTEGER, data BLOB, PRIMARY KEY (vm, path)
) WITHOUT ROWID;
CREATE TABLE guest_facts (vm TEXT, name TEXT, value TEXT, PRIMARY KEY (vm, name)) WITHOUT ROWID;
CREATE TABLE pages (
  content TEXT, number INTEGER, valid TEXT, data BLOB, PRIMARY KEY (content, number)
);
CREATE TABLE requests (n INTEGER PRIMARY KEY, method TEXT, path TEXT, status INTEGER);
"""
_EMPTIED_TABLES = (
    *("resources", "refs", "operations", "allocations", "billing", "requests"),
    *("gone", "past", "unseen", "buckets", "guest_files", "guest_facts", "pages"),
)


class Store:
    def __init__(self, path: str | os.PathLike[str], start: float) -> None:
        self.path = str(path)
        self._lock = threading.RLock()
        if self.path != _MEMORY:
            _prepare(Path(self.path))
        self._db = sqlite3.connect(
            self.path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )
        weakref.finalize(self, self._db.close)  # if `close` is never called
        try:
            self._open(start)
        except sqlite3.DatabaseError as err:
            self._db.close()
            raise ValueError(f"{self.path} is not a state of the simulated Azure: {err}") from err
        except ValueError:
            self._db.close()
            raise

    def _open(self, start: float) -> None:
        self._db.execute("PRAGMA synchronous=OFF")
        self._db.execute("BEGIN EXCLUSIVE")  # two processes may open the same empty file
        version = self._db.execute("PRAGMA user_version").fetchone()[0]
        if version == 0 and not self._db.execute("SELECT 1 FROM sqlite_master").fetchone():
            for statement in _SCHEMA.split(";")[:-1]:
                self._db.execute(statement)
            self._db.execute("INSERT INTO world VALUES (?, 0, 0, '{}')", (start,))
            self._db.execute(f"PRAGMA user_version={SCHEMA_VERSION}")
        elif version != SCHEMA_VERSION:
            self._db.execute("ROLLBACK")
            raise ValueError(
                f"{self.path} has state version {version}, this ccgpu knows {SCHEMA_VERSION}: "
                "remove the file to start with an empty subscription"
            )
        self._db.execute("COMMIT")
        with suppress(sqlite3.OperationalError):  # another process has it open; WAL is optional
            self._db.execute("PRAGMA journal_mode=WAL")

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Hold the state exclusively. Commits at the end; rolls back if the block raises."""
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """Roll back only the block if it raises. The outer transaction continues."""
        self._db.execute("SAVEPOINT request")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK TO request")
            raise
        finally:
            self._db.execute("RELEASE request")

    def run(self, sql: str, *values: Any) -> None:
        self._db.execute(sql, values)

    def run_many(self, sql: str, rows: Iterable[tuple[Any, ...]]) -> None:
        self._db.executemany(sql, rows)

    def row(self, sql: str, *values: Any) -> Any:
        with self._lock:
            return self._db.execute(sql, values).fetchone()

    def rows(self, sql: str, *values: Any) -> list[Any]:
        with self._lock:
            return self._db.execute(sql, values).fetchall()

    def empty(self) -> None:
        for table in _EMPTIED_TABLES:
            self._db.execute(f"DELETE FROM {table}")  # noqa: S608  # a constant above

    def close(self) -> None:
        with self._lock:
            self._db.close()


def _prepare(path: Path) -> None:
    """Create the folder and the file with access for their owner alone."""
    for folder in reversed([one for one in path.parents if not one.is_dir()]):
        folder.mkdir(mode=0o700, exist_ok=True)
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
