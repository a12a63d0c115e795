"""What is uploaded of a disk: all that is not zero, and nothing twice."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from ccgpu.image.blocks import BytesBlocks
from ccgpu.image.page_ranges import (
    MOST,
    PAGE,
    PageRange,
    covers,
    data_ranges,
    merged,
    ranges_outside,
)

KIB64 = 64 * 1024
_UNITS = st.lists(st.sampled_from([b"", b"\1", b"x"]), max_size=40)
_RANGES = st.lists(
    st.tuples(st.integers(0, 50), st.integers(1, 9)).map(
        lambda at: PageRange(at[0] * PAGE, sum(at) * PAGE)
    ),
    max_size=8,
)


def _disk(units: list[bytes], footer: bytes = b"f" * PAGE) -> bytes:
    return b"".join(unit.rjust(KIB64, b"\0") for unit in units) + footer


@given(_UNITS)
def test_the_ranges_make_the_disk_again(units: list[bytes]) -> None:
    disk = _disk(units)
    again = bytearray(len(disk))
    at = 0
    for one in data_ranges(BytesBlocks(disk)):
        assert at <= one.offset < one.end <= len(disk)
        assert one.offset % PAGE == one.end % PAGE == 0
        assert one.size <= MOST
        again[one.offset : one.end] = disk[one.offset : one.end]
        at = one.end
    assert bytes(again) == disk


def test_holes_are_left_out_and_long_data_is_cut() -> None:
    disk = _disk([b"x"] * 65 + [b""] * 3 + [b"y"])
    assert list(data_ranges(BytesBlocks(disk))) == [
        PageRange(0, MOST),
        PageRange(MOST, MOST + KIB64),
        PageRange(68 * KIB64, 69 * KIB64 + PAGE),
    ]


@given(_RANGES, _RANGES)
def test_what_is_outside_and_what_is_covered_add_up(
    ranges: list[PageRange], wanted: list[PageRange]
) -> None:
    def pages(some: list[PageRange]) -> set[int]:
        return {at for one in some for at in range(one.offset, one.end, PAGE)}

    there = merged(ranges)
    assert pages(there) == pages(ranges)
    assert all(one.end < other.offset for one, other in pairwise(there))
    assert pages(list(ranges_outside(there, wanted))) == pages(ranges) - pages(wanted)
    for one in wanted:
        assert covers(there, one) == (pages([one]) <= pages(ranges))


def test_what_is_outside_comes_in_pieces() -> None:
    whole = [PageRange(0, MOST + PAGE)]
    assert list(ranges_outside(whole, [])) == [PageRange(0, MOST), PageRange(MOST, MOST + PAGE)]
