"""The pinned trust anchors of AMD and NVIDIA that real verdicts use."""

from ccgpu.attest.gpu.roots import NVIDIA_DEVICE, NVIDIA_RIM
from ccgpu.attest.roots import Roots
from ccgpu.attest.snp.roots import AMD_ROOTS

TRUST_ANCHORS = Roots(AMD_ROOTS, NVIDIA_DEVICE, NVIDIA_RIM)
