"""The appraisal of all evidence: confidential VM, GPUs and tokens, and that they belong together.

Every part that the policy requires must be present. A part that it does not require is skipped, and
the verdict says so in `not_proven`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from ccgpu.attest import attestation_tokens, cpu, data_age, freshness
from ccgpu.attest.appraisal import Appraisal, conclude_verdict
from ccgpu.attest.attestation_tokens import LocalFindings, TokenKeySets
from ccgpu.attest.check import Checks, Rule, Verified, format_value
from ccgpu.attest.cpu import CpuContext, CpuResult
from ccgpu.attest.freshness import Challenge
from ccgpu.attest.gpu_results import GpuResults
from ccgpu.attest.identity import CallerContext
from ccgpu.attest.not_proven import gpu_state_source, not_proven
from ccgpu.attest.policy import VM_ID
from ccgpu.attest.roots import Roots
from ccgpu.attest.trust_anchors import TRUST_ANCHORS
from ccgpu.attest.trust_basis import CallerInputs, CollateralKind, TrustSource, trust_basis
from ccgpu.attest.vm_identity import identity_of
from ccgpu.domain.evidence import Evidence
from ccgpu.domain.given_image import GivenImage
from ccgpu.domain.policy import Policy
from ccgpu.domain.policy_comparison import PolicyOrigin
from ccgpu.domain.reference_values import ReferenceValues
from ccgpu.domain.signers import SignedFile

CPU_ABSENT = Rule("evidence.cpu.absent", "there is evidence of the CPU", "the policy, requires")
GPU_ABSENT = Rule("evidence.gpu.absent", "there is evidence of the GPU", "the policy, requires")

AT_BUNDLE = "at_bundle"  # in `unsafe`: the time is the word of the evidence's maker


@dataclass(frozen=True, slots=True)
class AppraisalInputs:
    """What the caller provides besides evidence and policy.

    `at`: the time of the verdict; with `at_of_maker` it is when the evidence was made, by its
    maker's word. `nonce`, `vm_id`, `host_key` (SHA-256 of the SSH key blob, 32 bytes): the
    challenge as the caller knows it. `challenge_sent`: when this machine recorded that it sent it.
    `answers_earlier`: the evidence names another nonce, which this machine has sent before.
    `image`: the measured image that the VM is held to. `recording`: reference values are being
    written, so that none can be required yet; they never stand in for an image. `policy_origin`:
    the file of a policy that does not ship. `signed`: the file that must be signed, if a signer was
    given. `suppliers`: the source of each kind of collateral, where it is not the evidence's maker
    alone.
    """

    at: datetime
    nonce: bytes | None = None
    vm_id: str | None = None
    host_key: bytes | None = None
    challenge_sent: datetime | None = None
    answers_earlier: bool = False
    at_of_maker: bool = False
    reference_values: ReferenceValues | None = None
    image: GivenImage | None = None
    recording: bool = False
    keys: TokenKeySets = TokenKeySets()  # noqa: RUF009  # frozen
    policy_origin: PolicyOrigin | None = None
    signed: SignedFile | None = None
    suppliers: Mapping[CollateralKind, TrustSource] = field(default_factory=dict)

    @property
    def caller(self) -> CallerContext:
        """What the caller knows of the challenge."""
        return CallerContext(
            self.nonce, self.vm_id, self.host_key, answers_earlier=self.answers_earlier
        )


def appraise(
    evidence: Evidence, policy: Policy, inputs: AppraisalInputs, roots: Roots | None = None
) -> Appraisal:
    """Appraise `evidence` by `policy`. `roots` replaces the pinned ones, in simulations only."""
    anchors, at = roots or TRUST_ANCHORS, inputs.at
    checks = Checks()
    # 1. Freshness and identity: what the evidence has to answer (RFC 9334, §10).
    challenge = freshness.build_challenge(evidence, inputs.caller, policy, checks)
    freshness.check_sent_before(inputs.challenge_sent, at, checks)
    # 2. The confidential VM.
    cpu_result = _appraise_cpu(evidence, policy, inputs, anchors, challenge, checks)
    # 3. The GPUs, whose nonce may bind the VM's attestation key.
    gpu_nonce = freshness.gpu_nonce(challenge, cpu_result.claims)
    gpu_results = _appraise_gpus(evidence, policy, inputs, anchors, challenge, gpu_nonce, checks)
    # 4. Tokens of attestation services, compared with the results above.
    local = _local_findings(evidence, inputs, challenge, gpu_nonce, cpu_result, gpu_results)
    not_compared = attestation_tokens.verify(evidence, policy, inputs.keys, local, at, checks)
    # 5. Who vouches for the file, if the caller asks.
    facts = _caller_facts(inputs, checks)
    # 6. The verdict, and everything that qualifies it.
    verdict, origin = conclude_verdict(checks.made), inputs.policy_origin
    return Appraisal(
        verdict,
        checks.made,
        origin.display_name(policy.name) if origin else policy.name,
        at,
        not_proven=(
            *not_proven(evidence, policy, inputs, cpu_result, accepted=verdict == "accepted"),
            *not_compared,
            *data_age.age_warnings(policy, at),
        ),
        unsafe=(*policy.unsafe, *((AT_BUNDLE,) if inputs.at_of_maker else ())),
        simulated=anchors.simulated,
        facts={**facts, **cpu_result.facts, **gpu_results.facts},
        pcrs=cpu_result.pcrs if verdict == "accepted" else {},
        origin=origin,
        not_read=cpu_result.not_read,
        rests_on=trust_basis(evidence, policy, _caller_inputs(evidence, inputs, cpu_result)),
        events=cpu_result.events,
        workloads=cpu_result.workloads,
        criteria=policy,
        reference_values=inputs.reference_values,
    )


def _caller_facts(inputs: AppraisalInputs, checks: Checks) -> Mapping[str, str]:
    """When the challenge was sent, and who has signed the file, if the caller asks for that."""
    sent = inputs.challenge_sent
    facts = {} if sent is None else {"challenge sent": format_value(sent)}
    if inputs.signed is None:
        return facts
    from ccgpu.attest.signature import verify  # an appraisal without one needs no more keys

    return {**facts, **verify.verify(inputs.signed, inputs.at, checks)}


def _appraise_cpu(
    evidence: Evidence,
    policy: Policy,
    inputs: AppraisalInputs,
    roots: Roots,
    challenge: Challenge,
    checks: Checks,
) -> CpuResult:
    """The result for the CPU; an empty one if the policy does not ask for it, or it is absent."""
    if policy.cpu is None:
        if inputs.vm_id is not None:
            checks.record(VM_ID, False, inputs.vm_id, "not looked at by this policy")
        return CpuResult()
    if evidence.cpu is None:
        checks.record(CPU_ABSENT, False, "evidence", None)
        return CpuResult()
    context = CpuContext(
        policy.cpu,
        inputs.at,
        roots,
        inputs.reference_values,
        inputs.recording,
        policy.workloads,
        inputs.image,
    )
    return cpu.appraise(evidence, evidence.cpu, context, challenge, checks)


def _appraise_gpus(
    evidence: Evidence,
    policy: Policy,
    inputs: AppraisalInputs,
    roots: Roots,
    challenge: Challenge,
    nonce: bytes | None,
    checks: Checks,
) -> GpuResults:
    """The results for the GPUs; empty if the policy does not ask for them, or they are absent."""
    if policy.gpu is None:
        return GpuResults()
    if not evidence.gpus:
        checks.record(GPU_ABSENT, False, "evidence", None)
        return GpuResults()
    from ccgpu.attest import gpus  # imports lxml, which a verdict on a CPU does not need

    bound = challenge.binding is not None
    context = gpus.GpuContext(policy.gpu, inputs.at, roots, nonce, bound)
    return gpus.appraise(evidence, context, checks)


def _local_findings(
    evidence: Evidence,
    inputs: AppraisalInputs,
    challenge: Challenge,
    gpu_nonce: bytes | None,
    cpu_result: CpuResult,
    gpu_results: GpuResults,
) -> LocalFindings:
    """What tokens are compared with; the vmId is the caller's, else verified, else claimed."""
    report, claims = cpu_result.report, cpu_result.claims
    verified = claims.value.vm_unique_id if isinstance(claims, Verified) else None
    vm_id = inputs.vm_id or verified or evidence.claimed.vm_id
    identity = identity_of(report, claims)
    return LocalFindings(challenge.nonce, gpu_nonce, gpu_results.reports, vm_id, identity)


def _caller_inputs(
    evidence: Evidence, inputs: AppraisalInputs, cpu_result: CpuResult
) -> CallerInputs:
    """Which inputs are the caller's, for the trust basis of the verdict."""
    return CallerInputs(
        time=not inputs.at_of_maker,
        nonce=inputs.nonce is not None,
        vm_id=inputs.vm_id is not None,
        host_key=inputs.host_key is not None,
        reference_values=inputs.reference_values is not None,
        image=inputs.image is not None,
        collateral=inputs.suppliers,
        state=gpu_state_source(evidence, cpu_result),
    )
