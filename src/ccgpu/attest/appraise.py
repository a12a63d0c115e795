"""One verdict over everything: the CPU's evidence, the GPUs', the tokens, and what binds them.

The order is RFC 9334's: is it fresh, is it genuine, is it bound, is it what the policy wants. Every
part that the policy requires must be there; what it does not ask for is not looked at, and said so.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from ccgpu.attest import cpu, data_age, freshness, second_opinions
from ccgpu.attest.appraisal import Appraisal, verdict_of
from ccgpu.attest.check import Checks, Rule, Verified, shown
from ccgpu.attest.freshness import Asked
from ccgpu.attest.gpus_seen import GpusSeen
from ccgpu.attest.identity import Known
from ccgpu.attest.pinned import PINNED
from ccgpu.attest.policy import VM_ID
from ccgpu.attest.rests_on import Brought, Collateral, Whose, rests_on
from ccgpu.attest.roots import Roots
from ccgpu.attest.second_opinions import Keys, Local
from ccgpu.attest.vm_identity import identity_of
from ccgpu.domain.evidence import Evidence
from ccgpu.domain.policy import Pins, Policy
from ccgpu.domain.policy_comparison import PolicyOrigin

CPU_ABSENT = Rule("evidence.cpu.absent", "there is evidence of the CPU", "the policy, requires")
GPU_ABSENT = Rule("evidence.gpu.absent", "there is evidence of the GPU", "the policy, requires")

AT_BUNDLE = "at_bundle"  # in `unsafe`: the time of the verdict is the maker's word

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

    `at_of_maker`: the time is when the evidence was made, by its maker's word. `nonce`, `vm_id`,
    `host_key` (SHA-256 of the blob): of the challenge, as the caller knows it; `challenge_sent`:
    when this machine recorded that it was sent. `recording`: golden values are being written, so
    that there are none yet. `policy_origin`: the file of a policy that does not ship. `suppliers`:
    who brought the collateral, where it is not the evidence's maker alone.
    """

    at: datetime
    nonce: bytes | None = None
    vm_id: str | None = None
    host_key: bytes | None = None
    challenge_sent: datetime | None = None
    at_of_maker: bool = False
    pins: Pins | None = None
    recording: bool = False
    keys: Keys = Keys()  # noqa: RUF009  # frozen
    policy_origin: PolicyOrigin | None = None
    suppliers: Mapping[Collateral, Whose] = field(default_factory=dict)


def appraise(
    found: Evidence, policy: Policy, question: Question, roots: Roots | None = None
) -> Appraisal:
    """The verdict on `found` by `policy`; `roots` other than the pinned ones are simulated."""
    believed = roots or PINNED
    checks = Checks()
    known = Known(question.nonce, question.vm_id, question.host_key)
    asked = freshness.asked(found, known, policy, checks)
    facts: dict[str, str] = {}
    if question.challenge_sent is not None:
        facts["challenge sent"] = shown(question.challenge_sent)
    seen = _cpu(found, policy, question, believed, asked, checks)
    if seen is not None:
        facts |= seen.facts
    nonce = freshness.gpu_nonce(asked, seen.claims if seen else None)
    bound = asked.bound is not None
    of_gpus = _gpus(found, policy, question, believed, nonce, bound, checks)
    facts |= of_gpus.facts
    vm = identity_of(seen.report, seen.claims) if seen else None
    local = Local(asked.nonce, nonce, of_gpus.reports, _vm_id(found, question, seen), vm)
    not_compared = second_opinions.check(found, policy, question.keys, local, question.at, checks)
    verdict, origin = verdict_of(checks.made), question.policy_origin
    return Appraisal(
        verdict,
        checks.made,
        origin.shown(policy.name) if origin else policy.name,
        question.at,
        not_proven=(
            *_not_proven(found, policy, question),
            *not_compared,
            *data_age.warnings(policy, question.at),
        ),
        unsafe=(*policy.unsafe, *((AT_BUNDLE,) if question.at_of_maker else ())),
        simulated=believed.simulated,
        facts=facts,
        pcrs=seen.pcrs if seen and verdict == "accepted" else {},
        origin=origin,
        not_read=seen.not_read if seen else (),
        rests_on=rests_on(found, policy, _brought(found, question)),
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
        if question.vm_id is not None:
            checks.that(VM_ID, False, question.vm_id, "not looked at by this policy")
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
    bound: bool,
    checks: Checks,
) -> GpusSeen:
    if policy.gpu is None:
        return GpusSeen()
    if not found.gpus:
        checks.that(GPU_ABSENT, False, "evidence", None)
        return GpusSeen()
    from ccgpu.attest import gpus  # lxml, and what reads manifests

    context = gpus.Context(policy.gpu, question.at, roots, nonce, bound)
    return gpus.appraise(found, context, checks)


def _vm_id(found: Evidence, question: Question, seen: cpu.Seen | None) -> str | None:
    """ARM's vmId as the caller knows it, or what believed claims say; last the maker's word."""
    claims = seen.claims if seen else None
    believed = claims.value.vm_unique_id if isinstance(claims, Verified) else None
    return question.vm_id or believed or found.claimed.vm_id


def _brought(found: Evidence, question: Question) -> Brought:
    """What the caller brought, and whose word the state of the GPUs is."""
    return Brought(
        time=not question.at_of_maker,
        nonce=question.nonce is not None,
        vm_id=question.vm_id is not None,
        host_key=question.host_key is not None,
        pins=question.pins is not None,
        collateral=question.suppliers,
        state=_who_says(found),
    )


def _not_proven(found: Evidence, policy: Policy, question: Question) -> tuple[str, ...]:
    """What this verdict leaves open, in the words of docs/trust.md."""
    said: list[str] = []
    if policy.cpu is None:
        said.append("the CPU and the VM: this policy does not look at them")
    if policy.gpu is None:
        said.append("the GPU: this policy does not look at it")
    said += _nobody_named(policy, question)
    said += _words_taken(found, policy, question)
    if policy.cpu is not None:
        said += _NEVER if question.pins else ("the boot chain: no golden PCR values given", *_NEVER)
    return (*said, *(_NEVER_GPU if policy.gpu is not None else ()))


def _nobody_named(policy: Policy, question: Question) -> list[str]:
    """The VM and the connection, where the caller does not say which."""
    said = []
    bare = policy.binding == "nonce"
    if question.vm_id is None and bare:
        said.append("identity: vmUniqueId need not be the vmId of the VM that was asked for")
    elif question.vm_id is None:
        said.append("identity: the vmId is the word of the evidence's maker; give `--vm-id`")
    if question.host_key is None and bare:
        said.append("channel: no SSH host key need be bound to this evidence")
    elif question.host_key is None:
        said.append("channel: the host key is the word of the evidence's maker; give `--host-key`")
    return said


def _words_taken(found: Evidence, policy: Policy, question: Question) -> list[str]:
    """Whatever only the maker of the evidence, or the guest, vouches for."""
    said = []
    if question.nonce is None and (found.claimed.nonce or found.gpus):
        said.append("freshness: the nonce is the word of the evidence's maker; give `--nonce`")
    if question.at_of_maker:
        said.append("time: when the evidence was made is the word of its maker; give `--at TIME`")
    if policy.gpu is not None:
        said.append(f"CC mode and developer tools of the GPU: {_SAYS[_who_says(found)]}")
    if found.tokens.nras and question.keys.nras is None:
        said.append("NVIDIA's token: it is there, and was not looked at without `--nras-jwks`")
    if found.tokens.maa and question.keys.maa is None:
        said.append("Microsoft's token: it is there, and was not looked at without `--maa-jwks`")
    return said


def _who_says(found: Evidence) -> Whose:
    """Whose word the state of the GPU is."""
    if any(gpu.state_document for gpu in found.gpus) and found.claimed.binding == "ccgpu-bind-v1":
        return "guest"
    said = any(gpu.state_document or gpu.state for gpu in found.gpus)
    return "maker" if said else "nobody"


_SAYS: Mapping[Whose, str] = {
    "guest": "the guest's word, which the quote covers",
    "maker": "the word of the evidence's maker",
    "nobody": "nobody said",
}
