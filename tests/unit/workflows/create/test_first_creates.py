"""A test that begins with a create gets a copy of one only where the two cannot differ."""

from pathlib import Path
from typing import Any

import pytest

from ccgpu.errors import CcgpuError
from ccgpu.fakearm import FakeArm
from ccgpu.workflows.create.stages import create
from faults.sweep.aftermath import what_is_left
from faults.sweep.invariants import InvariantChecker
from support.cloud import NO_ROOM, Machine, create_options, make_spec
from support.slow import EVERY_CASE

pytestmark = pytest.mark.skipif(EVERY_CASE, reason="then each create is carried out")


def _machine(folder: Path, name: str) -> Machine:
    return Machine(FakeArm(), folder / name / "state")


def _left(machine: Machine) -> Any:
    return what_is_left(machine, InvariantChecker(machine)), machine.arm.now(), machine.writes()


def test_a_copy_is_what_a_create_leaves(tmp_path: Path) -> None:
    first, second, real = (_machine(tmp_path, name) for name in ("first", "second", "real"))
    found = [one.create() for one in (first, second)]
    create(real.cloud, make_spec(), create_options(), real.events.append)
    assert _left(first) == _left(second) == _left(real)
    assert first.events == second.events
    assert found[0].effective_spec == found[1].effective_spec
    assert first.state.stat().st_mode == second.state.stat().st_mode == real.state.stat().st_mode
    second.delete()
    assert (second.ids(), len(first.ids())) == (set(), len(real.ids()))


def test_another_spec_or_option_or_setting_is_carried_out(tmp_path: Path) -> None:
    plain, private, running, small = (_machine(tmp_path, name) for name in "abcd")
    plain.create()
    private.create(make_spec(tags={"team": "a"}))
    running.create(wait=False)
    assert len({str(_left(one)) for one in (plain, private, running)}) == 3
    small.arm.settings.set("capacity", "Standard_NCC40ads_H100_v5", value={"eastus2": NO_ROOM})
    with pytest.raises(CcgpuError):
        small.create()


def test_what_was_touched_or_is_watched_is_carried_out(tmp_path: Path) -> None:
    touched, watched, again = (_machine(tmp_path, name) for name in "abc")
    touched.create()
    touched.put("/resourceGroups/theirs", "2025-04-01", {"location": "eastus2"})
    before = len(touched.arm.show()["requests"])
    touched.create()
    assert len(touched.arm.show()["requests"]) < before + 12  # nothing was to do
    seen: list[str] = []
    watched.arm.faults.append(lambda request: seen.append(request.method))
    watched.create()
    assert len(seen) > 12
    again.state.mkdir(parents=True)
    (again.state / "journals").write_text("no folder")
    with pytest.raises(CcgpuError):
        again.create()
