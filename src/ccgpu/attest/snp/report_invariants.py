"""Checks on fields of a report that must have one value, whatever the policy."""

from ccgpu.attest.check import Checks, Rule
from ccgpu.attest.snp.report import SnpReport

_ABI = "AMD SEV-SNP ABI (56860)"
_REPORT = f"{_ABI}, ATTESTATION_REPORT"
_POLICY = f"{_ABI}, Guest Policy"

RESERVED_ONE = Rule(
    "snp.policy.reserved-one", "bit 17 of the guest policy is one", f"{_POLICY}, bit 17"
)
POLICY_RESERVED = Rule(
    "snp.policy.reserved", "reserved bits of the guest policy are zero", f"{_POLICY}, bits 26-63"
)
DEBUG = Rule("snp.policy.debug", "debugging of the guest is forbidden", f"{_POLICY}, bit 19")
MIGRATION_AGENT = Rule(
    "snp.policy.migration-agent", "a migration agent is forbidden", f"{_POLICY}, bit 18"
)
VMPL = Rule("snp.vmpl", "the most privileged level of the guest asked (VMPL 0)", f"{_REPORT}, VMPL")
PLATFORM_RESERVED = Rule(
    "snp.platform-info.reserved",
    "reserved bits of PLATFORM_INFO are zero",
    f"{_REPORT}, PLATFORM_INFO, bits 6 and 8-63",
)
KEY_RESERVED = Rule(
    "snp.key-info.reserved",
    "reserved bits beside SIGNING_KEY are zero",
    f"{_REPORT}, 48h, bits 5-31",
)
AUTHOR_KEY = Rule(
    "snp.key-info.author-key",
    "there is no author key",
    f"{_REPORT}, AUTHOR_KEY_EN and AUTHOR_KEY_DIGEST",
)
MASK_CHIP_KEY = Rule(
    "snp.key-info.mask-chip-key",
    "the host lets the chip's key sign",
    f"{_REPORT}, MASK_CHIP_KEY",
)
SIGNING_KEY = Rule(
    "snp.key-info.signing-key",
    "the chip's key (VCEK) signed, not the cloud's (VLEK)",
    f"{_REPORT}, SIGNING_KEY",
)
ALGORITHM = Rule(
    "snp.signature.algorithm",
    "the report is signed with ECDSA P-384 and SHA-384",
    f"{_REPORT}, SIGNATURE_ALGO",
)
CHIP_ID = Rule("snp.chip-id.masked", "the report names its chip", f"{_REPORT}, CHIP_ID")

_ECDSA_P384_SHA384 = 1


def verify(report: SnpReport, checks: Checks) -> None:
    """Check guest policy, VMPL, reserved bits, key information, algorithm and chip id."""
    policy, keys = report.policy, report.key_info
    shown = str(policy)
    checks.record(RESERVED_ONE, policy.reserved_one, "one", shown)
    checks.record_equal(POLICY_RESERVED, "0x0", f"{policy.reserved:#x}")
    for rule, allowed in ((DEBUG, policy.debug), (MIGRATION_AGENT, policy.migration_agent)):
        answer = "allowed" if allowed else "forbidden"
        checks.record(rule, not allowed, "forbidden", f"{answer} ({shown})")
    checks.record_equal(VMPL, 0, report.vmpl)
    checks.record_equal(PLATFORM_RESERVED, "0x0", f"{report.platform_info.reserved:#x}")
    checks.record_equal(KEY_RESERVED, "0x0", f"{keys.reserved:#x}")
    author = keys.author_key or any(report.author_key_digest)
    checks.record(AUTHOR_KEY, not author, "none", report.author_key_digest if author else "none")
    checks.record(MASK_CHIP_KEY, not keys.mask_chip_key, 0, int(keys.mask_chip_key))
    checks.record_equal(SIGNING_KEY, "VCEK", keys.signing_key)
    checks.record_equal(ALGORITHM, _ECDSA_P384_SHA384, report.signature_algo)
    checks.record(CHIP_ID, any(report.chip_id), "not zero", report.chip_id)
