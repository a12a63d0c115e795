"""`ccgpu fake add`: a file of resources goes in whole, or each fault is named by its place."""

import json

import pytest

from ccgpu.fakearm import FAKE_SUBSCRIPTION
from support.slow import mostly_slow

ROOT = f"/subscriptions/{FAKE_SUBSCRIPTION}/resourceGroups"
SET = f"{ROOT}/keys/providers/Microsoft.Compute/diskEncryptionSets/des"
ME = f"{ROOT}/keys/providers/Microsoft.ManagedIdentity/userAssignedIdentities/me"
VNET = f"{ROOT}/net/providers/Microsoft.Network/virtualNetworks/corp"
IMAGE = f"{ROOT}/img/providers/Microsoft.Compute/galleries/gal/images/cvm"
YAML = f"""\
id: {SET}
type: Microsoft.Compute/diskEncryptionSets
location: eastus2
properties:
  encryptionType: ConfidentialVmEncryptedWithCustomerKey
  activeKey: {{keyUrl: 'https://kv.vault.azure.net/keys/k/1'}}
---
- id: {ME}
  location: East US 2
  tags: {{cost: 12}}
- id: {VNET}
  location: eastus2
  properties:
    addressSpace: {{addressPrefixes: [10.9.0.0/16]}}
    subnets:
    - name: gpu
      properties: {{addressPrefix: 10.9.1.0/24, defaultOutboundAccess: false}}
---
value:
- id: {IMAGE.removesuffix("/images/cvm")}
  location: eastus2
- id: {IMAGE}
  location: eastus2
  properties:
    osType: Linux
    osState: Generalized
    identifier: {{publisher: a, offer: b, sku: c}}
    features: [{{name: SecurityType, value: ConfidentialVmSupported}}]
- id: {IMAGE}/versions/1.0.0
  location: eastus2
  properties: {{publishingProfile: {{excludeFromLatest: false}}}}
"""
CREATE = "create demo --region eastus2 --ssh-from 203.0.113.7/32"
OPTIONS = {
    "disk-encryption-set": SET,
    "identity": ME,
    "subnet": f"{VNET}/subnets/gpu",
    "image": IMAGE,
    "resource-group": "keys",
}


@pytest.fixture
def _seeds(shell, tmp_path):
    assert shell.arm.show()["resources"] == []
    (tmp_path / "work" / "seeds.yaml").write_text(YAML)


@pytest.mark.usefixtures("_seeds")
def test_fake_add_lists_the_added_resources(shell, golden):
    golden("cli/fake-add.txt", str(shell("fake add seeds.yaml")))


@pytest.mark.usefixtures("_seeds")
def test_the_document_is_that_of_show_with_the_added_ids(shell):
    document = shell("fake add seeds.yaml -o json").document
    assert document["schema"] == "ccgpu.fake/1"
    shown = shell("fake show -o json").document
    assert {key: document[key] for key in shown} == shown
    assert {one["id"] for one in document["added"]} == {one["id"] for one in shown["resources"]}
    made = [one["made_for"] for one in document["added"] if one["made_for"]]
    assert [one.rsplit("/", 1)[1] for one in made] == ["me", "corp", "gal"]


@pytest.mark.slow
@pytest.mark.usefixtures("_seeds")
@pytest.mark.parametrize("option", mostly_slow(OPTIONS, 20))
def test_every_option_with_a_resource_id_works_with_added_resources(shell, option):
    shell("fake add seeds.yaml")
    done = shell(f"{CREATE} --{option} {OPTIONS[option]}")
    assert (done.code, "demo") == (0, "demo"), done.err
    assert shell(f"{CREATE} --{option} {OPTIONS[option]}").code == 0
    assert shell("delete demo --yes").code == 0
    left = {one["id"] for one in shell("fake show -o json").document["resources"]}
    assert {SET, ME, VNET, IMAGE} <= left


@pytest.mark.slow
@pytest.mark.usefixtures("_seeds")
def test_all_kinds_can_be_added_together(shell):
    shell("fake add seeds.yaml")
    options = " ".join(f"--{name} {value}" for name, value in OPTIONS.items())
    assert shell(f"{CREATE} {options}").code == 0


def test_json_is_read_from_standard_input(shell, tmp_path):
    one = {"id": ME, "location": "eastus2", "tags": {"a": "true"}}
    for name, value in (("one.json", one), ("list.json", [one]), ("value.json", {"value": [one]})):
        (tmp_path / "work" / name).write_text(json.dumps(value, indent=1))
        assert shell(f"fake add {name}").code == 0, name
        assert shell("fake reset").code == 0
    shell.stdin = json.dumps(one).encode()
    assert shell("fake add -").code == 0
    assert shell("fake show -o json --query resources[].kind").document == [
        "Microsoft.Resources/resourceGroups",
        "Microsoft.ManagedIdentity/userAssignedIdentities",
    ]


def test_problems_have_places_and_nothing_is_added(shell, golden, tmp_path):
    text = f"""\
- id: {ME}
  location: mars
  colour: red
- type: Microsoft.Compute/disks
- id: {VNET}
  location: eastus2
  properties:
    addressSpace: {{addressPrefixes: [10.9.0.0/16]}}
    subnets:
    - name: gpu
      properties: {{addressPrefix: 10.8.1.0/24}}
"""
    (tmp_path / "work" / "bad.yaml").write_text(text)
    done = shell("fake add bad.yaml")
    golden("cli/fake-add-flaws.txt", str(done))
    assert done.code == 3
    assert shell("fake show -o json").document["resources"] == []


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "holds no resource"),
        ("---\n---\n", "holds no resource"),
        ("[]", "holds no resource"),
        ("{", "is not JSON"),
        ("a: [", "is not YAML"),
        ("hello", "is not a resource"),
    ],
)
def test_a_file_without_resources_is_refused(shell, tmp_path, text, why):
    (tmp_path / "work" / "file").write_text(text)
    done = shell("fake add file")
    assert done.code == 3
    assert why in done.err


def test_a_missing_file_is_refused(shell):
    done = shell("fake add none.yaml")
    assert done.code == 3
    assert "none.yaml: 1 problem" in done.err
