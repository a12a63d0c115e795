"""The HCL blob (vTPM NV index 0x01400001): header, hardware report, runtime data. Little endian.

Sources: Azure/confidential-computing-cvm-guest-attestation, "Guest attestation for confidential
VMs" (design document, report format); the names are OpenHCL's (`igvm_attest`, `get.rs`). Checked
against blobs of both header versions. The hardware does not measure the header, nor the runtime
data's own header: only the JSON behind it.
"""

from ccgpu.attest.fields import Field, table

SIZES = (2048, 2600)  # of the NV index: older and newer paravisors
SIGNATURE = b"HCLA"
VERSIONS = (1, 2)
AK_CERT_REQUEST = 2
REPORT_SIZE = 1184  # AMD SEV-SNP ABI (56860), ATTESTATION_REPORT; a TD report is shorter
TYPE_SNP, TYPE_TDX = 2, 4
HASH_SHA256 = 1

HEADER_SIZE = 0x20
HEADER = table(
    [
        Field("signature", 0x00, 4),
        Field("version", 0x04, 4),
        Field("report_size", 0x08, 4),
        Field("request_type", 0x0C, 4),
        Field("status", 0x10, 4),
        Field("reserved", 0x14, 12, reserved=True),
    ],
    HEADER_SIZE,
)

REPORT = Field("hardware_report", HEADER_SIZE, REPORT_SIZE)
RUNTIME_START = REPORT.end  # 0x4C0

RUNTIME_HEADER_SIZE = 0x14
RUNTIME_HEADER = table(
    [
        Field("data_size", 0x00, 4),
        Field("version", 0x04, 4),
        Field("report_type", 0x08, 4),
        Field("hash_type", 0x0C, 4),
        Field("variable_data_size", 0x10, 4),
    ],
    RUNTIME_HEADER_SIZE,
)
CLAIMS_START = RUNTIME_START + RUNTIME_HEADER_SIZE  # 0x4D4
