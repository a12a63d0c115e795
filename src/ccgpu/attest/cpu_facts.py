"""Facts that the CPU's evidence states, for display beside a verdict; no check uses them."""

from collections.abc import Iterable, Mapping

from ccgpu.attest import bulletins
from ccgpu.attest.check import Outcome
from ccgpu.attest.freshness import Challenge
from ccgpu.attest.hcl.claims import RuntimeClaims
from ccgpu.attest.snp.report import SnpReport
from ccgpu.attest.tpm_quote import QuoteResult
from ccgpu.attest.vtpm.boot import Boot
from ccgpu.attest.vtpm.event_names import kernel_name
from ccgpu.domain import hostkey
from ccgpu.domain.reference_values import ReferenceValues


def cpu_facts(
    report: Outcome[SnpReport] | None,
    claims: Outcome[RuntimeClaims] | None,
    quote: QuoteResult,
    challenge: Challenge,
    reference_values: ReferenceValues | None,
) -> Mapping[str, str]:
    """The facts by name; the host key is the one that the challenge binds."""
    facts: dict[str, str] = {}
    if report is not None:
        facts |= _report_facts(report.value)
    if claims is not None:
        facts["vm id"] = claims.value.vm_unique_id
        facts["secure boot"] = "on" if claims.value.secure_boot else "off"
    if challenge.host_key is not None:
        facts["host key"] = hostkey.fingerprint(challenge.host_key)
    if quote.quote is not None:
        facts["PCRs quoted"] = ", ".join(map(str, sorted(quote.quote.value.selected)))
    if quote.boot is not None:
        facts |= _boot_facts(quote.boot.value)
    if kernel := kernel_name(quote.events):
        facts["kernel, as the log names it"] = kernel
    if reference_values is not None:
        facts["golden PCR values of"] = reference_values.origin
    return facts


def _boot_facts(boot: Boot) -> dict[str, str]:
    """Facts of the event log, for reference values; lists are in the order of the boot."""
    handed = {"handed to the kernel": _named(boot.handed_over)} if boot.handed_over else {}
    measured = {None: "not told", True: "on", False: "off"}[boot.secure_boot]
    return {
        "secure boot, measured": measured,
        "MokSBState": boot.moksb,
        **{f"{name} (SHA-256)": digest.hex() for name, digest in boot.databases.items()},
        "authorities": ", ".join(f"{name} {digest.hex()}" for name, digest in boot.authorities),
        "boot applications": ", ".join(digest.hex() for digest in boot.applications),
        "UKI sections": _named(boot.sections),
        "kernel command line": "; ".join(boot.command_lines),
        **handed,
    }


def _named(digests: Iterable[tuple[str, bytes]]) -> str:
    return ", ".join(f"{name} {digest.hex()}" for name, digest in digests)


def _report_facts(report: SnpReport) -> dict[str, str]:
    tcb = report.reported_tcb
    open_ = bulletins.open_bulletins(
        report.product or "",
        snp=tcb.snp,
        microcode=tcb.microcode,
        alias_check=report.platform_info.alias_check_complete,
        mitigations=bulletins.common_bits((report.launch_mit_vector, report.current_mit_vector)),
    )
    return {
        "product": report.product or "unknown",
        "report version": str(report.version),
        "reported TCB": str(tcb),
        "firmware": str(report.current_version),
        "guest_svn": f"{report.guest_svn:#x}",
        "SMT": f"{_on_or_off(report.platform_info.smt)}, {_permission(report.policy.smt)}",
        "CXL": _permission(report.policy.cxl),
        "measurement": report.measurement.hex(),
        "family_id": report.family_id.hex(),
        "image_id": report.image_id.hex(),
        "host_data": report.host_data.hex(),
        "platform_info": f"{report.platform_info.raw:#x}",
        "launch_mit_vector": _vector(report.launch_mit_vector),
        "current_mit_vector": _vector(report.current_mit_vector),
        "id key digest": report.id_key_digest.hex(),
        "chip id": report.chip_id.hex(),
        f"bulletins not covered (as of {bulletins.DATE})": ", ".join(open_) or "none known of",
    }


def _vector(bits: int | None) -> str:
    """A mitigation vector; reports before version 5 have none (AMD SEV-SNP ABI (56860))."""
    return "not told" if bits is None else f"{bits:#x}"


def _on_or_off(value: bool) -> str:
    return "on" if value else "off"


def _permission(allowed: bool) -> str:
    return "allowed by the guest" if allowed else "forbidden by the guest"
