"""Resources whose tags others have replaced: they stay, and each command says so.

`az resource tag`, for one, replaces all tags of a resource.
"""

import pytest

from ccgpu.domain.catalog import Kind
from ccgpu.domain.resource import ResourceId, kind_of
from ccgpu.domain.status import State
from ccgpu.errors import AzureRefused, LeftBehind
from ccgpu.workflows.lifecycle import change_power_state
from ccgpu.workflows.show import show
from support.cloud import Machine, make_spec
from support.leases import HOUR, OtherMachine, collect, other_machine, single_deployment

pytestmark = pytest.mark.usefixtures("lists")

HINT = "--operation Merge --tags ccgpu-deployment=demo`"


def replace_tags(machine: Machine, *kinds: Kind) -> ResourceId:
    """Give the resources of these kinds other tags; returns the VM's id."""
    ids = [ResourceId(one) for one in sorted(machine.ids())]
    for id_ in ids:
        kind = kind_of(id_)
        assert kind is not None
        if kind in kinds:
            machine.cloud.arm.tag(kind, id_, {"team": "theirs"})
    machine.arm.advance(60)
    return next(id_ for id_ in ids if kind_of(id_) is Kind.VM)


@pytest.mark.parametrize("elsewhere", [False, True])
def test_a_vm_without_its_tag_is_named_at_once_and_nothing_is_deleted(
    machine: Machine, *, elsewhere: bool
) -> None:
    machine.create()
    vm = replace_tags(machine, Kind.VM)
    here, writes = machine.ids(), machine.writes()
    started = machine.arm.now()
    with pytest.raises(LeftBehind, match="has no tag ccgpu-deployment") as caught:
        (other_machine(machine) if elsewhere else machine).delete()
    assert (machine.ids(), machine.writes()) == (here, writes)
    assert machine.arm.now() - started < 60
    left = {one.id: one.billed for one in caught.value.resources}
    assert (set(left), left[ResourceId(vm)]) == (here, True)
    assert HINT in (caught.value.hint or "")


def test_the_journal_knows_the_vm_after_all_tags_are_lost(machine: Machine) -> None:
    machine.create()
    vm = replace_tags(machine, *Kind)
    with pytest.raises(LeftBehind, match="has no tag ccgpu-deployment") as caught:
        machine.delete()
    assert (vm, True) in [(one.id, one.billed) for one in caught.value.resources]
    assert list(machine.state.rglob("demo.json"))


def test_other_resources_without_their_tag_are_kept_with_the_reason(machine: Machine) -> None:
    machine.create(make_spec(private=True))
    replace_tags(machine, Kind.NAT, Kind.PUBLIC_IP)
    done = machine.delete()
    reasons = {kind_of(id_): why for id_, why in done.kept}
    assert reasons[Kind.NAT] == reasons[Kind.PUBLIC_IP] == "it has no tag ccgpu-deployment any more"
    assert sorted(map(str, map(kind_of, machine.ids()))) == sorted(map(str, reasons))


def test_gc_names_a_vm_without_its_tag(machine: Machine) -> None:
    machine.create(make_spec(ttl="1h"))
    vm = replace_tags(machine, Kind.VM)
    machine.arm.advance(5 * HOUR)
    here, writes = machine.ids(), machine.writes()
    looked = single_deployment(collect(machine, yes=False))
    assert (looked.action, "has no tag" in str(looked.reason)) == ("skipped", True)
    found = collect(OtherMachine(machine.arm, machine.state.parent / "elsewhere"))
    assert (machine.ids(), machine.writes()) == (here, writes)
    assert isinstance(found.failure, LeftBehind)
    assert (vm, True) in [(one.id, one.billed) for one in found.failure.resources]


def test_show_names_a_vm_without_its_tag(machine: Machine) -> None:
    machine.create()
    assert show(machine.cloud, "demo").untagged_vm is None
    vm = replace_tags(machine, Kind.VM)
    shown = show(machine.cloud, "demo")
    assert (shown.state, shown.untagged_vm) == (State.LEFTOVERS, vm)


def test_other_commands_say_that_the_vm_has_no_tag(machine: Machine) -> None:
    machine.create()
    replace_tags(machine, Kind.VM)
    with pytest.raises(AzureRefused, match="has no tag ccgpu-deployment") as caught:
        change_power_state(machine.cloud, "stop", "demo")
    assert (caught.value.exit_code, HINT in (caught.value.hint or "")) == (4, True)
