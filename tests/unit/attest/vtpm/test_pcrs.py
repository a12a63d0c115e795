"""PCR files: four forms, each read in one way."""

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccgpu.attest.check import Malformed
from ccgpu.attest.vtpm import pcrs
from ccgpu.attest.vtpm import quote as quotes
from ccgpu.fakeguest.evidence.quote import pcr_digest

ALL = {index: bytes([index + 1]) * 32 for index in range(24)}
SOME = {index: ALL[index] for index in (0, 4, 7, 11)}


def as_json(values):
    return json.dumps({str(index): value.hex() for index, value in values.items()}).encode()


def as_values(values):
    return b"".join(values[index] for index in sorted(values))


def as_yaml(values, bank="sha256"):
    lines = [f"    {index:<2}: 0x{value.hex().upper()}" for index, value in values.items()]
    return "\n".join([f"  {bank}:", *lines, ""]).encode()


def as_serialized(values):
    bitmap = sum(1 << index for index in values).to_bytes(4, "little")
    selection = b"\1\0\0\0" + b"\x0b\0\3" + bitmap + b"\0" + bytes(15 * 8)
    buffers = [b"\x20\0" + values[index] + bytes(32) for index in sorted(values)]
    lists = [buffers[at : at + 8] for at in range(0, len(buffers), 8)]
    return (
        selection
        + len(lists).to_bytes(4, "little")
        + b"".join(
            len(each).to_bytes(4, "little") + b"".join(each).ljust(8 * 66, b"\0") for each in lists
        )
    )


@pytest.mark.parametrize("form", [as_json, as_values, as_yaml, as_serialized])
@pytest.mark.parametrize("values", [ALL, SOME, {23: ALL[23]}], ids=len)
def test_every_form_is_read(form, values):
    assert pcrs.parse(form(values), frozenset(values)) == values


def test_the_yaml_of_several_banks_gives_the_sha256_bank():
    others = as_yaml({0: bytes(20)}, "sha1") + as_yaml(SOME) + as_yaml({0: bytes(48)}, "sha384")
    assert pcrs.parse(others, frozenset()) == SOME


def test_bare_values_are_those_of_the_quoted_pcrs():
    assert pcrs.parse(as_values(SOME), frozenset({1, 2, 3, 5})) == dict(
        zip((1, 2, 3, 5), SOME.values(), strict=True)
    )


def test_a_file_may_be_as_large_as_the_limit():
    assert pcrs.parse(as_yaml(SOME).ljust(65_536, b"\n"), frozenset()) == SOME


def test_an_empty_file_holds_no_values_of_no_pcrs():
    with pytest.raises(Malformed) as caught:
        pcrs.parse(b"", frozenset())
    assert caught.value.rule.id == "vtpm.pcr-file.bank"


SERIALIZED = as_serialized(SOME)


def patched(at, new, data=SERIALIZED):
    return data[:at] + new + data[at + len(new) :]


REFUSED = [
    (b"", "vtpm.pcr-file.bank"),
    (b"\xff" * 31, "vtpm.pcr-file.format"),
    (bytes(24 * 32 + 1), "vtpm.pcr-file.format"),
    (as_yaml(SOME).ljust(65_537, b"\n"), "vtpm.pcr-file.format"),
    (SERIALIZED + b"\0", "vtpm.pcr-file.format"),
    (b"0 : 0x" + b"00" * 32, "vtpm.pcr-file.format"),
    (as_yaml(SOME) + b"calcDigest: 00\n", "vtpm.pcr-file.format"),
    (b"sha256: {}", "vtpm.pcr-file.format"),
    (b'{"0": 1', "json.syntax"),
    (b'{"0":"' + b"00" * 32 + b'","0":"' + b"00" * 32 + b'"}', "json.duplicate"),
    (b'{"24":"' + b"00" * 32 + b'"}', "vtpm.pcr-file.index"),
    (b'{"-1":"' + b"00" * 32 + b'"}', "vtpm.pcr-file.index"),
    (b'{"00":"' + b"00" * 32 + b'"}', "vtpm.pcr-file.index"),
    (b'{"a":"' + b"00" * 32 + b'"}', "vtpm.pcr-file.index"),
    (b'{"0":"' + b"00" * 31 + b'"}', "vtpm.pcr-file.value"),
    (b'{"0":"' + b"00" * 20 + b'"}', "vtpm.pcr-file.value"),
    (b'{"0":"0x' + b"00" * 32 + b'"}', "vtpm.pcr-file.value"),
    (b'{"0":1}', "vtpm.pcr-file.value"),
    (as_yaml({24: bytes(32)}), "vtpm.pcr-file.index"),
    (as_yaml({0: bytes(20)}), "vtpm.pcr-file.value"),
    (as_yaml(SOME) + b"    0 : 0x" + b"00" * 32, "vtpm.pcr-file.duplicate"),
    (as_yaml(SOME) + as_yaml(SOME), "vtpm.pcr-file.duplicate"),
    (as_yaml({0: bytes(20)}, "sha1") * 2, "vtpm.pcr-file.duplicate"),
    (as_yaml({0: bytes(20)}, "sha1"), "vtpm.pcr-file.bank"),
    (SERIALIZED[:-1], "vtpm.pcr-file.format"),
    (SERIALIZED[:136], "vtpm.pcr-file.format"),
    (patched(4, b"\4\0"), "vtpm.pcr-file.bank"),
    (patched(6, b"\2"), "vtpm.pcr-file.bank"),
    (patched(10, b"\1"), "vtpm.pcr-file.padding"),
    (patched(11, b"\1"), "vtpm.pcr-file.padding"),
    (patched(12, b"\4\0\3\1"), "vtpm.pcr-file.padding"),
    (patched(131, b"\1"), "vtpm.pcr-file.padding"),
    (patched(132, b"\2"), "vtpm.pcr-file.count"),
    (patched(136, b"\x09"), "vtpm.pcr-file.count"),
    (patched(136, b"\x03"), "vtpm.pcr-file.value"),
    (patched(7, b"\xff"), "vtpm.pcr-file.count"),
    (patched(140, b"\x14"), "vtpm.pcr-file.value"),
    (patched(140 + 2 + 32, b"\1"), "vtpm.pcr-file.padding"),
    (patched(len(SERIALIZED) - 1, b"\1"), "vtpm.pcr-file.padding"),
]


@pytest.mark.parametrize(("data", "id_"), REFUSED, ids=range(len(REFUSED)))
def test_other_files_are_refused(data, id_):
    with pytest.raises(Malformed) as caught:
        pcrs.parse(data, frozenset(range(24)))
    assert caught.value.rule.id == id_


_lines = st.sampled_from(
    ["sha256:", "sha1:", "0 : 0x00", "0 : 0x" + "00" * 32, "1:0x" + "ff" * 32, "{", '{"0":', ""]
)


@given(
    st.binary()
    | st.lists(_lines).map("\n".join).map(str.encode)
    | st.binary(max_size=600).map(lambda tail: b"\1\0\0\0" + tail)
    | st.tuples(st.integers(0, len(SERIALIZED)), st.binary(max_size=4)).map(
        lambda change: patched(*change)
    )
)
def test_any_bytes_are_pcr_values_or_malformed(data):
    with contextlib.suppress(Malformed):
        found = pcrs.parse(data, frozenset(SOME))
        assert all(0 <= index < 24 and len(value) == 32 for index, value in found.items())


def test_a_real_file_of_tpm2_quote_is_read(vectors):
    folder = vectors / "attest/negative/trusted-launch-quote"
    quote = quotes.parse((folder / "quote.msg").read_bytes())
    found = pcrs.parse((folder / "pcrs.bin").read_bytes(), quote.selected)
    assert found.keys() == set(range(8))
    assert pcr_digest(found) == quote.pcr_digest
