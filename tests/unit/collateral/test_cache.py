"""The cache: what comes out is what went in, and it never stands in the way."""

import pytest

from ccgpu.collateral.cache import Cache, CachedCollateral
from ccgpu.collateral.item import CollateralItem, Payload
from ccgpu.domain.collateral import CollateralFile
from ccgpu.net.fetch import NoAnswer

_NOW = 1_800_000_000.0


def _never(*_: object) -> Payload:
    raise NoAnswer("nobody is asked")


def _want(name: str = "rim/A.xml", limit: int = 1000) -> CollateralItem:
    return CollateralItem(name, name, limit, (), _never)


def _piece(name: str = "rim/A.xml", data: bytes = b"<xml/>\n\n{}") -> CollateralFile:
    return CollateralFile(name, data, "https://published.example/A", _NOW)


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "ccgpu" / "collateral"


@pytest.fixture
def cache(folder):
    return Cache(folder)


@pytest.mark.parametrize("fresh", [_NOW + 10, float("inf")])
def test_stored_items_are_read_back(cache, fresh):
    cache.put(_piece(), Payload(b"", fresh=fresh, usable=fresh))
    assert cache.get(_want()) == CachedCollateral(_piece(), fresh, fresh)
    assert cache.get(_want("rim/B.xml")) is None


def test_the_last_stored_item_wins(cache):
    for data in (b"old", b"new"):
        cache.put(_piece(data=data), Payload(data))
    kept = cache.get(_want())
    assert kept is not None
    assert kept.collateral.data == b"new"


def test_items_already_outdated_are_not_stored(cache, folder):
    cache.put(_piece(), Payload(b"", fresh=_NOW, usable=_NOW))
    assert not folder.exists()


def test_the_cache_is_private_to_the_user(cache, folder):
    cache.put(_piece(), Payload(b""))
    (entry,) = folder.iterdir()
    assert (folder.stat().st_mode & 0o777, entry.stat().st_mode & 0o777) == (0o700, 0o600)


def test_any_flipped_byte_invalidates_an_entry(cache, folder):
    cache.put(_piece(), Payload(b""))
    (entry,) = folder.iterdir()
    whole = entry.read_bytes()
    for place in range(len(whole) - len(_piece().data), len(whole)):
        entry.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        assert cache.get(_want()) is None


@pytest.mark.parametrize(
    "damage",
    [
        lambda _: b"",
        lambda whole: whole[:-1],
        lambda whole: whole + b"x",
        lambda whole: whole.replace(b"{", b"", 1),
        lambda whole: b"[]" + whole,
        lambda whole: b"[]\n" + whole,
        lambda whole: b"{}\n" + whole,
        lambda whole: whole.replace(b"entry/1", b"entry/2"),
        lambda whole: whole.replace(b'"fresh": null', b'"fresh": "soon"'),
        lambda whole: whole.replace(b'"fetched"', b'"fetch"'),
        lambda _: b"[" * 100_000,
        lambda whole: b" " * 5000 + whole,
        lambda whole: b"\xff" + whole,
    ],
)
def test_damaged_entries_are_ignored(cache, folder, damage):
    cache.put(_piece(), Payload(b""))
    (entry,) = folder.iterdir()
    entry.write_bytes(damage(entry.read_bytes()))
    assert cache.get(_want()) is None


def test_entries_under_another_key_are_ignored(cache, folder):
    cache.put(_piece("rim/A.xml"), Payload(b""))
    (entry,) = folder.iterdir()
    whole = entry.read_bytes()
    cache.put(_piece("rim/B.xml"), Payload(b""))
    (other,) = set(folder.iterdir()) - {entry}
    other.write_bytes(whole)
    assert cache.get(_want("rim/B.xml")) is None


def test_oversized_entries_are_ignored(cache):
    cache.put(_piece(data=b"x" * 11), Payload(b""))
    assert cache.get(_want(limit=10)) is None
    assert cache.get(_want(limit=11)) is not None


def test_an_unwritable_folder_disables_the_cache(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    cache = Cache(tmp_path / "file" / "cache")
    cache.put(_piece(), Payload(b""))
    assert cache.get(_want()) is None


def test_a_failed_write_leaves_no_file(cache, folder):
    cache.put(_piece(), Payload(b""))
    (entry,) = folder.iterdir()
    entry.unlink()
    entry.mkdir()  # a file cannot take the place of a folder
    cache.put(_piece(), Payload(b""))
    assert list(folder.iterdir()) == [entry]


def test_the_oldest_entries_are_evicted(folder):
    cache = Cache(folder, size=3000)
    for number in range(10):
        cache.put(_piece(f"rim/{number}.xml", bytes(500)), Payload(b""))
    kept = [number for number in range(10) if cache.get(_want(f"rim/{number}.xml"))]
    assert kept == list(range(10 - len(kept), 10))
    assert 2 <= len(kept) <= 5
    assert sum(entry.stat().st_size for entry in folder.iterdir()) <= 3000
