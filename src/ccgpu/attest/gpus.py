"""The GPUs' half of a verdict: report, chain, manifests, measurements, revocation, then the policy.

Every GPU is looked at by itself. The names of manifests come from the report; one that is not
believed may still find a manifest here, where nothing is fetched, so that every reason is shown.
The caller's manifests and answers come before those that the evidence brings.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from ccgpu.attest import driver_bulletins, gpu_policy
from ccgpu.attest.check import Checks, Outcome, Verified
from ccgpu.attest.gpu import chain, compare, manifests, ocsp, opaque, spdm, state
from ccgpu.attest.gpu import verify as reports
from ccgpu.attest.gpu.chain import DeviceChain
from ccgpu.attest.gpu.compare import Measured
from ccgpu.attest.gpu.manifests import Running, Selected
from ccgpu.attest.gpu.rim import Manifest
from ccgpu.attest.gpu.spdm import Report
from ccgpu.attest.gpus_seen import GpusSeen
from ccgpu.attest.roots import Roots
from ccgpu.domain.evidence import Evidence, GpuEvidence
from ccgpu.domain.policy import GpuPolicy


@dataclass(frozen=True, slots=True)
class Context:
    """What the evidence is held against.

    `nonce`: what the GPUs were asked with. `bound`: the quote covers what was collected of them.
    """

    policy: GpuPolicy
    at: datetime
    roots: Roots
    nonce: bytes | None
    bound: bool = False


def appraise(found: Evidence, context: Context, checks: Checks) -> GpusSeen:
    """Make every check on the GPUs' evidence."""
    gpu_policy.count(len(found.gpus), context.policy, checks)
    facts: dict[str, str] = {}
    believed: dict[str, Verified[Report]] = {}
    for number, part in enumerate(found.gpus):
        one = _one(part, found, context, checks)
        name = "GPU" if len(found.gpus) == 1 else f"GPU {number}"
        facts |= {f"{name} {key}": value for key, value in one.facts.items()}
        believed |= one.reports
    return GpusSeen(facts, believed)


def _one(part: GpuEvidence, found: Evidence, context: Context, checks: Checks) -> GpusSeen:
    certificates = chain.verify(
        part.chain, context.roots.nvidia_device, context.at, checks, arch=part.arch
    )
    read = checks.read(spdm.READABLE, spdm.parse, part.report, "request and response")
    if read is None:
        return GpusSeen()
    report = reports.verify(
        read,
        certificates,
        context.nonce,
        checks,
        allow_known_nonce=context.policy.unsafe_known_nonce,
    )
    selected = _manifests(read, certificates, found, context, checks)
    known = [each.manifest for each in selected if each.manifest is not None]
    _measured(read, certificates, known, checks)
    _revocation(certificates, known, found, context, checks)
    notes = {f"manifests {at}": each.note for at, each in enumerate(selected, 1) if each.note}
    told = state.told(part, checks, bound=context.bound)
    if certificates is None:
        return GpusSeen(_facts(read, None) | notes)
    facts = _facts(read, certificates.value) | notes
    if isinstance(report, Verified):
        gpu_policy.machine(report, certificates.value, told, context.policy, checks)
        return GpusSeen(facts, {certificates.value.ueid: report})
    return GpusSeen(facts)


def _manifests(
    report: Report,
    certificates: Outcome[DeviceChain] | None,
    found: Evidence,
    context: Context,
    checks: Checks,
) -> Sequence[Selected]:
    """The manifests of driver and VBIOS, as far as they are there and can be read."""
    said = report.opaque
    chip = None if certificates is None else certificates.value.chip
    driver_id = None if chip is None else opaque.driver_rim_id(said, chip)
    wanted = (
        Running("driver", said.driver_version, chip, driver_id),
        Running("vbios", said.vbios_version, chip, opaque.vbios_rim_id(said)),
    )
    given, brought, root = found.given.rims, found.collateral.rims, context.roots.nvidia_rim
    return tuple(
        manifests.select(each, given, brought, root, context.at, checks) for each in wanted
    )


def _measured(
    report: Report,
    certificates: Outcome[DeviceChain] | None,
    known: Sequence[Outcome[Manifest]],
    checks: Checks,
) -> None:
    """The measurements against the golden values of both manifests; one alone proves nothing."""
    if len(known) != 2 or certificates is None:  # driver and VBIOS
        return
    driver, vbios = known
    measured = Measured(
        measurements={index - 1: value for index, value in report.blocks.items()},
        product=certificates.value.chip or "",
        driver=report.opaque.driver_version,
        vbios=report.opaque.vbios_version,
        nvdec_disabled=not report.opaque.nvdec0_enabled,
    )
    compare.verify(measured, driver, vbios, checks)


def _revocation(
    certificates: Outcome[DeviceChain] | None,
    known: Sequence[Outcome[Manifest]],
    found: Evidence,
    context: Context,
    checks: Checks,
) -> None:
    """What NVIDIA says of every certificate of device and manifests, unless nobody is to ask."""
    if context.policy.unsafe_skip_ocsp or certificates is None:
        return
    of_manifests = [pair for manifest in known for pair in manifest.value.issued]
    ocsp.verify(
        found.collateral.ocsp,
        [*certificates.value.issued, *of_manifests],
        context.at,
        checks,
        given=found.given.ocsp,
        nonces=found.collateral.ocsp_nonces,
        unsafe_grace=timedelta(hours=context.policy.unsafe_ocsp_grace_hours),
        unsafe_hold=of_manifests if context.policy.unsafe_allow_hold else (),
    )


def _facts(report: Report, device: DeviceChain | None) -> dict[str, str]:
    facts = {"driver": report.opaque.driver_version, "VBIOS": report.opaque.vbios_version}
    if not driver_bulletins.has_fixes(report.opaque.driver_version):
        facts[f"bulletins not covered (as of {driver_bulletins.DATE})"] = driver_bulletins.BULLETIN
    if device is not None:
        facts |= {"model": device.hwmodel, "ueid": device.ueid}
    if report.opaque.fwid is not None:
        facts["FWID"] = report.opaque.fwid.hex()
    return facts
