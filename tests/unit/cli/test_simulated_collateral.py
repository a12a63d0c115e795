"""`collateral fetch --backend fake`: simulated vendors answer, all within the simulation."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from ccgpu.attest import simulated
from ccgpu.cli.backends import open_backend
from ccgpu.cli.runtime import BackendName, ConnectionOptions
from ccgpu.cli.simulated_state import Simulation
from ccgpu.domain import bundle
from ccgpu.domain.evidence import Evidence, GpuEvidence, UnverifiedContext
from ccgpu.errors import StateUnusable
from ccgpu.fakearm import FakeTransport
from ccgpu.fakeguest.evidence.amd import SimulatedChip
from ccgpu.fakeguest.evidence.cpu import SimulatedVm
from ccgpu.fakeguest.evidence.gpu import SimulatedGpu
from support.cli import Shell
from support.cloud import vendors
from support.gpus import GOOD
from support.vms import NONCE, cpu_evidence

_AK = rsa.generate_private_key(65537, 2048)
_SIMULATED = ("kds.simulated-amd.invalid", "simulated-nvidia.invalid")


def _evidence(now, chip=None):
    """Evidence of a CPU and a GPU, with none of the collateral that a verdict needs."""
    those = vendors()
    machine = SimulatedVm(those.amd, _AK, chip or those.chip("vm-1"))
    gpu = SimulatedGpu(device=those.nvidia.device()).collect(NONCE)
    amd = those.amd
    return Evidence(
        "bundle",
        claimed=UnverifiedContext(NONCE, made_at=datetime.fromtimestamp(now, UTC)),
        cpu=replace(cpu_evidence(machine.collect(NONCE)), vek=None),
        gpus=(GpuEvidence("HOPPER", gpu.report, gpu.chain, state=GOOD),),
        simulated_roots={
            simulated.ARK: amd.ark,
            simulated.ASK: amd.ask,
            simulated.NVIDIA_DEVICE: those.nvidia.root,
            simulated.NVIDIA_RIM: those.rim_root,
        },
    )


@pytest.fixture
def shell(tmp_path):
    return Shell(tmp_path)


def _write(shell, name="bundle.json", **changes):
    evidence = _evidence(shell.arm.now(), **changes)
    file = shell.folder / name
    made = bundle.from_evidence(evidence, made_at=evidence.claimed.made_at, tool="x")
    file.write_text(made.model_dump_json(by_alias=True))
    return file


@pytest.mark.parametrize("policy", ["cpu-only", "gpu-only"])
def test_simulated_evidence_is_accepted_with_the_collateral_of_the_simulated_vendors(shell, policy):
    shell.arm.advance(40 * 86400)
    file, out = _write(shell), shell.folder / "collateral"
    verify = f"verify {file} --backend fake --policy {policy} --at bundle -o json"
    assert shell(verify).code == 8

    done = shell(f"collateral fetch {file} --backend fake --out {out} -o json")
    assert done.code == 0, done.err
    assert done.document["missing"] == []
    assert {each["path"].split("/")[0] for each in done.document["files"]} == {"amd", "rim", "ocsp"}
    sources = [each["source"] for each in done.document["files"]]
    assert all(any(host in each for host in _SIMULATED) for each in sources)

    judged = shell(f"{verify} --collateral {out}")
    assert judged.code == 0, judged.out
    assert judged.document["simulated"] is True


def test_collateral_of_simulated_vendors_does_not_make_a_vm_real(shell):
    file, out = _write(shell), shell.folder / "collateral"
    assert shell(f"collateral fetch {file} --backend fake --out {out}").code == 0
    assert shell(f"verify {file} --policy cpu-only --at bundle --collateral {out}").code == 9


def test_the_simulated_amd_has_no_certificate_of_unknown_chips(shell):
    file, out = _write(shell, chip=SimulatedChip()), shell.folder / "collateral"
    done = shell(f"collateral fetch {file} --backend fake --out {out} -o json")
    assert done.code == 8
    (missing,) = done.document["missing"]
    assert missing["reasons"] == ["kds.simulated-amd.invalid does not have it (404)"]


@pytest.mark.slow
def test_simulated_vendors_persist_with_their_subscription(tmp_path):
    first = Simulation(tmp_path / "w").vendors()
    again = Simulation(tmp_path / "w")
    again.reset()
    assert again.vendors().as_text() == first.as_text()
    assert (tmp_path / "w.vendors.json").stat().st_mode & 0o077 == 0
    assert Simulation(tmp_path / "other").vendors().seed != first.seed


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"schema": "ccgpu.fake-vendors/1"}'])
def test_a_damaged_vendor_file_is_named(tmp_path, text):
    (tmp_path / "w.vendors.json").write_text(text)
    with pytest.raises(StateUnusable) as caught:
        Simulation(tmp_path / "w").vendors()
    assert "w.vendors.json" in (caught.value.hint or "")


@pytest.mark.slow
def test_the_fake_back_end_has_no_network_access(tmp_path):
    backend = open_backend(ConnectionOptions(BackendName.FAKE), tmp_path, {})
    assert all(host.endswith(".invalid") for host in backend.sources.hosts())
    assert backend.sources.mirrors == {}
    assert backend.cache is None
    with backend.web() as web:
        assert isinstance(web._client._pipeline._transport, FakeTransport)
    assert backend.session()._transport.__class__ is FakeTransport


def test_the_environment_chooses_the_back_end_of_a_fetch(shell, monkeypatch):
    monkeypatch.setenv("CCGPU_BACKEND", "fake")
    file, out = _write(shell), shell.folder / "collateral"
    assert shell(f"collateral fetch {file} --out {out}").code == 0
    assert shell.reached == [ConnectionOptions(BackendName.FAKE)]
    assert json.loads((out / "manifest.json").read_text())["made_at"] == "2026-01-01T00:00:00Z"
