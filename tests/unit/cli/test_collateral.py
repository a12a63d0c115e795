"""`ccgpu collateral fetch`: what it writes makes a verdict good; what it lacks is said, with 8."""

from dataclasses import replace

import pytest

from ccgpu.collateral import kds
from ccgpu.collateral.kds import Chip
from ccgpu.collateral.sources import PUBLIC
from ccgpu.domain import bundle
from support.cli import Shell
from support.services import ABSENT, Said, Services
from support.vms import AT, asked, vm

_FAKE = "--backend fake --policy cpu-only --at bundle"


@pytest.fixture
def shell(tmp_path):
    return Shell(tmp_path, services=Services(AT.timestamp()))


@pytest.fixture
def evidence(tmp_path):
    """A bundle that lacks the certificate of the chip."""
    found = asked(vm())
    assert found.cpu is not None
    lacking = replace(found, cpu=replace(found.cpu, vek=None))
    file = tmp_path / "bundle.json"
    file.write_text(bundle.of(lacking, made_at=AT, tool="x").model_dump_json(by_alias=True))
    return file


def _publish(services, *, crl=True):
    machine = vm()
    tcb = machine.chip.tcb
    chip = Chip("Genoa", machine.chip.hwid, tcb.bootloader, tcb.tee, tcb.snp, tcb.microcode)
    vcek = machine.amd.vcek(machine.chip).signed_by(machine.amd.ask_key)
    services.publish(kds.vcek(chip, PUBLIC).asks[0].url, Said(vcek))
    there = Said(machine.amd.crl().signed_by(machine.amd.ark_key)) if crl else ABSENT
    services.publish(kds.crl("Genoa", PUBLIC).asks[0].url, there)


def test_what_it_writes_makes_the_verdict_good_offline(shell, evidence, tmp_path):
    _publish(shell.services)
    out = tmp_path / "collateral"
    assert shell(f"verify {evidence} {_FAKE}").code == 8

    done = shell(f"collateral fetch {evidence} --out {out} -o json")
    assert done.code == 0, done.err
    assert done.document["schema"] == "ccgpu.collateral-fetch/1"
    assert done.document["missing"] == []
    asked_before = len(shell.services.asked)
    assert shell(f"verify {evidence} {_FAKE} --collateral {out}").code == 0
    assert len(shell.services.asked) == asked_before


def test_what_could_not_be_had_is_told_with_8_and_the_rest_is_written(shell, evidence, tmp_path):
    _publish(shell.services, crl=False)
    out = tmp_path / "collateral"
    done = shell(f"collateral fetch {evidence} --out {out}")

    assert done.code == 8
    assert "FAIL" in done.out
    assert shell(f"verify {evidence} {_FAKE} --collateral {out}").code == 0


def test_what_is_no_evidence_is_3_and_nobody_is_asked(shell, tmp_path):
    file = tmp_path / "evidence"
    file.write_bytes(b"what?")

    assert shell(f"collateral fetch {file} --out {tmp_path / 'out'}").code == 3
    assert shell.services.asked == []
