"""One verdict over everything: the CPU's evidence, the GPUs', the tokens, and what binds them.

The order is RFC 9334's: is it fresh, is it genuine, is it bound, is it what the policy wants. Every
part that the policy requires must be there; what it does not ask for is not looked at, and said so.
"""

from dataclasses import dataclass
from datetime import datetime

from ccgpu.attest import cpu, freshness, second_opinions
from ccgpu.attest.appraisal import Appraisal, verdict_of
from ccgpu.attest.check import Checks, Rule, Verified
from ccgpu.attest.freshness import Asked
from ccgpu.attest.gpus_seen import GpusSeen
from ccgpu.attest.pinned import PINNED
from ccgpu.attest.roots import Roots
from ccgpu.attest.second_opinions import Keys, Local
from ccgpu.domain.evidence import Evidence
from ccgpu.domain.policy import Pins, Policy

CPU_ABSENT = Rule("evidence.cpu.absent", "there is evidence of the CPU", "the policy, requires")
GPU_ABSENT = Rule("evidence.gpu.absent", "there is evidence of the GPU", "the policy, requires")

# What no verdict here can show; docs/trust.md has the reasons.
_NEVER = (
    "the paravisor: Microsoft's firmware in the VM holds the vTPM; its signing key is trusted",
    "the root file system: the quoted PCRs cover firmware and boot chain, not files",
    "physical attacks: no bit of a report can exclude an interposer on the memory bus",
)
_NEVER_GPU = (
    "that the GPU is in this VM: Hopper has no TDISP, the VM's software presents the evidence",
)


@dataclass(frozen=True, slots=True)
class Question:
    """What the caller brings: the time, and what it knows better than the evidence's maker.

    `recording`: golden values are being written, so that there are none yet.
    """

    at: datetime
    nonce: bytes | None = None
    pins: Pins | None = None
    recording: bool = False
    keys: Keys = Keys()  # noqa: RUF009  # frozen


def appraise(
    found: Evidence, policy: Policy, question: Question, roots: Roots | None = None
) -> Appraisal:
    """The verdict on `found` by `policy`; `roots` other than the pinned ones are simulated."""
    believed = roots or PINNED
    checks = Checks()
    asked = freshness.asked(found, question.nonce, policy, checks)
    facts: dict[str, str] = {}
    seen = _cpu(found, policy, question, believed, asked, checks)
    if seen is not None:
        facts |= seen.facts
    nonce = freshness.gpu_nonce(asked, seen.claims if seen else None)
    of_gpus = _gpus(found, policy, question, believed, nonce, checks)
    facts |= of_gpus.facts
    local = Local(asked.nonce, nonce, of_gpus.reports, _vm_id(found, seen))
    second_opinions.check(found, policy, question.keys, local, question.at, checks)
    verdict = verdict_of(checks.made)
    return Appraisal(
        verdict,
        checks.made,
        policy.name,
        question.at,
        not_proven=_not_proven(found, policy, question),
        unsafe=policy.unsafe,
        simulated=believed.simulated,
        facts=facts,
        pcrs=seen.pcrs if seen and verdict == "accepted" else {},
    )


def _cpu(
    found: Evidence,
    policy: Policy,
    question: Question,
    roots: Roots,
    asked: Asked,
    checks: Checks,
) -> cpu.Seen | None:
    if policy.cpu is None:
        return None
    if found.cpu is None:
        checks.that(CPU_ABSENT, False, "evidence", None)
        return None
    context = cpu.Context(policy.cpu, question.at, roots, question.pins, question.recording)
    return cpu.appraise(found, found.cpu, context, asked, checks)


def _gpus(
    found: Evidence,
    policy: Policy,
    question: Question,
    roots: Roots,
    nonce: bytes | None,
    checks: Checks,
) -> GpusSeen:
    if policy.gpu is None:
        return GpusSeen()
    if not found.gpus:
        checks.that(GPU_ABSENT, False, "evidence", None)
        return GpusSeen()
    from ccgpu.attest import gpus  # lxml, and what reads manifests

    return gpus.appraise(found, gpus.Context(policy.gpu, question.at, roots, nonce), checks)


def _vm_id(found: Evidence, seen: cpu.Seen | None) -> str | None:
    """ARM's vmId as the caller saw it, or else what believed claims say."""
    if found.claimed.vm_id is not None:
        return found.claimed.vm_id
    claims = seen.claims if seen else None
    return claims.value.vm_unique_id if isinstance(claims, Verified) else None


def _not_proven(found: Evidence, policy: Policy, question: Question) -> tuple[str, ...]:
    """What this verdict leaves open, in the words of docs/trust.md."""
    said: list[str] = []
    if policy.cpu is None:
        said.append("the CPU and the VM: this policy does not look at them")
    if policy.gpu is None:
        said.append("the GPU: this policy does not look at it")
    if policy.binding == "nonce":
        said.append("identity: vmUniqueId need not be the vmId of the VM that was asked for")
        said.append("channel: no SSH host key need be bound to this evidence")
    said += _words_taken(found, policy, question)
    if policy.cpu is not None:
        said += _NEVER if question.pins else ("the boot chain: no golden PCR values given", *_NEVER)
    return (*said, *(_NEVER_GPU if policy.gpu is not None else ()))


def _words_taken(found: Evidence, policy: Policy, question: Question) -> list[str]:
    """Whatever only the maker of the evidence vouches for."""
    said = []
    if question.nonce is None and (found.claimed.nonce or found.gpus):
        said.append("freshness: the nonce is the word of the evidence's maker; give `--nonce`")
    if policy.binding == "ccgpu-bind-v1":
        said.append("host key and vmId: the word of the evidence's maker")
    if policy.gpu is not None and any(gpu.state for gpu in found.gpus):
        said.append("CC mode and developer tools of the GPU: the guest's word")
    elif policy.gpu is not None:
        said.append("CC mode and developer tools of the GPU: nobody said")
    if found.tokens.nras and question.keys.nras is None:
        said.append("NVIDIA's token: it is there, and was not looked at without `--nras-jwks`")
    if found.tokens.maa and question.keys.maa is None:
        said.append("Microsoft's token: it is there, and was not looked at without `--maa-jwks`")
    return said
