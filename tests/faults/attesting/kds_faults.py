"""AMD's certificate of the chip, of a VM that Azure's service has told another chip's.

The certificate is then fetched from AMD, and meets the faults of any other item.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace

from cryptography.hazmat.primitives.asymmetric import ec

from ccgpu.fakeguest.collector import BoundValues, collect
from ccgpu.fakeguest.evidence.amd import SimulatedTcb
from ccgpu.fakeguest.guest import SimulatedGuest
from ccgpu.fakeguest.hardware import SimulatedHardware
from ccgpu.guest.channel import Completed
from faults.attesting.guest_faults import Ask, GuestFault
from faults.attesting.trial import DONE, REJECTED, UNAVAILABLE, Case
from faults.attesting.vendor_faults import (
    FOR_GOOD,
    TRANSIENT,
    Asked,
    Reply,
    VendorFault,
    changing,
)
from support.attesting import Attester
from support.cloud import vendors
from support.services import WebResponse


class OutdatedService(SimulatedHardware):
    """A VM to which Azure's certificate service gives no certificate of this chip."""

    def thim_answer(self) -> bytes:
        """Nothing but AMD's chain."""
        answer = json.loads(super().thim_answer())
        del answer["vcekCert"]
        return json.dumps(answer).encode()


@dataclass
class KdsFault:
    """A fault of the service that has the certificate."""

    fault: VendorFault

    @property
    def fired(self) -> bool:
        """Whether the certificate was asked for."""
        return self.fault.fired

    def install(self, attester: Attester) -> Attester:
        """The same machine, its VM, and AMD with the fault."""
        address = attester.shown["public_ip"]

        def meet(ask: Ask) -> Completed:
            nonce = bytes.fromhex(json.loads(ask.argv[-1])["nonce"])
            with ask.arm.machine_at(address) as machine:
                assert machine is not None
                hardware = OutdatedService(vendors(), SimulatedGuest(machine))
                own = BoundValues(hardware.guest.host_key, machine.vm_id)
                return Completed(0, json.dumps(collect(hardware, nonce, own)).encode(), b"")

        return GuestFault("collect", meet).install(self.fault.install(attester))


def _of_another_chip(_: Asked) -> WebResponse:
    return _certificate("another VM's", _TCB)


def _of_another_tcb(asked: Asked) -> WebResponse:
    """The certificate of the same chip with older firmware."""
    url = asked.request.url.partition("?")[0]
    chip = vendors().find_chip(bytes.fromhex(url.rpartition("/")[2]), SimulatedTcb())
    assert chip is not None
    return WebResponse(vendors().amd.vcek(chip).signed_by(vendors().amd.ask_key))


def _certificate(name: str, tcb: SimulatedTcb) -> WebResponse:
    chip = vendors().chip(name, tcb)
    return WebResponse(vendors().amd.vcek(chip).signed_by(vendors().amd.ask_key))


def _of_another_key(asked: Asked) -> WebResponse:
    """The right chip and TCB, and a key of somebody else, signed by AMD's root instead."""
    url, _, query = asked.request.url.partition("?")
    parts = [int(part.partition("=")[2]) for part in query.split("&")]
    chip = vendors().find_chip(bytes.fromhex(url.rpartition("/")[2]), SimulatedTcb(*parts))
    assert chip is not None
    forged = replace(chip, key=ec.generate_private_key(ec.SECP384R1()))
    return WebResponse(vendors().amd.vcek(forged).signed_by(vendors().amd.ark_key))


def _flip_last(body: bytes) -> bytes:
    return body[:-1] + bytes([body[-1] ^ 1])


_TCB = SimulatedTcb(snp=0x1B, microcode=0x58)
_WRONG: dict[str, tuple[Reply, int, str]] = {
    "of-another-chip": (_of_another_chip, UNAVAILABLE, "no certificate of this chip"),
    "of-another-tcb": (_of_another_tcb, UNAVAILABLE, "no certificate of this chip"),
    "of-another-key": (_of_another_key, REJECTED, "snp."),
    "changed": (changing(_flip_last), REJECTED, "snp."),
}


def kds_cases() -> Iterator[Case]:
    """The certificate cannot be had, or is another one."""
    yield Case("vcek:good", KdsFault(VendorFault("vcek", lambda asked: asked.good())), DONE)
    for name in ("429", "no-answer", "404", "429-for-an-hour", "redirect", "page", "endless"):
        reply, says = (TRANSIENT | FOR_GOOD)[name]
        said = "no certificate of this chip" if name == "page" else says
        yield Case(f"vcek:{name}", KdsFault(VendorFault("vcek", reply)), UNAVAILABLE, said)
    once = VendorFault("vcek", TRANSIENT["429"][0], times=2)
    yield Case("vcek:429-twice", KdsFault(once), DONE)
    for name, (reply, code, says) in _WRONG.items():
        yield Case(f"vcek:{name}", KdsFault(VendorFault("vcek", reply)), code, says)
