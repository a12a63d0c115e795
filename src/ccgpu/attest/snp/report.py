"""The parser of SNP attestation reports. Nothing is verified here.

Reserved bits within a field are checked by `verify`, not here, so that one report can show several
failures.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from ccgpu.attest.check import Malformed, Rule
from ccgpu.attest.fields import splitter
from ccgpu.attest.snp import tcb
from ccgpu.attest.snp.bits import GuestPolicy, KeyInfo, PlatformInfo
from ccgpu.attest.snp.layout import FIELDS, NUMBER_SIZE, SIGNED, SINCE, SIZE, VERSIONS
from ccgpu.attest.snp.product import Cpuid
from ccgpu.attest.snp.tcb import Tcb

_ABI = "AMD SEV-SNP ABI (56860), ATTESTATION_REPORT"

READABLE = Rule("snp.report", "the SNP report can be read: it is complete, and no more", _ABI)
VERSION = Rule("snp.report.version", "the version of the SNP report is known", f"{_ABI}, VERSION")
RESERVED = Rule("snp.report.reserved", "reserved fields are zero, signed or not", _ABI)
PADDING = Rule(
    "snp.signature.padding",
    "the numbers of the signature fill 48 of their 72 bytes",
    "AMD SEV-SNP ABI (56860), Format for an ECDSA P-384 Signature",
)
RANGE = Rule(
    "snp.signature.range",
    "the numbers of the signature are between 1 and the order of the curve",
    "FIPS 186-5, 6.4.2",
)

# SEC 2, 2.5.1: the order of the base point of secp384r1.
_ORDER = int(
    "ffffffffffffffffffffffffffffffffffffffffffffffff"
    "c7634d81f4372ddf581a0db248b0a77aecec196accc52973",
    16,
)

_split = splitter(FIELDS)
# By version, the fields that must be zero.
_RESERVED = {
    version: tuple(f for f in FIELDS.values() if f.reserved or version < SINCE.get(f.name, 0))
    for version in VERSIONS
}


@dataclass(frozen=True, slots=True)
class FirmwareVersion:
    """The version of AMD's SNP firmware."""

    major: int
    minor: int
    build: int

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}.{self.build}"


@dataclass(frozen=True, slots=True)
class SnpReport:
    """A parsed report; fields are named as in ATTESTATION_REPORT. `raw`: all 1184 bytes.

    `cpuid` is None before version 3, the mitigation vectors are None before version 5. `product`:
    AMD's name ("Genoa"); before version 3 it is None until `verify` takes it from the certificate.
    `signature`: r and s.
    """

    raw: bytes
    version: int
    guest_svn: int
    policy: GuestPolicy
    family_id: bytes
    image_id: bytes
    vmpl: int
    signature_algo: int
    current_tcb: Tcb
    platform_info: PlatformInfo
    key_info: KeyInfo
    report_data: bytes
    measurement: bytes
    host_data: bytes
    id_key_digest: bytes
    author_key_digest: bytes
    report_id: bytes
    report_id_ma: bytes
    reported_tcb: Tcb
    cpuid: Cpuid | None
    chip_id: bytes
    committed_tcb: Tcb
    current_version: FirmwareVersion
    committed_version: FirmwareVersion
    launch_tcb: Tcb
    launch_mit_vector: int | None
    current_mit_vector: int | None
    signature: tuple[int, int]
    product: str | None

    @property
    def signed(self) -> bytes:
        """The bytes that the signature covers."""
        return SIGNED.of(self.raw)


def parse(raw: bytes) -> SnpReport:
    """Parse a report of version 2 to 5 (1184 bytes), or raise `Malformed`."""
    if len(raw) != SIZE:
        raise Malformed(READABLE, f"{SIZE} bytes", f"{len(raw)} bytes")
    fields = _split(raw)
    version = _number(fields, "version")
    if version not in VERSIONS:
        raise Malformed(VERSION, VERSIONS, version)
    _refuse_reserved(fields, version)
    cpuid = _cpuid(fields) if version >= SINCE["cpuid_fam_id"] else None
    turin = cpuid is not None and cpuid.places_like_turin
    return SnpReport(
        raw=raw,
        version=version,
        guest_svn=_number(fields, "guest_svn"),
        policy=GuestPolicy(_number(fields, "policy")),
        family_id=fields["family_id"],
        image_id=fields["image_id"],
        vmpl=_number(fields, "vmpl"),
        signature_algo=_number(fields, "signature_algo"),
        current_tcb=tcb.decode(fields["current_tcb"], turin=turin),
        platform_info=PlatformInfo(_number(fields, "platform_info")),
        key_info=KeyInfo(_number(fields, "key_info")),
        report_data=fields["report_data"],
        measurement=fields["measurement"],
        host_data=fields["host_data"],
        id_key_digest=fields["id_key_digest"],
        author_key_digest=fields["author_key_digest"],
        report_id=fields["report_id"],
        report_id_ma=fields["report_id_ma"],
        reported_tcb=tcb.decode(fields["reported_tcb"], turin=turin),
        cpuid=cpuid,
        chip_id=fields["chip_id"],
        committed_tcb=tcb.decode(fields["committed_tcb"], turin=turin),
        current_version=_firmware_version(fields, "current"),
        committed_version=_firmware_version(fields, "committed"),
        launch_tcb=tcb.decode(fields["launch_tcb"], turin=turin),
        launch_mit_vector=_number_since(fields, "launch_mit_vector", version),
        current_mit_vector=_number_since(fields, "current_mit_vector", version),
        signature=_signature(fields),
        product=cpuid.product if cpuid else None,
    )


def _number(fields: Mapping[str, bytes], name: str) -> int:
    return int.from_bytes(fields[name], "little")


def _number_since(fields: Mapping[str, bytes], name: str, version: int) -> int | None:
    return _number(fields, name) if version >= SINCE[name] else None


def _refuse_reserved(fields: Mapping[str, bytes], version: int) -> None:
    for field in _RESERVED[version]:
        if fields[field.name].strip(b"\0"):
            where = f"{field.start:#05x}-{field.end - 1:#05x}"
            raise Malformed(RESERVED, f"zero at {where}", fields[field.name])


def _cpuid(fields: Mapping[str, bytes]) -> Cpuid:
    family, model, stepping = fields["cpuid_fam_id"], fields["cpuid_mod_id"], fields["cpuid_step"]
    return Cpuid(family[0], model[0], stepping[0])


def _firmware_version(fields: Mapping[str, bytes], which: str) -> FirmwareVersion:
    major, minor, build = (fields[f"{which}_{part}"] for part in ("major", "minor", "build"))
    return FirmwareVersion(major[0], minor[0], build[0])


def _signature(fields: Mapping[str, bytes]) -> tuple[int, int]:
    return _signature_number(fields, "signature_r"), _signature_number(fields, "signature_s")


def _signature_number(fields: Mapping[str, bytes], name: str) -> int:
    field = fields[name]
    if any(field[NUMBER_SIZE:]):
        raise Malformed(PADDING, "zero from byte 48", field[NUMBER_SIZE:])
    number = int.from_bytes(field[:NUMBER_SIZE], "little")
    if not 1 <= number < _ORDER:
        raise Malformed(RANGE, "1 to n-1", f"{name[-1]} = {number:#x}")
    return number
