"""The parser of the HCL blob: header, hardware report, runtime claims.

Only the runtime claims are authenticated, by their hash in the report. So every other field must
have the one value that a blob of an SEV-SNP machine has, sizes must agree, and padding is zero.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from ccgpu.attest.check import Malformed, Rule
from ccgpu.attest.fields import splitter
from ccgpu.attest.hcl import layout

_DESIGN = "Azure CVM guest attestation design, report format"

SIZE = Rule("hcl.size", "the HCL blob is as long as its NV index", _DESIGN)
SIGNATURE = Rule("hcl.signature", "the blob begins with HCLA", _DESIGN)
VERSION = Rule("hcl.version", "the version of the HCL header is known", _DESIGN)
REQUEST = Rule("hcl.request-type", "the blob was made for an AK certificate request", _DESIGN)
STATUS = Rule("hcl.status", "the paravisor reports no error", _DESIGN)
RESERVED = Rule("hcl.reserved", "the reserved bytes of the HCL header are zero", _DESIGN)
TYPE_TDX = Rule("hcl.report-type.tdx", "the hardware report is not one of Intel TDX", _DESIGN)
TYPE = Rule("hcl.report-type", "the hardware report is one of AMD SEV-SNP", _DESIGN)
HASH_TYPE = Rule("hcl.hash-type", "the runtime data is hashed with SHA-256", _DESIGN)
DATA_VERSION = Rule("hcl.data-version", "the version of the runtime data is known", _DESIGN)
CLAIMS_SIZE = Rule("hcl.claims-size", "the runtime claims lie inside the blob", _DESIGN)
DATA_SIZE = Rule("hcl.data-size", "the runtime data is its header and the claims", _DESIGN)
REPORT_SIZE = Rule("hcl.report-size", "the blob is header, report and runtime data", _DESIGN)
PADDING = Rule("hcl.padding", "what follows the runtime claims is zero", _DESIGN)

_split_header, _split_runtime_header = splitter(layout.HEADER), splitter(layout.RUNTIME_HEADER)


@dataclass(frozen=True, slots=True)
class Blob:
    """The SNP report (1184 bytes) and the exact bytes of the runtime claims (JSON).

    `header_version`: 1 or 2; None if the two came as files of their own.
    """

    header_version: int | None
    report: bytes
    runtime: bytes


def parse(data: bytes) -> Blob:
    """Parse an HCL blob (2048 or 2600 bytes), or raise `Malformed`."""
    if len(data) not in layout.SIZES:
        raise Malformed(SIZE, layout.SIZES, len(data))
    header = _split_header(data[: layout.HEADER_SIZE])
    _require(SIGNATURE, layout.SIGNATURE, header["signature"])
    runtime_header = _split_runtime_header(data[layout.RUNTIME_START : layout.CLAIMS_START])
    _check_type(runtime_header)
    version = _check_header(header)
    return Blob(version, layout.REPORT.of(data), _claims(data, header, runtime_header))


def _check_type(runtime_header: Mapping[str, bytes]) -> None:
    kind = _number(runtime_header["report_type"])
    if kind == layout.TYPE_TDX:
        raise Malformed(TYPE_TDX, f"{layout.TYPE_SNP} (SNP)", f"{kind} (TDX)")
    _require(TYPE, layout.TYPE_SNP, kind)
    _require(HASH_TYPE, layout.HASH_SHA256, _number(runtime_header["hash_type"]))
    _require(DATA_VERSION, 1, _number(runtime_header["version"]))


def _check_header(header: Mapping[str, bytes]) -> int:
    """Check the header's fields but for the size; returns its version."""
    version = _number(header["version"])
    if version not in layout.VERSIONS:
        raise Malformed(VERSION, layout.VERSIONS, version)
    _require(REQUEST, layout.AK_CERT_REQUEST, _number(header["request_type"]))
    _require(STATUS, 0, _number(header["status"]))
    _require(RESERVED, bytes(layout.HEADER["reserved"].size), header["reserved"])
    return version


def _claims(data: bytes, header: Mapping[str, bytes], runtime_header: Mapping[str, bytes]) -> bytes:
    """The runtime claims, after checking that the three sizes agree and the padding is zero."""
    size = _number(runtime_header["variable_data_size"])
    room = len(data) - layout.CLAIMS_START
    if not 1 <= size <= room:
        raise Malformed(CLAIMS_SIZE, f"1 to {room} bytes", f"{size} bytes")
    data_size = layout.RUNTIME_HEADER_SIZE + size
    _require(DATA_SIZE, data_size, _number(runtime_header["data_size"]))
    whole = layout.RUNTIME_START + data_size
    _require(REPORT_SIZE, whole, _number(header["report_size"]))
    if data.count(0, whole) != len(data) - whole:
        raise Malformed(PADDING, "zeros", data[whole:].rstrip(b"\0")[:32])
    return data[layout.CLAIMS_START : whole]


def _number(field: bytes) -> int:
    return int.from_bytes(field, "little")


def _require(rule: Rule, expected: object, actual: object) -> None:
    if expected != actual:
        raise Malformed(rule, expected, actual)
