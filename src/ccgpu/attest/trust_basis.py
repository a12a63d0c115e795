"""The inputs that a verdict takes on trust, each with who stated or supplied it.

Data signed by AMD, NVIDIA or Microsoft is verified by its signature. Its supplier still chooses
which list, manifest or OCSP answer a verdict looks at, and how old that is.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from ccgpu.domain.evidence import CpuEvidence, Evidence, merge_caller_collateral
from ccgpu.domain.policy import Policy

# `maker`: whoever made the file of evidence. `guest`: the VM, in data that its quote covers.
TrustSource = Literal["caller", "maker", "caller and maker", "guest", "nobody"]
TrustBasis = tuple[str, TrustSource]
CollateralKind = Literal["certificates", "revocation list", "manifests", "OCSP answers"]
_COLLATERAL_KINDS: tuple[CollateralKind, ...] = (
    "certificates",
    "revocation list",
    "manifests",
    "OCSP answers",
)


@dataclass(frozen=True, slots=True)
class CallerInputs:
    """Which inputs the caller gave; others are the word of the evidence's maker, or nobody's.

    `collateral`: the source of each kind, where it is not the maker alone. `state`: who states CC
    mode and developer tools of the GPU.
    """

    time: bool = True
    nonce: bool = False
    vm_id: bool = False
    host_key: bool = False
    reference_values: bool = False
    image: bool = False
    collateral: Mapping[CollateralKind, TrustSource] = field(default_factory=dict)
    state: TrustSource = "nobody"


def trust_basis(evidence: Evidence, policy: Policy, inputs: CallerInputs) -> tuple[TrustBasis, ...]:
    """What the verdict rests on besides signatures, in the order in which it is shown."""
    claimed = evidence.claimed
    has_nonce = claimed.nonce is not None or any(gpu.nonce for gpu in evidence.gpus)
    bound = policy.binding == "ccgpu-bind-v1"
    return (
        ("time", "caller" if inputs.time else "maker"),
        ("nonce", _source(inputs.nonce, has_nonce)),
        ("VM id", _source(inputs.vm_id, bound and claimed.vm_id is not None)),
        ("SSH host key", _source(inputs.host_key, bound and claimed.host_key is not None)),
        *_cpu_basis(evidence, policy, inputs),
        *_gpu_basis(evidence, policy, inputs),
        ("policy", "caller"),
    )


def collateral_sources(before: Evidence, after: Evidence) -> Mapping[CollateralKind, TrustSource]:
    """The source of each kind of collateral, if `after` is `before` with the caller's added."""
    old, new = _collateral(before), _collateral(after)
    return {kind: _collateral_source(old[kind], new[kind]) for kind in _COLLATERAL_KINDS}


def _collateral_source(old: object, new: object) -> TrustSource:
    if not new:
        return "nobody"
    if not old:
        return "caller"
    return "maker" if old == new else "caller and maker"


def _collateral(evidence: Evidence) -> Mapping[CollateralKind, object]:
    both = merge_caller_collateral(evidence)
    cpu, there = both.cpu or CpuEvidence(), both.collateral
    return {
        "certificates": (cpu.vek, cpu.veks, cpu.chain) if cpu.vek else None,
        "revocation list": (cpu.crl, cpu.crls) if cpu.crl else None,
        "manifests": there.rims,
        "OCSP answers": there.ocsp,
    }


def _cpu_basis(evidence: Evidence, policy: Policy, inputs: CallerInputs) -> Iterator[TrustBasis]:
    if policy.cpu is None or evidence.cpu is None:
        return
    sources = _collateral_sources(evidence, inputs)
    yield "AMD's certificates", sources["certificates"]
    yield "AMD's revocation list", sources["revocation list"]
    yield "golden PCR values", _source(inputs.reference_values, False)
    if inputs.image or policy.cpu.require_image:
        yield "image manifest", _source(inputs.image, False)


def _gpu_basis(evidence: Evidence, policy: Policy, inputs: CallerInputs) -> Iterator[TrustBasis]:
    if policy.gpu is None or not evidence.gpus:
        return
    sources = _collateral_sources(evidence, inputs)
    yield "NVIDIA's manifests", sources["manifests"]
    if not policy.gpu.unsafe_skip_ocsp:
        yield "NVIDIA's OCSP answers", sources["OCSP answers"]
    yield "CC mode and developer tools", inputs.state


def _collateral_sources(
    evidence: Evidence, inputs: CallerInputs
) -> Mapping[CollateralKind, TrustSource]:
    there = _collateral(evidence)
    return {
        kind: inputs.collateral.get(kind, _source(False, bool(there[kind])))
        for kind in _COLLATERAL_KINDS
    }


def _source(by_caller: bool, by_maker: bool) -> TrustSource:
    if by_caller:
        return "caller"
    return "maker" if by_maker else "nobody"
