"""The layout of GPU evidence, shared by parser and builder.

Evidence is an SPDM 1.1 request and the response to it, one after the other. Integers are little
endian; the numbers of the signature are big endian.
"""

from collections.abc import Mapping

from ccgpu.attest.fields import Field, table

# DMTF DSP0274 (SPDM) 1.1, GET_MEASUREMENTS, with nonce and slot, since a signature is requested.
REQUEST_SIZE = 37
REQUEST: Mapping[str, Field] = table(
    (
        Field("version", 0, 1),
        Field("code", 1, 1),
        Field("param1", 2, 1),
        Field("param2", 3, 1),
        Field("nonce", 4, 32),
        Field("slot", 36, 1),
    ),
    REQUEST_SIZE,
)

# DSP0274 1.1, MEASUREMENTS, up to the measurement record.
RESPONSE_SIZE = 8
RESPONSE: Mapping[str, Field] = table(
    (
        Field("version", 0, 1),
        Field("code", 1, 1),
        Field("param1", 2, 1),
        Field("param2", 3, 1),
        Field("blocks", 4, 1),
        Field("record_size", 5, 3),
    ),
    RESPONSE_SIZE,
)

# DSP0274 1.1, "Measurement block format", with the DMTF measurement format inside.
BLOCK_HEADER_SIZE = 4  # `size` counts what is behind it
BLOCK_SIZE = 55
BLOCK: Mapping[str, Field] = table(
    (
        Field("index", 0, 1),
        Field("specification", 1, 1),
        Field("size", 2, 2),
        Field("type", 4, 1),
        Field("value_size", 5, 2),
        Field("value", 7, 48),
    ),
    BLOCK_SIZE,
)

# What is behind the record: then come opaque data of `opaque_size` bytes, and the signature.
TAIL_SIZE = 34
TAIL: Mapping[str, Field] = table(
    (Field("responder_nonce", 0, 32), Field("opaque_size", 32, 2)), TAIL_SIZE
)
SIGNATURE_SIZE = 96
NUMBER_SIZE = 48  # r, then s

VERSION = 0x11  # SPDM 1.1
GET_MEASUREMENTS = 0xE0
MEASUREMENTS = 0x60
SIGNED = 0x01  # param1 of a request: with a signature
ALL = 0xFF  # param2 of a request: all measurements
SLOT = 0  # the certificate chain that NVIDIA provisioned
DMTF = 1  # the measurement specification
MUTABLE_FIRMWARE = 1  # the DMTF type, and a digest: the highest bit would say raw bytes

BLOCKS = 64  # NVIDIA nvtrust, local_gpu_verifier: of every H100
RECORD_SIZE = BLOCKS * BLOCK_SIZE

# NVIDIA nvtrust, local_gpu_verifier, OpaqueData. 255 marks a field as invalid: not one to read.
TLV_HEADER_SIZE = 4
TLV_HEADER: Mapping[str, Field] = table((Field("type", 0, 2), Field("size", 2, 2)), TLV_HEADER_SIZE)
DRIVER_VERSION = 3
VBIOS_VERSION = 6
NVDEC0_STATUS = 11
CHIP_SKU = 15
PROJECT = 17
PROJECT_SKU = 18
FWID = 20
PROTECTED_PCIE_STATUS = 21
OPAQUE_DATA_VERSION = 34
FEATURE_FLAG = 36
OPAQUE_TYPES: Mapping[int, str] = {
    1: "CERT_ISSUER_NAME",
    2: "CERT_AUTHORITY_KEY_IDENTIFIER",
    DRIVER_VERSION: "DRIVER_VERSION",
    4: "GPU_INFO",
    5: "SKU",
    VBIOS_VERSION: "VBIOS_VERSION",
    7: "MANUFACTURER_ID",
    8: "TAMPER_DETECTION",
    9: "SMC",
    10: "VPR",
    NVDEC0_STATUS: "NVDEC0_STATUS",
    12: "MSRSCNT",
    13: "CPRINFO",
    14: "BOARD_ID",
    CHIP_SKU: "CHIP_SKU",
    16: "CHIP_SKU_MOD",
    PROJECT: "PROJECT",
    PROJECT_SKU: "PROJECT_SKU",
    19: "PROJECT_SKU_MOD",
    FWID: "FWID",
    PROTECTED_PCIE_STATUS: "PROTECTED_PCIE_STATUS",
    22: "SWITCH_PDI",
    23: "FLOORSWEPT_PORTS",
    24: "POSITION_ID",
    25: "LOCK_SWITCH_STATUS",
    32: "GPU_LINK_CONN",
    33: "SYS_ENABLE_STATUS",
    OPAQUE_DATA_VERSION: "OPAQUE_DATA_VERSION",
    35: "CHIP_INFO",
    FEATURE_FLAG: "FEATURE_FLAG",
}
OPAQUE_SIZES: Mapping[int, int] = {  # of the fields that are read as numbers or digests
    VBIOS_VERSION: 8,
    NVDEC0_STATUS: 1,
    FWID: 48,
    PROTECTED_PCIE_STATUS: 1,
    OPAQUE_DATA_VERSION: 2,
    FEATURE_FLAG: 2,
}

# NVIDIA Opaque Data Format: a header, then packed entries. Major, minor, patch and padding are one
# byte each.
NVDAOD_NAME = "NVDAOD"
NVDAOD_MAGIC = b"NVDAOD"
NVDAOD_SIZE = 12
NVDAOD: Mapping[str, Field] = table(
    (
        Field("magic", 0, 6),
        Field("profile", 6, 2),
        Field("major", 8, 1),
        Field("minor", 9, 1),
        Field("patch", 10, 1),
        Field("padding", 11, 1),
    ),
    NVDAOD_SIZE,
)
NVDAOD_MAJOR, NVDAOD_MINOR = 2, 0
NVDAOD_ENTRY_SIZE = 6
NVDAOD_ENTRY: Mapping[str, Field] = table(
    (Field("type", 0, 2), Field("value_type", 2, 2), Field("size", 4, 2)), NVDAOD_ENTRY_SIZE
)
FSP_UCODE_SVN = 37
NVDAOD_TYPES: Mapping[int, str] = {**OPAQUE_TYPES, FSP_UCODE_SVN: "FSP_UCODE_SVN"}
# How a manifest may refer to a value: not at all, or by its least security version (0x87).
NVDAOD_VALUE_TYPES = frozenset({0x01, 0x80, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87})

ENABLED, DISABLED = 0xAA, 0x55  # NVDEC0_STATUS and PROTECTED_PCIE_STATUS
SINGLE_GPU, MULTI_GPU, PROTECTED_PCIE = 0, 1, 2  # FEATURE_FLAG

# NVIDIA attestation-sdk, CompositeDeviceId (of Hopper; later chips have another form).
# All parts have one size, so that DER has one form.
FWID_OID = "2.23.133.5.4.1"
FWID_EXTENSION_SIZE = 189
FWID_EXTENSION: Mapping[str, Field] = table(
    (
        Field("version", 0, 6),
        Field("device_key_algorithm", 6, 24),
        Field("device_key", 30, 96),
        Field("digest_algorithm", 126, 15),
        Field("fwid", 141, 48),
    ),
    FWID_EXTENSION_SIZE,
)
FWID_CONSTANTS: Mapping[str, bytes] = {
    "version": bytes.fromhex("3081ba 020101"),  # 1
    "device_key_algorithm": bytes.fromhex(  # a key on P-384, not compressed
        "3076 3010 06072a8648ce3d0201 06052b81040022 036200 04"
    ),
    "digest_algorithm": bytes.fromhex("303d 0609608648016503040202 0430"),  # SHA-384
}
