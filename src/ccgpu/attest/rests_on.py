"""Whose word a verdict rests on: the caller's, that of whoever made the evidence, the guest's.

What AMD, NVIDIA or Microsoft signed is believed for its signature. Who brought it still decides
which of their lists, manifests and answers the verdict looked at, and how old these are.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from ccgpu.domain.evidence import CpuEvidence, Evidence, merged
from ccgpu.domain.policy import Policy

# `maker`: whoever made the file of evidence. `guest`: the VM, in something that its quote covers.
Whose = Literal["caller", "maker", "caller and maker", "guest", "nobody"]
RestsOn = tuple[str, Whose]
Collateral = Literal["certificates", "revocation list", "manifests", "OCSP answers"]
_ALL: tuple[Collateral, ...] = ("certificates", "revocation list", "manifests", "OCSP answers")


@dataclass(frozen=True, slots=True)
class Brought:
    """What the caller brought; the rest is the word of the evidence's maker, or nobody's.

    `collateral`: who brought each kind, where it is not the maker alone. `state`: whose word CC
    mode and developer tools of the GPU are.
    """

    time: bool = True
    nonce: bool = False
    vm_id: bool = False
    host_key: bool = False
    pins: bool = False
    collateral: Mapping[Collateral, Whose] = field(default_factory=dict)
    state: Whose = "nobody"


def rests_on(found: Evidence, policy: Policy, brought: Brought) -> tuple[RestsOn, ...]:
    """What the verdict rests on beside signatures, each with whose word it is."""
    claimed = found.claimed
    has_nonce = claimed.nonce is not None or any(gpu.nonce for gpu in found.gpus)
    bound = policy.binding == "ccgpu-bind-v1"
    return (
        ("time", "caller" if brought.time else "maker"),
        ("nonce", _word(brought.nonce, has_nonce)),
        ("VM id", _word(brought.vm_id, bound and claimed.vm_id is not None)),
        ("SSH host key", _word(brought.host_key, bound and claimed.host_key is not None)),
        *_of_cpu(found, policy, brought),
        *_of_gpus(found, policy, brought),
        ("policy", "caller"),
    )


def suppliers(before: Evidence, after: Evidence) -> Mapping[Collateral, Whose]:
    """Who brought each kind of collateral: `after` is `before` with what the caller gave."""
    old, new = _collateral(before), _collateral(after)
    return {kind: _supplier(old[kind], new[kind]) for kind in _ALL}


def _supplier(old: object, new: object) -> Whose:
    if not new:
        return "nobody"
    if not old:
        return "caller"
    return "maker" if old == new else "caller and maker"


def _collateral(found: Evidence) -> Mapping[Collateral, object]:
    both = merged(found)
    cpu, there = both.cpu or CpuEvidence(), both.collateral
    return {
        "certificates": (cpu.vek, cpu.veks, cpu.chain) if cpu.vek else None,
        "revocation list": (cpu.crl, cpu.crls) if cpu.crl else None,
        "manifests": there.rims,
        "OCSP answers": there.ocsp,
    }


def _of_cpu(found: Evidence, policy: Policy, brought: Brought) -> Iterator[RestsOn]:
    if policy.cpu is None or found.cpu is None:
        return
    whose = _whose(found, brought)
    yield "AMD's certificates", whose["certificates"]
    yield "AMD's revocation list", whose["revocation list"]
    yield "golden PCR values", _word(brought.pins, False)


def _of_gpus(found: Evidence, policy: Policy, brought: Brought) -> Iterator[RestsOn]:
    if policy.gpu is None or not found.gpus:
        return
    whose = _whose(found, brought)
    yield "NVIDIA's manifests", whose["manifests"]
    if not policy.gpu.unsafe_skip_ocsp:
        yield "NVIDIA's OCSP answers", whose["OCSP answers"]
    yield "CC mode and developer tools", brought.state


def _whose(found: Evidence, brought: Brought) -> Mapping[Collateral, Whose]:
    there = _collateral(found)
    return {kind: brought.collateral.get(kind, _word(False, bool(there[kind]))) for kind in _ALL}


def _word(of_caller: bool, of_maker: bool) -> Whose:
    if of_caller:
        return "caller"
    return "maker" if of_maker else "nobody"
