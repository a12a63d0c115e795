"""Fetch all collateral that verdicts on evidence need."""

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
    """Fetch in two rounds: the second asks about the signers of the manifests of the first.

    Args:
        evidence: The evidence of one VM.
        fetcher: Fetches from the vendors, or from the simulated ones.
        listen: Is told of retries.
        region: The Azure region of the VM, if it is known.
        simulated: Whether the simulated roots in the evidence count, as they do for the simulated
            vendors alone.

    Raises:
        EvidenceRejected: The evidence does not tell what is needed.
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
    """The evidence without a THIM answer whose certificate AMD did not sign.

    A forged answer saves no request.
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
    """Fetch what verdicts on several machines need, each piece once."""
    fetched = FetchedCollateral()
    for evidence in every:
        fetched += fetch_collateral(evidence, fetcher, listen, region=region, simulated=simulated)
    return fetched
