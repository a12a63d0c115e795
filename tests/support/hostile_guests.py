"""Guests that answer as they like: software in a genuine VM, or a paravisor that misbehaves.

What AMD, the vTPM and NVIDIA sign is genuine. What is signed is up to whoever asks them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ccgpu.fakeguest.collector import BoundValues, collect
from ccgpu.fakeguest.evidence import binding, hcl, snp
from ccgpu.fakeguest.hardware import SimulatedHardware

Document = dict[str, Any]


@dataclass(frozen=True)
class HostileGuest:
    """The software of a VM that knows the collector's trade.

    hardware: what it runs on. host_key, vm_id, recipient_key: what it binds, whosever they are.
    user_data: what it writes to the vTPM, made of the binding. claims: what its paravisor makes of
    the runtime claims. gpu: whose GPU it asks, and gpu_nonce with which nonce, made of the right
    one.
    """

    hardware: SimulatedHardware
    host_key: bytes
    vm_id: str
    recipient_key: bytes = b""
    user_data: Callable[[bytes], bytes] = bytes
    claims: Callable[[bytes], bytes] = bytes
    gpu: SimulatedHardware | None = None
    gpu_nonce: Callable[[bytes], bytes] = bytes

    def answer(self, nonce: bytes) -> Document:
        """The bundle that it prints."""
        own = BoundValues(self.host_key, self.vm_id, self.recipient_key)
        bound = binding.bind(nonce, self.host_key, self.recipient_key, self.vm_id)
        return dict(collect(_HostileHardware(self, bound), nonce, own))


class _HostileHardware(SimulatedHardware):
    """The same chips and keys, asked by other software."""

    def __init__(self, guest: HostileGuest, bound: bytes) -> None:
        super().__init__(guest.hardware.vendors, guest.hardware.guest)
        object.__setattr__(self, "_hostile", guest)
        object.__setattr__(self, "vm", _HostileVm(guest, bound, super().vm))

    def gpu_evidence(self, nonce: bytes) -> tuple[bytes, bytes]:
        """The report of the GPU that is asked, with the nonce that it is asked with."""
        guest: HostileGuest = self.__dict__["_hostile"]
        return (guest.gpu or guest.hardware).gpu_evidence(guest.gpu_nonce(nonce))


class _HostileVm:
    """A VM whose user data and claims are as the guest wants them."""

    def __init__(self, guest: HostileGuest, bound: bytes, genuine: Any) -> None:
        self._guest, self._genuine = guest, genuine.bound_to(guest.user_data(bound))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._genuine, name)

    def bound_to(self, _: bytes) -> "_HostileVm":
        return self

    @property
    def hcl(self) -> bytes:
        """The blob with those claims, whose digest the chip signs."""
        genuine = self._genuine
        runtime = self._guest.claims(genuine.runtime)
        fields = {"report_data": hcl.report_data(runtime), **genuine.report}
        report = snp.snp_report(genuine.chip, **fields)
        return hcl.HclBlob(report.signed_by(genuine.chip.key), runtime).raw


def saying(document: Document, **other: Any) -> Document:
    """The same evidence with other words around it."""
    return {**document, **other}
