"""What the CPU's evidence says of itself, in words: shown beside a verdict, never part of one."""

from collections.abc import Mapping

from ccgpu.attest import bulletins
from ccgpu.attest.check import Outcome
from ccgpu.attest.freshness import Asked
from ccgpu.attest.hcl.claims import Claims
from ccgpu.attest.quoted import Quoted
from ccgpu.attest.snp.report import Report
from ccgpu.attest.vtpm.boot import Boot
from ccgpu.domain import hostkey


def facts_of(
    report: Outcome[Report] | None, claims: Outcome[Claims] | None, answer: Quoted, asked: Asked
) -> Mapping[str, str]:
    """The facts, by name; the host key is the one that the claims had to be bound to."""
    facts: dict[str, str] = {}
    if report is not None:
        facts |= _of_report(report.value)
    if claims is not None:
        facts["vm id"] = claims.value.vm_unique_id
        facts["secure boot"] = "on" if claims.value.secure_boot else "off"
    if asked.host_key is not None:
        facts["host key"] = hostkey.fingerprint(asked.host_key)
    if answer.quote is not None:
        facts["PCRs quoted"] = ", ".join(map(str, sorted(answer.quote.value.selected)))
    if answer.boot is not None:
        facts |= _of_boot(answer.boot.value)
    return facts


def _of_boot(boot: Boot) -> dict[str, str]:
    """Named facts of the event log, for pinning; lists in the order of the boot."""
    measured = {None: "not told", True: "on", False: "off"}[boot.secure_boot]
    return {
        "secure boot, measured": measured,
        "MokSBState": boot.moksb,
        **{f"{name} (SHA-256)": digest.hex() for name, digest in boot.databases.items()},
        "authorities": ", ".join(f"{name} {digest.hex()}" for name, digest in boot.authorities),
        "boot applications": ", ".join(digest.hex() for digest in boot.applications),
        "UKI sections": ", ".join(f"{name} {digest.hex()}" for name, digest in boot.sections),
        "kernel command line": "; ".join(boot.command_lines),
    }


def _of_report(report: Report) -> dict[str, str]:
    tcb = report.reported_tcb
    open_ = bulletins.not_covered(
        report.product or "",
        snp=tcb.snp,
        microcode=tcb.microcode,
        alias_check=report.platform_info.alias_check_complete,
        mitigations=bulletins.bits_set((report.launch_mit_vector, report.current_mit_vector)),
    )
    return {
        "product": report.product or "unknown",
        "report version": str(report.version),
        "reported TCB": str(tcb),
        "firmware": str(report.current_version),
        "guest_svn": f"{report.guest_svn:#x}",
        "SMT": f"{_on(report.platform_info.smt)}, {_allowed(report.policy.smt)} by the guest",
        "CXL": f"{_allowed(report.policy.cxl)} by the guest",
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


def _on(value: bool) -> str:
    return "on" if value else "off"


def _allowed(value: bool) -> str:
    return "allowed" if value else "forbidden"
