"""Evidence that a simulated guest hands out, and verdicts on it with fetched collateral."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ccgpu.attest.appraisal import Appraisal
from ccgpu.attest.appraise import AppraisalInputs, appraise
from ccgpu.attest.required_collateral import add_collateral
from ccgpu.attest.simulated import simulated_roots
from ccgpu.domain import hostkey
from ccgpu.domain.bundle import EvidenceBundle
from ccgpu.domain.collateral import FetchedCollateral
from ccgpu.domain.evidence import Evidence
from ccgpu.fakeguest.guest import SimulatedGuest
from ccgpu.fakeguest.hardware import SimulatedHardware
from ccgpu.guest.channel import Completed
from ccgpu.store import policies
from ccgpu.workflows.fetch_collateral import fetch_collateral
from support.cloud import make_backend, vendors
from support.simulated_guests import GuestBench
from support.vms import NONCE

Document = Mapping[str, Any]


def ask(bench: GuestBench, nonce: bytes = NONCE, *, release: bool = False) -> Completed:
    """What the collector answers to a nonce."""
    request = json.dumps({"nonce": nonce.hex(), "release": release})
    argv = ["sudo", "-n", "python3", "-I", "-S", "-", "ccgpu-collect", request]
    return bench.channel.run(argv, b"the collector", timeout=120)


def collect(bench: GuestBench, nonce: bytes = NONCE, *, release: bool = False) -> Document:
    """The bundle that the collector prints."""
    done = ask(bench, nonce, release=release)
    assert done.exit_code == 0, done
    document: Document = json.loads(done.stdout)
    return document


@contextmanager
def hardware_of(bench: GuestBench) -> Iterator[SimulatedHardware]:
    """What the VM runs on, for guests that do not what ours does."""
    with bench.az.arm.machine_at(bench.target.host) as machine:
        assert machine is not None
        yield SimulatedHardware(vendors(), SimulatedGuest(machine))


def asked_of(bench: GuestBench, **changes: Any) -> dict[str, Any]:
    """What a client knows that asked this VM: nonce, vmId, SHA-256 of the pinned host key."""
    key = bench.target.host_key
    assert key is not None
    known = {"nonce": NONCE, "vm_id": bench.target.vm_id, "host_key": hostkey.sha256(key)}
    return known | changes


def judge(
    bench: GuestBench, document: Document, policy: str = "default", **known: Any
) -> Appraisal:
    """The verdict with the collateral that the simulated vendors have for it."""
    fetched = fetch(bench, document)
    return judge_with(bench, document, fetched, policy, **known)


def fetch(bench: GuestBench, document: Document) -> FetchedCollateral:
    """The collateral that the simulated vendors have for a bundle."""
    with make_backend(bench.az.arm, Path("/nowhere")).fetcher() as fetcher:
        return fetch_collateral(_evidence(document), fetcher, simulated=True)


def judge_with(
    bench: GuestBench,
    document: Document,
    fetched: FetchedCollateral,
    policy: str = "default",
    **known: Any,
) -> Appraisal:
    """The verdict with this collateral."""
    evidence = _evidence(document)
    at = datetime.fromtimestamp(bench.az.arm.now(), UTC)
    inputs = AppraisalInputs(at, **asked_of(bench, **known))
    whole = add_collateral(evidence, fetched)
    return appraise(whole, policies.load(policy), inputs, simulated_roots(evidence))


def _evidence(document: Document) -> Evidence:
    return EvidenceBundle.model_validate_json(json.dumps(document)).evidence()
