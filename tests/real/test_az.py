"""The real Azure CLI against `ccgpu fake serve`: what it reads, changes and deletes, and 501s."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from support.azure_cli import RealAz, signed_in
from support.served import serving
from support.slow import thinned

pytestmark = pytest.mark.slow
GROUP = "ccgpu-demo"
VM = f"-g {GROUP} -n demo"
MACHINE = "Microsoft.Compute/virtualMachines"
# The virtual time runs so fast that, on a busy machine, the usual hour is over before a create.
CREATE = (
    *("--backend", "fake", "--ssh-from", "203.0.113.7/32", "--no-attest"),
    *("--timeout", "48h", "--region"),
)


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """A server whose virtual time is ten minutes a second, with one VM that takes scripts."""
    with serving(tmp_path_factory.mktemp("az"), "--speed", "600") as found:
        words = ("create", "demo", *CREATE, "eastus2", "--set", "guest.lockdown=false")
        _, err = (command := found.ccgpu(*words)).communicate(timeout=300)
        assert command.returncode == 0, err
        yield found


@pytest.fixture(scope="module")
def az(served, tmp_path_factory) -> RealAz:
    """`az`, signed in as the managed identity."""
    return signed_in(served, tmp_path_factory.mktemp("home"))


def names(listed):
    """The names in a list."""
    return sorted(one["name"] for one in listed)


# Each command, and what its answer has to show.
READS = {
    "account show": lambda one: one["environmentName"] == "ccgpu-fake",
    "group list": lambda all_: GROUP in names(all_),
    f"group show -n {GROUP}": lambda one: one["location"] == "eastus2",
    "group exists -n nothing": lambda one: one is False,
    f"resource list -g {GROUP}": lambda all_: {"demo", "demo-nsg", "demo-vnet"} <= {*names(all_)},
    f"resource list --resource-type {MACHINE}": lambda all_: names(all_) == ["demo"],
    f"resource show {VM} --resource-type {MACHINE}": lambda one: one["properties"]["vmId"],
    "vm list -d": lambda all_: all_[0]["powerState"] == "VM running",
    f"vm show {VM} -d": lambda one: one["publicIps"].count(".") == 3,
    f"vm get-instance-view {VM}": lambda one: one["instanceView"]["vmAgent"]["statuses"],
    f"vm list-ip-addresses {VM}": lambda all_: all_[0]["virtualMachine"]["network"],
    f"vm extension list -g {GROUP} --vm-name demo": lambda all_: all_ == [],
    "vm list-usage -l eastus2": lambda all_: int(all_[0]["currentValue"]) == 40,
    "vm list-skus -l eastus2 --size Standard_NCC": lambda all_: len(all_) == 1,
    "vm list-sizes -l eastus2": lambda all_: len(all_) > 1,
    f"network nic list -g {GROUP}": lambda all_: len(all_) == 1,
    f"network nsg show -g {GROUP} -n demo-nsg": lambda one: len(one["defaultSecurityRules"]) == 6,
    f"network nsg rule list -g {GROUP} --nsg-name demo-nsg": len,
    f"network public-ip list -g {GROUP}": lambda all_: len(all_) == 1,
    f"network vnet show -g {GROUP} -n demo-vnet": lambda one: len(one["subnets"]) == 1,
    f"network vnet subnet list -g {GROUP} --vnet-name demo-vnet": lambda all_: len(all_) == 1,
    f"disk list -g {GROUP}": lambda all_: all_[0]["diskState"] == "Attached",
    "lock list": lambda all_: all_ == [],
    "image list": lambda all_: all_ == [],
    "vm image list-publishers -l eastus2": lambda all_: names(all_) == ["canonical"],
    "vm image list-offers -l eastus2 -p canonical": lambda all_: "ubuntu-24_04-lts" in names(all_),
    "vm image list -l eastus2 -p canonical -f ubuntu-24_04-lts -s cvm --all": len,
    "vm image show -l eastus2 --urn canonical:ubuntu-24_04-lts:cvm:latest": (
        lambda one: one["architecture"] == "x64"
    ),
    "role assignment list --all": lambda all_: all_[0]["roleDefinitionName"] == "Owner",
    "account list-locations": lambda all_: "eastus2" in names(all_),
}


def read_everything(az):
    """Two commands at a time."""
    asked = thinned(READS, 12)
    with ThreadPoolExecutor(2) as pool:
        answers = dict(zip(asked, pool.map(az, asked), strict=True))
    assert [line for line in asked if not READS[line](answers[line])] == []


def boot_log(az):
    """The serial log as `az` prints it."""
    done = az.run("vm", "boot-diagnostics", "get-boot-log", *VM.split())
    assert done.returncode == 0, done.stderr
    return done.stdout


def run_command(az):
    """What a script in the VM prints."""
    ran = az(f"vm run-command invoke {VM} --command-id RunShellScript --scripts", "id -u")
    return ran["value"][0]["message"]


def change_vm(az):
    """Stop, start, restart, change and delete the VM."""
    assert "Linux version" in boot_log(az)
    assert "[stdout]" in run_command(az)
    az(f"lock create -n keep -g {GROUP} --lock-type CanNotDelete")
    refused = az.run("vm", "delete", *VM.split(), "--yes")
    assert "ScopeLocked" in refused.stderr
    az(f"lock delete -n keep -g {GROUP}")
    az(f"vm update {VM} --set tags.owner=me")
    az(f"vm deallocate {VM}")
    assert az(f"vm show {VM} -d")["powerState"] == "VM deallocated"
    az(f"vm start {VM}")
    az(f"vm restart {VM}")
    found = az(f"vm show {VM}")
    assert (found["tags"]["owner"], found["provisioningState"]) == ("me", "Succeeded")
    az(f"vm delete {VM} --yes")
    assert az(f"vm list -g {GROUP}") == []


def change_others(az):
    """Create and delete a group with what az makes without a template."""
    az("group create -n other -l westeurope")
    az("network vnet create -g other -n net -l westeurope --address-prefix 10.9.0.0/16")
    az("network vnet subnet create -g other --vnet-name net -n s --address-prefixes 10.9.1.0/24")
    az("network public-ip create -g other -n ip -l westeurope --sku Standard")
    az("network nsg create -g other -n sg -l westeurope")
    rule = "--priority 300 --destination-port-ranges 443 --access Allow --protocol Tcp"
    az(f"network nsg rule create -g other --nsg-name sg -n web {rule}")
    assert names(az("network nsg rule list -g other --nsg-name sg")) == ["web"]
    az("network nsg rule delete -g other --nsg-name sg -n web")
    made = az("disk create -g other -n data --size-gb 8 -l westeurope")
    assert made["diskState"] == "Unattached"
    az("disk delete -g other -n data --yes")
    az("group delete -n other --yes")
    assert az("group exists -n other") is False


def test_everything_is_read_and_changed_while_ccgpu_creates(az, served):
    """Two `ccgpu` and two `az` at once on one state."""
    read_everything(az)
    regions = {"one": "eastus2", "two": "westeurope"}  # the quota of each is two of these VMs
    commands = [served.ccgpu("create", name, *CREATE, at) for name, at in regions.items()]
    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(change_vm, az), pool.submit(change_others, az)]:
            done.result()
    for command in commands:
        _, err = command.communicate(timeout=300)
        assert command.returncode == 0, err
    assert names(az("vm list")) == ["one", "two"]


def test_a_template_is_refused_and_named(az, tmp_path):
    template = tmp_path / "t.json"
    schema = "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#"
    template.write_text(f'{{"$schema": "{schema}", "contentVersion": "1.0.0.0", "resources": []}}')
    az("group create -n templates -l westeurope")
    words = ["deployment", "group", "create", "-g", "templates", "--template-file", str(template)]
    done = az.run(*words)
    assert done.returncode != 0
    assert "NotSimulated" in done.stderr
    assert "it evaluates no templates" in done.stderr
