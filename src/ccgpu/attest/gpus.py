"""The appraisal of GPUs: report, certificates, manifests, measurements, revocation, policy.

The names of the manifests come from the report, verified or not: nothing is fetched here, and a
manifest found by an unverified report still shows every reason. The caller's manifests and OCSP
answers come before those in the evidence.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from ccgpu.attest import driver_bulletins, gpu_policy
from ccgpu.attest.check import Checks, Outcome, Verified
from ccgpu.attest.gpu import chain, manifests, measurements, ocsp, opaque, spdm, state
from ccgpu.attest.gpu import verify as reports
from ccgpu.attest.gpu.chain import DeviceChain
from ccgpu.attest.gpu.manifests import RunningFirmware, SelectedManifest
from ccgpu.attest.gpu.measurements import GpuMeasurements
from ccgpu.attest.gpu.rim import Manifest
from ccgpu.attest.gpu.spdm import GpuReport
from ccgpu.attest.gpu_results import GpuResults
from ccgpu.attest.roots import Roots
from ccgpu.domain.evidence import Evidence, GpuEvidence
from ccgpu.domain.policy import GpuPolicy


@dataclass(frozen=True, slots=True)
class GpuContext:
    """What the GPUs' evidence is appraised with.

    `nonce`: 32 bytes that the reports must answer. `bound`: the vTPM's quote covers the evidence
    that was collected of the GPU, its state document too.
    """

    policy: GpuPolicy
    at: datetime
    roots: Roots
    nonce: bytes | None
    bound: bool = False


def appraise(evidence: Evidence, context: GpuContext, checks: Checks) -> GpuResults:
    """Make every check on the GPUs' evidence, each GPU by itself."""
    gpu_policy.check_count(len(evidence.gpus), context.policy, checks)
    facts: dict[str, str] = {}
    verified: dict[str, Verified[GpuReport]] = {}
    for number, part in enumerate(evidence.gpus):
        result = _appraise_gpu(part, evidence, context, checks)
        name = "GPU" if len(evidence.gpus) == 1 else f"GPU {number}"
        facts |= {f"{name} {key}": value for key, value in result.facts.items()}
        verified |= result.reports
    return GpuResults(facts, verified)


def _appraise_gpu(
    part: GpuEvidence, evidence: Evidence, context: GpuContext, checks: Checks
) -> GpuResults:
    # 1. The device's certificates, up to NVIDIA's root (RFC 5280, 6.1).
    device = chain.verify(
        part.chain, context.roots.nvidia_device, context.at, checks, arch=part.arch
    )
    # 2. The report: form, signature, nonce, firmware (DSP0274 (SPDM) 1.1, MEASUREMENTS).
    report = checks.parse(spdm.READABLE, spdm.parse, part.report, "request and response")
    if report is None:
        return GpuResults()
    outcome = reports.verify(
        report,
        device,
        context.nonce,
        checks,
        allow_known_nonce=context.policy.unsafe_known_nonce,
    )
    if part.nonce is not None and context.nonce is not None:
        checks.record_equal(reports.NONCE_CLAIMED, context.nonce, part.nonce)
    # 3. The reference manifests of driver and VBIOS (TCG Reference Integrity Manifest).
    selected = _select_manifests(report, device, evidence, context, checks)
    known = [each.manifest for each in selected if each.manifest is not None]
    # 4. The measurements against their golden values.
    _check_measurements(report, device, known, checks)
    # 5. Revocation of the certificates of device and manifests (RFC 6960).
    _check_revocation(device, known, evidence, context, checks)
    # 6. The state that the guest reports: no signed bit holds it.
    gpu_state = state.read_state(part, checks, bound=context.bound)
    notes = {f"manifests {at}": each.note for at, each in enumerate(selected, 1) if each.note}
    if device is None:
        return GpuResults(_facts(report, None) | notes)
    facts = _facts(report, device.value) | notes
    # 7. The appraisal policy, on a verified report only (RFC 9334, §8.5).
    if isinstance(outcome, Verified):
        gpu_policy.check_gpu(outcome, device.value, gpu_state, context.policy, checks)
        return GpuResults(facts, {device.value.ueid: outcome})
    return GpuResults(facts)


def _select_manifests(
    report: GpuReport,
    device: Outcome[DeviceChain] | None,
    evidence: Evidence,
    context: GpuContext,
    checks: Checks,
) -> Sequence[SelectedManifest]:
    """The manifests of driver and VBIOS; a result without manifest where none can be used."""
    opaque_data = report.opaque
    chip = None if device is None else device.value.chip
    driver_id = None if chip is None else opaque.driver_rim_id(opaque_data, chip)
    vbios_id = opaque.vbios_rim_id(opaque_data)
    wanted = (
        RunningFirmware("driver", opaque_data.driver_version, chip, driver_id),
        RunningFirmware("vbios", opaque_data.vbios_version, chip, vbios_id),
    )
    given, brought = evidence.given.rims, evidence.collateral.rims
    root = context.roots.nvidia_rim
    return tuple(
        manifests.select(each, given, brought, root, context.at, checks) for each in wanted
    )


def _check_measurements(
    report: GpuReport,
    device: Outcome[DeviceChain] | None,
    known: Sequence[Outcome[Manifest]],
    checks: Checks,
) -> None:
    """Check the measurements, if both manifests are there: one alone proves nothing."""
    if len(known) != 2 or device is None:  # driver and VBIOS
        return
    driver, vbios = known
    measured = GpuMeasurements(
        values={index - 1: value for index, value in report.blocks.items()},
        product=device.value.chip or "",
        driver=report.opaque.driver_version,
        vbios=report.opaque.vbios_version,
        nvdec_disabled=not report.opaque.nvdec0_enabled,
    )
    measurements.verify(measured, driver, vbios, checks)


def _check_revocation(
    device: Outcome[DeviceChain] | None,
    known: Sequence[Outcome[Manifest]],
    evidence: Evidence,
    context: GpuContext,
    checks: Checks,
) -> None:
    """Check the OCSP answers about every certificate of device and manifests, unless skipped."""
    if context.policy.unsafe_skip_ocsp or device is None:
        return
    of_manifests = [pair for manifest in known for pair in manifest.value.issued]
    ocsp.verify(
        evidence.collateral.ocsp,
        [*device.value.issued, *of_manifests],
        context.at,
        checks,
        given=evidence.given.ocsp,
        nonces=evidence.collateral.ocsp_nonces,
        unsafe_grace=timedelta(hours=context.policy.unsafe_ocsp_grace_hours),
        unsafe_hold=of_manifests if context.policy.unsafe_allow_hold else (),
    )


def _facts(report: GpuReport, device: DeviceChain | None) -> dict[str, str]:
    facts = {"driver": report.opaque.driver_version, "VBIOS": report.opaque.vbios_version}
    if not driver_bulletins.has_fixes(report.opaque.driver_version):
        facts[f"bulletins not covered (as of {driver_bulletins.DATE})"] = driver_bulletins.BULLETIN
    if device is not None:
        facts |= {"model": device.hwmodel, "ueid": device.ueid}
    if report.opaque.fwid is not None:
        facts["FWID"] = report.opaque.fwid.hex()
    return facts
