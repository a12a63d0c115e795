"""`ccgpu collateral fetch`: what it writes makes a verdict good; what it lacks is said, with 8."""

import json
from dataclasses import replace

import pytest

from ccgpu.collateral import kds
from ccgpu.collateral.sources import PUBLIC
from ccgpu.domain import bundle
from ccgpu.domain.collateral import Chip
from ccgpu.fakeguest.evidence import amd as chips
from support.cli import Shell
from support.output_schemas import require_valid
from support.services import UNREACHABLE, Services, WebResponse
from support.vms import AT, nonce_evidence, vm

_FAKE = "--backend fake --policy cpu-only --at bundle"


@pytest.fixture
def shell(tmp_path):
    return Shell(tmp_path, services=Services(AT.timestamp()))


@pytest.fixture
def evidence(tmp_path):
    """A bundle that lacks the certificate of the chip."""
    found = nonce_evidence(vm())
    assert found.cpu is not None
    lacking = replace(found, cpu=replace(found.cpu, vek=None))
    file = tmp_path / "bundle.json"
    file.write_text(
        bundle.from_evidence(lacking, made_at=AT, tool="x").model_dump_json(by_alias=True)
    )
    return file


def _publish(services, *, crl=True, machine=None):
    machine = machine or vm()
    tcb = machine.chip.tcb
    chip = Chip("Genoa", machine.chip.hwid, tcb.bootloader, tcb.tee, tcb.snp, tcb.microcode)
    vcek = machine.amd.vcek(machine.chip).signed_by(machine.amd.ask_key)
    services.publish(kds.vcek_item(chip, PUBLIC).requests[0].url, WebResponse(vcek))
    there = WebResponse(machine.amd.crl().signed_by(machine.amd.ark_key)) if crl else UNREACHABLE
    services.publish(kds.crl_item("Genoa", PUBLIC).requests[0].url, there)


def test_fetched_collateral_allows_an_offline_verdict(shell, evidence, tmp_path):
    _publish(shell.services)
    out = tmp_path / "collateral"
    assert shell(f"verify {evidence} {_FAKE}").code == 8

    done = shell(f"collateral fetch {evidence} --out {out} -o json")
    assert done.code == 0, done.err
    assert done.document["schema"] == "ccgpu.collateral-fetch/1"
    assert done.document["missing"] == []
    require_valid(json.loads((out / "manifest.json").read_text()), ("collateral",))
    asked_before = len(shell.services.requests)
    assert shell(f"verify {evidence} {_FAKE} --collateral {out}").code == 0
    assert len(shell.services.requests) == asked_before


def test_one_folder_serves_several_machines(shell, evidence, tmp_path):
    _publish(shell.services)
    other = replace(vm(), chip=chips.SimulatedChip(hwid=bytes(range(100, 164))))
    found = nonce_evidence(other)
    second = tmp_path / "second.json"
    assert found.cpu is not None
    lacking = replace(found, cpu=replace(found.cpu, vek=None))
    second.write_text(
        bundle.from_evidence(lacking, made_at=AT, tool="x").model_dump_json(by_alias=True)
    )
    _publish(shell.services, machine=other)
    out = tmp_path / "collateral"

    done = shell(f"collateral fetch {evidence} {second} --out {out} -o json")
    assert done.code == 0, done.err
    assert len(done.document["files"]) == 3  # two certificates, one list
    for file in (evidence, second):
        assert shell(f"verify {file} {_FAKE} --collateral {out}").code == 0


def test_collateral_in_the_evidence_is_fetched_again(shell, tmp_path):
    _publish(shell.services)
    found = nonce_evidence(vm())
    old = replace(vm().amd.crl(), next_update=vm().amd.crl().this_update)
    assert found.cpu is not None
    cpu = replace(found.cpu, crl=old.signed_by(vm().amd.ark_key))
    file, out = tmp_path / "bundle.json", tmp_path / "collateral"
    made = bundle.from_evidence(replace(found, cpu=cpu), made_at=AT, tool="x")
    file.write_text(made.model_dump_json(by_alias=True))

    assert shell(f"verify {file} {_FAKE}").code == 9
    done = shell(f"collateral fetch {file} --out {out} -o json")
    assert {each["path"].split("-")[0] for each in done.document["files"]} == {
        "amd/vcek",
        "amd/crl",
    }
    assert shell(f"verify {file} {_FAKE} --collateral {out}").code == 0


def test_missing_collateral_exits_8_and_the_rest_is_written(shell, evidence, tmp_path):
    _publish(shell.services, crl=False)
    out = tmp_path / "collateral"
    done = shell(f"collateral fetch {evidence} --out {out}")

    assert done.code == 8
    assert "FAIL" in done.out
    assert shell(f"verify {evidence} {_FAKE} --collateral {out}").code == 0


def test_unreadable_evidence_exits_3_without_a_request(shell, tmp_path):
    file = tmp_path / "evidence"
    file.write_bytes(b"what?")

    assert shell(f"collateral fetch {file} --out {tmp_path / 'out'}").code == 3
    assert shell.services.requests == []
