"""The parts of the chain of trust, and the checks by which each of them stands or falls.

Every reason code of the verifier concerns one part at least. Those of the bundle's signature, which
is over the whole file, concern all.
"""

from dataclasses import dataclass
from typing import Literal

ChainColumn = Literal["cpu", "gpu", "manifests", "tokens"]


@dataclass(frozen=True, slots=True)
class ChainPart:
    """One part.

    claim: what is shown if it holds. link: what the part above does to it. concerns: reason codes,
    or their first words, of the checks that are about it; if one of them fails, so does the part.
    requires: codes of the checks without which it is not judged. rests_on: keys of parts that have
    to hold, too. inputs: what has to be the caller's own, as `trust_basis` names it. per_gpu: how
    often each required check is made for each GPU; 0: once in all. beside: it is no link of the
    chain itself.
    """

    key: str
    column: ChainColumn
    name: str
    claim: str
    concerns: frozenset[str]
    requires: frozenset[str]
    rests_on: tuple[str, ...] = ()
    link: str = ""
    inputs: tuple[str, ...] = ()
    per_gpu: int = 0
    beside: bool = False


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


PARTS: tuple[ChainPart, ...] = (
    ChainPart(
        "amd-root",
        "cpu",
        "AMD root key (ARK)",
        "AMD's root is the pinned one",
        _words("snp.ark snp.chain snp.vek.authority snp.crl.authorities"),
        _words("snp.vek.authority"),
    ),
    ChainPart(
        "amd-signer",
        "cpu",
        "AMD signing key (ASK)",
        "the root signed AMD's signing key, which is the pinned one",
        _words("snp.ask snp.chain snp.vek.authority snp.crl.authorities"),
        _words("snp.vek.authority"),
        rests_on=("amd-root",),
        link="signs",
    ),
    ChainPart(
        "amd-crl",
        "cpu",
        "AMD revocation list (CRL)",
        "a current list, signed by the root, does not name the chip's key",
        _words("snp.crl"),
        _words("snp.crl.signature snp.crl.window snp.crl.authorities snp.crl.vek"),
        rests_on=("amd-root",),
        beside=True,
    ),
    ChainPart(
        "vcek",
        "cpu",
        "Chip's key (VCEK)",
        "AMD signed the certificate of this chip's key",
        _words("snp.vek snp.chip-id snp.product snp.crl collateral.vek"),
        _words(
            "snp.vek.certificate snp.vek.issuer snp.vek.algorithm snp.vek.signature snp.vek.dates"
        ),
        rests_on=("amd-signer",),
        link="signs",
    ),
    ChainPart(
        "snp-report",
        "cpu",
        "SNP report of the VM",
        "the chip signed this report, and the policy accepts what it says",
        _words(
            "snp.report snp.signature snp.policy snp.platform-info snp.key-info snp.tcb snp.version"
            " snp.vmpl snp.product policy.product policy.tcb policy.alias-check policy.mitigations"
            " policy.id-key-digest policy.guest-svn evidence.report evidence.cpu"
        ),
        _words("snp.report snp.signature snp.policy.debug snp.vmpl"),
        rests_on=("vcek",),
        link="signs",
    ),
    ChainPart(
        "claims",
        "cpu",
        "Paravisor's runtime claims",
        "the report holds the hash of these claims",
        _words("hcl evidence.hcl json policy.secure-boot"),
        _words("hcl.hash hcl.claims"),
        rests_on=("snp-report",),
        link="holds the hash of",
    ),
    ChainPart(
        "identity",
        "cpu",
        "This VM, this SSH host key",
        "the claims name the VM that was asked for, and are bound to its host key",
        _words("identity binding policy.vm-id hcl.user-data"),
        _words("policy.vm-id hcl.user-data.other"),
        rests_on=("claims",),
        inputs=("VM id", "SSH host key"),
        beside=True,
    ),
    ChainPart(
        "ak",
        "cpu",
        "vTPM's attestation key (AK)",
        "the claims name the key that signed the quote",
        _words("hcl.ak vtpm.ak"),
        _words("hcl.claims vtpm.ak.other"),
        rests_on=("claims",),
        link="name",
    ),
    ChainPart(
        "quote",
        "cpu",
        "vTPM's quote of the boot",
        "the AK signed these PCR values",
        _words(
            "vtpm policy.pins policy.image policy.secure-boot.measured policy.secure-boot.moksb"
            " evidence.quote evidence.event-log freshness.quote"
        ),
        _words("vtpm.quote vtpm.quote.signature vtpm.pcrs.selection vtpm.pcrs.digest"),
        rests_on=("ak",),
        link="signs",
    ),
    ChainPart(
        "workloads",
        "cpu",
        "Workloads that ran",
        "their log replays to PCR 13, and the policy accepts them",
        _words("workloads policy.workloads"),
        _words("workloads.log.replay"),
        rests_on=("quote",),
        beside=True,
    ),
    ChainPart(
        "nonce",
        "cpu",
        "Your nonce",
        "the quote answers the nonce that was sent",
        _words("freshness vtpm.nonce binding.nonce"),
        _words("freshness.nonce.absent vtpm.nonce.other"),
        rests_on=("quote",),
        link="answers",
        inputs=("nonce",),
    ),
    ChainPart(
        "nvidia-root",
        "gpu",
        "NVIDIA root (Device Identity CA)",
        "NVIDIA's root is the pinned one",
        _words("gpu.chain.root"),
        _words("gpu.chain.root"),
        per_gpu=1,
    ),
    ChainPart(
        "nvidia-authorities",
        "gpu",
        "NVIDIA's authorities",
        "each certificate is signed by the next one, up to the root",
        _words("gpu.chain ocsp"),
        _words("gpu.chain.issuer gpu.chain.signature gpu.chain.authority gpu.chain.dates"),
        rests_on=("nvidia-root",),
        link="signs",
        per_gpu=1,
    ),
    ChainPart(
        "ocsp",
        "gpu",
        "Revocation answers (OCSP)",
        "current answers say that no certificate is revoked, of GPU and manifests",
        _words("ocsp"),
        _words("ocsp.signature ocsp.future ocsp.stale ocsp.unknown ocsp.revoked ocsp.hold"),
        rests_on=("nvidia-root",),
        beside=True,
    ),
    ChainPart(
        "gpu-leaf",
        "gpu",
        "GPU's key (leaf)",
        "the certificate of the GPU's key is below NVIDIA's root",
        _words("gpu.chain gpu.leaf ocsp"),
        _words("gpu.chain.signature gpu.chain.dates gpu.chain.leaf gpu.leaf.fwid"),
        rests_on=("nvidia-authorities",),
        link="sign",
        per_gpu=1,
    ),
    ChainPart(
        "gpu-report",
        "gpu",
        "GPU's report",
        "the GPU signed this report, and the policy accepts what it says",
        _words(
            "gpu.report gpu.request gpu.response gpu.block gpu.blocks gpu.signature gpu.fwid"
            " gpu.opaque gpu.mode gpu.pcie gpu.state policy.gpu evidence.gpu json"
        ),
        _words("gpu.report gpu.signature gpu.fwid"),
        rests_on=("gpu-leaf",),
        link="signs",
        per_gpu=1,
    ),
    ChainPart(
        "gpu-nonce",
        "gpu",
        "GPU's nonce, made of yours",
        "the report answers the nonce that was sent",
        _words("gpu.nonce freshness.nonce"),
        _words("gpu.nonce.other"),
        rests_on=("gpu-report",),
        link="answers",
        inputs=("nonce",),
        per_gpu=1,
    ),
    ChainPart(
        "rim-root",
        "manifests",
        "NVIDIA root (CoRIM signing)",
        "NVIDIA's root for manifests is the pinned one",
        _words("rim.chain.root"),
        _words("rim.chain.root"),
        per_gpu=2,
    ),
    ChainPart(
        "rim-signer",
        "manifests",
        "Signers of the manifests",
        "each certificate is signed by the next one, up to the root",
        _words("rim.chain rim.signer rim.certificate ocsp"),
        _words("rim.chain.issuer rim.chain.signature rim.chain.dates rim.signer.usage"),
        rests_on=("rim-root",),
        link="signs",
        per_gpu=2,
    ),
    ChainPart(
        "rim",
        "manifests",
        "Manifests (RIM) of driver and VBIOS",
        "NVIDIA signed the golden values of what runs",
        _words("rim"),
        _words("rim.present rim.signature rim.signature.digest rim.kind"),
        rests_on=("rim-signer",),
        link="sign",
        per_gpu=2,
    ),
    ChainPart(
        "measurements",
        "manifests",
        "Golden values = GPU's report",
        "every measurement in the report is one of its golden values",
        _words("golden"),
        _words("golden.missing golden.match"),
        rests_on=("rim", "gpu-report"),
        link="are compared with the report",
        per_gpu=1,
    ),
    ChainPart(
        "nras",
        "tokens",
        "NVIDIA's token (NRAS)",
        "NVIDIA's service agrees",
        _words("nras token json evidence.nras collateral.jwks"),
        _words("token.signature nras.overall"),
    ),
    ChainPart(
        "maa",
        "tokens",
        "Microsoft's token (MAA)",
        "Microsoft's service agrees",
        _words("maa token json evidence.maa collateral.jwks"),
        _words("token.signature maa.compliance"),
    ),
)
