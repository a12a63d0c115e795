"""Checks that report and VEK certificate are of the same product, chip and TCB."""

from ccgpu.attest.check import Checks, Rule
from ccgpu.attest.snp.product import BEFORE_CPUID
from ccgpu.attest.snp.report import SnpReport
from ccgpu.attest.snp.vek import Vek

_ABI = "AMD SEV-SNP ABI (56860), ATTESTATION_REPORT"
_KDS = "AMD VCEK specification (57230), 3.1"

KIND = Rule("snp.vek.kind", "the certificate is of the kind of key that signed", _KDS)
CPUID = Rule("snp.product.cpuid", "the processor is one that is known", f"{_ABI}, CPUID_FAM_ID")
PRODUCT = Rule("snp.product", "report and certificate are of one product", f"{_KDS}, productName")
HWID = Rule("snp.chip-id.hwid", "report and certificate are of one chip", f"{_KDS}, hwID")
RESERVED = Rule(
    "snp.vek.reserved-svn", "reserved version numbers of the certificate are zero", _KDS
)
TCB_BOOTLOADER = Rule("snp.vek.bootloader", "the key is of the reported boot loader", _KDS)
TCB_TEE = Rule("snp.vek.tee", "the key is of the reported OS of the secure processor", _KDS)
TCB_SNP = Rule("snp.vek.snp", "the key is of the reported SNP firmware", _KDS)
TCB_MICROCODE = Rule("snp.vek.microcode", "the key is of the reported microcode", _KDS)
TCB_FMC = Rule("snp.vek.fmc", "the key is of the reported FMC, which Turin alone has", _KDS)


def verify(report: SnpReport, vek: Vek, checks: Checks) -> str:
    """Check that both match. Returns the product: the report's, else the certificate's."""
    checks.record_equal(KIND, report.key_info.signing_key, vek.kind)
    product = _check_product(report, vek, checks)
    if vek.hwid is not None:
        checks.record_equal(HWID, vek.hwid.ljust(len(report.chip_id), b"\0"), report.chip_id)
    tcb = report.reported_tcb
    checks.record_equal(TCB_BOOTLOADER, tcb.bootloader, vek.tcb.bootloader)
    checks.record_equal(TCB_TEE, tcb.tee, vek.tcb.tee)
    checks.record_equal(TCB_SNP, tcb.snp, vek.tcb.snp)
    checks.record_equal(TCB_MICROCODE, tcb.microcode, vek.tcb.microcode)
    checks.record_equal(TCB_FMC, tcb.fmc, vek.tcb.fmc)
    checks.record(RESERVED, not any(vek.reserved_svns), "zero", vek.reserved_svns)
    return product


def _check_product(report: SnpReport, vek: Vek, checks: Checks) -> str:
    if report.cpuid is None:
        checks.record(PRODUCT, vek.product in BEFORE_CPUID, BEFORE_CPUID, vek.product)
        return vek.product
    known = f"{report.product}, {report.cpuid}" if report.product else "unknown"
    checks.record(CPUID, report.product is not None, "a known family and model", known)
    checks.record_equal(PRODUCT, report.product, vek.product)
    return report.product or vek.product
