"""The parser of a GPU's report: SPDM request and response. Nothing is verified here.

Every field is checked or kept: no byte is skipped, and none may follow the signature.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from ccgpu.attest.check import Malformed, Rule
from ccgpu.attest.fields import Field
from ccgpu.attest.gpu import layout
from ccgpu.attest.gpu import opaque as opaques
from ccgpu.attest.gpu.opaque import OpaqueData

_REQUEST = "DMTF DSP0274 (SPDM) 1.1, GET_MEASUREMENTS"
_RESPONSE = "DMTF DSP0274 (SPDM) 1.1, MEASUREMENTS"
_BLOCK = "DMTF DSP0274 (SPDM) 1.1, Measurement block format"
_NVIDIA = "NVIDIA nvtrust, local_gpu_verifier, SpdmMeasurementResponseMessage"

READABLE = Rule("gpu.report", "the GPU's report can be read: it is complete", _RESPONSE)
TRAILING = Rule("gpu.report.trailing", "nothing comes behind the signature", _RESPONSE)
REQUEST_VERSION = Rule("gpu.request.version", "the request is of SPDM 1.1", _REQUEST)
REQUEST_CODE = Rule("gpu.request.code", "the request asks for measurements", _REQUEST)
REQUEST_SIGNED = Rule("gpu.request.signed", "the request asks for a signature", _REQUEST)
REQUEST_ALL = Rule("gpu.request.all", "the request asks for all measurements", _REQUEST)
REQUEST_SLOT = Rule("gpu.request.slot", "the request is to NVIDIA's certificates", _REQUEST)
RESPONSE_VERSION = Rule("gpu.response.version", "the response is of SPDM 1.1", _RESPONSE)
RESPONSE_CODE = Rule("gpu.response.code", "the response has measurements", _RESPONSE)
RESPONSE_PARAM1 = Rule("gpu.response.param1", "the response's first parameter is zero", _RESPONSE)
RESPONSE_PARAM2 = Rule("gpu.response.param2", "the response's second parameter is zero", _RESPONSE)
BLOCKS = Rule("gpu.blocks.count", "there are 64 measurements", _NVIDIA)
RECORD = Rule("gpu.blocks.length", "the measurements have the length of 64", _NVIDIA)
DUPLICATE = Rule("gpu.block.duplicate", "no measurement is there twice", _BLOCK)
GAP = Rule("gpu.block.gap", "measurements come in order and none is left out", _BLOCK)
OVERRUN = Rule("gpu.block.overrun", "measurements end within the record", _BLOCK)
SPECIFICATION = Rule("gpu.block.specification", "measurements are in the form of the DMTF", _BLOCK)
SIZE = Rule("gpu.block.size", "measurements have the size of a SHA-384 digest", _BLOCK)
TYPE = Rule("gpu.block.type", "measurements are digests of mutable firmware", _BLOCK)
VALUE_SIZE = Rule("gpu.block.value-size", "digests have 48 bytes", _BLOCK)
RANGE = Rule(
    "gpu.signature.range",
    "the numbers of the signature are between 1 and the order of the curve",
    "FIPS 186-5, 6.4.2",
)

# SEC 2, 2.5.1: the order of the base point of secp384r1.
_ORDER = int(
    "ffffffffffffffffffffffffffffffffffffffffffffffff"
    "c7634d81f4372ddf581a0db248b0a77aecec196accc52973",
    16,
)
_REQUEST_FIELDS: Mapping[str, tuple[Rule, int]] = {
    "version": (REQUEST_VERSION, layout.VERSION),
    "code": (REQUEST_CODE, layout.GET_MEASUREMENTS),
    "param1": (REQUEST_SIGNED, layout.SIGNED),
    "param2": (REQUEST_ALL, layout.ALL),
    "slot": (REQUEST_SLOT, layout.SLOT),
}
_RESPONSE_FIELDS: Mapping[str, tuple[Rule, int]] = {
    "version": (RESPONSE_VERSION, layout.VERSION),
    "code": (RESPONSE_CODE, layout.MEASUREMENTS),
    "param1": (RESPONSE_PARAM1, 0),
    "param2": (RESPONSE_PARAM2, 0),
    "blocks": (BLOCKS, layout.BLOCKS),
    "record_size": (RECORD, layout.RECORD_SIZE),
}
_BLOCK_FIELDS: Mapping[str, tuple[Rule, int]] = {
    "specification": (SPECIFICATION, layout.DMTF),
    "size": (SIZE, layout.BLOCK_SIZE - layout.BLOCK_HEADER_SIZE),
    "type": (TYPE, layout.MUTABLE_FIRMWARE),
    "value_size": (VALUE_SIZE, layout.BLOCK["value"].size),
}


@dataclass(frozen=True, slots=True)
class GpuReport:
    """A parsed report.

    `nonce`: of the request (32 bytes). `blocks`: measurements (SHA-384, 48 bytes) by SPDM index, 1
    to 64. `signature`: r and s.
    """

    raw: bytes
    nonce: bytes
    blocks: Mapping[int, bytes]
    responder_nonce: bytes
    opaque: OpaqueData
    signature: tuple[int, int]

    @property
    def signed(self) -> bytes:
        """The bytes that the signature covers: request and response."""
        return self.raw[: -layout.SIGNATURE_SIZE]

    def measurement(self, rim_index: int) -> bytes | None:
        """The measurement at a manifest's index, which counts from 0; None if there is none."""
        return self.blocks.get(rim_index + 1)


def parse(raw: bytes) -> GpuReport:
    """Parse request and response, or raise `Malformed`."""
    request, rest = _split(raw, layout.REQUEST_SIZE)
    _require(_REQUEST_FIELDS, layout.REQUEST, request)
    response, rest = _split(rest, layout.RESPONSE_SIZE)
    _require(_RESPONSE_FIELDS, layout.RESPONSE, response)
    record, rest = _split(rest, layout.RECORD_SIZE)
    blocks = _blocks(record)
    tail, rest = _split(rest, layout.TAIL_SIZE)
    opaque, rest = _split(rest, _number(layout.TAIL["opaque_size"], tail))
    signature, rest = _split(rest, layout.SIGNATURE_SIZE)
    if rest:
        raise Malformed(TRAILING, "nothing", f"{len(rest)} bytes")
    return GpuReport(
        raw=raw,
        nonce=layout.REQUEST["nonce"].of(request),
        blocks=MappingProxyType(blocks),
        responder_nonce=layout.TAIL["responder_nonce"].of(tail),
        opaque=opaques.parse(opaque),
        signature=_signature(signature),
    )


def _split(raw: bytes, size: int) -> tuple[bytes, bytes]:
    if len(raw) < size:
        raise Malformed(READABLE, f"{size} more bytes", f"{len(raw)} bytes")
    return raw[:size], raw[size:]


def _number(field: Field, data: bytes) -> int:
    return int.from_bytes(field.of(data), "little")


def _require(
    required: Mapping[str, tuple[Rule, int]], fields: Mapping[str, Field], data: bytes
) -> None:
    for name, (rule, expected) in required.items():
        actual = _number(fields[name], data)
        if actual != expected:
            raise Malformed(rule, expected, actual)


def _blocks(record: bytes) -> dict[int, bytes]:
    blocks: dict[int, bytes] = {}
    for number in range(1, layout.BLOCKS + 1):
        block, record = record[: layout.BLOCK_SIZE], record[layout.BLOCK_SIZE :]
        index = _number(layout.BLOCK["index"], block)
        if index in blocks:
            raise Malformed(DUPLICATE, f"measurement {number}", f"measurement {index} again")
        if index != number:
            raise Malformed(GAP, f"measurement {number}", f"measurement {index}")
        room = len(block) + len(record) - layout.BLOCK_HEADER_SIZE
        size = _number(layout.BLOCK["size"], block)
        if size > room:
            raise Malformed(OVERRUN, f"at most {room} bytes", f"{size} bytes")
        _require(_BLOCK_FIELDS, layout.BLOCK, block)
        blocks[index] = layout.BLOCK["value"].of(block)
    return blocks


def _signature(raw: bytes) -> tuple[int, int]:
    halves = raw[: layout.NUMBER_SIZE], raw[layout.NUMBER_SIZE :]
    r, s = (int.from_bytes(half, "big") for half in halves)
    for name, number in (("r", r), ("s", s)):
        if not 1 <= number < _ORDER:
            raise Malformed(RANGE, "1 to n-1", f"{name} = {number:#x}")
    return r, s
