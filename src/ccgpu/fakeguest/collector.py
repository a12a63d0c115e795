"""The collector in a simulated guest: it answers a nonce with evidence, or says why it cannot.

Like the real one it is given a nonce and nothing else, and binds it to its own host key and
vmUniqueId. It changes nothing in the guest but the runtime claims.
"""

import base64
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ccgpu.fakeguest import workload_log
from ccgpu.fakeguest.commands.call import Ending
from ccgpu.fakeguest.evidence import binding
from ccgpu.fakeguest.guest import SimulatedGuest
from ccgpu.fakeguest.hardware import SimulatedHardware
from ccgpu.fakeguest.vendors import SimulatedVendors

_TOOL = "simulated guest"
_RECIPIENT_KEY = "recipient-key"
_NONCE = re.compile(r"[0-9a-f]{64}")


class BoundValues(NamedTuple):
    """What a guest binds a nonce to: its host key's blob, its vmUniqueId, an X25519 key or b""."""

    host_key: bytes
    vm_id: str
    recipient_key: bytes = b""


class _Failure(NamedTuple):
    """Why there is no evidence: code, message, and the virtual seconds until that is known."""

    code: str
    message: str
    seconds: float = 0.0


_INJECTED: Mapping[str, _Failure] = {
    one.code: one
    for one in (
        _Failure("busy", "another collector has held the host key's lock for 20 seconds", 20.0),
        _Failure("host-key.absent", "/etc/ssh/ssh_host_ed25519_key.pub holds no ssh-ed25519 key"),
        _Failure("tpm.absent", "the VM has no TPM: /dev/tpmrm0 does not exist"),
        _Failure("tpm.error", "the TPM answers NV_Write with the code 0x923"),
        _Failure("claims.absent", "the TPM has no NV index 0x01400001"),
        _Failure("claims.malformed", "the runtime claims of the VM cannot be read: no JSON"),
        _Failure(
            "claims.late", "the runtime claims do not show the binding after 15 seconds", 15.0
        ),
        _Failure("event-log.large", "the event log has more than 1 MiB"),
        _Failure("imds.error", "Azure's metadata service gives no certificates: status 404"),
        _Failure("imds.slow", "Azure's metadata service gives no answer within 10 seconds", 10.0),
        _Failure("gpu.count", "the VM has 2 GPUs: evidence of one can be bound"),
        _Failure("gpu.hung", "the NVIDIA driver gives no answer within 60 seconds", 60.0),
    )
}
_NOT_SUPPORTED, _LIBRARY_MISMATCH = 3, 18  # nvml.h, nvmlReturn_t


def run_collector(
    guest: SimulatedGuest, vendors: SimulatedVendors, request: str, user: str
) -> Ending:
    """Answer a request, `{"nonce": HEX, "release": BOOL}`, with a bundle or an error document."""
    asked = _read_request(request)
    if asked is None:
        return _refusal(_Failure("request", "a nonce has 32 bytes, and `release` is true or false"))
    failure = _why_impossible(guest, user)
    if failure is not None:
        return _refusal(failure)
    nonce, release = asked
    own = BoundValues(
        guest.host_key, guest.machine.vm_id, _recipient_key(guest) if release else b""
    )
    document = collect(SimulatedHardware(vendors, guest), nonce, own)
    return Ending(0, json.dumps(document).encode() + b"\n")


def _read_request(text: str) -> tuple[bytes, bool] | None:
    try:
        document = json.loads(text)
    except ValueError:
        return None
    match document:
        case {"nonce": str(nonce), "release": bool(release), **rest} if not rest:
            return (bytes.fromhex(nonce), release) if _NONCE.fullmatch(nonce) else None
        case _:
            return None


def _why_impossible(guest: SimulatedGuest, user: str) -> _Failure | None:
    """The reason why this guest has no evidence; None if it has."""
    if user != "root":
        return _Failure("tpm.error", "/dev/tpmrm0 cannot be opened: Permission denied")
    return _INJECTED.get(guest.settings["collector"]) or _why_no_gpu(guest)


def _why_no_gpu(guest: SimulatedGuest) -> _Failure | None:
    """The reason why the driver hands out no evidence of a GPU; None if it does."""
    if guest.driver is None:
        return _Failure("gpu.absent", "the VM has no NVIDIA driver: NVML is not installed")
    if not guest.is_module_loaded:
        return _Failure("gpu.absent", "the NVIDIA driver is not loaded")
    if not guest.is_driver_usable:
        return _nvml_failure("nvmlInit_v2", _LIBRARY_MISMATCH)
    if not guest.is_confidential:
        return _nvml_failure("nvmlDeviceGetConfComputeGpuCertificate", _NOT_SUPPORTED)
    return None


def _nvml_failure(function: str, code: int) -> _Failure:
    return _Failure("gpu.error", f"{function} failed with NVML's code {code}")


def _refusal(failure: _Failure) -> Ending:
    document = {"schema": "ccgpu.collector-error/1"}
    document |= {"code": failure.code, "message": failure.message}
    return Ending(1, json.dumps(document).encode() + b"\n", seconds=failure.seconds)


def _recipient_key(guest: SimulatedGuest) -> bytes:
    """A new key for one secret (X25519). Its private half is lost at the next boot."""
    key = X25519PrivateKey.generate()
    kept = {"boot_id": guest.boot_id, "key": key.private_bytes_raw().hex()}
    guest.machine.rows.record(_RECIPIENT_KEY, json.dumps(kept))
    return key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


def take_recipient_key(guest: SimulatedGuest) -> X25519PrivateKey | None:
    """The key that the last evidence of this boot named; None if there is none, or it was taken."""
    rows = guest.machine.rows
    kept = json.loads(rows.fact(_RECIPIENT_KEY) or "{}")
    rows.record(_RECIPIENT_KEY, "{}")
    if kept.get("boot_id") != guest.boot_id:
        return None
    return X25519PrivateKey.from_private_bytes(bytes.fromhex(kept["key"]))


def collect(hardware: SimulatedHardware, nonce: bytes, own: BoundValues) -> Mapping[str, Any]:
    """The bundle with the evidence of a VM and its GPU, the quote last (docs/trust.md)."""
    bound = binding.bind(nonce, own.host_key, own.recipient_key, own.vm_id)
    vm, guest = hardware.vm.bound_to(bound), hardware.guest
    hcl, log, thim = vm.hcl, vm.events.raw, hardware.thim_answer()
    gpu_nonce = binding.derive_gpu_nonce(bound, vm.ak.public_key().public_numbers().n)
    report, chain = hardware.gpu_evidence(gpu_nonce)
    state = hardware.gpu_state()
    collected = (hcl, report, chain, log, thim, state)
    message, signature = hardware.quote(binding.qualify(bound, collected))
    workloads = workload_log.read_log(guest)
    return {
        "schema": "ccgpu.bundle/1",
        "made_at": datetime.fromtimestamp(int(guest.now), UTC).isoformat(),
        "tool": _TOOL,
        "collector": _TOOL,
        "nonce": nonce.hex(),
        "binding": "ccgpu-bind-v1",
        "host_key": _base64(own.host_key),
        "recipient_key": _base64(own.recipient_key),
        "vm_id": own.vm_id.lower(),
        "cpu": {
            "hcl": _base64(hcl),
            "quote": _base64(message),
            "signature": _base64(signature),
            "pcrs": {str(index): value.hex() for index, value in hardware.pcrs.items()},
            "event_log": _base64(log),
            "thim": _base64(thim),
            **({"workload_log": _base64(workloads)} if workloads else {}),
        },
        "gpus": [
            {
                "arch": "HOPPER",
                "report": _base64(report),
                "chain": _base64(chain),
                "nonce": gpu_nonce.hex(),
                "state_document": _base64(state),
            }
        ],
        "simulated_roots": {role: _base64(root) for role, root in hardware.vendors.roots.items()},
    }


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
