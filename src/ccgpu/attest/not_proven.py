"""What a verdict leaves open, in words, whatever its checks say."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ccgpu.attest import boot_identity, measured_image, reference_pcrs, workload_policy
from ccgpu.attest.cpu import CpuResult
from ccgpu.attest.trust_basis import TrustSource
from ccgpu.domain.evidence import Evidence
from ccgpu.domain.policy import Policy
from ccgpu.domain.reference_values import PINNED_PCRS, in_words

if TYPE_CHECKING:
    from ccgpu.attest.appraise import AppraisalInputs

# What no verdict can prove; docs/trust.md has the reasons.
_PARAVISOR = (
    "the paravisor: Microsoft's firmware in the VM holds the vTPM; its signing key is trusted"
)
_PHYSICAL = "physical attacks: no bit of a report can exclude an interposer on the memory bus"
_OUT_OF_SCOPE_GPU = (
    "that the GPU is in this VM: Hopper has no TDISP, the VM's software presents the evidence",
)
# What only a measured image proves.
_SOFTWARE = (
    "the root file system: the quoted PCRs cover firmware and boot chain, not files",
    "the first boot: the host hands over cloud-init's data (customData), which nothing measures",
)


def not_proven(
    evidence: Evidence,
    policy: Policy,
    inputs: "AppraisalInputs",
    cpu_result: CpuResult,
    *,
    accepted: bool,
) -> tuple[str, ...]:
    """What this verdict leaves open, in the words of docs/trust.md.

    A measured image closes what it proves in an accepted verdict alone: each check of it held then.
    """
    by_image = accepted and inputs.image is not None
    lines: list[str] = []
    if policy.cpu is None:
        lines.append("the CPU and the VM: this policy does not look at them")
    if policy.gpu is None:
        lines.append("the GPU: this policy does not look at it")
    lines += _missing_identity(policy, inputs)
    lines += _unproven_inputs(evidence, policy, inputs, cpu_result)
    if policy.cpu is not None:
        lines += _unproven_boot(inputs, cpu_result, by_image=by_image)
        lines += _unproven_software(evidence, policy, cpu_result, by_image=by_image)
        lines.append(_PHYSICAL)
    return (*lines, *(_OUT_OF_SCOPE_GPU if policy.gpu is not None else ()))


def _unproven_boot(
    inputs: "AppraisalInputs", cpu_result: CpuResult, *, by_image: bool
) -> list[str]:
    """What the quoted PCRs, and those with reference values, do not say of the boot."""
    lines = []
    if cpu_result.pcrs and boot_identity.PCR not in cpu_result.pcrs:
        lines.append("that this VM booted so: PCR 6, which has the VM's id, is not quoted")
    compared = measured_image.PCRS if by_image else ()
    if inputs.reference_values is not None:
        lines += reference_pcrs.not_compared(inputs.reference_values, compared)
    elif by_image:
        left = in_words(PINNED_PCRS - {*compared})
        lines.append(f"the firmware and its settings, PCR {left}: no golden PCR values given")
    else:
        lines.append("the boot chain: no golden PCR values given")
    return lines


def _unproven_software(
    evidence: Evidence, policy: Policy, cpu_result: CpuResult, *, by_image: bool
) -> list[str]:
    """What the PCRs do not say of files, set-up and workloads."""
    if by_image:
        return [_PARAVISOR, *measured_image.not_proven(bool(cpu_result.workloads))]
    workloads = workload_policy.not_proven(evidence, policy, cpu_result.pcrs)
    return [*workloads, _PARAVISOR, *_SOFTWARE]


def _missing_identity(policy: Policy, inputs: "AppraisalInputs") -> list[str]:
    """VM and host key, where the caller does not name them."""
    lines = []
    bare = policy.binding == "nonce"
    if inputs.vm_id is None and bare:
        lines.append("identity: vmUniqueId need not be the vmId of the VM that was asked for")
    elif inputs.vm_id is None:
        lines.append("identity: the vmId is the word of the evidence's maker; give `--vm-id`")
    if inputs.host_key is None and bare:
        lines.append("channel: no SSH host key need be bound to this evidence")
    elif inputs.host_key is None:
        lines.append("channel: the host key is the word of the evidence's maker; give `--host-key`")
    return lines


def _unproven_inputs(
    evidence: Evidence, policy: Policy, inputs: "AppraisalInputs", cpu_result: CpuResult
) -> list[str]:
    """Inputs that only the evidence's maker or the guest states; tokens that were not verified."""
    lines = []
    if inputs.nonce is None and (evidence.claimed.nonce or evidence.gpus):
        lines.append("freshness: the nonce is the word of the evidence's maker; give `--nonce`")
    if inputs.at_of_maker:
        lines.append("time: when the evidence was made is the word of its maker; give `--at TIME`")
    if policy.gpu is not None:
        source = _GPU_STATE_SOURCES[gpu_state_source(evidence, cpu_result)]
        lines.append(f"CC mode and developer tools of the GPU: {source}")
    if evidence.tokens.nras and inputs.keys.nras is None:
        lines.append("NVIDIA's token: it is there, and was not looked at without `--nras-jwks`")
    if evidence.tokens.maa and inputs.keys.maa is None:
        lines.append("Microsoft's token: it is there, and was not looked at without `--maa-jwks`")
    return lines


def gpu_state_source(evidence: Evidence, cpu_result: CpuResult) -> TrustSource:
    """Who states CC mode and developer tools: the guest only if a verified quote covers it."""
    told = any(gpu.state_document for gpu in evidence.gpus)
    if told and evidence.claimed.binding == "ccgpu-bind-v1" and cpu_result.pcrs:
        return "guest"
    stated = any(gpu.state_document or gpu.state for gpu in evidence.gpus)
    return "maker" if stated else "nobody"


_GPU_STATE_SOURCES: Mapping[TrustSource, str] = {
    "guest": "the guest's word, which the quote covers",
    "maker": "the word of the evidence's maker",
    "nobody": "nobody said",
}
