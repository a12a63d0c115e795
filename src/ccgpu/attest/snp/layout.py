"""The layout of the SNP attestation report, shared by parser and builder.

All integers are little endian. A field that came with a later version of the report is reserved
(zero) in earlier ones: `SINCE`.
"""

from collections.abc import Mapping

from ccgpu.attest.fields import Field, table

# AMD SEV-SNP Firmware ABI Specification (document 56860), ATTESTATION_REPORT structure.
SIZE = 0x4A0
VERSIONS = (2, 3, 4, 5)

FIELDS: Mapping[str, Field] = table(
    (
        Field("version", 0x000, 4),
        Field("guest_svn", 0x004, 4),
        Field("policy", 0x008, 8),
        Field("family_id", 0x010, 16),
        Field("image_id", 0x020, 16),
        Field("vmpl", 0x030, 4),
        Field("signature_algo", 0x034, 4),
        Field("current_tcb", 0x038, 8),
        Field("platform_info", 0x040, 8),
        Field("key_info", 0x048, 4),
        Field("reserved_04c", 0x04C, 4, reserved=True),
        Field("report_data", 0x050, 64),
        Field("measurement", 0x090, 48),
        Field("host_data", 0x0C0, 32),
        Field("id_key_digest", 0x0E0, 48),
        Field("author_key_digest", 0x110, 48),
        Field("report_id", 0x140, 32),
        Field("report_id_ma", 0x160, 32),
        Field("reported_tcb", 0x180, 8),
        Field("cpuid_fam_id", 0x188, 1),
        Field("cpuid_mod_id", 0x189, 1),
        Field("cpuid_step", 0x18A, 1),
        Field("reserved_18b", 0x18B, 21, reserved=True),
        Field("chip_id", 0x1A0, 64),
        Field("committed_tcb", 0x1E0, 8),
        Field("current_build", 0x1E8, 1),
        Field("current_minor", 0x1E9, 1),
        Field("current_major", 0x1EA, 1),
        Field("reserved_1eb", 0x1EB, 1, reserved=True),
        Field("committed_build", 0x1EC, 1),
        Field("committed_minor", 0x1ED, 1),
        Field("committed_major", 0x1EE, 1),
        Field("reserved_1ef", 0x1EF, 1, reserved=True),
        Field("launch_tcb", 0x1F0, 8),
        Field("launch_mit_vector", 0x1F8, 8),
        Field("current_mit_vector", 0x200, 8),
        Field("reserved_208", 0x208, 152, reserved=True),
        Field("signature_r", 0x2A0, 72),
        Field("signature_s", 0x2E8, 72),
        Field("reserved_330", 0x330, 368, reserved=True),  # not signed: zero is all that holds it
    ),
    SIZE,
)

SINCE: Mapping[str, int] = {
    "cpuid_fam_id": 3,
    "cpuid_mod_id": 3,
    "cpuid_step": 3,
    "launch_mit_vector": 5,
    "current_mit_vector": 5,
}

SIGNED = Field("signed", 0x000, 0x2A0)

# ABI specification, "Format for an ECDSA P-384 Signature": 48 bytes of number in 72 of room.
NUMBER_SIZE = 48
