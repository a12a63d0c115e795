"""The inside of one simulated VM, as it is now: boots, first boot, set-up, kernel, driver, GPU.

All of it follows from the VM (`Machine`), the virtual time, and the few facts that the guest has
stored. Versions and names are those of real VMs of this size in 2026.
"""

import hashlib
import json
import uuid
from collections.abc import Mapping, Sequence
from functools import cache, cached_property
from typing import Any, NamedTuple

from ccgpu.fakearm import Machine, MachineBoot, StoredFile
from ccgpu.fakeguest import first_boot, hostkeys, measured
from ccgpu.fakeguest.setup_run import SetupAttempt, SetupRun, run_setup

KERNEL, NEWER_KERNEL = "6.8.0-1066-azure-fde", "6.8.0-1067-azure-fde"
DRIVER, NEWER_DRIVER = "595.71.05", "595.91.07"
GPU_NAME, VBIOS = "NVIDIA H100 NVL", "96.00.9F.00.04"
_CANONICAL = "canonical"
_READY, _UNREADY, _RERUNS = "ready", "unready", "setup-reruns"
_FREED = "freed"
_PCR13 = "pcr-13"
_NEVER = float("inf")


@cache
def _derived_id(vm_id: str, name: str) -> str:
    """A UUID that is always the same for a VM and a name."""
    return str(uuid.uuid5(uuid.UUID(vm_id), name))


class _Begin(NamedTuple):
    """When the set-up's service was started, and in which boot. settings: None for the boot's."""

    began: float
    boot: int
    again: bool = False
    settings: dict[str, Any] | None = None


class SimulatedGuest:
    """The operating system of a VM that has booted at least once."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.settings = machine.settings
        self.now = machine.now

    @property
    def boot(self) -> MachineBoot:
        """The latest boot."""
        return self.machine.boots[-1]

    @property
    def boot_id(self) -> str:
        """The kernel's random id of this boot."""
        return self.boot_id_of(len(self.machine.boots) - 1)

    def boot_id_of(self, number: int) -> str:
        """The id of a boot."""
        return _derived_id(self.machine.vm_id, f"boot {number}")

    @property
    def host_key(self) -> bytes:
        """The key that sshd shows; a measured image makes it at each boot."""
        seed = f"{self.machine.vm_id}/{self.boot_id}" if self.is_measured else self.machine.vm_id
        return hostkeys.host_key(seed, other=self.settings["other_key"])

    @property
    def is_measured(self) -> bool:
        """Whether the VM boots a measured image."""
        return self.machine.manifest is not None

    @property
    def user(self) -> str | None:
        """Who may log in; None for nobody."""
        return measured.login_user(self.machine) if self.is_measured else self.machine.user

    @cached_property
    def files(self) -> Mapping[str, StoredFile]:
        """The files that cloud-init has written; none before it is done, or after an error."""
        done = self._first_boot_end
        if not self.is_stock or done is None or self.now < done:
            return {}
        return first_boot.written_files(self.machine.custom_data)

    @property
    def is_stock(self) -> bool:
        """Whether the image is Canonical's; any other is one with driver and tools in it."""
        return self.machine.publisher == _CANONICAL

    @cached_property
    def first_boot_number(self) -> int | None:
        """The boot in which cloud-init ends; None if it was cut off in all of them."""
        seconds = self.machine.durations["guest.cloudInit"]
        for number, boot in enumerate(self.machine.boots):
            if boot.ended is None or boot.ready + seconds <= boot.ended:
                return number
        return None

    @property
    def first_boot_failed(self) -> bool:
        """Whether cloud-init ended with an error, or will."""
        number = self.first_boot_number
        return number is not None and self.machine.boots[number].settings["cloud_init"] == "error"

    @property
    def _first_boot_end(self) -> float | None:
        """When cloud-init ended well; None if it did not."""
        number = self.first_boot_number
        if number is None or self.first_boot_failed:
            return None
        return self.machine.boots[number].ready + self.machine.durations["guest.cloudInit"]

    @property
    def cloud_init(self) -> str:
        """The word of `cloud-init status`."""
        if self.is_measured:
            return "disabled"
        last = len(self.machine.boots) - 1
        if self.setup and self.setup.boot_of("lockdown") in range(last):
            return "disabled"
        if self.now < self.boot.ready + self.machine.durations["guest.cloudInit"]:
            return "running"
        return "error" if self.first_boot_number == last and self.first_boot_failed else "done"

    @cached_property
    def wanted(self) -> dict[str, str] | None:
        """The set-up's settings file; None if there is no set-up in this guest."""
        return first_boot.read_settings(self.files)

    @cached_property
    def setup(self) -> SetupRun | None:
        """The set-up; None if this guest has none."""
        if self.wanted is None:
            return None
        return run_setup(self.wanted, self._attempts(), self.now, self.machine.durations)

    def _attempts(self) -> Sequence[SetupAttempt]:
        """Every run of the set-up's service: once a boot, and when somebody started it again."""
        first = self.first_boot_number or 0
        boots = list(enumerate(self.machine.boots))[first:]
        begins: list[_Begin] = [
            _Begin(self._first_boot_end or 0.0 if number == first else boot.ready, number)
            for number, boot in boots
        ]
        begins += [_Begin(**one) for one in self._reruns()]
        begins.sort(key=lambda one: (one.began, one.boot))
        ends = [one.began for one in begins[1:]] + [None]
        return [self._attempt(one, end) for one, end in zip(begins, ends, strict=True)]

    def _attempt(self, begin: "_Begin", until: float | None) -> SetupAttempt:
        boot = self.machine.boots[begin.boot]
        limits = [one for one in (until, boot.ended) if one is not None]
        return SetupAttempt(
            begin.began,
            min(limits, default=None),
            begin.settings or boot.settings,
            begin.boot,
            fits=self.kernel_of(begin.boot) == KERNEL,
            has_gpu=bool(self.machine.gpus),
            again=begin.again,
        )

    def _reruns(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(self.machine.rows.fact(_RERUNS) or "[]")
        return found

    def rerun_setup(self, *, again: bool) -> float:
        """Start the set-up's service. again: finished steps too. Returns the seconds it takes."""
        boot = len(self.machine.boots) - 1
        settings = dict(self.settings)
        begin = _Begin(self.now, boot, again, settings)
        self.machine.rows.record(_RERUNS, json.dumps([*self._reruns(), begin._asdict()]))
        end = run_setup(self.wanted or {}, self._attempts(), _NEVER, self.machine.durations)
        return max(end.lines[-1][0] - self.now, 0.0) if end.lines else 0.0

    def has_step(self, step: str) -> bool:
        """Whether the set-up has carried out that step; always, in an image of another kind."""
        return not self.is_stock or bool(self.setup and self.setup.is_done(step))

    @property
    def kernel(self) -> str:
        """The running kernel."""
        return self.kernel_of(len(self.machine.boots) - 1)

    def kernel_of(self, number: int) -> str:
        """The kernel of a boot. A newer one that was installed runs from the next boot on."""
        boots = self.machine.boots[1 : number + 1]
        return NEWER_KERNEL if any(one.settings["newer_kernel"] for one in boots) else KERNEL

    @property
    def fitted_kernel(self) -> str:
        """The kernel that the set-up has fitted the driver to."""
        return self.kernel if self.is_repaired("kernel") else KERNEL

    @property
    def driver(self) -> str | None:
        """The version of the driver's packages; None before they are installed."""
        if not self.has_step("driver"):
            return None
        newer = self.settings["newer_userspace"] and not self.is_repaired("driver")
        return NEWER_DRIVER if newer else self.module_version

    def is_repaired(self, step: str) -> bool:
        """Whether all steps of the set-up ran again, and that one came to its end."""
        return self.setup is not None and step in self.setup.repaired

    @property
    def module_version(self) -> str:
        """The version of the driver's modules."""
        return (self.wanted or {}).get("CCGPU_DRIVER_VERSION") or DRIVER

    @property
    def has_gpu(self) -> bool:
        """Whether the VM shows a GPU on its bus."""
        return bool(self.machine.gpus) and self.settings["gpu"] != "missing"

    @property
    def is_module_loaded(self) -> bool:
        """Whether the running kernel has loaded the driver's modules."""
        return self.driver is not None and self.has_modules and self.has_gpu

    @property
    def has_modules(self) -> bool:
        """Whether the driver's modules for the running kernel are installed."""
        return self.kernel == KERNEL or self.is_repaired("kernel")

    @property
    def is_driver_usable(self) -> bool:
        """Whether the loaded modules and the userspace match."""
        return self.is_module_loaded and self.driver == self.module_version

    @property
    def is_persistent(self) -> bool:
        """Whether the persistence daemon holds the GPU."""
        return self.is_driver_usable and self.has_step("persistence")

    @property
    def is_confidential(self) -> bool:
        """Whether the GPU is in confidential mode, DevTools mode included."""
        return self.settings["gpu"] in ("confidential", "devtools")

    @property
    def is_ready(self) -> bool:
        """Whether the GPU's ready state is set. It is lost at each boot."""
        rows = self.machine.rows
        if rows.fact(_UNREADY) == self.boot_id:
            return False
        prebuilt = not self.is_stock and not self.is_measured
        at_boot = prebuilt or (self.wanted or {}).get("CCGPU_READY") == "at-boot"
        set_ = rows.fact(_READY) == self.boot_id or (at_boot and self.has_step("gpu"))
        return self.is_confidential and self.is_driver_usable and set_

    def set_ready(self, *, ready: bool) -> None:
        """Set the ready state. In a guest, off cannot be undone before the next boot."""
        self.machine.rows.record(_READY if ready else _UNREADY, self.boot_id)

    @property
    def pcr13(self) -> bytes:
        """PCR 13 of the SHA-256 bank, which nothing but `extend_pcr13` changes; zero at boot."""
        kept = json.loads(self.machine.rows.fact(_PCR13) or "{}")
        return bytes.fromhex(kept["value"]) if kept.get("boot_id") == self.boot_id else bytes(32)

    def extend_pcr13(self, digest: bytes) -> None:
        """TPM2_PCR_Extend of PCR 13. digest: 32 bytes."""
        value = hashlib.sha256(self.pcr13 + digest).hexdigest()
        kept = {"boot_id": self.boot_id, "value": value}
        self.machine.rows.record(_PCR13, json.dumps(kept))

    @property
    def branch(self) -> str:
        """The branch of the driver, such as 595."""
        return self.module_version.partition(".")[0]

    @property
    def freed_bytes(self) -> int:
        """Free bytes on a disk that was full: what the package cache had taken."""
        return 4 << 30 if self.machine.rows.fact(_FREED) else 0

    def free_space(self) -> None:
        """Delete the package cache."""
        self.machine.rows.record(_FREED, "yes")

    @property
    def gpu_uuid(self) -> str:
        """The GPU's id in nvidia-smi."""
        return f"GPU-{_derived_id(self.machine.vm_id, 'gpu')}"
