"""What is recorded of an accepted boot, and what cannot be."""

import pytest

from ccgpu.attest.appraisal import Appraisal
from ccgpu.errors import UsageProblem
from ccgpu.workflows.recorded_pcrs import record_pcrs
from support.vms import AT


def _accepted(*pcrs: int) -> Appraisal:
    return Appraisal("accepted", (), "mine", AT, pcrs={index: bytes(32) for index in pcrs})


@pytest.mark.parametrize("pcrs", [(), (6,), (6, 10, 13, 15, 16, 23)])
def test_without_a_pcr_that_others_share_nothing_is_recorded(tmp_path, pcrs):
    file = tmp_path / "pins.json"
    with pytest.raises(UsageProblem, match="policy mine checks no PCRs that can be recorded"):
        record_pcrs(file, _accepted(*pcrs), "demo")
    assert not file.exists()


def test_a_boot_without_a_log_is_recorded_by_its_values_alone(tmp_path):
    written = record_pcrs(tmp_path / "pins.json", _accepted(9, 4, 6), "x" * 300, "a:b:c:1")

    assert [*written.values.pcrs] == ["4", "9"]
    assert written.values.events == {}
    assert (written.values.kernel, written.values.image) == (None, "a:b:c:1")
    assert written.values.recorded_from == "x" * 200
