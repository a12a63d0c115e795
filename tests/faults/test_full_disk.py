"""A disk fills up in the middle of a write: the previous file stays intact.

On a real file system of 64 KB, at every amount of free space that makes a difference: none, a part
of the first page, a page, and less than the whole.
"""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import pytest

from ccgpu.collateral import folder as collateral
from ccgpu.collateral.cache import Cache
from ccgpu.collateral.item import Payload
from ccgpu.domain.catalog import Kind
from ccgpu.domain.collateral import CollateralFile
from ccgpu.domain.journal import Journal, Record
from ccgpu.domain.reference_values import ReferenceValues
from ccgpu.domain.resource import ResourceId
from ccgpu.errors import StateUnusable, UsageProblem
from ccgpu.store import atomic, drafts, reference_values
from ccgpu.store.journals import Journals
from ccgpu.store.keys import Keys
from support.disks import fill, mount, unmount

_BIG = 24 * 1024
_FREE = [0, 1, 4096, 8192 + 5, 16384]


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A folder with room for 64 KB."""
    folder = tmp_path / "small"
    mount("tmpfs", folder, "size=64k")
    yield folder
    unmount(folder)


def _contents(folder: Path) -> dict[str, str]:
    """The hash of each file by its name, without the ballast."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file() and path.name != "ballast"
    }


def _journal(small: Path, text: str) -> None:
    records = [
        Record(ResourceId(f"/{text}/{n}"), Kind.GROUP, "r", "begun") for n in range(len(text) * 60)
    ]
    journal = Journal("demo", "s", "g", "r1", "2026-01-01T00:00:00Z", records=tuple(records))
    with Journals(small / "journals").locked("s", "demo", lambda: None) as file:
        file.write(journal)


def _spec(small: Path, text: str) -> None:
    drafts.write_draft({small / "vm.yaml": text * _BIG}, force=True)


def _cache(small: Path, text: str) -> None:
    piece = CollateralFile("rim/A.xml", text.encode() * _BIG, "here", 1.0)
    Cache(small / "cache").put(piece, Payload(piece.data))


def _collateral(small: Path, text: str) -> None:
    pieces = [CollateralFile(f"rim/{n}.xml", text.encode() * 8192, "here", 1.0) for n in range(3)]
    collateral.write(small / "collateral", pieces, 1.0)


def _output(small: Path, text: str) -> None:
    atomic.replace(small / "file", text.encode() * _BIG, mode=atomic.OUTPUT)


_OVER: dict[str, Callable[[Path, str], None]] = {
    "journal": _journal,
    "spec": _spec,
    "cache": _cache,
    "collateral": _collateral,
    "output": _output,
}


@pytest.mark.parametrize("free", _FREE)
@pytest.mark.parametrize("write", _OVER.values(), ids=_OVER)
def test_a_file_is_unchanged_when_its_replacement_fails(small, write, free):
    write(small, "a")
    before = _contents(small)
    fill(small, but=free)
    # A cache never stands in the way.
    refused = pytest.raises((OSError, StateUnusable, UsageProblem), match="No space left")
    with nullcontext() if write is _cache else refused:
        write(small, "bcdef")
    assert _contents(small) == before
    (small / "ballast").unlink()
    write(small, "b")
    assert _contents(small).keys() == before.keys()


def _pins(small: Path) -> None:
    reference_values.write(small / "pins.json", ReferenceValues(image="x", pcrs={"4": "ab" * 32}))


def _key(small: Path) -> None:
    Keys(small / "state", "demo", small).default()


@pytest.mark.parametrize("write", [_pins, _key], ids=["pins", "key"])
def test_a_failed_write_leaves_no_new_file(small, write):
    fill(small)
    with pytest.raises((StateUnusable, UsageProblem), match="No space left"):
        write(small)
    assert _contents(small) == {}
    (small / "ballast").unlink()
    write(small)
    assert _contents(small)


def test_a_full_disk_between_private_and_public_key_loses_neither(small):
    keys = Keys(small / "state", "demo", small)
    _key(small)
    whole = _contents(small)
    keys.public.unlink()
    fill(small)
    with pytest.raises(StateUnusable):
        _key(small)
    assert _contents(small).items() <= whole.items()
    assert keys.private.exists()
    (small / "ballast").unlink()
    _key(small)
    assert _contents(small) == whole


def test_a_failed_journal_update_keeps_the_previous_journal(small):
    record = Record(ResourceId("/subscriptions/s/resourceGroups/r"), Kind.GROUP, "r", "begun")
    good = Journal("demo", "s", "g", "r1", "2026-01-01T00:00:00Z", records=(record,))
    with Journals(small).locked("s", "demo", lambda: None) as file:
        file.write(good)
        fill(small)
        with pytest.raises(StateUnusable, match="No space left"):
            file.write(replace(good, stages=("provision",)))
        assert file.read() == good
