"""A quote is read to its last byte, and in one way."""

import contextlib
import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccgpu.attest.check import Malformed
from ccgpu.attest.fields import table
from ccgpu.attest.vtpm import layout
from ccgpu.attest.vtpm import quote as quotes
from ccgpu.fakeguest.evidence.quote import PcrSelection, QuoteTemplate, pcr_digest, sha256_selection

PCRS = {index: bytes([index]) * 32 for index in range(24)}
VALID = QuoteTemplate(PCRS, b"n" * 32)


def refusal(raw: bytes) -> str:
    with pytest.raises(Malformed) as caught:
        quotes.parse(raw)
    return caught.value.rule.id


def test_the_clock_table_tiles():
    assert table(tuple(layout.CLOCK.values()), 25) == layout.CLOCK


@pytest.mark.parametrize("selected", [range(24), range(8), [0], [23], [7, 8, 15, 16]])
def test_every_field_is_read(selected):
    made = QuoteTemplate(
        {index: PCRS[index] for index in selected},
        b"nonce",
        clock=2**40,
        reset_count=3,
        restart_count=4,
        safe=0,
        firmware_version=5,
    )
    read = quotes.parse(made.raw)
    assert read.raw == made.raw
    assert read.qualified_signer == made.signer
    assert read.extra_data == b"nonce"
    assert (read.clock, read.reset_count, read.restart_count) == (2**40, 3, 4)
    assert (read.safe, read.firmware_version) == (False, 5)
    assert read.selected == frozenset(selected)
    assert read.pcr_digest == pcr_digest(made.pcrs)


@pytest.mark.parametrize("size", [0, 64])
def test_qualifying_data_may_be_empty_or_64_bytes(size):
    assert len(quotes.parse(replace(VALID, extra_data=bytes(size)).raw).extra_data) == size


SHA256_BANK = sha256_selection(PCRS)
REFUSED = [
    (replace(VALID, magic=0xFF544346), "vtpm.quote.magic"),
    (replace(VALID, type=0x8017), "vtpm.quote.type"),  # TPM_ST_ATTEST_CERTIFY
    (replace(VALID, type=0x8014), "vtpm.quote.type"),  # TPM_ST_ATTEST_NV
    (replace(VALID, type=0x801A), "vtpm.quote.type"),  # TPM_ST_ATTEST_CREATION
    (replace(VALID, signer=b""), "vtpm.quote.signer"),
    (replace(VALID, signer=b"\x81\0\0\3"), "vtpm.quote.signer"),
    (replace(VALID, signer=b"\0\4" + bytes(32)), "vtpm.quote.signer"),
    (replace(VALID, signer=b"\0\x0b" + bytes(33)), "vtpm.quote.signer"),
    (replace(VALID, extra_data=bytes(65)), "vtpm.quote.extra-data"),
    (replace(VALID, safe=2), "vtpm.quote.safe"),
    (replace(VALID, banks=()), "vtpm.selection.banks"),
    (replace(VALID, banks=(SHA256_BANK, SHA256_BANK)), "vtpm.selection.banks"),
    (replace(VALID, banks=(SHA256_BANK, PcrSelection(b"\1\0\0", 4))), "vtpm.selection.banks"),
    (replace(VALID, banks=(PcrSelection(b"\xff\xff\xff", 4),)), "vtpm.selection.bank"),
    (replace(VALID, banks=(PcrSelection(b"\xff\xff\xff", 0x0C),)), "vtpm.selection.bank"),
    (replace(VALID, banks=(PcrSelection(b"\xff\xff"),)), "vtpm.selection.size"),
    (replace(VALID, banks=(PcrSelection(b"\xff\xff\xff\0"),)), "vtpm.selection.size"),
    (replace(VALID, banks=(PcrSelection(b"\0\0\0"),)), "vtpm.selection.empty"),
    (replace(VALID, digest=b""), "vtpm.quote.digest-size"),
    (replace(VALID, digest=bytes(20)), "vtpm.quote.digest-size"),
    (replace(VALID, digest=bytes(48)), "vtpm.quote.digest-size"),
    (replace(VALID, trailing=b"\0"), "vtpm.quote.trailing"),
]


@pytest.mark.parametrize(("made", "id_"), REFUSED, ids=range(len(REFUSED)))
def test_anything_but_a_quote_of_the_sha256_bank_is_refused(made, id_):
    assert refusal(made.raw) == id_


def test_a_quote_cut_anywhere_is_refused():
    raw = VALID.raw
    assert {refusal(raw[:size]) for size in range(len(raw))} == {"vtpm.quote.short"}


@given(st.binary())
def test_any_bytes_are_a_quote_or_malformed(data):
    with contextlib.suppress(Malformed):
        quotes.parse(data)


@given(st.integers(0, len(VALID.raw)), st.integers(0, 8), st.binary(max_size=8))
def test_a_changed_quote_is_parsed_or_malformed(at, cut, new):
    raw = VALID.raw
    changed = raw[:at] + new + raw[at + cut :]
    with contextlib.suppress(Malformed):
        assert quotes.parse(changed).raw == changed


@pytest.mark.parametrize("case", ["azure-genoa-v3", "azure-milan-v2", "azure-milan-v3"])
def test_real_quotes_are_read(vectors, case):
    folder = vectors / "attest" / case
    read = quotes.parse((folder / "quote.msg").read_bytes())
    pcrs = json.loads((folder / "pcrs.json").read_text())
    assert read.selected == frozenset(range(24))
    assert read.extra_data.hex() == (folder / "nonce.hex").read_text().strip()
    assert read.pcr_digest == pcr_digest({int(i): bytes.fromhex(v) for i, v in pcrs.items()})
    assert read.safe is True
