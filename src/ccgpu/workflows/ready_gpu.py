"""Sets the GPU of an accepted VM ready, in the boot that was judged and in no other."""

from dataclasses import replace
from functools import partial

from ccgpu.attest.attestation import Attestation
from ccgpu.errors import GuestNotReady, HostKeyMismatch, TimedOut
from ccgpu.guest.channel import Channel
from ccgpu.guest.gpu_ready import set_gpu_ready
from ccgpu.workflows.fresh_evidence import greeting_time, read_boot_id
from ccgpu.workflows.guest_task import GuestTask


def with_ready_gpu(task: GuestTask, judged: Attestation, channel: Channel) -> Attestation:
    """Set the GPU ready in the boot that was judged; a failure is kept beside the verdict."""
    task.tell("wait", "setting the GPU ready")
    try:
        _require_boot(task, read_boot_id(channel, greeting_time(task)), judged)
        time_left = partial(task.time_left, doing="setting the GPU ready")
        task.complete(partial(set_gpu_ready, channel, judged.boot_id, time_left))
    except (GuestNotReady, HostKeyMismatch, TimedOut) as err:
        if task.vm is not None:
            err.hint = err.hint or f"`ccgpu doctor {task.name}` looks into the guest"
        return replace(judged, problem=err)
    return replace(judged, gpu_ready=True)


def _require_boot(task: GuestTask, boot_id: str, judged: Attestation) -> None:
    """Refuse a boot that gave no evidence: nothing is known of what it started."""
    if not boot_id:
        raise GuestNotReady(
            "the VM does not tell the id of its boot any more: its GPU is not set ready"
        )
    if boot_id != judged.boot_id:
        again = "run the same command again"
        raise GuestNotReady(
            "the VM has been started anew since it was asked: its GPU is not set ready",
            hint=again if task.vm is None else f"`ccgpu attest {judged.name}` asks it again",
        )
