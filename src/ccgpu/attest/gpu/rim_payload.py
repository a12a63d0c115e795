"""The parser of a manifest's content: the firmware, and golden values of its measurements.

It takes the bytes that the signature covers, and is strict: nothing is optional or ignored.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, cast

from ccgpu.attest.check import Malformed, Rule
from ccgpu.attest.gpu import rim_xml
from ccgpu.attest.gpu.rim_xml import Element

Kind = Literal["driver", "vbios"]

_SWID = "ISO/IEC 19770-2:2015; NVIDIA's manifests"
_TCG = "TCG Reference Integrity Manifest Information Model 1.01; NVIDIA's manifests"

ROOT = Rule("rim.root", "the manifest is a SoftwareIdentity", _SWID)
PARTS = Rule("rim.parts", "it has one Meta and one Payload, and no other identity", _SWID)
META = Rule("rim.meta", "it says product, version and manufacturer", _TCG)
VERSION = Rule("rim.version", "its version is one of a driver or of a VBIOS", _TCG)
RESOURCE = Rule("rim.resource", "each of its resources is a measurement", _TCG)
INDEX = Rule("rim.resource.index", "each has an index of its own, 0 to 63", _TCG)
ACTIVE = Rule("rim.resource.active", "each says whether it is active", _TCG)
ALTERNATIVES = Rule("rim.resource.alternatives", "each has as many hashes as it says", _TCG)
SIZE = Rule("rim.resource.size", "each is of 48 bytes", _TCG)
HASH = Rule("rim.resource.hash", "each hash is SHA-384, in hex", _TCG)

OPAQUE_VALUES = Rule(
    "rim.opaque-values",
    "this release of ccgpu can compare all that the manifest has values of",
    "NVIDIA, Opaque Data RIM Attributes, docs.nvidia.com/attestation/specs",
)

INDICES = 64  # SPDM blocks of an H100's report
SHA384_SIZE = 48

_SWID_NAMESPACE = "{http://standards.iso.org/iso/19770/-2/2015/schema.xsd}"
_HASH_NAMESPACE = "{http://www.w3.org/2001/04/xmlenc#sha384}"
_RIM_NAMESPACE = (
    "{https://trustedcomputinggroup.org/resource/"
    "tcg-reference-integrity-manifest-rim-information-model/}"
)
# Attributes of this namespace are values of the opaque data (NVDAOD), not measurements.
_OPAQUE_NAMESPACE = "{https://docs.nvidia.com/attestation/specs/latest/opaque-data.html}"
_SKIPPED_TAGS = {f"{_SWID_NAMESPACE}Entity", f"{_SWID_NAMESPACE}Link"}
_FIELDS = {"type", "index", "active", "alternatives", "name", "size"}

_VERSIONS: Mapping[Kind, re.Pattern[str]] = {
    "driver": re.compile(r"[0-9]{1,4}(\.[0-9]{1,4}){1,3}"),
    "vbios": re.compile(r"[0-9A-F]{2}(\.[0-9A-F]{2}){4}"),
}
_INDEX = re.compile(r"0|[1-9][0-9]?")
_COUNT = re.compile(r"[1-9][0-9]?")
_HASH = re.compile(r"[0-9a-fA-F]{96}")


@dataclass(frozen=True, slots=True)
class RimPayload:
    """The content of a manifest. `golden`: active indices with their alternative values.

    Manifests of drivers and of VBIOSes differ only in the form of `version`.
    """

    kind: Kind
    version: str
    product: str
    manufacturer: str
    golden: Mapping[int, tuple[bytes, ...]]


def parse(content: bytes) -> RimPayload:
    """Parse the signed content (canonical XML), or raise `Malformed`."""
    root = rim_xml.read(content)
    if root.tag != f"{_SWID_NAMESPACE}SoftwareIdentity":
        raise Malformed(ROOT, "SoftwareIdentity", str(root.tag))
    meta, payload = _parts(root)
    version = _required_attribute(meta, "colloquialVersion")
    return RimPayload(
        kind=_kind(version),
        version=version,
        product=_required_attribute(meta, "product"),
        manufacturer=_required_attribute(meta, f"{_RIM_NAMESPACE}FirmwareManufacturerId"),
        golden=_golden(payload),
    )


def _parts(root: Element) -> tuple[Element, Element]:
    names = (f"{_SWID_NAMESPACE}Meta", f"{_SWID_NAMESPACE}Payload")
    parts = [each for each in root if each.tag not in _SKIPPED_TAGS]
    tags = tuple(str(each.tag) for each in parts)
    if tags != names or any(len(each) for each in root if each is not parts[-1]):
        raise Malformed(PARTS, [name.removeprefix(_SWID_NAMESPACE) for name in names], tags)
    return parts[0], parts[1]


def _required_attribute(meta: Element, name: str) -> str:
    value = meta.get(name)
    if not value:
        raise Malformed(META, name.rpartition("}")[2], None)
    return value


def _kind(version: str) -> Kind:
    for kind, form in _VERSIONS.items():
        if form.fullmatch(version):
            return kind
    raise Malformed(VERSION, "a version like 550.90.07 or 96.00.9F.00.01", version[:40])


def _golden(payload: Element) -> Mapping[int, tuple[bytes, ...]]:
    seen: set[int] = set()
    golden: dict[int, tuple[bytes, ...]] = {}
    for resource in payload:
        index, values = _resource(resource)
        if index in seen:
            raise Malformed(INDEX, "each index once", index)
        seen.add(index)
        if values is not None:
            golden[index] = values
    return golden


def _resource(resource: Element) -> tuple[int, tuple[bytes, ...] | None]:
    """The index and its values (48 bytes each); None for the values if it is not active."""
    attributes = dict(cast("Iterable[tuple[str, str]]", resource.items()))
    if any(name.startswith(_OPAQUE_NAMESPACE) for name in attributes):
        raise Malformed(OPAQUE_VALUES, "golden values of measurements", "values of opaque data")
    fields = attributes.keys() & _FIELDS
    hashes = attributes.keys() - _FIELDS
    tag = str(resource.tag).removeprefix(_SWID_NAMESPACE)
    if (
        tag != "Resource"
        or len(resource)
        or fields != _FIELDS
        or attributes["type"] != "Measurement"
    ):
        raise Malformed(RESOURCE, "a Resource, type Measurement", f"{tag} {sorted(fields)}")
    index, active, count = attributes["index"], attributes["active"], attributes["alternatives"]
    if not _INDEX.fullmatch(index) or int(index) >= INDICES:
        raise Malformed(INDEX, f"0 to {INDICES - 1}", index[:40])
    if active not in {"True", "False"}:
        raise Malformed(ACTIVE, "True or False", active[:40])
    names = _names(count) if _COUNT.fullmatch(count) else ()
    if not names or hashes != set(names):
        raise Malformed(ALTERNATIVES, f"hashes 0 to {count[:40]} - 1", f"{len(hashes)} hashes")
    if attributes["size"] != str(SHA384_SIZE):
        raise Malformed(SIZE, SHA384_SIZE, attributes["size"][:40])
    values = tuple(_hash(attributes[name]) for name in names)
    return int(index), values if active == "True" else None


@lru_cache(maxsize=100)
def _names(count: str) -> tuple[str, ...]:
    return tuple(f"{_HASH_NAMESPACE}Hash{number}" for number in range(int(count)))


def _hash(text: str) -> bytes:
    if not _HASH.fullmatch(text):
        raise Malformed(HASH, "96 hex digits", text[:100])
    return bytes.fromhex(text)
