"""Every fault of the guest channel and of the collateral, put into `ccgpu attest`.

`faults.attesting.trial` says what must hold under each of them.
"""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from faults.attesting import answer_faults, guest_faults, kds_faults, vendor_faults
from faults.attesting.trial import Case, Trial, copied
from support.slow import mostly_slow

_SOURCES = (
    guest_faults.connection_cases,
    guest_faults.answer_cases,
    guest_faults.gpu_cases,
    guest_faults.event_cases,
    guest_faults.ridden_out,
    answer_faults.damaged_cases,
    answer_faults.claim_cases,
    answer_faults.other_answer_cases,
    vendor_faults.absence_cases,
    vendor_faults.revocation_cases,
    vendor_faults.manifest_cases,
    kds_faults.kds_cases,
)


def _cases() -> Iterator[Any]:
    for source in _SOURCES:
        for case in source():
            yield pytest.param(case, id=case.name)


CASES = list(_cases())


@pytest.mark.parametrize("case", mostly_slow(CASES, 80, 12))
def test_no_fault_makes_attest_accept_what_it_should_not(
    case: Case, prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with copied(prepared, tmp_path / "machine") as attester:
        assert Trial(case, attester).run() == []


def test_the_sweep_is_as_long_as_it_should_be_and_names_each_case_once() -> None:
    assert 200 < len(CASES) <= 300
    assert [name for name, count in Counter(case.id for case in CASES).items() if count > 1] == []
