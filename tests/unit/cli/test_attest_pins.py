"""`ccgpu attest --record` and `--pins`: golden PCR values of one VM hold for the others."""

import json

import pytest

from support.attesting import SET_UP, Attester, make_demo
from support.output_schemas import require_valid

_UPGRADED = "sudo /usr/local/lib/ccgpu/setup --again"


@pytest.fixture
def demo(shell, prepared) -> Attester:
    """A VM that is set up, and that nobody has attested."""
    return Attester(prepared(shell, make_demo))


@pytest.fixture
def pins(demo):
    """The golden values of the VM `demo`, in a file that its policy `strict` accepted."""
    file = demo.shell.folder / "pins.json"
    done = demo(f"--policy strict --record {file}")
    assert done.code == 0, done.err
    assert done.document["pins"] == str(file)
    require_valid(json.loads(file.read_text()), ("reference-values",))
    return file


@pytest.mark.slow
def test_the_first_use_is_said_to_be_trusted(demo):
    done = demo.shell("attest demo --backend fake --record new.json")
    assert done.code == 0, done.err
    assert "wrote golden PCR values to new.json: this first verdict is trusted" in done.err


@pytest.mark.slow
def test_a_record_says_image_and_kernel_and_its_vm_is_attested(demo, pins):
    recorded = json.loads(pins.read_text())
    assert recorded["recorded_from"] == "demo"
    assert recorded["image"].startswith("Canonical:ubuntu-24_04-lts:cvm:24.04.")
    assert recorded["kernel"].startswith("vmlinuz-")
    assert set(recorded["pcrs"]) & {"6", "10", "13", "15", "23"} == set()
    assert demo.shown["state"] == "attested"
    assert demo.shown["attestation"]["policy"] == "strict"


@pytest.mark.slow
def test_another_vm_of_the_image_is_accepted_and_stays_attested(demo, pins):
    other = demo.make("other")
    assert other("--policy strict", name="other").code == 9
    done = other(f"--policy strict --pins {pins}", name="other")

    assert done.code == 0, done.err
    shown = demo.shell("show other --backend fake -o json").document
    assert shown["state"] == "attested"
    pins.write_text(pins.read_text() + "\n")
    shown = demo.shell("show other --backend fake -o json").document
    assert (shown["state"], shown["attestation"]) == ("ready", None)


@pytest.mark.slow
def test_a_verdict_does_not_count_without_its_file(demo, pins):
    pins.unlink()
    assert demo.shown["state"] == "ready"
    assert demo("--policy default").code == 0
    assert demo.shown["state"] == "attested"


@pytest.mark.slow
def test_after_an_upgrade_the_changed_events_are_named(demo, pins):
    demo.scenario("drift")
    assert demo.shell("restart demo --backend fake").code in (0, 10)
    assert demo.shell(f"exec demo --backend fake -- {_UPGRADED}").code == 0
    demo.shell.arm.advance(SET_UP)
    done = demo(f"--policy strict --pins {pins}")

    assert done.code == 9
    assert done.document["reasons"] == ["policy.pins.pcr"]
    found = [one["actual"] for one in done.document["checks"] if not one["ok"]]
    assert [text.split(":")[0].split()[1] for text in found] == ["4", "9"]
    assert "kernel changed; expected SHA-256" in found[1]
    assert "initrd changed; expected SHA-256" in found[1]
    assert demo.shown["state"] == "rejected"


@pytest.mark.slow
def test_a_file_that_exists_is_refused_before_anything_is_asked(demo, pins):
    asked = len(demo.challenges)
    before = pins.read_bytes()
    done = demo(f"--record {pins}")

    assert done.code == 2
    assert "already exists" in done.err
    assert pins.read_bytes() == before
    done = demo("--record no/such/folder.json")
    assert done.code == 2
    assert "no/such is no folder" in done.err
    assert len(demo.challenges) == asked


@pytest.mark.slow
def test_a_rejected_vm_is_not_recorded(demo):
    file = demo.shell.folder / "pins.json"
    demo.scenario("old-paravisor")
    assert demo(f"--record {file}").code == 9
    assert not file.exists()


def test_both_at_once_are_refused(shell):
    done = Attester(shell)("--pins pins.json --record other.json")
    assert done.code == 2
    assert "--pins and --record exclude each other" in done.err


@pytest.mark.slow
def test_a_bad_file_is_refused_before_anything_is_asked(demo):
    file = demo.shell.folder / "pins.json"
    file.write_text(json.dumps({"image": "x", "pcrs": {"6": "00" * 32}}))
    done = demo(f"--pins {file}")

    assert done.code == 3
    assert "pcrs has PCR 6" in done.err
    assert demo.challenges == []
