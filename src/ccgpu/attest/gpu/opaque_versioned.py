"""NVIDIA's versioned opaque data: a header that begins with "NVDAOD", then packed typed entries.

Drivers of CUDA 13.5 and later write it. The parser knows header and entries of version 2.0. Another
version leads to no verdict rather than to a rejection: see `FORMAT`.
"""

from ccgpu.attest.check import Malformed, Rule
from ccgpu.attest.gpu import layout

_NVIDIA = "NVIDIA Opaque Data Format, docs.nvidia.com/attestation/specs"

FORMAT = Rule(
    "gpu.opaque.format",
    "this release of ccgpu can read the format of the GPU's opaque data",
    _NVIDIA,
)
OVERRUN = Rule("gpu.opaque.entry.overrun", "entries of the opaque data end within it", _NVIDIA)
EMPTY = Rule("gpu.opaque.entry.empty", "every entry of the opaque data has a value", _NVIDIA)
DUPLICATE = Rule(
    "gpu.opaque.entry.duplicate", "every entry of the opaque data is there once", _NVIDIA
)

_READ = f"{layout.NVDAOD_NAME} {layout.NVDAOD_MAJOR}.{layout.NVDAOD_MINOR}"


def is_versioned(raw: bytes) -> bool:
    """Whether the opaque data is in the versioned format."""
    return raw.startswith(layout.NVDAOD_MAGIC)


def entries(raw: bytes) -> dict[int, bytes]:
    """The values by type, or `Malformed`; with rule `FORMAT` if the version is unknown."""
    _require_known_version(raw)
    values: dict[int, bytes] = {}
    at = layout.NVDAOD_SIZE
    while at < len(raw):
        kind, value_type, size = _header(raw[at : at + layout.NVDAOD_ENTRY_SIZE])
        at += layout.NVDAOD_ENTRY_SIZE
        if at + size > len(raw):
            raise Malformed(OVERRUN, f"at most {len(raw)} bytes", f"{at + size} bytes")
        if kind not in layout.NVDAOD_TYPES or value_type not in layout.NVDAOD_VALUE_TYPES:
            _refuse(f"an entry of type {kind}, value type {value_type:#x}")
        if kind in values:
            raise Malformed(DUPLICATE, f"{layout.NVDAOD_TYPES[kind]} once", "twice")
        if size == 0:
            raise Malformed(EMPTY, f"a value of {layout.NVDAOD_TYPES[kind]}", "no bytes")
        values[kind] = raw[at : at + size]
        at += size
    return values


def _require_known_version(raw: bytes) -> None:
    header = raw[: layout.NVDAOD_SIZE]
    if len(header) < layout.NVDAOD_SIZE:
        raise Malformed(OVERRUN, f"{layout.NVDAOD_SIZE} bytes", f"{len(header)} bytes")
    profile, major, minor, patch = (
        int.from_bytes(layout.NVDAOD[name].of(header), "little")
        for name in ("profile", "major", "minor", "patch")
    )
    known = (0, layout.NVDAOD_MAJOR, layout.NVDAOD_MINOR)
    if (profile, major, minor) != known:
        _refuse(f"version {major}.{minor}.{patch}, profile {profile}")


def _header(raw: bytes) -> tuple[int, int, int]:
    kind, value_type, size = (
        int.from_bytes(layout.NVDAOD_ENTRY[name].of(raw), "little")
        for name in ("type", "value_type", "size")
    )
    return kind, value_type, size


def _refuse(what: str) -> None:
    raise Malformed(FORMAT, f"{_READ} as documented", f"{layout.NVDAOD_NAME}: {what}")
