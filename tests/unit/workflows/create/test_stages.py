"""Stages of a create: a new stage needs only its module and an entry in the list."""

import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from ccgpu.domain.catalog import Kind
from ccgpu.domain.desired import Names
from ccgpu.domain.journal import STAGE_NAMES
from ccgpu.domain.resource import tags_of
from ccgpu.errors import AzureRefused
from ccgpu.fakearm import FakeArm
from ccgpu.workflows.create.context import CreateContext
from ccgpu.workflows.create.stages import STAGES, Stage, create
from ccgpu.workflows.show import show
from support import processes
from support.cloud import Machine, create_options, make_spec
from support.slow import mostly_slow

_STAGES = ("provision", "boot", "set up", "attest", "release")


def tag_group(context: CreateContext) -> CreateContext:
    """The example stage adds a tag to the group; it may be repeated."""
    group, arm = context.request.names.of(Kind.GROUP), context.run.cloud.arm
    context.run.tell("note", "tagging the group")
    arm.tag(Kind.GROUP, group, {**tags_of(arm.get(Kind.GROUP, group) or {}), "toy": "done"})
    return context


def fail(_: CreateContext) -> CreateContext:
    """A stage that fails with an error of Azure."""
    raise AzureRefused("no", code="No")


TOY = Stage("toy", tag_group)
WITH_TOY = (*STAGES, TOY)


def create_with_toy(machine: Machine, stage: Stage = TOY, **changes: object) -> object:
    stages = (*STAGES, stage)
    return create(
        machine.cloud, make_spec(), create_options(**changes), machine.events.append, stages=stages
    )


def journal(machine: Machine):
    return machine.cloud.journals.peek(machine.cloud.subscription, "demo")


def tags(machine: Machine) -> Mapping[str, str]:
    cloud = machine.cloud
    group = Names(cloud.subscription, "ccgpu-demo", "demo").of(Kind.GROUP)
    return tags_of(cloud.arm.get(Kind.GROUP, group) or {})


def stages_of_events(machine: Machine) -> list[str | None]:
    return [event.stage for event in machine.events if event.text == "tagging the group"]


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(FakeArm(tmp_path / "world"), tmp_path / "state")


def test_the_journal_knows_the_names_of_all_stages():
    assert tuple(stage.name for stage in STAGES) == STAGE_NAMES


def test_a_new_stage_runs_last_once_and_is_journalled(machine):
    create_with_toy(machine)
    assert tags(machine)["toy"] == "done"
    assert journal(machine).stages == (*_STAGES, "toy")
    create_with_toy(machine)
    assert stages_of_events(machine) == ["toy"]


@pytest.mark.slow
def test_create_resumes_at_the_failed_stage(machine):
    with pytest.raises(AzureRefused, match="no"):
        create_with_toy(machine, replace(TOY, carry_out=fail))
    assert journal(machine).stages == _STAGES
    assert journal(machine).next_stage([stage.name for stage in WITH_TOY]) == "toy"
    before = {one["id"]: one["created"] for one in machine.arm.show()["resources"]}
    create_with_toy(machine)
    assert journal(machine).stages == (*_STAGES, "toy")
    assert {one["id"]: one["created"] for one in machine.arm.show()["resources"]} == before


@pytest.mark.parametrize(
    ("change", "times"), [({"tags": {"a": "b"}}, 1), ({"data_disks": [{"size_gib": 8}]}, 2)]
)
def test_only_a_new_resource_restarts_the_stages(machine, change, times):
    create_with_toy(machine)
    changed = make_spec(**change)
    create(machine.cloud, changed, create_options(), machine.events.append, stages=WITH_TOY)
    assert stages_of_events(machine) == ["toy"] * times


def test_no_wait_starts_only_the_first_stage(machine):
    create_with_toy(machine, wait=False)
    assert stages_of_events(machine) == []
    assert journal(machine).stages == ()
    assert show(machine.cloud, "demo").stage == "provision"


def test_a_deployment_older_than_a_stage_runs_it(machine):
    machine.create()
    create_with_toy(machine)
    assert stages_of_events(machine) == ["toy"]


@pytest.mark.slow
def test_events_and_show_name_the_stage(machine):
    refused = replace(STAGES[1], carry_out=fail)
    with pytest.raises(AzureRefused, match="no"):
        create(
            machine.cloud,
            make_spec(),
            create_options(),
            machine.events.append,
            stages=(STAGES[0], refused),
        )
    assert show(machine.cloud, "demo").stage == "boot"
    assert {event.stage for event in machine.events if event.what == "done"} == {"provision"}
    machine.create()
    assert show(machine.cloud, "demo").stage is None


@pytest.mark.slow
@pytest.mark.parametrize("first", mostly_slow(range(3), 3))
def test_create_killed_in_or_after_a_stage_resumes_there(tmp_path, first):
    steps = processes.count_steps(create_with_toy, tmp_path / "world", tmp_path / "state")
    before = processes.count_steps(Machine.create, tmp_path / "world2", tmp_path / "state2")
    assert steps > before
    for at in range(before - 2 + first, steps, 3):
        folder = tmp_path / str(at)
        folder.mkdir()
        world, state = folder / "world", folder / "state"
        assert (
            processes.wait_for_exit(
                processes.start_command(create_with_toy, world, state, kill_at=at)
            )
            == -9
        )
        machine = Machine(FakeArm(world), state)
        create_with_toy(machine)
        assert tags(machine)["toy"] == "done", at
        assert journal(machine).stages == (
            "provision",
            "boot",
            "set up",
            "attest",
            "release",
            "toy",
        ), at
        assert machine.delete().gone
        machine.arm.close()
        shutil.rmtree(folder)
