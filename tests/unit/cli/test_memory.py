"""`create NAME` goes on from the last create, and from what is there; both are said."""

import json

import pytest

from ccgpu.errors import Interrupted
from ccgpu.store import specs
from ccgpu.workflows.create.stages import create
from support import faults
from support.cli import Shell
from support.cloud import Machine, create_options, make_cloud
from support.slow import mostly_slow

_VM = "/virtualMachines/"


def _puts_the_vm(request):
    return request.method == "PUT" and _VM in request.url


@pytest.fixture
def elsewhere(shell, tmp_path):
    """Another machine of the same user, on the same subscription."""
    return Shell(tmp_path / "other", arm=shell.arm).with_key()


def _vm(shell, name="i", group=None):
    return Machine(shell.arm, shell.state).get(
        f"/resourceGroups/{group or f'ccgpu-{name}'}/providers/Microsoft.Compute{_VM}{name}"
    )


def _os_disk(shell):
    return _vm(shell)["properties"]["storageProfile"]["osDisk"]["diskSizeGB"]


def _actions(done):
    return {one["action"] for one in done.document["resources"]}


@pytest.mark.slow
def test_an_interrupted_create_resumes_with_its_spec(shell):
    shell.arm.on_commit = faults.AfterCommit(1, faults.is_put, KeyboardInterrupt())
    assert shell("create i --os-disk-gib 512 --ttl 2h --yes").code == 130
    shell.arm.on_commit = None
    done = shell("create i")
    assert done.code == 0
    assert _os_disk(shell) == 512
    assert shell("show i -o json").document["expires"] is not None
    assert (
        "os_disk.size_gib 512, ttl 2h: from the last create of i on this machine "
        "(`--fresh` starts from the defaults)"
    ) in done.err


def test_the_spec_is_saved_before_the_first_put(shell):
    shell.arm.faults.append(faults.NthRequest(0, faults.is_put, KeyboardInterrupt()))
    assert shell("create i --os-disk-gib 512").code == 130
    shell.arm.faults.clear()
    assert "os_disk.size_gib 512" in shell("plan i").err


@pytest.mark.slow
def test_the_spec_is_saved_before_the_first_progress_event(shell):
    """The line comes before the record of the resource that it names."""

    def interrupt(event):
        if event.what == "begin":
            raise KeyboardInterrupt

    requested = specs.resolve("i", flags={"os_disk": {"size_gib": 512}, "ttl": "2h"})
    with pytest.raises(Interrupted):
        create(
            make_cloud(shell.arm, shell.state),
            requested.spec,
            create_options(given=requested.given),
            interrupt,
        )
    assert shell("create i").code == 0
    assert _os_disk(shell) == 512
    assert shell("show i -o json").document["expires"] is not None


@pytest.mark.slow
def test_a_given_field_replaces_one_remembered_field(shell):
    shell("create i --os-disk-gib 512 --tag team=a")
    before = shell("show i -o json").document["vm_id"]
    done = shell("create i --tag room=7 -o json")
    assert (done.code, shell("show i -o json").document["vm_id"]) == (0, before)
    assert done.document["remembered"] == ["os_disk.size_gib", "tags.team"]
    assert {"team": "a", "room": "7"}.items() <= _vm(shell)["tags"].items()
    assert _os_disk(shell) == 512


@pytest.mark.slow
def test_json_and_events_name_remembered_fields(shell):
    shell("create i --os-disk-gib 512")
    plan = shell("plan i -o json")
    assert plan.document["remembered"] == ["os_disk.size_gib"]
    assert plan.err == ""
    notes = [json.loads(line) for line in shell("create i --events ndjson").err.splitlines()]
    assert any("os_disk.size_gib 512: from the last" in note["text"] for note in notes)
    assert shell("plan new -o json").document["remembered"] == []


@pytest.mark.parametrize(
    "line", mostly_slow(["create i --os-disk-gib 4", "create i --spot --image x"], 2)
)
def test_a_refused_spec_is_not_remembered(shell, line):
    shell("create i")
    assert shell(line).code == 3
    assert "from the last create" not in shell("plan i").err


@pytest.mark.slow
def test_a_declined_replace_is_not_remembered(shell):
    shell("create i --os-disk-gib 512")
    for line in ("create i --os-disk-gib 1024", "create i --os-disk-gib 1024 --replace"):
        assert shell(line).code == 2
        done = shell("create i -o json")
        assert (done.code, _actions(done)) == (0, {"keep"})


@pytest.mark.slow
def test_a_create_without_capacity_is_not_remembered(shell):
    shell.arm.settings.set("quota", "*", "StandardNCCads2023Family", value=0)
    assert shell("create i --os-disk-gib 1024").code == 5
    shell.arm.settings.set("quota", "*", "StandardNCCads2023Family", value=40)
    assert shell("create i").code == 0
    assert _os_disk(shell) == 256


@pytest.mark.slow
def test_a_spec_is_forgotten_after_rollback_or_delete(shell):
    shell.arm.faults.append(faults.NthRequest(0, _puts_the_vm, faults.FORBIDDEN))
    assert shell("create i --os-disk-gib 512").code == 4
    shell.arm.faults.clear()
    assert "from the last create" not in shell("create i").err
    shell("create i --tag a=b")
    shell("delete i --yes")
    assert "from the last create" not in shell("create i").err
    assert "a" not in _vm(shell)["tags"]


@pytest.mark.slow
def test_fresh_starts_from_the_defaults_and_keeps_existing_resources(shell):
    shell("create i --os-disk-gib 512 --zone 2 --tag a=b --ttl 2h")
    done = shell("create i --fresh -o json")
    assert (done.code, _actions(done), done.document["remembered"]) == (0, {"keep"}, [])
    assert shell("plan i -o json").document["remembered"] == []


@pytest.mark.slow
@pytest.mark.parametrize("how", mostly_slow(["-f vm.yaml", "--template minimal"], 2))
def test_a_spec_file_replaces_all_remembered_fields(shell, how, tmp_path):
    (tmp_path / "work" / "vm.yaml").write_text("os_disk: {type: Premium_LRS}\n")
    shell("create i --tag a=b --zone 2")
    done = shell(f"plan i {how} -o json")
    assert done.document["remembered"] == []
    assert done.document["zone"] == "2"  # nobody gave it: it stays as it is


@pytest.mark.slow
def test_group_and_lease_are_remembered_and_keep_an_extension(shell):
    shell("create i -g mine --ttl 2h")
    shell("extend i --ttl 8h")
    extended = shell("show i -o json").document["expires"]
    done = shell("create i -o json")
    assert (done.code, done.document["remembered"]) == (0, ["resource_group"])
    assert done.document["expires"] == extended
    assert _vm(shell, group="mine")["tags"]["ccgpu-expires"] == extended


@pytest.mark.slow
def test_a_key_file_is_remembered_as_its_content(shell, tmp_path):
    file = tmp_path / "work" / "my.pub"
    file.write_text((shell.home / ".ssh" / "id_ed25519.pub").read_text())
    shell("create i --ssh-key my.pub")
    file.unlink()
    assert _actions(shell("create i -o json")) == {"keep"}


@pytest.mark.slow
def test_without_remembered_fields_existing_resources_stay(shell, elsewhere):
    line = (
        "create i --region westeurope --os-disk-gib 512 --zone 2 --tag a=b --ttl 2h "
        "--ssh-from 198.51.100.0/24 --data-disk 64 --identity system --admin-user ada"
    )
    assert shell(line).code == 0
    before = _vm(shell)
    done = elsewhere("create i -o json")
    assert (done.code, _actions(done), done.document["remembered"]) == (0, {"keep"}, [])
    assert _vm(shell) == before
    assert "SSH is allowed" not in done.err


@pytest.mark.slow
def test_a_replacement_keeps_fields_that_were_not_given(shell, elsewhere):
    shell("create i --os-disk-gib 512 --tag a=b --ttl 2h --admin-user ada")
    lease = shell("show i -o json").document["expires"]
    assert elsewhere("create i --zone 2 --replace --yes").code == 0
    assert _os_disk(shell) == 512
    assert _vm(shell)["properties"]["osProfile"]["adminUsername"] == "ada"
    assert shell("show i -o json").document["expires"] == lease
    assert elsewhere("plan i -o json").document["remembered"] == ["zone"]


@pytest.mark.slow
def test_an_interrupted_replacement_resumes_with_its_spec(shell, elsewhere):
    shell("create i --os-disk-gib 512 --admin-user ada")
    shell.arm.faults.append(faults.NthRequest(0, _puts_the_vm, KeyboardInterrupt()))
    assert elsewhere("create i --zone 2 --replace --yes").code == 130
    shell.arm.faults.clear()
    done = elsewhere("create i")
    assert done.code == 0
    assert "os_disk.size_gib 512" in done.err
    assert _os_disk(shell) == 512
    assert _vm(shell)["properties"]["osProfile"]["adminUsername"] == "ada"


@pytest.mark.slow
def test_one_letter_names_are_valid(shell):
    assert shell("create k").code == 0
    assert shell("delete k --yes").code == 0


@pytest.mark.slow
def test_the_role_does_not_depend_on_remembered_fields(shell):
    before = shell("role i --scope rg").out
    shell("create i --identity system --data-disk 8")
    assert shell("role i --scope rg").out == before


@pytest.mark.slow
def test_a_deployment_in_another_group_is_not_created_twice(shell, elsewhere):
    shell("create i -g mine --os-disk-gib 512")
    done = elsewhere("create i -o json")
    assert (done.code, _actions(done)) == (0, {"keep"})
    assert done.document["resource_group"] == "mine"
    assert shell.kinds().count("virtualMachines") == 1
    assert elsewhere("create i --fresh -o json").document["resource_group"] == "mine"
    assert shell("plan i --fresh -o json").code == 0


@pytest.mark.slow
def test_after_a_delete_elsewhere_the_remembered_group_is_not_used(shell, elsewhere):
    shell("create i -g mine")
    shell.arm.settings.set("lag", value={"lists": 3600})
    shell("delete i --yes")
    assert elsewhere("create i -o json").document["resource_group"] == "ccgpu-i"


@pytest.mark.slow
def test_a_name_in_two_other_groups_needs_resource_group(shell, elsewhere, tmp_path):
    third = Shell(tmp_path / "third", arm=shell.arm).with_key()
    shell("create i -g one --region eastus2")
    elsewhere("create i -g two --region westeurope")
    done = third("create i -o json")
    assert (done.code, done.error["exit_code"]) == (2, 2)
    assert "in several resource groups: one, two" in done.error["message"]
    assert "ccgpu create i -o json --resource-group G" in done.error["hint"]
    assert third("create i -g two -o json").document["resource_group"] == "two"


@pytest.mark.slow
def test_an_additional_disk_is_added_in_place(shell):
    shell("create i --os-disk-gib 512 --ttl 2h --yes")
    before = shell("show i -o json").document["vm_id"]
    assert shell("create i --data-disk 64").code == 0
    assert shell("show i -o json").document["vm_id"] == before
    assert len(_vm(shell)["properties"]["storageProfile"]["dataDisks"]) == 1
    assert _os_disk(shell) == 512


@pytest.mark.slow
def test_a_stopped_vm_keeps_its_spec(shell, elsewhere):
    shell("create i --os-disk-gib 512 --data-disk 64")
    shell("stop i")
    for machine in (shell, elsewhere):
        done = machine("create i -o json")
        assert (done.code, _actions(done)) == (0, {"keep"})
    assert len(_vm(shell)["properties"]["storageProfile"]["dataDisks"]) == 1
