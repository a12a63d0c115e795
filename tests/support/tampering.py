"""Falsified evidence: certificate chains with any part changed, and tokens that nobody signed."""

import hashlib
import hmac
from dataclasses import replace
from typing import Any, Self

from ccgpu.fakeguest.evidence import rim_pki
from ccgpu.fakeguest.evidence.nvidia_pki import GpuCertificates
from ccgpu.fakeguest.evidence.pki import ChainTemplate, PrivateKey, X509Extension
from ccgpu.fakeguest.evidence.tokens import SignFunction


class TamperableChain(ChainTemplate):
    """A chain whose certificates can be changed one by one. Positions count from the leaf."""

    def with_certificate(self, position: int, **changes: Any) -> Self:
        """A copy in which fields of one certificate differ."""
        changed = list(self.certificates)
        changed[position] = replace(changed[position], **changes)
        return replace(self, certificates=tuple(changed))._with_root(position)

    def with_extensions(self, position: int, *extensions: X509Extension) -> Self:
        """A copy with these extensions; each replaces one of the same identifier."""
        new = {each.oid for each in extensions}
        kept = [each for each in self.certificates[position].extensions if each.oid not in new]
        return self.with_certificate(position, extensions=(*kept, *extensions))

    def without_extension(self, position: int, oid: str) -> Self:
        """A copy in which one certificate lacks an extension."""
        kept = [each for each in self.certificates[position].extensions if each.oid != oid]
        return self.with_certificate(position, extensions=tuple(kept))

    def signed_with(self, position: int, key: PrivateKey) -> Self:
        """A copy in which another key signs one certificate."""
        signers = list(self.signers)
        signers[position] = key
        return replace(self, signers=tuple(signers))._with_root(position)

    def _with_root(self, changed: int) -> Self:
        """The chain with its root signed again, if the root is what was changed."""
        if changed != len(self.certificates) - 1:
            return self
        return replace(self, root=self.certificates[-1].signed_by(self.signers[-1]))


class TamperableGpu(TamperableChain, GpuCertificates):
    """The certificates of a GPU, which can be changed."""


def tamperable_gpu(certificates: GpuCertificates) -> TamperableGpu:
    """The same certificates, which can be changed."""
    one = certificates
    return TamperableGpu(one.keys, one.certificates, one.signers, one.root, one.fwid)


def tamperable_chain(chain: ChainTemplate) -> TamperableChain:
    """The same chain, which can be changed."""
    return TamperableChain(chain.keys, chain.certificates, chain.signers, chain.root)


def new_rim_chain() -> TamperableChain:
    """The chain of a manifest's signer, with new keys."""
    return tamperable_chain(rim_pki.make_chain())


def hs256_signer(secret: bytes) -> SignFunction:
    """HMAC with SHA-256: what an attacker tries with a public key as the secret."""
    return lambda data: hmac.digest(secret, data, hashlib.sha256)


def no_signature(_: bytes) -> bytes:
    """An empty signature."""
    return b""
