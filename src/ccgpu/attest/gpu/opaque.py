"""The parser of a GPU report's opaque data: NVIDIA's fields, each with type and size.

Drivers of CUDA 13.5 and later write the same fields in another format: see `opaque_versioned`.
Duplicate and unknown fields are refused, since parsers might disagree on them.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from ccgpu.attest.check import Malformed, Rule
from ccgpu.attest.gpu import layout, opaque_versioned, vbios

_NVIDIA = "NVIDIA nvtrust, local_gpu_verifier, OpaqueData"

OVERRUN = Rule("gpu.opaque.overrun", "fields of the opaque data end within it", _NVIDIA)
EMPTY = Rule("gpu.opaque.empty", "every field of the opaque data has a value", _NVIDIA)
UNKNOWN = Rule("gpu.opaque.unknown", "every field of the opaque data is of a known type", _NVIDIA)
DUPLICATE = Rule("gpu.opaque.duplicate", "every field of the opaque data is there once", _NVIDIA)
SIZE = Rule("gpu.opaque.size", "fields of the opaque data have the size of their type", _NVIDIA)
MISSING = Rule("gpu.opaque.missing", "the opaque data names driver, VBIOS and board", _NVIDIA)
TEXT = Rule(
    "gpu.opaque.text",
    "names in the opaque data are plain: they become part of an address",
    "NVIDIA RIM service, /v1/rim/{id}",
)
NVDEC = Rule("gpu.opaque.nvdec", "the video decoder is on or off", f"{_NVIDIA}, NVDEC0_STATUS")
PCIE = Rule(
    "gpu.opaque.protected-pcie", "protected PCIe is on or off", f"{_NVIDIA}, PROTECTED_PCIE_STATUS"
)

_PLAIN = re.compile(rb"[A-Za-z0-9._-]{1,64}")


@dataclass(frozen=True, slots=True)
class OpaqueData:
    """The opaque data: the fields that a verdict uses, and `fields`, all of them by type.

    `fwid`: digest of the firmware whose key is the leaf's. `protected_pcie` and `feature_flag` (0
    one GPU, 1 several, 2 protected PCIe) are None if the firmware does not state them.
    """

    fields: Mapping[int, bytes]
    driver_version: str
    vbios_version: str
    project: str
    project_sku: str
    chip_sku: str
    nvdec0_enabled: bool
    fwid: bytes | None
    protected_pcie: bool | None
    data_version: int | None
    feature_flag: int | None


def parse(raw: bytes) -> OpaqueData:
    """Parse opaque data of either format, or raise `Malformed`."""
    versioned = opaque_versioned.is_versioned(raw)
    fields = opaque_versioned.entries(raw) if versioned else _fields(raw)
    for kind, size in layout.OPAQUE_SIZES.items():
        if kind in fields and len(fields[kind]) != size:
            name = layout.OPAQUE_TYPES[kind]
            raise Malformed(SIZE, f"{name} of {size} bytes", f"{len(fields[kind])} bytes")
    pcie = fields.get(layout.PROTECTED_PCIE_STATUS)
    return OpaqueData(
        fields=MappingProxyType(fields),
        driver_version=_text(fields, layout.DRIVER_VERSION),
        vbios_version=vbios.format_version(_require_field(fields, layout.VBIOS_VERSION)),
        project=_text(fields, layout.PROJECT),
        project_sku=_text(fields, layout.PROJECT_SKU),
        chip_sku=_text(fields, layout.CHIP_SKU),
        nvdec0_enabled=_status(NVDEC, _require_field(fields, layout.NVDEC0_STATUS)),
        fwid=fields.get(layout.FWID),
        protected_pcie=None if pcie is None else _status(PCIE, pcie),
        data_version=(
            layout.NVDAOD_MAJOR if versioned else _number(fields, layout.OPAQUE_DATA_VERSION)
        ),
        feature_flag=_number(fields, layout.FEATURE_FLAG),
    )


def driver_rim_id(opaque: OpaqueData, chip: str) -> str:
    """The RIM id of the driver's manifest, for a chip ("GH100"). Only as good as the report."""
    return f"NV_GPU_DRIVER_{chip}_{opaque.driver_version}".upper()


def vbios_rim_id(opaque: OpaqueData) -> str:
    """The RIM id of the VBIOS's manifest. Only as good as the report."""
    version = opaque.vbios_version.replace(".", "")
    parts = (opaque.project, opaque.project_sku, opaque.chip_sku, version)
    return f"NV_GPU_VBIOS_{'_'.join(parts)}".upper()


def _fields(raw: bytes) -> dict[int, bytes]:
    fields: dict[int, bytes] = {}
    at = 0
    while at < len(raw):
        header = raw[at : at + layout.TLV_HEADER_SIZE]
        kind, size = (
            int.from_bytes(layout.TLV_HEADER[name].of(header), "little")
            for name in ("type", "size")
        )
        at += layout.TLV_HEADER_SIZE
        if at + size > len(raw):
            raise Malformed(OVERRUN, f"at most {len(raw)} bytes", f"{at + size} bytes")
        if kind not in layout.OPAQUE_TYPES:
            raise Malformed(UNKNOWN, "a known type", kind)
        if kind in fields:
            raise Malformed(DUPLICATE, f"{layout.OPAQUE_TYPES[kind]} once", "twice")
        if size == 0:
            raise Malformed(EMPTY, f"a value of {layout.OPAQUE_TYPES[kind]}", "no bytes")
        fields[kind] = raw[at : at + size]
        at += size
    return fields


def _require_field(fields: Mapping[int, bytes], kind: int) -> bytes:
    if kind not in fields:
        raise Malformed(MISSING, layout.OPAQUE_TYPES[kind], None)
    return fields[kind]


def _text(fields: Mapping[int, bytes], kind: int) -> str:
    raw = _require_field(fields, kind).rstrip(b"\0 ")
    if not _PLAIN.fullmatch(raw):
        name = layout.OPAQUE_TYPES[kind]
        raise Malformed(TEXT, f"{name} of letters, digits, and . _ -", raw)
    return raw.decode("ascii")


def _status(rule: Rule, raw: bytes) -> bool:
    if raw[0] not in (layout.ENABLED, layout.DISABLED):
        raise Malformed(rule, f"{layout.ENABLED:#x} or {layout.DISABLED:#x}", f"{raw[0]:#x}")
    return raw[0] == layout.ENABLED


def _number(fields: Mapping[int, bytes], kind: int) -> int | None:
    raw = fields.get(kind)
    return None if raw is None else int.from_bytes(raw, "little")
