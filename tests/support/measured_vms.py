"""Simulated VMs that boot a measured image, and what a host can do to such a boot."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from ccgpu.attest.vtpm import layout
from ccgpu.domain.given_image import GivenConfig, GivenImage
from ccgpu.domain.image_manifest import ImageFile, ImageManifest, dump
from ccgpu.domain.image_pcrs import UkiDigests, config_digest
from ccgpu.fakeguest.evidence import eventlog
from ccgpu.fakeguest.evidence.cpu import SimulatedVm
from ccgpu.fakeguest.evidence.eventlog import SimulatedEvent, SimulatedEventLog
from ccgpu.fakeguest.evidence.uki import uki_events
from support.measured_images import Parts
from support.vms import vm

SMALL = Parts(wide=False)
CONFIG = b'{"ssh_keys": ["ssh-ed25519 AAAA"]}\n'


@cache
def manifest(parts: Parts = SMALL) -> ImageManifest:
    """The manifest of an image, made once."""
    return parts.manifest()


def given(config: bytes | None = None, parts: Parts = SMALL) -> GivenImage:
    """What a VM is held to."""
    stated = manifest(parts)
    file = ImageFile("/image.json", hashlib.sha256(dump(stated)).hexdigest(), stated)
    if config is None:
        return GivenImage(file)
    return GivenImage(file, GivenConfig("/config", hashlib.sha256(config).hexdigest()))


@dataclass(frozen=True, slots=True)
class MeasuredVm(SimulatedVm):
    """A VM that boots a UKI. `more`: events that a host adds; `config`: what the guest measures."""

    uki: UkiDigests | None = None
    more: Sequence[SimulatedEvent] = ()
    config: bytes | None = None
    secure_boot: bool = False

    @property
    def events(self) -> SimulatedEventLog:
        """The log of firmware, stub and kernel."""
        assert self.uki is not None
        own = eventlog.firmware_events(self.secure_boot, self.vm_id)
        return SimulatedEventLog((*own, *uki_events(self.uki.model_dump()), *self.more))

    @property
    def pcrs(self) -> dict[int, bytes]:
        """The PCRs, after the guest measured its config and its workloads."""
        values = eventlog.pcr_values(self.events.events)
        extended = [(8, config_digest(self.config))]
        extended += [(13, hashlib.sha256(line).digest()) for line in self.workloads]
        for index, digest in extended:
            values[index] = hashlib.sha256(values[index] + digest).digest()
        return values


def measured_vm(config: bytes | None = None, parts: Parts = SMALL) -> MeasuredVm:
    """A VM that boots this image."""
    base = vm()
    off = {"secure-boot": False}
    uki = manifest(parts).uki
    return MeasuredVm(base.amd, base.ak, base.chip, configuration=off, uki=uki, config=config)


def passed_on(pcr: int, text: str, content: bytes | None = None) -> SimulatedEvent:
    """A command line (measured itself), or files that the stub passes on (`content`)."""
    data = text.encode("utf-16-le") + b"\0\0"
    digest = None if content is None else hashlib.sha256(content).digest()
    return SimulatedEvent(pcr, layout.EV_IPL, data, digest)
