"""The appraisal policy for confidential VMs (RFC 9334, §8.5). It takes `Verified` values only."""

from collections.abc import Iterable, Mapping, Sequence

from ccgpu.attest import bulletins
from ccgpu.attest.check import Checks, Rule, Verified
from ccgpu.attest.hcl import verify as hcl
from ccgpu.attest.hcl.claims import RuntimeClaims
from ccgpu.attest.snp.report import SnpReport
from ccgpu.attest.snp.tcb import Tcb
from ccgpu.attest.vtpm.boot import Boot
from ccgpu.domain.policy import CpuPolicy, MinimumTcb

_ABI = "AMD SEV-SNP Firmware ABI (56860), ATTESTATION_REPORT"

PRODUCT = Rule("policy.product", "the processor is a product that the policy accepts", "policy")
TCB_BOOTLOADER = Rule("policy.tcb.bootloader", "the boot loader is new enough", f"{_ABI}, TCB")
TCB_TEE = Rule("policy.tcb.tee", "the secure processor's OS is new enough", f"{_ABI}, TCB")
TCB_SNP = Rule("policy.tcb.snp", "the SNP firmware is new enough", f"{_ABI}, TCB")
TCB_MICROCODE = Rule("policy.tcb.microcode", "the microcode is new enough", f"{_ABI}, TCB")
ALIAS_CHECK = Rule(
    "policy.alias-check",
    "the firmware looked for memory aliases",
    f"{_ABI}, PLATFORM_INFO bit 5; AMD-SB-3015",
)
ID_KEY = Rule(
    "policy.id-key-digest",
    "the paravisor is signed by a key that the policy accepts",
    f"{_ABI}, ID_KEY_DIGEST; Microsoft, guest attestation design",
)
GUEST_SVN = Rule(
    "policy.guest-svn",
    "the paravisor's security version (guest_svn) is high enough",
    f"{_ABI}, GUEST_SVN; CVE-2025-49707",
)
MITIGATIONS = Rule(
    "policy.mitigations",
    "the firmware's mitigations are on, at launch and now",
    f"{_ABI}, LAUNCH_MIT_VECTOR and CURRENT_MIT_VECTOR",
)
EVENT_LOG = Rule(
    "evidence.event-log.absent", "there is an event log", "the policy, require_event_log"
)
SECURE_BOOT = Rule(
    "policy.secure-boot", "the VM was configured with secure boot", "HCL, vm-configuration"
)
SECURE_BOOT_MEASURED = Rule(
    "policy.secure-boot.measured",
    "the firmware measured that secure boot is on",
    "TCG PC Client Platform Firmware Profile, §3.3.4.8",
)
MOK = Rule(
    "policy.secure-boot.moksb",
    "shim was not told to let unsigned boot loaders through (MokSBState)",
    "rhboot/shim, README.tpm and mok.c",
)
VM_ID = Rule(
    "policy.vm-id", "vmUniqueId is ARM's vmId of the VM that was asked for", "HCL; ARM, vmId"
)
_COMPONENTS = (
    ("bootloader", TCB_BOOTLOADER),
    ("tee", TCB_TEE),
    ("snp", TCB_SNP),
    ("microcode", TCB_MICROCODE),
)


def check_processor(verified: Verified[SnpReport], policy: CpuPolicy, checks: Checks) -> None:
    """Check processor, firmware (all four TCBs) and paravisor."""
    report = verified.value
    checks.record(PRODUCT, report.product in policy.products, policy.products, report.product)
    tcbs = {
        "reported": report.reported_tcb,
        "committed": report.committed_tcb,
        "current": report.current_tcb,
        "launch": report.launch_tcb,
    }
    for component, rule in _COMPONENTS:
        _check_floor(component, rule, tcbs, policy.minimum_tcb, report.product or "", checks)
    if policy.require_alias_check:
        checks.record_equal(ALIAS_CHECK, True, report.platform_info.alias_check_complete)
    _check_mitigations(report, policy, checks)
    digest = report.id_key_digest.hex()
    checks.record(ID_KEY, digest in policy.id_key_digests, policy.id_key_digests, digest)
    least = policy.minimum_guest_svn
    enough = report.guest_svn >= least
    checks.record(GUEST_SVN, enough, f"{least:#x} or more", f"{report.guest_svn:#x}")


def _check_mitigations(report: SnpReport, policy: CpuPolicy, checks: Checks) -> None:
    """Check both vectors: a mitigation that was off at launch may have compromised the guest."""
    mask = policy.required_mitigations
    if mask == 0:
        return
    vectors = (report.launch_mit_vector, report.current_mit_vector)
    bits = bulletins.common_bits(vectors)
    ids = ", ".join(bulletins.bulletins_in_mask(mask))
    checks.record(
        MITIGATIONS,
        bits is not None and bits & mask == mask,
        f"the bits {mask:#x}" + (f" ({ids})" if ids else ""),
        f"no vectors in a report of version {report.version}"
        if bits is None
        else f"launch {vectors[0]:#x}, current {vectors[1]:#x}",
    )


def _check_floor(
    component: str,
    rule: Rule,
    tcbs: Mapping[str, Tcb],
    minimum: MinimumTcb,
    product: str,
    checks: Checks,
) -> None:
    """Check one component in all four TCBs against its floor; names the bulletins it fixes."""
    floor = getattr(minimum, component)
    svns = [getattr(tcb, component) for tcb in tcbs.values()]
    answers = bulletins.bulletins_fixed_at(component, floor, product)
    expected = f"{floor} or more" + (f" ({', '.join(answers)})" if answers else "")
    least = min(svns)
    actual = str(least) if least == max(svns) else _format_values(tcbs, svns)
    checks.record(rule, least >= floor, expected, actual)


def _format_values(names: Iterable[str], svns: Sequence[int]) -> str:
    return ", ".join(f"{name} {svn}" for name, svn in zip(names, svns, strict=True))


def check_vm(verified: Verified[RuntimeClaims], policy: CpuPolicy, checks: Checks) -> None:
    """Check the VM's configuration, as the runtime claims state it."""
    if policy.require_secure_boot:
        checks.record_equal(SECURE_BOOT, True, verified.value.secure_boot)


def check_event_log(present: bool, policy: CpuPolicy, checks: Checks) -> None:
    """Check that there is an event log, if the policy requires one."""
    if policy.require_event_log:
        checks.record(EVENT_LOG, present, "an event log", "an event log" if present else None)


def check_boot(verified: Verified[Boot], policy: CpuPolicy, checks: Checks) -> None:
    """Check the boot that a verified event log shows: secure boot, and shim's MokSBState."""
    if policy.require_secure_boot:
        checks.record_equal(SECURE_BOOT_MEASURED, True, verified.value.secure_boot)
        state = verified.value.moksb
        checks.record(MOK, state != "not enforcing", "absent, or enforcing", state)


def check_challenge(
    verified: Verified[RuntimeClaims], binding: bytes | None, vm_id: str | None, checks: Checks
) -> None:
    """Check that the claims hold the binding B (64 bytes) and name the VM; None skips either."""
    claims = verified.value
    if binding is not None:
        hcl.check_user_data(claims, binding, checks)
    if vm_id is not None:
        same = claims.vm_unique_id.lower() == vm_id.lower()
        checks.record(VM_ID, same, vm_id, claims.vm_unique_id)
