"""What `create` does around its workflow: the key, the note on who may come in, the way in."""

import json
import shutil

import pytest

from support.cloud import Machine

_CREATE = "create demo --region eastus2"
_FROM = "--ssh-from 203.0.113.7/32"


@pytest.fixture
def keyless(shell):
    """A user without an SSH key."""
    shutil.rmtree(shell.home / ".ssh")
    return shell


def _keys(plan):
    vm = next(r for r in plan["resources"] if r["kind"].endswith("virtualMachines"))
    ssh = vm["body"]["properties"]["osProfile"]["linuxConfiguration"]["ssh"]
    return [one["keyData"] for one in ssh["publicKeys"]]


@pytest.mark.slow
def test_an_existing_ssh_key_is_used(shell):
    own = (shell.home / ".ssh" / "id_ed25519.pub").read_text().strip()
    done = shell(f"{_CREATE} {_FROM} -o json")
    assert _keys(done.document) == [own]
    assert done.document["ssh"] == "ccgpu ssh demo"
    assert done.err == ""
    assert shell(f"{_CREATE} {_FROM}").err.endswith("hint: `ccgpu ssh demo`\n")
    assert not (shell.state / "keys").exists()


@pytest.mark.slow
def test_a_missing_ssh_key_is_created_and_its_path_shown(keyless):
    private = keyless.state / "keys" / "demo"
    done = keyless(f"{_CREATE} {_FROM}")
    assert private.stat().st_mode & 0o777 == 0o600
    assert f"created an SSH key for demo: {private}\n" in done.err
    assert private.read_text() not in done.err + done.out
    assert "created an SSH key" not in keyless(f"{_CREATE} {_FROM}").err
    document = keyless(f"{_CREATE} {_FROM} -o json").document
    assert document["ssh"] == "ccgpu ssh demo"
    assert _keys(document) == [private.with_name("demo.pub").read_text().strip()]


@pytest.mark.slow
def test_a_second_create_uses_the_key_again(keyless):
    first = keyless(f"{_CREATE} {_FROM} -o json").document
    done = keyless(f"{_CREATE} {_FROM} -o json")
    assert _keys(done.document) == _keys(first)
    assert done.err == ""


@pytest.mark.slow
def test_a_key_in_the_spec_is_used(keyless):
    key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIO6ugBULBtCw910h8qCEhpAPD7DM4vsd0jymRQxwbA2J x"
    done = keyless(f"{_CREATE} {_FROM} --ssh-key '{key}' -o json")
    assert _keys(done.document) == [key]
    assert not (keyless.state / "keys").exists()


@pytest.mark.parametrize("line", ["plan demo", "create demo --dry-run"])
def test_plan_writes_nothing_and_announces_a_new_key(keyless, line):
    done = keyless(f"{line} {_FROM} -o json")
    assert done.document["schema"] == "ccgpu.plan/1"
    assert _keys(done.document) == ["ssh-ed25519 (a key that `ccgpu create` will make)"]
    assert not keyless.state.exists()
    assert keyless.writes() == []


@pytest.mark.slow
def test_a_private_vm_shows_no_ssh_command(shell):
    done = shell(f"{_CREATE} --private --no-attest")
    assert done.code == 0
    assert "ccgpu ssh" not in done.err
    assert "public IP" not in done.out


@pytest.mark.slow
def test_create_names_the_allowed_ssh_network_before_the_first_put(shell):
    lines = shell(_CREATE).err.splitlines()
    assert lines[0].endswith("SSH is allowed from 203.0.113.7/32, where you signed in from")
    assert not any("SSH is allowed" in line for line in shell(f"{_CREATE} {_FROM}").err.split("\n"))


@pytest.mark.slow
def test_the_documents_of_plan_and_create_have_the_same_resources(shell):
    planned = shell(f"plan demo --region eastus2 {_FROM} -o json").document["resources"]
    made = shell(f"{_CREATE} {_FROM} -o json").document
    shown = shell("show demo -o json").document

    def stable(resources):
        return json.loads(
            json.dumps(resources), object_hook=lambda o: {k: v for k, v in o.items() if k != "tags"}
        )

    assert stable(made["resources"]) == stable(planned)
    timed = ("price", "spent_usd_at_most")  # they have the time of their reading
    own = ("resources", "schema", "remembered", "secrets", "warnings", "tries", *timed)
    assert {k: v for k, v in made.items() if k not in own} == {
        k: v for k, v in shown.items() if k not in ("resources", "schema", "untagged_vm", *timed)
    }
    assert made["price"]["parts"] == shown["price"]["parts"]


def test_create_puts_the_bodies_of_its_plan(shell):
    done = shell(f"{_CREATE} {_FROM} -o json")
    for one in done.document["resources"]:
        assert one["action"] == "create"
        assert one["body"]["location"] == "eastus2"
        assert one["id"].startswith("/subscriptions/")
        assert one["api_version"][:2] == "20"
        assert set(one["needs"]) <= {r["id"] for r in done.document["resources"]}


@pytest.mark.slow
def test_no_wait_returns_while_the_vm_is_being_made(shell):
    done = shell(f"{_CREATE} {_FROM} --no-wait -o json")
    assert (done.code, done.document["state"]) == (0, "creating")
    assert shell("wait demo --for ready -o json").document["state"] == "ready"


def test_a_vm_that_is_being_created_is_waited_for_not_logged_in_to(shell):
    assert "hint: demo is still being created: `ccgpu wait demo --for ready`" in (
        shell(f"{_CREATE} {_FROM} --no-wait").err
    )
    for way in ("", "--reachable"):  # it has no address yet, public or private
        done = shell(f"exec demo {way} -- true")
        assert (done.code, "error: the VM of demo is still being created" in done.err) == (10, True)


@pytest.mark.slow
def test_create_fails_at_its_timeout(shell):
    done = shell(f"{_CREATE} {_FROM} --timeout 2m -o json")
    assert done.code == 11
    assert done.error["code"] == "TimedOut"
    assert shell.kinds() == []
    kept = shell(f"{_CREATE} {_FROM} --timeout 2m --keep-on-failure -o json")
    assert (kept.code, kept.error["code"]) == (7, "LeftBehind")
    assert "not done within 2 minutes" in kept.error["message"]
    vm = [r for r in kept.error["resources"] if r["id"].endswith("virtualMachines/demo")]
    assert [(one["state"] in ("exists", "unknown"), one["billed"]) for one in vm] == [(True, True)]
    assert "virtualMachines" in shell.kinds()


@pytest.mark.slow
def test_the_preflight_can_be_skipped(shell):
    shell.arm.settings.set("quota", "*", "cores", value=0)
    assert shell(f"{_CREATE} {_FROM} --skip-preflight --dry-run").code == 0
    assert shell(f"plan demo --region eastus2 {_FROM}").code == 5
    done = shell(f"{_CREATE} {_FROM} --skip-preflight")
    assert (done.code, shell.kinds()) == (5, [])
    assert "Preflight" not in done.err


@pytest.mark.slow
def test_a_given_group_is_found_again(shell):
    assert shell(f"{_CREATE} {_FROM} -g mine").code == 0
    assert shell("show demo -o json").document["resource_group"] == "mine"
    assert shell("show demo -g mine").code == 0
    assert shell("show demo -g other").code == 4
    assert shell("delete demo -g mine --yes").code == 0
    assert shell.kinds() == []


@pytest.mark.slow
def test_foreign_resources_keep_the_group(shell):
    shell(f"{_CREATE} {_FROM}")
    Machine(shell.arm, shell.state).put(
        "/resourceGroups/ccgpu-demo/providers/Microsoft.Network/networkSecurityGroups/theirs",
        "2026-03-01",
        {"location": "eastus2"},
    )
    done = shell("delete demo --yes -o json")
    [kept] = done.document["kept"]
    assert done.code == 0
    assert done.document["schema"] == "ccgpu.delete/1"
    assert kept["id"].endswith("/resourceGroups/ccgpu-demo")
    assert "theirs" in kept["reason"]
    assert len(done.document["gone"]) == 6


@pytest.mark.slow
def test_the_documents_tell_how_to_log_in(shell):
    made = shell(f"{_CREATE} {_FROM} --admin-user me --backend fake -o json").document
    shown = shell("show demo --backend fake -o json").document
    for document in (made, shown):
        assert (document["admin_user"], document["ssh"]) == ("me", "ccgpu ssh demo --backend fake")
        assert document["identity_file"] == str(shell.home / ".ssh" / "id_ed25519")
        assert document["openssh"][-1] == f"me@{document['public_ip']}"
        assert document["identity_file"] in document["openssh"]
    (shell.home / ".ssh" / "id_ed25519.pub").unlink()
    assert shell("show demo -o json").document["identity_file"] is None


@pytest.mark.slow
def test_a_key_that_was_generated_is_named(shell):
    (shell.home / ".ssh" / "id_ed25519.pub").unlink()
    made = shell(f"{_CREATE} {_FROM} -o json").document
    assert made["identity_file"] == str(shell.state / "keys" / "demo")


@pytest.mark.slow
def test_a_private_vm_has_a_command_once_a_way_is_known(shell):
    made = shell(f"{_CREATE} --private --no-attest --no-wait -o json").document
    assert (made["ssh"], made["openssh"], made["admin_user"]) == (None, None, "azureuser")
