"""Collateral in a folder, for use without a network: files, and a manifest that lists them.

The manifest (`ccgpu.collateral/1`) contains the source, the time and the hash of each file. The
hashes detect damage, not tampering. The manifest is written last, so a folder without one is
incomplete.
"""

import hashlib
import json
import re
import secrets
import shutil
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from ccgpu.domain.collateral import CollateralFile
from ccgpu.errors import InvalidFile, Problem, StateUnusable, UsageProblem
from ccgpu.scheduling.clock import rfc3339
from ccgpu.store import atomic

SCHEMA = "ccgpu.collateral/1"
MANIFEST = "manifest.json"
MAX_FILES = 100
_STAGING = ".new-"
_MANIFEST_LIMIT = 256 * 1024
_FILE_LIMIT = 1024 * 1024
_NAMES = {"schema", "made_at", "files"}
_FETCH = "fetch it again: `ccgpu collateral fetch EVIDENCE --out DIR`"
# The names of collateral: in one of three subfolders, and not outside the folder.
_NAME = re.compile(r"(?:rim|ocsp|amd)/[A-Za-z0-9][A-Za-z0-9_.-]{0,199}")


def write(folder: Path, collateral: Sequence[CollateralFile], now: float) -> None:
    """Write collateral into a folder, replacing that of an earlier `write`.

    Raises:
        UsageProblem: The folder contains anything else, or there are more than `MAX_FILES` files.
        StateUnusable: The folder cannot be written.
    """
    if len(collateral) > MAX_FILES:
        raise UsageProblem(
            f"{len(collateral)} files are more than the {MAX_FILES} that one folder holds",
            hint="fetch for fewer machines at once, each time with another `--out DIR`",
        )
    try:
        old = _list_previous(folder)
        staged = folder / f"{_STAGING}{secrets.token_hex(8)}"
        try:
            _write_staged(staged, collateral, now)
            _replace_files(folder, staged, [each.name for each in collateral], old)
        finally:
            shutil.rmtree(staged, ignore_errors=True)
    except OSError as err:
        raise StateUnusable(f"cannot write {folder}: {err.strerror}") from err


def _write_staged(staged: Path, collateral: Sequence[CollateralFile], now: float) -> None:
    """Write all files into a staging folder: if the disk is full, the old files stay intact."""
    for each in collateral:
        path = staged / each.name
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic.replace(path, each.data, mode=atomic.OUTPUT)
    document = {
        "schema": SCHEMA,
        "made_at": rfc3339(now),
        "files": [entry(each) for each in collateral],
    }
    text = json.dumps(document, indent=2) + "\n"
    staged.mkdir(exist_ok=True)
    atomic.replace(staged / MANIFEST, text.encode(), mode=atomic.OUTPUT)


def _replace_files(folder: Path, staged: Path, names: Sequence[str], old: Sequence[str]) -> None:
    """Replace the old files by the new ones; the manifest is removed first and renamed last."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / MANIFEST).unlink(missing_ok=True)
    for name in old:
        (folder / name).unlink(missing_ok=True)
    for name in (*names, MANIFEST):
        (staged / name).rename(folder / name)


def read(folder: Path) -> tuple[CollateralFile, ...]:
    """The collateral that the manifest lists.

    Raises:
        InvalidFile: The manifest is invalid, or some files are missing or changed; names them all.
    """
    try:
        entries = _parse_entries(json.loads(_read_limited(folder / MANIFEST, _MANIFEST_LIMIT)))
    except OSError as err:
        raise _invalid_folder(folder, f"{MANIFEST} cannot be read: {err.strerror}") from err
    except (ValueError, KeyError, TypeError, RecursionError) as err:
        raise _invalid_folder(folder, f"{MANIFEST} is not a {SCHEMA} document") from err
    collateral, problems = [], []
    for listed in entries:
        try:
            collateral.append(_read_collateral(folder, listed))
        except OSError as err:
            problems.append(Problem(listed["path"], f"cannot be read: {err.strerror}"))
        except ValueError as err:
            problems.append(Problem(listed["path"], str(err)))
    if problems:
        raise InvalidFile(str(folder), problems, hint=_FETCH)
    return tuple(collateral)


def has_manifest(folder: Path) -> bool:
    """Whether the folder has a manifest of ours; a damaged one counts.

    A `manifest.json` of another tool is a JSON document with none of our manifest's fields.
    """
    try:
        document = json.loads(_read_limited(folder / MANIFEST, _MANIFEST_LIMIT))
    except (FileNotFoundError, NotADirectoryError):
        return False
    except (OSError, ValueError, RecursionError):
        return True
    return isinstance(document, dict) and not document.keys().isdisjoint(_NAMES)


def read_whole(folder: Path) -> tuple[CollateralFile, ...]:
    """As `read`; also raises `InvalidFile` if the folder has files that are not in the manifest."""
    collateral = read(folder)
    listed = {MANIFEST, *(each.name for each in collateral)}
    try:
        extra = [
            path.relative_to(folder).as_posix()
            for path in sorted(folder.rglob("*"))
            if path.is_symlink() or not path.is_dir()
        ]
    except OSError as err:
        raise _invalid_folder(folder, f"cannot be listed: {err.strerror}") from err
    problems = [
        Problem(name, f"is not listed in {MANIFEST}") for name in extra if name not in listed
    ]
    if problems:
        raise InvalidFile(
            str(folder), problems, hint=f"{_FETCH}; or remove {MANIFEST} to use loose files"
        )
    return collateral


def _parse_entries(document: Any) -> list[dict[str, str]]:
    """The entries of a manifest, with their four fields; raises `ValueError` if it is malformed."""
    files = document["files"]
    fields = ("path", "source", "fetched_at", "sha256")
    valid = (
        document["schema"] == SCHEMA
        and isinstance(files, list)
        and len(files) <= MAX_FILES
        and all(isinstance(each[field], str) for each in files for field in fields)
        and all(_NAME.fullmatch(each["path"]) for each in files)
    )
    if not valid:
        raise ValueError("not as it is written")
    return [{field: each[field] for field in fields} for each in files]


def _read_collateral(folder: Path, listed: dict[str, str]) -> CollateralFile:
    path = folder / listed["path"]
    if path.is_symlink() or path.parent.is_symlink():
        raise ValueError("is a symbolic link, or is inside one")
    data = _read_limited(folder / listed["path"], _FILE_LIMIT)
    if hashlib.sha256(data).hexdigest() != listed["sha256"]:
        raise ValueError(f"does not match its hash in {MANIFEST}")
    fetched = datetime.fromisoformat(listed["fetched_at"]).timestamp()
    return CollateralFile(listed["path"], data, listed["source"], fetched)


def _read_limited(path: Path, limit: int) -> bytes:
    with path.open("rb") as stream:
        data = stream.read(limit + 1)
    if len(data) > limit:
        raise ValueError(f"is larger than {limit} bytes")
    return data


def _list_previous(folder: Path) -> list[str]:
    """The files of an earlier `write`; removes the staging folders of interrupted ones."""
    folder.mkdir(parents=True, exist_ok=True)
    for staged in folder.glob(f"{_STAGING}*"):
        shutil.rmtree(staged, ignore_errors=True)
    if not any(folder.iterdir()):
        return []
    hint = "give a new folder, or one that `ccgpu collateral fetch` wrote"
    try:
        entries = _parse_entries(json.loads(_read_limited(folder / MANIFEST, _MANIFEST_LIMIT)))
    except (FileNotFoundError, ValueError, KeyError, TypeError, RecursionError) as err:
        raise UsageProblem(f"{folder} contains files that are not collateral", hint=hint) from err
    return [listed["path"] for listed in entries]


def entry(collateral: CollateralFile) -> dict[str, str]:
    """The entry of a file in a manifest."""
    return {
        "path": collateral.name,
        "source": collateral.source,
        "fetched_at": rfc3339(collateral.fetched),
        "sha256": collateral.sha256,
    }


def _invalid_folder(folder: Path, message: str) -> InvalidFile:
    return InvalidFile(str(folder), [Problem("", message)], hint=_FETCH)
