"""The parser of quotes (TPMS_ATTEST of type QUOTE; big endian). Nothing is verified here.

Only quotes of one bank, SHA-256, are accepted, so that the PCR bitmap has one meaning.
"""

from dataclasses import dataclass

from ccgpu.attest.check import Malformed, Rule
from ccgpu.attest.fields import splitter
from ccgpu.attest.vtpm import layout

_ATTEST = "TPM 2.0 Part 2, TPMS_ATTEST"
_SELECTION = "TPM 2.0 Part 2, TPML_PCR_SELECTION"
_QUOTE = "TPM 2.0 Part 2, TPMS_QUOTE_INFO"

SHORT = Rule("vtpm.quote.short", "the quote is whole", _ATTEST)
TRAILING = Rule("vtpm.quote.trailing", "nothing follows the quote", _ATTEST)
MAGIC = Rule("vtpm.quote.magic", "the TPM itself made the structure", _ATTEST)
TYPE = Rule("vtpm.quote.type", "the structure is a quote", _ATTEST)
SIGNER = Rule("vtpm.quote.signer", "the signing key's name is a SHA-256 name", _ATTEST)
EXTRA_DATA = Rule("vtpm.quote.extra-data", "the qualifying data is at most 64 bytes", _ATTEST)
SAFE = Rule("vtpm.quote.safe", "the clock's safe flag is yes or no", "TPM 2.0 Part 2, TPMI_YES_NO")
BANKS = Rule("vtpm.selection.banks", "the quote is about one bank of PCRs", _SELECTION)
BANK = Rule("vtpm.selection.bank", "the quote is about the SHA-256 bank", _SELECTION)
SELECT_SIZE = Rule("vtpm.selection.size", "the PCR bitmap is of 24 PCRs", _SELECTION)
EMPTY = Rule("vtpm.selection.empty", "the quote is about a PCR", _SELECTION)
DIGEST = Rule("vtpm.quote.digest-size", "the PCR digest is one of SHA-256", _QUOTE)

_split_clock = splitter(layout.CLOCK)


@dataclass(frozen=True, slots=True)
class Quote:
    """A parsed quote; `raw`: the signed bytes.

    `qualified_signer`: name of the signing key (34 bytes). `extra_data`: the qualifying data, at
    most 64 bytes. `clock`: milliseconds. `safe`: False if the clock may repeat an earlier time.
    `selected`: the quoted PCRs. `pcr_digest`: SHA-256 (32 bytes) over their values.
    """

    raw: bytes
    qualified_signer: bytes
    extra_data: bytes
    clock: int
    reset_count: int
    restart_count: int
    safe: bool
    firmware_version: int
    selected: frozenset[int]
    pcr_digest: bytes


class _QuoteCursor:
    """Reads bytes and numbers, one after the other; `Malformed` at the end of the data."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, size: int) -> bytes:
        taken = self._data[self._at : self._at + size]
        if len(taken) != size:
            raise Malformed(SHORT, f"{size} bytes at {self._at}", f"{len(taken)} bytes")
        self._at += size
        return taken

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "big")

    def end(self) -> None:
        if left := len(self._data) - self._at:
            raise Malformed(TRAILING, "0 bytes more", f"{left} bytes more")


def parse(message: bytes) -> Quote:
    """Parse a quote, or raise `Malformed`."""
    cursor = _QuoteCursor(message)
    if (magic := cursor.number(4)) != layout.GENERATED:
        raise Malformed(MAGIC, f"{layout.GENERATED:#x}", f"{magic:#x}")
    if (kind := cursor.number(2)) != layout.ATTEST_QUOTE:
        raise Malformed(TYPE, f"{layout.ATTEST_QUOTE:#x}", f"{kind:#x}")
    signer, extra_data = _signer(cursor), _extra_data(cursor)
    clock = _split_clock(cursor.take(layout.CLOCK_SIZE))
    fields = {name: int.from_bytes(value, "big") for name, value in clock.items()}
    if fields["safe"] not in (0, 1):
        raise Malformed(SAFE, (0, 1), fields["safe"])
    selected = _selected_pcrs(cursor)
    if (size := cursor.number(2)) != layout.DIGEST_SIZE:
        raise Malformed(DIGEST, layout.DIGEST_SIZE, size)
    digest = cursor.take(size)
    cursor.end()
    return Quote(
        raw=message,
        qualified_signer=signer,
        extra_data=extra_data,
        clock=fields["clock"],
        reset_count=fields["resetCount"],
        restart_count=fields["restartCount"],
        safe=bool(fields["safe"]),
        firmware_version=fields["firmwareVersion"],
        selected=selected,
        pcr_digest=digest,
    )


def _signer(cursor: _QuoteCursor) -> bytes:
    size = cursor.number(2)
    if size != layout.NAME_SIZE:
        raise Malformed(SIGNER, f"{layout.NAME_SIZE} bytes", f"{size} bytes")
    name = cursor.take(size)
    algorithm = int.from_bytes(name[:2], "big")
    if algorithm != layout.ALG_SHA256:
        raise Malformed(SIGNER, f"{layout.ALG_SHA256:#06x}", f"{algorithm:#06x}")
    return name


def _extra_data(cursor: _QuoteCursor) -> bytes:
    size = cursor.number(2)
    if size > layout.DATA_LIMIT:
        raise Malformed(EXTRA_DATA, f"at most {layout.DATA_LIMIT} bytes", f"{size} bytes")
    return cursor.take(size)


def _selected_pcrs(cursor: _QuoteCursor) -> frozenset[int]:
    if (count := cursor.number(4)) != 1:
        raise Malformed(BANKS, 1, count)
    if (bank := cursor.number(2)) != layout.ALG_SHA256:
        raise Malformed(BANK, f"{layout.ALG_SHA256:#06x}", f"{bank:#06x}")
    if (size := cursor.number(1)) != layout.SELECT_SIZE:
        raise Malformed(SELECT_SIZE, layout.SELECT_SIZE, size)
    bitmap = int.from_bytes(cursor.take(size), "little")  # PCR n is bit n % 8 of byte n // 8
    if not bitmap:
        raise Malformed(EMPTY, "1 PCR or more", 0)
    return frozenset([index for index in range(layout.PCR_COUNT) if bitmap >> index & 1])
