"""SNP attestation reports. Any field can be changed before signing, reserved ones too.

The defaults are those of a confidential VM in Azure on Genoa. The parser's table defines the
fields.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from ccgpu.attest.snp.layout import FIELDS, SIGNED
from ccgpu.fakeguest.evidence.amd import SimulatedChip, SimulatedTcb

# Who signs Azure's paravisor: seen in all reports of 2025 and 2026, Milan and Genoa.
AZURE_ID_KEY_DIGEST = bytes.fromhex(
    "942fd93ebde6ea7a96efadeafc60f1c6b3d10e703b1dafd7555b92f7f3d32d0e"
    "006767648cba5b102af3d65756af4177"
)
_R, _S = "signature_r", "signature_s"


@dataclass(frozen=True, slots=True)
class SnpReportTemplate:
    """A report before it is signed: fields by name. All others are zero."""

    fields: Mapping[str, bytes] = field(default_factory=dict)

    def with_fields(self, **changes: int | bytes | SimulatedTcb) -> "SnpReportTemplate":
        """A copy with other fields. A field of the signature replaces the real one."""
        return replace(
            self, fields={**self.fields, **{n: _encode_field(n, v) for n, v in changes.items()}}
        )

    @property
    def raw(self) -> bytes:
        """The report without a signature, except one set with `with_fields`."""
        return b"".join(self.fields.get(name, bytes(place.size)) for name, place in FIELDS.items())

    def signed_by(self, key: ec.EllipticCurvePrivateKey) -> bytes:
        """The report with its signature."""
        signature = key.sign(SIGNED.of(self.raw), ec.ECDSA(hashes.SHA384()))
        r, s = decode_dss_signature(signature)
        return replace(
            self, fields={_R: _encode_field(_R, r), _S: _encode_field(_S, s), **self.fields}
        ).raw


def snp_report(chip: SimulatedChip, **changes: int | bytes | SimulatedTcb) -> SnpReportTemplate:
    """A report of version 3 from this chip. `changes` are fields that differ."""
    valid: dict[str, int | bytes | SimulatedTcb] = {
        "version": 3,
        "guest_svn": 0x1000B,
        "policy": 0x3001F,
        "family_id": b"\x01".ljust(16, b"\0"),
        "image_id": b"\x02".ljust(16, b"\0"),
        "signature_algo": 1,
        "platform_info": 0x24,
        "measurement": b"\x5a" * 48,
        "id_key_digest": AZURE_ID_KEY_DIGEST,
        "report_id": b"\x1d" * 32,
        "report_id_ma": b"\xff" * 32,
        "cpuid_fam_id": 0x19,
        "cpuid_mod_id": 0x11,
        "cpuid_step": 1,
        "chip_id": chip.hwid.ljust(64, b"\0"),
        **{f"{which}_tcb": chip.tcb for which in ("current", "reported", "committed", "launch")},
        **{f"{which}_major": 1 for which in ("current", "committed")},
        **{f"{which}_minor": 55 for which in ("current", "committed")},
        **{f"{which}_build": 40 for which in ("current", "committed")},
    }
    return SnpReportTemplate().with_fields(**{**valid, **changes})


def _encode_field(name: str, value: int | bytes | SimulatedTcb) -> bytes:
    size = FIELDS[name].size
    match value:
        case SimulatedTcb():
            raw = value.raw
        case int():
            raw = value.to_bytes(size, "little")
        case _:
            raw = value
    if len(raw) != size:
        raise ValueError(f"{name} has {size} bytes, not {len(raw)}")
    return raw
