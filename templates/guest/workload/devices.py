"""The GPU as a CDI device. Docker starts after the set-up's refresh; here it is looked for."""

from ccgpu.templates.guest.workload.base import Vm, WorkloadError, complaint, run_program

FOLDERS = ("etc/cdi", "var/run/cdi", "run/cdi")
KIND = "nvidia.com/gpu"
GENERATED = "var/run/cdi/nvidia.yaml"


def require_gpu(vm: Vm) -> None:
    """Make the description of the GPU for containers if there is none."""
    if is_described(vm):
        return
    refreshed = run_program(
        vm, "systemctl", ["restart", "nvidia-cdi-refresh.service"], code="gpu.cdi"
    )
    if refreshed.returncode == 0 and is_described(vm):
        return
    file = vm.root / GENERATED
    file.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    words = ["cdi", "generate", f"--output={file}"]
    done = run_program(vm, "nvidia-ctk", words, code="gpu.cdi")
    if done.returncode != 0:
        raise WorkloadError("gpu.cdi", f"nvidia-ctk describes no GPU: {complaint(done)}")
    if not is_described(vm):
        raise WorkloadError("gpu.cdi", f"nvidia-ctk has left no CDI device {KIND}=all")


def is_described(vm: Vm) -> bool:
    """Whether a file describes the GPU to the container engine."""
    files = [file for folder in FOLDERS for file in sorted((vm.root / folder).glob("*.*"))]
    wanted = [file for file in files if file.suffix in (".yaml", ".json")]
    return any(KIND in file.read_text("utf-8", "replace") for file in wanted)
