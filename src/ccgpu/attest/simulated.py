"""Roots that come with simulated evidence. Anybody can make them; only a flag makes them count."""

from collections.abc import Mapping

from ccgpu.attest import certificates
from ccgpu.attest.check import Malformed
from ccgpu.attest.roots import AmdRoots, Anchor, Roots
from ccgpu.attest.snp.chain import CHAIN
from ccgpu.attest.trust_anchors import TRUST_ANCHORS
from ccgpu.domain.evidence import Evidence

ARK, ASK, ASVK = "ark", "ask", "asvk"
NVIDIA_DEVICE, NVIDIA_RIM = "nvidia-device", "nvidia-rim"
PRODUCT = "Genoa"  # what the simulated machines are


def simulated_roots(evidence: Evidence) -> Roots | None:
    """The simulated roots in the evidence; None if AMD's two are not there, or one is malformed."""
    carried = evidence.simulated_roots or {}
    try:
        anchors = {
            role: certificates.anchor_of(certificates.load(der, CHAIN))
            for role, der in carried.items()
        }
    except Malformed:
        return None
    return _roots(anchors)


def _roots(anchors: Mapping[str, Anchor]) -> Roots | None:
    if not {ARK, ASK} <= anchors.keys():
        return None
    amd = AmdRoots(anchors[ARK], anchors[ASK], anchors.get(ASVK))
    device = anchors.get(NVIDIA_DEVICE, TRUST_ANCHORS.nvidia_device)
    rim = anchors.get(NVIDIA_RIM, TRUST_ANCHORS.nvidia_rim)
    return Roots({PRODUCT: amd}, device, rim, simulated=True)
