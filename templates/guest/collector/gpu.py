"""The GPU's evidence, from NVIDIA's management library (NVML; nvml.h of driver 595)."""

import ctypes
import json
from pathlib import Path
from typing import Any

from ccgpu.templates.guest.collector.settings import CollectorError, encode

LIBRARIES = (
    "usr/lib/x86_64-linux-gnu/libnvidia-ml.so.1",
    "usr/lib64/libnvidia-ml.so.1",
    "usr/lib/libnvidia-ml.so.1",
)
DRIVER_NOT_LOADED = 9  # NVML_ERROR_DRIVER_NOT_LOADED
ARCHITECTURES = {9: "HOPPER", 10: "BLACKWELL"}  # nvmlDeviceArchitecture_t
FEATURE_ENABLED = 1  # NVML_CC_SYSTEM_FEATURE_ENABLED
ENVIRONMENTS = {0: "unavailable", 1: "simulation", 2: "production"}  # NVML_CC_SYSTEM_ENVIRONMENT_*


class ConfComputeState(ctypes.Structure):
    """nvmlConfComputeSystemState_t."""

    _fields_ = [  # ctypes asks for a list
        ("environment", ctypes.c_uint),
        ("cc_feature", ctypes.c_uint),
        ("dev_tools_mode", ctypes.c_uint),
    ]


class GpuCertificate(ctypes.Structure):
    """nvmlConfComputeGpuCertificate_t."""

    _fields_ = [
        ("chain_size", ctypes.c_uint),
        ("attestation_chain_size", ctypes.c_uint),
        ("chain", ctypes.c_ubyte * 0x1000),
        ("attestation_chain", ctypes.c_ubyte * 0x1400),
    ]


class AttestationReport(ctypes.Structure):
    """nvmlConfComputeGpuAttestationReport_t; the nonce is set by the caller."""

    _fields_ = [
        ("cec_present", ctypes.c_uint),
        ("size", ctypes.c_uint),
        ("cec_size", ctypes.c_uint),
        ("nonce", ctypes.c_ubyte * 32),
        ("report", ctypes.c_ubyte * 0x2000),
        ("cec_report", ctypes.c_ubyte * 0x1000),
    ]


class Nvml:
    """NVIDIA's management library, initialised."""

    def __init__(self, root: Path) -> None:
        file = next((root / name for name in LIBRARIES if (root / name).exists()), None)
        if file is None:
            raise CollectorError("gpu.absent", "the VM has no NVIDIA driver: NVML is not installed")
        try:
            self._library = ctypes.CDLL(str(file))
        except OSError as err:
            raise CollectorError("gpu.error", f"NVML cannot be loaded: {err}") from err
        self.call("nvmlInit_v2")

    def call(self, name: str, *arguments: Any) -> None:
        """Call a function of NVML."""
        function = getattr(self._library, name, None)
        if function is None:
            raise CollectorError("gpu.error", f"the NVIDIA driver has no {name}")
        code = function(*arguments)
        if code == DRIVER_NOT_LOADED:
            raise CollectorError("gpu.absent", "the NVIDIA driver is not loaded")
        if code:
            raise CollectorError("gpu.error", f"{name} failed with NVML's code {code}")

    def number(self, name: str, *arguments: Any) -> int:
        """The number that a function returns by its last parameter."""
        value = ctypes.c_uint()
        self.call(name, *arguments, ctypes.byref(value))
        return value.value

    def text(self, name: str, *arguments: Any) -> str:
        """The text that a function writes into a buffer."""
        buffer = ctypes.create_string_buffer(96)
        self.call(name, *arguments, buffer, ctypes.c_uint(len(buffer)))
        return buffer.value.decode("utf-8", "replace")


def collect_gpu(root: Path, nonce: bytes) -> dict[str, str]:
    """The evidence of the only GPU: architecture, report, chain and state document, in base64."""
    nvml = Nvml(root)
    count = nvml.number("nvmlDeviceGetCount_v2")
    if count == 0:
        raise CollectorError("gpu.absent", "the VM has no GPU")
    if count > 1:  # the quote covers one
        raise CollectorError("gpu.count", f"the VM has {count} GPUs: evidence of one can be bound")
    device = ctypes.c_void_p()
    nvml.call("nvmlDeviceGetHandleByIndex_v2", ctypes.c_uint(0), ctypes.byref(device))
    certificate, report = GpuCertificate(), AttestationReport()
    report.nonce[:] = nonce
    nvml.call("nvmlDeviceGetConfComputeGpuCertificate", device, ctypes.byref(certificate))
    nvml.call("nvmlDeviceGetConfComputeGpuAttestationReport", device, ctypes.byref(report))
    architecture = nvml.number("nvmlDeviceGetArchitecture", device)
    return {
        "arch": ARCHITECTURES.get(architecture, f"ARCHITECTURE {architecture}"),
        "report": encode(bytes(report.report)[: report.size]),
        "chain": encode(bytes(certificate.attestation_chain)[: certificate.attestation_chain_size]),
        "state_document": encode(json.dumps(state_of(nvml, device)).encode()),
    }


def state_of(nvml: Nvml, device: ctypes.c_void_p) -> dict[str, Any]:
    """What the driver says of the GPU. A mode that is not plainly off counts as on."""
    modes = ConfComputeState()
    nvml.call("nvmlSystemGetConfComputeState", ctypes.byref(modes))
    return {
        "cc_mode": modes.cc_feature == FEATURE_ENABLED,
        "dev_tools": modes.dev_tools_mode != 0,
        "ready": nvml.number("nvmlSystemGetConfComputeGpusReadyState") == 1,
        "environment": ENVIRONMENTS.get(modes.environment, str(modes.environment)),
        "driver_version": nvml.text("nvmlSystemGetDriverVersion"),
        "vbios_version": nvml.text("nvmlDeviceGetVbiosVersion", device),
        "uuid": nvml.text("nvmlDeviceGetUUID", device),
    }
