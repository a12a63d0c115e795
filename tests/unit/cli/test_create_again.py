"""A create of what is there already: it changes what it can, and destroys nothing by surprise."""

import pytest

from support import faults
from support.cloud import NO_ROOM, Machine
from support.faults import NthRequest, request_to
from support.slow import mostly_slow

_FROM = "--region eastus2 --ssh-from 203.0.113.7/32"
_NETWORK = "/resourceGroups/ccgpu-demo/providers/Microsoft.Network"
_RULE = f"{_NETWORK}/networkSecurityGroups/demo-nsg/securityRules/jit"
_SUBNET = f"{_NETWORK}/virtualNetworks/demo-vnet/subnets/AzureBastionSubnet"
_API = "2026-03-01"


def _vm_id(shell, name):
    return shell(f"show {name} -o json").document["vm_id"]


def _ok(shell, *lines):
    """Run each line; it must end well. The last one's outcome."""
    done = None
    for line in lines:
        done = shell(line)
        assert done.code == 0, done
    return done


@pytest.fixture
def others(shell):
    """Somebody else, who writes a rule and a subnet into what ccgpu has made."""
    machine = Machine(shell.arm, shell.state)

    def write():
        allow = {"priority": 200, "direction": "Inbound", "access": "Allow", "protocol": "Tcp"}
        ends = {"sourceAddressPrefix": "10.0.0.1", "destinationAddressPrefix": "*"}
        ports = {"sourcePortRange": "*", "destinationPortRange": "443"}
        machine.put(_RULE, _API, {"properties": allow | ends | ports})
        machine.put(_SUBNET, _API, {"properties": {"addressPrefix": "10.71.1.0/26"}})

    def there():
        nsg = machine.get(f"{_NETWORK}/networkSecurityGroups/demo-nsg", _API)["properties"]
        vnet = machine.get(f"{_NETWORK}/virtualNetworks/demo-vnet", _API)["properties"]
        rules = {one["name"] for one in nsg["securityRules"]}
        return "jit" in rules, "AzureBastionSubnet" in {one["name"] for one in vnet["subnets"]}

    return write, there


@pytest.mark.slow
def test_a_larger_os_disk_is_refused_and_the_vm_stays(shell):
    _ok(
        shell,
        f"create nw --os-disk-gib 512 --no-wait {_FROM}",
        "wait nw --for ready",
        "stop nw",
        "start nw",
    )
    before = _vm_id(shell, "nw")
    done = shell(f"create nw --os-disk-gib 1024 {_FROM} --yes")
    assert done.code == 2
    assert "os_disk.size_gib: 512 → 1024" in done.err
    assert _vm_id(shell, "nw") == before


@pytest.mark.slow
def test_a_stopped_vm_is_unchanged_and_the_start_command_is_shown(shell):
    done = _ok(shell, f"create st {_FROM}", "stop st", f"create st {_FROM}")
    assert "ccgpu start st" in done.err
    assert shell("show st -o json").document["state"] == "stopped"


@pytest.mark.slow
def test_a_vm_stopped_during_its_create_stays_stopped(shell):
    _ok(shell, f"create nw --no-wait {_FROM}", "wait nw --for ready", "stop nw")
    done = _ok(shell, f"create nw {_FROM}")
    assert "ccgpu start nw" in done.err


@pytest.mark.slow
def test_a_lease_can_be_added_to_an_existing_vm(shell):
    _ok(shell, f"create k {_FROM}", f"create k --ttl 1h {_FROM}")
    (row,) = shell("list -o json").document["deployments"]
    assert row["expires"] is not None


@pytest.mark.slow
def test_a_shorter_lease_is_shown_and_must_be_confirmed(shell):
    _ok(shell, f"create k --ttl 8h {_FROM}")
    before = shell("show k -o json").document["expires"]
    refused = shell(f"create k --ttl 1h {_FROM}")
    assert (refused.code, before in refused.err) == (2, True), refused
    assert shell("show k -o json").document["expires"] == before
    _ok(shell, f"create k --ttl 1h {_FROM} --yes")
    assert shell("show k -o json").document["expires"] < before


@pytest.mark.slow
def test_a_longer_lease_needs_no_confirmation(shell):
    _ok(shell, f"create k --ttl 1h {_FROM}")
    before = shell("show k -o json").document["expires"]
    _ok(shell, f"create k --ttl 8h {_FROM}")
    assert shell("show k -o json").document["expires"] > before


@pytest.mark.parametrize(
    "line",
    mostly_slow(
        [
            pytest.param("create demo --region eastus2 --ssh-from 198.51.100.9/32", id="address"),
            pytest.param(f"create demo {_FROM}", id="again"),
            pytest.param(f"create demo {_FROM} --tag team=b", id="tag"),
            pytest.param(f"create demo {_FROM} --ttl 2h", id="lease"),
            pytest.param(f"create demo {_FROM} --data-disk 64", id="disk"),
            pytest.param("extend demo --ttl 4h", id="extend"),
        ],
        6,
    ),
)
def test_foreign_rules_and_subnets_stay(shell, others, line):
    write, there = others
    _ok(shell, f"create demo {_FROM}")
    write()
    _ok(shell, line)
    assert there() == (True, True)


@pytest.mark.slow
def test_plan_names_foreign_rules_and_subnets(shell, others):
    write, _ = others
    _ok(shell, f"create demo {_FROM}")
    write()
    done = shell(f"plan demo {_FROM}")
    assert "demo-nsg: security rule jit is not in the spec: it stays" in done.out
    assert "demo-vnet: subnet AzureBastionSubnet is not in the spec: it stays" in done.out
    document = shell(f"plan demo {_FROM} -o json").document
    told = [one for resource in document["resources"] for one in resource["others"]]
    assert {"what": "subnet", "name": "AzureBastionSubnet"} in told


@pytest.mark.slow
def test_a_network_with_foreign_subnets_is_never_replaced(shell, others):
    write, there = others
    _ok(shell, f"create demo {_FROM}")
    write()
    done = shell("create demo --region westeurope --ssh-from 203.0.113.7/32 --replace --yes")
    assert done.code == 2
    assert "AzureBastionSubnet" in done.err
    assert there() == (True, True)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("more", "kind"),
    [
        ("--data-disk 64", "disks"),
        ("--identity system", None),
    ],
)
def test_disks_and_identities_are_added_to_the_same_vm(shell, prepared, more, kind):
    prepared(shell, f"create demo {_FROM}")
    before, had = _vm_id(shell, "demo"), shell.kinds()
    _ok(shell, f"create demo {_FROM} {more}")
    assert _vm_id(shell, "demo") == before
    assert sorted([*had, *([kind] if kind else [])]) == shell.kinds()
    _ok(shell, "delete demo --yes")
    assert shell.kinds() == []


@pytest.mark.slow
def test_a_disk_that_is_no_longer_in_the_spec_stays(shell):
    _ok(shell, f"create demo {_FROM} --data-disk 64 --data-disk 32")
    had = shell.kinds()
    done = shell(f"plan demo {_FROM} --data-disk 64")
    assert "data disk demo-data1 is not in the spec: it stays" in done.out
    _ok(shell, f"create demo {_FROM} --data-disk 64", f"create demo --fresh {_FROM}")
    assert shell.kinds() == had


@pytest.mark.slow
def test_a_start_without_capacity_is_retried_without_replacing(shell):
    _ok(shell, f"create demo {_FROM}", "stop demo")
    before = _vm_id(shell, "demo")
    shell.arm.settings.set("capacity", "Standard_NCC40ads_H100_v5", value={"eastus2": NO_ROOM})
    assert shell("start demo").code == 6
    assert shell(f"create demo {_FROM}").code == 6
    assert _vm_id(shell, "demo") == before
    shell.arm.settings.set("capacity", value={})
    _ok(shell, f"create demo {_FROM}")
    assert (_vm_id(shell, "demo"), shell("show demo -o json").document["state"]) == (
        before,
        "attested",
    )


@pytest.mark.slow
@pytest.mark.parametrize("waited", mostly_slow([True, False], 2))
def test_a_failed_update_keeps_the_existing_vm(shell, waited):
    _ok(shell, f"create demo {_FROM}{'' if waited else ' --no-wait'}", "wait demo --for ready")
    before, had = _vm_id(shell, "demo"), shell.kinds()
    shell.arm.faults.append(
        NthRequest(0, request_to("PUT", "/networkSecurityGroups/"), faults.FORBIDDEN, None)
    )
    done = shell("create demo --region eastus2 --ssh-from 198.51.100.9/32")
    assert done.code == 4
    assert (_vm_id(shell, "demo"), shell.kinds()) == (before, had)


@pytest.mark.slow
def test_the_next_create_adds_a_disk_that_failed(shell, prepared):
    prepared(shell, f"create demo {_FROM}")
    before = _vm_id(shell, "demo")
    shell.arm.faults.append(
        NthRequest(0, request_to("PATCH", "/virtualMachines/"), faults.FORBIDDEN)
    )
    assert shell(f"create demo {_FROM} --data-disk 64").code == 4
    assert _vm_id(shell, "demo") == before
    _ok(shell, f"create demo {_FROM} --data-disk 64")
    assert (_vm_id(shell, "demo"), shell.kinds().count("disks")) == (before, 2)


@pytest.mark.slow
def test_a_concurrent_foreign_write_is_kept(shell, others):
    write, there = others
    _ok(shell, f"create demo {_FROM}")
    done: list[object] = []

    def between(request):
        if request.method == "PUT" and "/networkSecurityGroups/" in request.url and not done:
            done.append(request)
            write()

    shell.arm.faults.append(between)
    _ok(shell, "create demo --region eastus2 --ssh-from 198.51.100.9/32")
    assert done
    assert there() == (True, True)


@pytest.mark.slow
def test_delete_keeps_a_network_with_foreign_subnets(shell, others):
    write, _ = others
    _ok(shell, f"create demo {_FROM}")
    write()
    done = _ok(shell, "delete demo --yes -o json")
    kept = {one["id"].rsplit("/", 1)[-1]: one["reason"] for one in done.document["kept"]}
    assert kept["demo-vnet"] == "others use it: subnet AzureBastionSubnet"
    assert shell.kinds() == ["resourceGroups", "virtualNetworks"]
    assert shell.arm.show()["billing"] == []
