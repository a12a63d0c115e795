"""Constants and layouts of the TPM 2.0 Library Specification and of TCG event logs.

Structures of a TPM are big endian and mostly of variable length; only `CLOCK` tiles. The event log
is the firmware's, and little endian.
"""

from ccgpu.attest.fields import Field, table

GENERATED = 0xFF544347  # TPM_GENERATED_VALUE, Part 2, §6.2
ATTEST_QUOTE = 0x8018  # TPM_ST_ATTEST_QUOTE, Part 2, §6.9

ALG_SHA1 = 0x0004  # TPM_ALG_ID, Part 2, §6.3; for all of them
ALG_SHA256 = 0x000B
ALG_SHA384 = 0x000C
ALG_SHA512 = 0x000D
ALG_NULL = 0x0010
ALG_RSASSA = 0x0014
ALG_SM3_256 = 0x0012

DIGEST_SIZE = 32  # of SHA-256
NAME_SIZE = 2 + DIGEST_SIZE  # nameAlg and digest, Part 1, §16
DATA_LIMIT = 64  # of TPM2B_DATA: sizeof(TPMT_HA), SHA-512 less its algorithm, Part 2, §10.4.3
PCR_COUNT = 24  # PC Client Platform TPM Profile, §4.6
SELECT_SIZE = PCR_COUNT // 8  # sizeofSelect
RSA_SIZES = (256, 384, 512)  # of a signature: RSA-2048, -3072, -4096

CLOCK_SIZE = 25
CLOCK = table(  # TPMS_CLOCK_INFO (Part 2, §10.11.1) and firmwareVersion (TPMS_ATTEST, §10.12.12)
    [
        Field("clock", 0, 8),
        Field("resetCount", 8, 4),
        Field("restartCount", 12, 4),
        Field("safe", 16, 1),
        Field("firmwareVersion", 17, 8),
    ],
    CLOCK_SIZE,
)

# The event log: TCG PC Client Platform Firmware Profile (PFP) 1.05, §10.

EV_POST_CODE = 0x01  # PFP §10.4.1; for all of them
EV_NO_ACTION = 0x03
EV_SEPARATOR = 0x04
EV_EVENT_TAG = 0x06
EV_S_CRTM_CONTENTS = 0x07
EV_S_CRTM_VERSION = 0x08
EV_CPU_MICROCODE = 0x09
EV_PLATFORM_CONFIG_FLAGS = 0x0A
EV_COMPACT_HASH = 0x0C
EV_IPL = 0x0D
EV_NONHOST_INFO = 0x11
EV_EFI_VARIABLE_DRIVER_CONFIG = 0x80000001
EV_EFI_VARIABLE_BOOT = 0x80000002
EV_EFI_BOOT_SERVICES_APPLICATION = 0x80000003
EV_EFI_BOOT_SERVICES_DRIVER = 0x80000004
EV_EFI_RUNTIME_SERVICES_DRIVER = 0x80000005
EV_EFI_GPT_EVENT = 0x80000006
EV_EFI_ACTION = 0x80000007
EV_EFI_PLATFORM_FIRMWARE_BLOB = 0x80000008
EV_EFI_HANDOFF_TABLES = 0x80000009
EV_EFI_PLATFORM_FIRMWARE_BLOB2 = 0x8000000A
EV_EFI_HANDOFF_TABLES2 = 0x8000000B
EV_EFI_VARIABLE_BOOT2 = 0x8000000C
EV_EFI_VARIABLE_AUTHORITY = 0x800000E0

# Linux, drivers/firmware/efi/libstub/efistub.h: tags of the events of its EFI stub.
TAG_INITRD = 0x8F3B22EC
TAG_LOAD_OPTIONS = 0x8F3B22ED
STUB_TAGS = {TAG_INITRD: "initrd", TAG_LOAD_OPTIONS: "kernel command line"}

HASH_SIZES = {ALG_SHA1: 20, ALG_SHA256: 32, ALG_SHA384: 48, ALG_SHA512: 64, ALG_SM3_256: 32}

SPEC_ID_SIGNATURE = b"Spec ID Event03\0"  # TCG_EfiSpecIDEvent, PFP §10.4.5.1
LOCALITY_SIGNATURE = b"StartupLocality\0"  # TCG_EfiStartupLocalityEvent, PFP §10.4.5.3
LOCALITIES = (0, 3, 4)

FIRST_EVENT = table(  # TCG_PCR_EVENT, PFP §10.2.1: the old form, that of the header alone
    [
        Field("pcrIndex", 0, 4),
        Field("eventType", 4, 4),
        Field("digest", 8, 20),
        Field("eventSize", 28, 4),
    ],
    32,
)
SPEC_ID = table(  # TCG_EfiSpecIDEvent up to its list of algorithms
    [
        Field("signature", 0, 16),
        Field("platformClass", 16, 4),
        Field("specVersionMinor", 20, 1),
        Field("specVersionMajor", 21, 1),
        Field("specErrata", 22, 1),
        Field("uintnSize", 23, 1),
        Field("numberOfAlgorithms", 24, 4),
    ],
    28,
)
VARIABLE = table(  # UEFI_VARIABLE_DATA up to its name, PFP §10.2.6
    [
        Field("VariableName", 0, 16),
        Field("UnicodeNameLength", 16, 8),
        Field("VariableDataLength", 24, 8),
    ],
    32,
)
IMAGE_LOAD = table(  # UEFI_IMAGE_LOAD_EVENT up to its device path, PFP §10.2.3
    [
        Field("ImageLocationInMemory", 0, 8),
        Field("ImageLengthInMemory", 8, 8),
        Field("ImageLinkTimeAddress", 16, 8),
        Field("LengthOfDevicePath", 24, 8),
    ],
    32,
)
EFI_GLOBAL_VARIABLE = bytes.fromhex("61dfe48bca93d211aa0d00e098032b8c")  # UEFI 2.10, §3.3
IMAGE_SECURITY_DATABASE = bytes.fromhex("cbb219d73a3d9645a3bcdad00e67656f")  # UEFI 2.10, §32.6.1
