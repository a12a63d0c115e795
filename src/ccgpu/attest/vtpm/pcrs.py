"""The parser of files of PCR values, as tpm2-tools write them.

Four forms: JSON (index to hex), bare values of the quoted PCRs (`tpm2_quote -o FILE -F values`),
the library's structures as they are in memory (`-F serialized`, the default), and the YAML of
`tpm2_pcrread`. The values count only if a quote covers them.
"""

import re
from collections.abc import Iterator, Mapping

from ccgpu.attest import strict_json
from ccgpu.attest.check import Malformed, Rule
from ccgpu.attest.vtpm import layout

_TOOLS = "tpm2-tools, tpm2_quote(1) and tpm2_pcrread(1)"

FORMAT = Rule("vtpm.pcr-file.format", "the PCR file is in a known form", _TOOLS)
INDEX = Rule("vtpm.pcr-file.index", "every PCR of the file is one of 24", _TOOLS)
VALUE = Rule("vtpm.pcr-file.value", "every PCR value of the file is 32 bytes", _TOOLS)
DUPLICATE = Rule("vtpm.pcr-file.duplicate", "no PCR and no bank is listed twice", _TOOLS)
BANK = Rule("vtpm.pcr-file.bank", "the PCR file is of one bank, SHA-256", _TOOLS)
COUNT = Rule("vtpm.pcr-file.count", "there is one value for each PCR of the file", _TOOLS)
PADDING = Rule("vtpm.pcr-file.padding", "the spare bytes of the PCR file are zero", _TOOLS)

_SIZE_LIMIT = 64 * 1024
# Structures of tpm2-tss in memory (tss2_tpm2_types.h), little endian and aligned.
_SELECTION_ENTRY = 8  # TPMS_PCR_SELECTION: hash, sizeofSelect, 4 bytes of bitmap, 1 of padding
_SELECTION_SIZE = 4 + 16 * _SELECTION_ENTRY  # TPML_PCR_SELECTION
_DIGEST_BUFFER = 2 + 64  # TPM2B_DIGEST
_LIST_LENGTH = 8  # digests in a TPML_DIGEST
_LIST_SIZE = 4 + _LIST_LENGTH * _DIGEST_BUFFER
_SERIALIZED_START = b"\1\0\0\0"

_BANK_LINE = re.compile(r"\s*(sha1|sha256|sha384|sha512|sm3_256)\s*:\s*")
_VALUE_LINE = re.compile(r"\s*([0-9]{1,2})\s*:\s*0x([0-9A-Fa-f]{2,128})\s*")


def parse(data: bytes, selected: frozenset[int]) -> Mapping[int, bytes]:
    """Parse PCR values: index to 32 bytes (SHA-256); or raise `Malformed`.

    `selected`: the quoted PCRs, whose order a file of bare values has.
    """
    if len(data) > _SIZE_LIMIT:
        raise Malformed(FORMAT, f"at most {_SIZE_LIMIT} bytes", f"{len(data)} bytes")
    if selected and len(data) == layout.DIGEST_SIZE * len(selected):
        return dict(zip(sorted(selected), _chunks(data, layout.DIGEST_SIZE), strict=True))
    if data.startswith(_SERIALIZED_START):
        return _parse_serialized(data)
    if data.lstrip().startswith(b"{"):
        return _parse_json(data)
    return _parse_yaml(data)


def _parse_json(data: bytes) -> Mapping[int, bytes]:
    document = strict_json.load(data, _SIZE_LIMIT)
    return {_index(key): _value(value) for key, value in document.items()}


def _parse_yaml(data: bytes) -> Mapping[int, bytes]:
    try:
        lines = data.decode("ascii").splitlines()
    except UnicodeDecodeError as error:
        raise Malformed(FORMAT, "JSON, YAML or tpm2-tools' structures", str(error)[:80]) from error
    banks: dict[str, dict[int, bytes]] = {}
    values: dict[int, bytes] | None = None
    for line in filter(str.strip, lines):
        if bank := _BANK_LINE.fullmatch(line):
            if bank[1] in banks:
                raise Malformed(DUPLICATE, "once", f"bank {bank[1]} twice")
            values = banks[bank[1]] = {}
            continue
        entry = _VALUE_LINE.fullmatch(line)
        if entry is None or values is None:
            raise Malformed(FORMAT, "a bank, or `N : 0xVALUE` below one", line.strip()[:64])
        _add(values, entry, "sha256" in banks and values is banks["sha256"])
    if "sha256" not in banks:
        raise Malformed(BANK, "sha256", list(banks))
    return banks["sha256"]


def _add(values: dict[int, bytes], entry: re.Match[str], ours: bool) -> None:
    index = _index(entry[1])
    if index in values:
        raise Malformed(DUPLICATE, "once", f"PCR {index} twice")
    values[index] = _value(entry[2]) if ours else b""


def _index(text: str) -> int:
    if not re.fullmatch(r"0|[1-9][0-9]?", text) or int(text) >= layout.PCR_COUNT:
        raise Malformed(INDEX, "0 to 23", text[:16])
    return int(text)


def _value(text: object) -> bytes:
    if not isinstance(text, str) or not re.fullmatch(r"[0-9A-Fa-f]{64}", text):
        raise Malformed(VALUE, "64 hex digits", str(text)[:80])
    return bytes.fromhex(text)


def _parse_serialized(data: bytes) -> Mapping[int, bytes]:
    """Parse a TPML_PCR_SELECTION, the number of TPML_DIGEST, and these."""
    lists = (len(data) - _SELECTION_SIZE - 4) // _LIST_SIZE
    if lists < 1 or len(data) != _SELECTION_SIZE + 4 + lists * _LIST_SIZE:
        raise Malformed(FORMAT, "whole lists of digests", f"{len(data)} bytes")
    indices = _selected_indices(data[4:_SELECTION_SIZE])
    count = int.from_bytes(data[_SELECTION_SIZE : _SELECTION_SIZE + 4], "little")
    if count != lists:
        raise Malformed(COUNT, f"{lists} lists", f"{count} lists")
    digests = [
        digest
        for each in _chunks(data[_SELECTION_SIZE + 4 :], _LIST_SIZE)
        for digest in _digests(each)
    ]
    if len(digests) != len(indices):
        raise Malformed(COUNT, f"{len(indices)} values", f"{len(digests)} values")
    return dict(zip(indices, digests, strict=True))


def _selected_indices(entries: bytes) -> list[int]:
    first, rest = entries[:_SELECTION_ENTRY], entries[_SELECTION_ENTRY:]
    hash_, size = int.from_bytes(first[:2], "little"), first[2]
    if hash_ != layout.ALG_SHA256 or size != layout.SELECT_SIZE:
        raise Malformed(BANK, f"{layout.ALG_SHA256:#x}, 3 bytes", f"{hash_:#x}, {size} bytes")
    if any(first[3 + size :]) or any(rest):
        raise Malformed(PADDING, "zeros", "other bytes in the selection")
    bitmap = int.from_bytes(first[3 : 3 + size], "little")
    return [index for index in range(layout.PCR_COUNT) if bitmap >> index & 1]


def _digests(data: bytes) -> Iterator[bytes]:
    """The digests of one TPML_DIGEST."""
    count = int.from_bytes(data[:4], "little")
    if count > _LIST_LENGTH:
        raise Malformed(COUNT, f"at most {_LIST_LENGTH} values", f"{count} values")
    buffers = _chunks(data[4:], _DIGEST_BUFFER)
    for number, buffer in enumerate(buffers):
        size = int.from_bytes(buffer[:2], "little")
        used = layout.DIGEST_SIZE if number < count else 0
        if size != used:
            raise Malformed(VALUE, f"{used} bytes", f"{size} bytes")
        if any(buffer[2 + used :]):
            raise Malformed(PADDING, "zeros", "other bytes behind a value")
        if used:
            yield buffer[2 : 2 + used]


def _chunks(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]
