"""The roots that everybody's verdict rests on, as pinned facts."""

from ccgpu.attest.roots import Roots
from ccgpu.attest.snp.roots import AMD_ROOTS

PINNED = Roots(AMD_ROOTS)
