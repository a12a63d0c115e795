"""The roots that everybody's verdict rests on: AMD's and NVIDIA's, as pinned facts."""

from ccgpu.attest.gpu.roots import NVIDIA_DEVICE, NVIDIA_RIM
from ccgpu.attest.roots import Roots
from ccgpu.attest.snp.roots import AMD_ROOTS

TRUST_ANCHORS = Roots(AMD_ROOTS, NVIDIA_DEVICE, NVIDIA_RIM)
