"""Fetch all collateral that the appraisal of evidence needs."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from ccgpu.attest.gpu.roots import NVIDIA_DEVICE
from ccgpu.attest.required_collateral import (
    evidence_request,
    is_signed_by_amd,
    manifest_request,
)
from ccgpu.attest.roots import AmdRoots
from ccgpu.attest.simulated import simulated_roots
from ccgpu.attest.snp.roots import AMD_ROOTS
from ccgpu.collateral.fetcher import CollateralFetcher
from ccgpu.domain.collateral import FetchedCollateral
from ccgpu.domain.events import Listener, ignore_event
from ccgpu.domain.evidence import CpuEvidence, Evidence
from ccgpu.store.evidence import thim


def fetch_collateral(
    evidence: Evidence,
    fetcher: CollateralFetcher,
    listen: Listener = ignore_event,
    *,
    region: str | None = None,
    simulated: bool = False,
) -> FetchedCollateral:
    """Fetch collateral in two rounds: the second for the signers of the first round's manifests.

    Args:
        evidence: The evidence of one VM.
        fetcher: Fetches from the vendors, or from the simulated ones.
        listen: Gets the events, such as retries.
        region: The Azure region of the VM, if it is known.
        simulated: Whether to trust the simulated roots in the evidence. Only the simulated vendors
            use them.

    Raises:
        EvidenceRejected: The evidence does not name the collateral that it needs.
    """
    at = datetime.fromtimestamp(fetcher.now(), UTC)
    roots = simulated_roots(evidence) if simulated else None
    amd, nvidia = (roots.amd, roots.nvidia_device) if roots else (AMD_ROOTS, NVIDIA_DEVICE)
    if evidence.cpu is not None:
        evidence = replace(evidence, cpu=without_forged_thim(evidence.cpu, amd))
    request = replace(evidence_request(evidence, nvidia, at), region=region)
    first = fetcher.fetch(request, listen)
    return first + fetcher.fetch(replace(manifest_request(first.rims), region=region), listen)


def without_forged_thim(part: CpuEvidence, amd: Mapping[str, AmdRoots]) -> CpuEvidence:
    """The evidence without its THIM response, if AMD did not sign the certificate in it.

    With a forged response dropped, the certificate is fetched from AMD.
    """
    vcek, _ = thim.certificates(part.thim or b"")
    signed = vcek is not None and is_signed_by_amd(vcek, amd)
    return part if signed else replace(part, thim=None)


def fetch_for_all(
    every: Sequence[Evidence],
    fetcher: CollateralFetcher,
    listen: Listener = ignore_event,
    *,
    region: str | None = None,
    simulated: bool = False,
) -> FetchedCollateral:
    """Fetch the collateral for the evidence of several VMs, each item once."""
    fetched = FetchedCollateral()
    for evidence in every:
        fetched += fetch_collateral(evidence, fetcher, listen, region=region, simulated=simulated)
    return fetched
