"""The evidence of `ccgpu verify --example`, made by the simulation: `templates/example`.

The bundle is what `ccgpu attest --save` keeps of a simulated VM, without the notes on a verdict,
which would change with each check that is added. Beside it is the record of the challenge that it
answers. All keys and times are fixed, so the same code makes the same bytes.
"""

import hashlib
import tempfile
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

import steady_keys
from ccgpu.attest import required_collateral
from ccgpu.attest.freshness import NONCE_BYTES
from ccgpu.cli.backends import simulated_backend
from ccgpu.domain import bundle
from ccgpu.domain.bundle import EvidenceBundle
from ccgpu.domain.challenge import ChallengeRecord
from ccgpu.domain.evidence import CallerCollateral, Evidence
from ccgpu.fakearm import FakeArm, Machine, MachineBoot
from ccgpu.fakearm.clock import START
from ccgpu.fakearm.store import Store
from ccgpu.fakearm.vm.inside import GuestRows
from ccgpu.fakeguest.collector import BoundValues, collect
from ccgpu.fakeguest.guest import SimulatedGuest
from ccgpu.fakeguest.hardware import AK_FACT, SimulatedHardware
from ccgpu.fakeguest.vendors import SimulatedVendors, VendorKeys, make_vendors
from ccgpu.store import bundles, example
from ccgpu.store.challenges import Challenges
from ccgpu.workflows.fetch_collateral import fetch_collateral
from steady_keys import plain_rsa_key, steady_ec_key, steady_rsa_key

_VM_ID = "00000000-0000-4000-8000-0000000000e1"
_NONCE = hashlib.sha256(b"the nonce of ccgpu verify --example").digest()[:NONCE_BYTES]
_FOLDER = "/".join(("templates", *example.FOLDER))


class SteadyVendors(SimulatedVendors):
    """Vendors whose derived keys sign the same bytes in the same way, too."""

    def _key(self, purpose: bytes) -> Any:
        return steady_keys.SteadyEcKey(super()._key(purpose))


def files() -> dict[str, str]:
    """The text of each file, by its path in the repository."""
    vendors = _vendors()
    arm = FakeArm()
    arm.advance(example.SENT_AT.timestamp() - START)
    hardware = SimulatedHardware(vendors, SimulatedGuest(_machine(arm)))
    own = BoundValues(hardware.guest.host_key, _VM_ID)
    document = collect(hardware, _NONCE, own)
    evidence = _with_collateral(EvidenceBundle.model_validate(document).evidence(), arm, vendors)
    record = ChallengeRecord(_NONCE, _VM_ID, own.host_key, example.SENT_AT)
    evidence = replace(evidence, claimed=replace(evidence.claimed, sent_at=record.sent_at))
    kept = bundle.from_evidence(evidence, made_at=record.sent_at, tool="ccgpu")
    return {f"{_FOLDER}/{example.BUNDLE}": bundles.encode(kept).decode(), **_record(record)}


def _vendors() -> SimulatedVendors:
    ark, ask = (steady_rsa_key(name) for name in ("ark", "ask"))
    made = make_vendors(
        VendorKeys(
            seed=hashlib.sha256(b"the vendors of ccgpu verify --example").digest(),
            amd=(ark, ask, ask),  # what the last one signs is not part of the evidence
            gpus=[steady_ec_key(f"gpu {number}") for number in range(3)],
            rims=[steady_ec_key(f"rim {number}") for number in range(4)],
            maa=ask,  # nor is a token
        )
    )
    return SteadyVendors(**{one.name: getattr(made, one.name) for one in fields(made)})


def _machine(arm: FakeArm) -> Machine:
    """A VM of an image that has driver and tools in it, which runs since the beginning."""
    settings = arm.settings.get("guest")
    rows = GuestRows(Store(":memory:", START), _VM_ID)
    machine = Machine(
        vm_id=_VM_ID,
        name="example",
        user="azureuser",
        public_keys=(),
        publisher="",
        custom_data=None,
        secure_boot=True,
        gpus=1,
        boots=(MachineBoot(START, START, None, settings),),
        running=True,
        private_addresses=(),
        ssh_open=False,
        now=arm.clock.now(),
        settings=settings,
        durations=arm.settings.get("durations"),
        rows=rows,
    )
    key = plain_rsa_key("vtpm")
    text = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    rows.record(AK_FACT, text)
    return machine


def _with_collateral(evidence: Evidence, arm: FakeArm, vendors: SimulatedVendors) -> Evidence:
    """The evidence with what the vendors publish, as a fetch adds it."""
    brought = replace(evidence, given=CallerCollateral())
    with tempfile.TemporaryDirectory() as folder:
        backend = simulated_backend(arm, Path(folder) / "journals", lambda: vendors)
        with backend.fetcher() as fetcher:
            found = fetch_collateral(brought, fetcher, simulated=True)
    return required_collateral.add_collateral(brought, found)


def _record(record: ChallengeRecord) -> dict[str, str]:
    """The record of the challenge, by its path, as this machine's own records are."""
    with tempfile.TemporaryDirectory() as folder:
        kept = Path(folder) / "challenges"
        Challenges(kept).write(record)
        (path,) = kept.iterdir()
        return {f"{_FOLDER}/challenges/{path.name}": path.read_text("utf-8")}
