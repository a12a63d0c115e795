"""A GPU's SPDM reports. Any field, measurement or opaque field can be changed before signing.

The defaults are those of a single confidential H100 in Azure in 2026. The parser's tables define
the fields.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from ccgpu.attest.gpu import layout

_REQUEST, _RESPONSE, _BLOCK, _TLV_HEADER = (
    {name: place.size for name, place in table.items()}
    for table in (layout.REQUEST, layout.RESPONSE, layout.BLOCK, layout.TLV_HEADER)
)

DRIVER, VBIOS = "595.71.05", "96.00.9F.00.04"
PROJECT, PROJECT_SKU, CHIP_SKU = "1010", "0210", "886"


@dataclass(frozen=True, slots=True)
class MeasurementBlock:
    """One measurement. Sizes default to the correct ones."""

    index: int
    value: bytes
    specification: int = layout.DMTF
    type: int = layout.MUTABLE_FIRMWARE
    size: int = layout.BLOCK_SIZE - layout.BLOCK_HEADER_SIZE
    value_size: int = layout.BLOCK["value"].size

    @property
    def raw(self) -> bytes:
        """The encoded measurement."""
        numbers = {
            "index": self.index,
            "specification": self.specification,
            "size": self.size,
            "type": self.type,
            "value_size": self.value_size,
        }
        return _encode_numbers(_BLOCK, numbers) + self.value


@dataclass(frozen=True, slots=True)
class OpaqueField:
    """One field of the opaque data. Its size defaults to the correct one."""

    type: int
    value: bytes
    size: int | None = None

    @property
    def raw(self) -> bytes:
        """The encoded field."""
        size = len(self.value) if self.size is None else self.size
        return _encode_numbers(_TLV_HEADER, {"type": self.type, "size": size}) + self.value


@dataclass(frozen=True, slots=True)
class VersionedOpaqueData:
    """Opaque data in NVIDIA's versioned format: the header, and value types by field type."""

    profile: int = 0
    version: tuple[int, int, int] = (layout.NVDAOD_MAJOR, layout.NVDAOD_MINOR, 0)
    value_types: Mapping[int, int] = field(default_factory=dict)

    def encoded(self, fields: Sequence[OpaqueField]) -> bytes:
        """The header and the fields."""
        header = layout.NVDAOD_MAGIC + self.profile.to_bytes(2, "little") + bytes(self.version)
        return header + b"\0" + b"".join(self._entry(each) for each in fields)

    def _entry(self, one: OpaqueField) -> bytes:
        size = len(one.value) if one.size is None else one.size
        usual = 0x87 if one.type == layout.FSP_UCODE_SVN else 0x82
        numbers = (one.type, self.value_types.get(one.type, usual), size)
        return b"".join(number.to_bytes(2, "little") for number in numbers) + one.value


@dataclass(frozen=True, slots=True)
class GpuReportTemplate:
    """A report before it is signed. `request` and `response` replace fields.

    `opaque_size` and `signature` (r and s) default to the correct ones. `trailing` follows the
    signature. `versioned` sets the format of the opaque data.
    """

    nonce: bytes
    blocks: Sequence[MeasurementBlock]
    opaque: Sequence[OpaqueField]
    responder_nonce: bytes = b"\x4e" * 32
    request: Mapping[str, int] = field(default_factory=dict)
    response: Mapping[str, int] = field(default_factory=dict)
    opaque_size: int | None = None
    signature: tuple[int, int] | None = None
    trailing: bytes = b""
    versioned: VersionedOpaqueData | None = None

    def with_measurements(self, *blocks: MeasurementBlock) -> "GpuReportTemplate":
        """A copy in which these replace the measurements of the same indices."""
        new = {block.index: block for block in blocks}
        return replace(self, blocks=tuple(new.get(each.index, each) for each in self.blocks))

    def with_opaque_fields(self, *fields: OpaqueField) -> "GpuReportTemplate":
        """A copy with these opaque fields; each replaces those of its type."""
        new = {each.type for each in fields}
        kept = [each for each in self.opaque if each.type not in new]
        return replace(self, opaque=(*kept, *fields))

    def without_opaque_fields(self, *types: int) -> "GpuReportTemplate":
        """A copy without opaque fields of these types."""
        return replace(self, opaque=tuple(each for each in self.opaque if each.type not in types))

    @property
    def unsigned(self) -> bytes:
        """Request and response up to the signature."""
        opaque = self._opaque
        size = len(opaque) if self.opaque_size is None else self.opaque_size
        tail = self.responder_nonce + size.to_bytes(layout.TAIL["opaque_size"].size, "little")
        return self._request + self._response + tail + opaque

    def signed_by(self, key: ec.EllipticCurvePrivateKey) -> bytes:
        """The report with its signature."""
        signature = key.sign(self.unsigned, ec.ECDSA(hashes.SHA384()))
        numbers = self.signature or decode_dss_signature(signature)
        size = layout.NUMBER_SIZE
        return self.unsigned + b"".join(n.to_bytes(size, "big") for n in numbers) + self.trailing

    @property
    def _opaque(self) -> bytes:
        if self.versioned is not None:
            return self.versioned.encoded(self.opaque)
        return b"".join(each.raw for each in self.opaque)

    @property
    def _request(self) -> bytes:
        fields = {
            "version": layout.VERSION,
            "code": layout.GET_MEASUREMENTS,
            "param1": layout.SIGNED,
            "param2": layout.ALL,
            "slot": layout.SLOT,
            **self.request,
        }
        raw = _encode_numbers(_REQUEST, fields)  # the slot stands behind the nonce
        return raw[:-1] + self.nonce + raw[-1:]

    @property
    def _response(self) -> bytes:
        record = b"".join(each.raw for each in self.blocks)
        fields = {
            "version": layout.VERSION,
            "code": layout.MEASUREMENTS,
            "param1": 0,
            "param2": 0,
            "blocks": len(self.blocks),
            "record_size": len(record),
            **self.response,
        }
        return _encode_numbers(_RESPONSE, fields) + record


def gpu_report(
    nonce: bytes, fwid: bytes, measurements: Mapping[int, bytes] | None = None
) -> GpuReportTemplate:
    """A report for a nonce. `measurements` replaces values by RIM index (0 to 63).

    All other values are digests of their index.
    """
    values = measurements or {}
    return GpuReportTemplate(
        nonce=nonce,
        blocks=tuple(
            MeasurementBlock(index + 1, values.get(index, measurement(index)))
            for index in range(layout.BLOCKS)
        ),
        opaque=opaque_fields(fwid),
    )


def measurement(rim_index: int) -> bytes:
    """The value that a simulated GPU measures at a RIM index."""
    return hashlib.sha384(b"simulated firmware %d" % rim_index).digest()


def opaque_fields(
    fwid: bytes, driver: str = DRIVER, vbios: str = VBIOS, chip_sku: str = CHIP_SKU
) -> tuple[OpaqueField, ...]:
    """The opaque fields of a single GPU."""
    return (
        OpaqueField(layout.VBIOS_VERSION, encode_vbios_version(vbios)),
        OpaqueField(14, bytes.fromhex("b1030000")),
        OpaqueField(layout.CHIP_SKU, _padded_text(chip_sku, 9)),
        OpaqueField(16, _padded_text("0", 5)),
        OpaqueField(layout.PROJECT, _padded_text(PROJECT, 5)),
        OpaqueField(layout.PROJECT_SKU, _padded_text(PROJECT_SKU, 5)),
        OpaqueField(19, bytes(2)),
        OpaqueField(layout.DRIVER_VERSION, _padded_text(driver, len(driver) + 1)),
        OpaqueField(12, (1).to_bytes(4, "little") * layout.BLOCKS),
        OpaqueField(layout.NVDEC0_STATUS, bytes([layout.DISABLED])),
        OpaqueField(layout.FWID, fwid),
        OpaqueField(layout.PROTECTED_PCIE_STATUS, bytes([layout.DISABLED])),
        OpaqueField(layout.OPAQUE_DATA_VERSION, (1).to_bytes(2, "little")),
        OpaqueField(layout.FEATURE_FLAG, layout.SINGLE_GPU.to_bytes(2, "little")),
    )


def encode_vbios_version(version: str) -> bytes:
    """A VBIOS version in eight bytes: reversed, with its last byte after the others."""
    *first, last = bytes.fromhex(version.replace(".", ""))
    return bytes([*reversed(first), last, 0, 0, 0])


def _padded_text(text: str, size: int) -> bytes:
    return text.encode().ljust(size, b"\0")


def _encode_numbers(sizes: Mapping[str, int], values: Mapping[str, int]) -> bytes:
    """The numbers of a table, in its order and sizes, without the fields that are bytes."""
    return b"".join(
        values[name].to_bytes(size, "little") for name, size in sizes.items() if name in values
    )
