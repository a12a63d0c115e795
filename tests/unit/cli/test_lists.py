"""What lists tell is not believed: without tags, and lagging, all ends right and nothing bills."""

import pytest

from support.cli import Shell
from support.cloud import NO_ROOM, Machine
from support.slow import mostly_slow

_FLAGS = "--region eastus2 --ssh-from 203.0.113.7/32 --disk-encryption state-only --no-attest"
_SCENARIOS = ["lagging", "usual", "tagless-lists"]


@pytest.fixture(params=mostly_slow(_SCENARIOS, 3, 2))
def shell(request, shell):
    """A subscription whose lists are as usual, without tags, or late."""
    assert shell(f"fake scenario {request.param}").code == 0
    return shell


@pytest.fixture
def other(shell, tmp_path):
    """Another machine on the same subscription."""
    return Shell(tmp_path / "other", shell.arm).with_key()


def _create(shell, name="demo", more=""):
    done = shell(f"create {name} {_FLAGS} {more}")
    assert done.code == 0, done


def _catch_up(shell):
    """Until the lists tell what there is."""
    assert shell("fake advance 3m").code == 0


def _existing_names(shell):
    return {one["id"].rsplit("/", 1)[-1] for one in shell.arm.show()["resources"]}


def _is_empty(shell):
    return (shell.kinds(), shell.arm.show()["billing"]) == ([], [])


@pytest.mark.slow
def test_list_follows_a_deployment_from_create_to_delete(shell):
    _create(shell)
    for line, state in (
        ("show demo", "ready"),
        ("stop demo", "stopped"),
        ("start demo", "ready"),
        ("restart demo", "ready"),
        ("wait demo --for ready", "ready"),
    ):
        done = shell(f"{line} -o json")
        assert (done.code, done.document["state"]) == (0, state), done
    shown = shell("show demo -o json").document
    ids = {one["id"].casefold() for one in shown["resources"]}
    assert ids == {one["id"].casefold() for one in shell.arm.show()["resources"]}
    assert shell("extend demo --ttl 4h").code == 0
    done = shell("delete demo --yes -o json")
    assert (done.code, done.document["kept"]) == (0, [])
    assert _is_empty(shell)
    assert shell("show demo").code == 4


def test_a_deployment_is_one_row_and_one_group(shell, other):
    _create(shell, more="--resource-group lab")
    assert shell("show demo -o json").document["resource_group"] == "lab"
    _catch_up(shell)
    for machine in (shell, other):
        rows = machine("list -o json").document["deployments"]
        assert [(one["name"], one["resource_group"], one["state"]) for one in rows] == [
            ("demo", "lab", "ready")
        ]
        assert machine("restart demo").code == 0
    assert other("delete demo --yes").code == 0
    assert _is_empty(shell)


def test_deleted_resources_are_not_listed_despite_replication_lag(shell):
    _create(shell)
    _catch_up(shell)
    assert shell("delete demo --yes").code == 0
    assert shell("list -o json").document["deployments"] == []
    assert shell("gc -o json").document["deployments"] == []
    assert shell("delete demo --yes").code == 0


@pytest.mark.slow
def test_gc_in_a_shared_group_keeps_other_deployments(shell, other):
    _create(shell, "one", "--resource-group lab --ttl 1h")
    _create(shell, "two", "--resource-group lab")
    shell("fake advance 2h")
    done = other("gc --yes -o json")
    (told,) = done.document["deployments"]
    assert (told["name"], told["why"], told["action"]) == ("one", "expired", "removed"), done
    assert {name.split("-")[0] for name in _existing_names(shell)} == {"lab", "two"}
    assert shell("show two -o json").document["state"] == "ready"
    assert other("gc --yes -o json").document["deployments"] == []
    assert shell("show one").code == 4
    _catch_up(shell)
    assert shell("delete two --yes").code == 0
    assert _is_empty(shell)


@pytest.mark.slow
def test_gc_deletes_a_shared_group_with_its_last_deployment(shell, other):
    _create(shell, "one", "--resource-group lab --ttl 1h")
    _create(shell, "two", "--resource-group lab --ttl 2h")
    for hours in (2, 1):
        shell(f"fake advance {hours}h")
        assert other("gc --yes").code == 0
    assert _is_empty(shell)


@pytest.mark.slow
@pytest.mark.parametrize("first", mostly_slow(["one", "two"], 2))
def test_deployments_of_one_group_are_deleted_one_by_one(shell, first):
    last = "two" if first == "one" else "one"
    _create(shell, "one", "--resource-group lab")
    _create(shell, "two", "--resource-group lab")
    assert shell(f"delete {first} --yes").code == 0
    assert {name.split("-")[0] for name in _existing_names(shell)} == {"lab", last}
    assert shell(f"show {first}").code == 4
    assert shell(f"show {last} -o json").document["state"] == "ready"
    done = shell(f"delete {last} --yes -o json")
    assert (done.code, done.document["kept"]) == (0, []), done
    assert _is_empty(shell)


@pytest.mark.slow
def test_without_journals_the_group_is_deleted_with_its_last_deployment(shell, other):
    _create(shell, "one", "--resource-group lab")
    _create(shell, "two", "--resource-group lab")
    _catch_up(shell)
    assert other("delete one --yes").code == 0
    assert shell("delete two --yes").code == 0
    assert _is_empty(shell)


@pytest.mark.slow
def test_a_group_of_the_user_stays(shell):
    group, user = "/resourceGroups/lab", Machine(shell.arm, shell.state)
    user.put(group, "2025-04-01", {"location": "eastus2"})
    for _ in range(3):  # until every replica knows of it
        user.get(group, "2025-04-01")
    _create(shell, "one", "--resource-group lab")
    _create(shell, "two", "--resource-group lab")
    for name in ("one", "two"):
        assert shell(f"delete {name} --yes").code == 0
    assert shell.kinds() == ["resourceGroups"]


@pytest.mark.slow
def test_a_failed_create_names_existing_resources(shell):
    shell.arm.settings.set("capacity", "Standard_NCC40ads_H100_v5", value={"eastus2": NO_ROOM})
    done = shell(f"create demo {_FLAGS} --keep-on-failure -o json")
    assert (done.code, done.error["code"]) == (7, "LeftBehind"), done
    told = {one["id"] for one in done.error["resources"] if one["state"] == "exists"}
    assert told == {one["id"] for one in shell.arm.show()["resources"]}
    assert any(one["billed"] for one in done.error["resources"])
    undone = shell(f"create second {_FLAGS} -o json")
    assert (undone.code, undone.error["resources"]) == (6, []), undone
    _catch_up(shell)
    assert shell("delete demo --yes").code == 0
    assert _is_empty(shell)


@pytest.mark.slow
def test_resources_hidden_by_replication_lag_are_found_and_kept(shell):
    _create(shell, "one", "--resource-group lab")
    _create(shell, "two", "--resource-group lab --no-wait")
    assert shell("show two -o json").document["resource_group"] == "lab"
    shell.arm.settings.set("durations", "vm.delete", value=1)
    assert shell("delete one --yes").code == 0
    assert "two" in _existing_names(shell)
    assert shell("wait two --for ready").code == 0
