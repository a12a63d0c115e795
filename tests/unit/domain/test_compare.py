"""Whether what Azure has is what is wanted: ARM's spelling is no difference, all else is."""

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccgpu.domain.catalog import Kind
from ccgpu.domain.compare import Difference, differences
from ccgpu.domain.resource import FIRST_BOOT_TAGS, VOLATILE_TAGS, Body
from support.specs import VARIANTS, resources_of_spec


def _paths(wanted_body: Body, found: Body, kind: Kind = Kind.VM) -> list[str]:
    return [one.path for one in differences(kind, wanted_body, found)]


_ID = "/subscriptions/S/resourceGroups/Mine/providers/Microsoft.Network/x/y"

_ALIKE = {
    "equal": ({"a": 1}, {"a": 1}),
    "more was found": ({"a": {"b": 1}}, {"a": {"b": 1, "c": 2}, "etag": "x"}),
    "region as people write it": ({"location": "eastus2"}, {"location": "East US 2"}),
    "id in another case": ({"subnet": {"id": _ID}}, {"subnet": {"id": _ID.upper()}}),
    "enumeration in another case": ({"createOption": "FromImage"}, {"createOption": "fromImage"}),
    "caching in another case": ({"caching": "ReadWrite"}, {"caching": "readwrite"}),
    "delete option in another case": ({"deleteOption": "Delete"}, {"deleteOption": "delete"}),
    "identity type in another case": (
        {"identity": {"type": "SystemAssigned"}},
        {"identity": {"type": "systemassigned"}},
    ),
    "priority in another case": ({"priority": "Spot"}, {"priority": "spot"}),
    "key with a newline": ({"keyData": "ssh-ed25519 A"}, {"keyData": "ssh-ed25519 A\r\n"}),
    "identity under another spelling": (
        {"identity": {"userAssignedIdentities": {_ID: {}}}},
        {"identity": {"userAssignedIdentities": {_ID.lower(): {"principalId": "p"}}}},
    ),
    "named items in another order": (
        {"rules": [{"name": "a", "p": 1}, {"name": "b", "p": 2}]},
        {"rules": [{"name": "B", "p": 2}, {"name": "a", "p": 1}]},
    ),
    "items of others": (
        {"rules": [{"name": "a", "p": 1}]},
        {"rules": [{"name": "theirs", "p": 1}, {"name": "a", "p": 1}]},
    ),
    "identities of others": (
        {"identity": {"type": "UserAssigned", "userAssignedIdentities": {_ID: {}}}},
        {
            "identity": {
                "type": "SystemAssigned, UserAssigned",
                "userAssignedIdentities": {_ID: {}, "/theirs": {}},
            }
        },
    ),
    "an empty list": ({"dataDisks": []}, {"dataDisks": []}),
    "an empty list that is left out": ({"dataDisks": []}, {}),
    "false": ({"enabled": False}, {"enabled": False}),
}

_OTHER: dict[str, tuple[Body, Body, list[Difference]]] = {
    "value": ({"a": 1}, {"a": 2}, [Difference("a", 1, 2)]),
    "missing": ({"a": {"b": 1}}, {}, [Difference("a.b", 1, None)]),
    "null": ({"a": {"b": 1}}, {"a": None}, [Difference("a.b", 1, None)]),
    "not an object": ({"a": {"b": 1}}, {"a": "text"}, [Difference("a.b", 1, None)]),
    "region": (
        {"location": "eastus2"},
        {"location": "West US"},
        [Difference("location", "eastus2", "West US")],
    ),
    "name in another case": (
        {"adminUsername": "ada"},
        {"adminUsername": "Ada"},
        [Difference("adminUsername", "ada", "Ada")],
    ),
    "other id": ({"id": "/a/B"}, {"id": "/a/c"}, [Difference("id", "/a/B", "/a/c")]),
    "other type": ({"type": "a"}, {"type": "b"}, [Difference("type", "a", "b")]),
    "identity missing": (
        {"identity": {"type": "UserAssigned", "userAssignedIdentities": {"/a": {}}}},
        {"identity": {"type": "UserAssigned", "userAssignedIdentities": {"/b": {}}}},
        [
            Difference(
                "identity",
                {"type": "UserAssigned", "userAssignedIdentities": {"/a": {}}},
                {"type": "UserAssigned", "userAssignedIdentities": {"/b": {}}},
            )
        ],
    ),
    "no identity of its own": (
        {"identity": {"type": "SystemAssigned"}},
        {},
        [Difference("identity", {"type": "SystemAssigned"}, None)],
    ),
    "an empty object that is null": ({"ssh": {}}, {"ssh": None}, [Difference("ssh", {}, None)]),
    "a field in another case": (
        {"vmSize": "a"},
        {"vmsize": "a"},
        [Difference("vmSize", "a", None)],
    ),
    "false for true": ({"a": True}, {"a": False}, [Difference("a", True, False)]),
    "text for number": ({"a": 1}, {"a": "1"}, [Difference("a", 1, "1")]),
    "longer list": ({"a": [1]}, {"a": [1, 2]}, [Difference("a", [1], [1, 2])]),
    "no list": ({"a": [1]}, {"a": None}, [Difference("a", [1], None)]),
    "item": ({"a": [1, 2]}, {"a": [1, 3]}, [Difference("a.1", 2, 3)]),
    "order of plain items": (
        {"zones": ["1", "2"]},
        {"zones": ["2", "1"]},
        [Difference("zones", ["1", "2"], ["2", "1"])],
    ),
    "item of another name": (
        {"a": [{"name": "x", "p": 1}]},
        {"a": [{"name": "y", "p": 1}]},
        [Difference("a.x", {"name": "x", "p": 1}, None)],
    ),
    "field of an item with a name": (
        {"a": [{"name": "x", "p": 1}]},
        {"a": [{"name": "y"}, {"name": "X", "p": 2}]},
        [Difference("a.x.p", 1, 2)],
    ),
    "items without a name": (
        {"a": [{"p": 1}, {"p": 2}]},
        {"a": [{"p": 2}, {"p": 1}]},
        [Difference("a.0.p", 1, 2), Difference("a.1.p", 2, 1)],
    ),
    "nameless where a name is wanted": (
        {"a": [{"name": "x"}]},
        {"a": [{"p": 1}]},
        [Difference("a.x", {"name": "x"}, None)],
    ),
    "in a list that is none": (
        {"a": [{"b": 1}]},
        {"a": {"b": 1}},
        [Difference("a", [{"b": 1}], {"b": 1})],
    ),
}


@pytest.mark.parametrize(("body", "found"), _ALIKE.values(), ids=_ALIKE)
def test_arms_spelling_and_additions_are_no_difference(body, found):
    assert differences(Kind.VM, body, found) == ()


@pytest.mark.parametrize(("body", "found", "told"), _OTHER.values(), ids=_OTHER)
def test_differences_have_path_and_both_values(body, found, told):
    assert list(differences(Kind.NSG, body, found)) == told


@pytest.mark.parametrize(
    "path",
    [
        ("networkProfile", "networkInterfaceConfigurations"),
        ("networkProfile", "networkApiVersion"),
        ("osProfile", "customData"),
    ],
)
def test_write_only_properties_of_a_vm_are_not_compared(path):
    outer, inner = path
    body = {"properties": {outer: {inner: "sent"}}}
    assert _paths(body, {"properties": {outer: {}}}) == []
    assert _paths(body, {"properties": {outer: {inner: "else"}}}) == []
    assert _paths(body, {}, Kind.NIC) == [f"properties.{outer}.{inner}"]


def test_the_location_of_a_group_is_not_compared():
    assert _paths({"location": "eastus2"}, {"location": "westeurope"}, Kind.GROUP) == []
    assert _paths({"location": "eastus2"}, {"location": "westeurope"}, Kind.VNET) == ["location"]


@pytest.mark.parametrize(
    ("mine", "theirs", "changed"),
    [
        ({"team": "a"}, {"team": "a"}, []),
        ({"team": "a"}, {"TEAM": "a"}, []),
        ({"team": "a"}, {"team": "a", "cost": "7"}, []),
        ({"team": "a"}, {"team": "A"}, [Difference("tags.team", "a", "A")]),
        ({"team": "a"}, {}, [Difference("tags.team", "a", None)]),
        ({"team": "a"}, None, [Difference("tags.team", "a", None)]),
        (None, {"team": "a"}, []),
        (dict.fromkeys(VOLATILE_TAGS, "new"), dict.fromkeys(VOLATILE_TAGS, "old"), []),
        ({"CCGPU-RUN": "new"}, {}, []),
        ({"ccgpu-body": "1"}, {"ccgpu-body": "2"}, [Difference("tags.ccgpu-body", "1", "2")]),
        ({"ccgpu-deployment": "d"}, {}, [Difference("tags.ccgpu-deployment", "d", None)]),
    ],
)
def test_run_tags_are_not_compared(mine, theirs, changed):
    assert list(differences(Kind.NSG, {"tags": mine}, {"tags": theirs})) == changed


def _vnet(**subnet: Any) -> Body:
    return {"properties": {"subnets": [{"name": "default", "properties": subnet}]}}


_NAT = {"natGateway": {"id": "/demo-nat"}}
_TAGGED = {"tags": {"ccgpu-deployment": "demo"}}
_ABSENT: dict[str, tuple[Kind, Body, Body, list[Difference]]] = {
    "a gateway that is left out is wished away": (
        Kind.VNET,
        _vnet(x=1),
        _vnet(x=1, **_NAT) | _TAGGED,
        [Difference("properties.subnets.default.properties.natGateway", None, {"id": "/demo-nat"})],
    ),
    "a gateway that is somebody else's stays": (
        Kind.VNET,
        _vnet(x=1),
        _vnet(x=1, natGateway={"id": "/hub-nat"}) | _TAGGED,
        [],
    ),
    "a gateway that is wanted": (Kind.VNET, _vnet(**_NAT), _vnet(**_NAT), []),
    "no gateway": (Kind.VNET, _vnet(x=1), _vnet(x=1), []),
    "a network without subnets": (Kind.VNET, {}, {"properties": {"subnets": []}}, []),
    "the gateway of another subnet is theirs": (
        Kind.VNET,
        {},
        {"properties": {"subnets": [{"name": "theirs", "properties": _NAT}, {"name": "default"}]}},
        [],
    ),
    "spot that is left out is wished away": (
        Kind.VM,
        {"properties": {}},
        {"properties": {"priority": "Spot"}},
        [Difference("properties.priority", "Regular", "Spot")],
    ),
    "regular is what a VM is": (
        Kind.VM,
        {"properties": {}},
        {"properties": {"priority": "Regular"}},
        [],
    ),
    "nothing said is regular": (Kind.VM, {"properties": {}}, {"properties": {}}, []),
    "spot that is wanted": (
        Kind.VM,
        {"properties": {"priority": "Spot"}},
        {"properties": {"priority": "Spot"}},
        [],
    ),
    "of another kind it says nothing": (
        Kind.NSG,
        {"properties": {}},
        {"properties": {"priority": "Spot"}},
        [],
    ),
}


@pytest.mark.parametrize(("kind", "body", "found", "told"), _ABSENT.values(), ids=_ABSENT)
def test_omitted_properties_are_compared_only_where_declared(kind, body, found, told):
    assert list(differences(kind, body, found)) == told


@pytest.mark.parametrize("field", ["diskSizeGB", "managedDisk.storageAccountType"])
def test_properties_omitted_by_a_deallocated_vm_are_no_difference(field):
    body: Body = {"diskSizeGB": 256, "managedDisk": {"storageAccountType": "Premium_LRS"}}
    wanted_vm: Body = {"properties": {"storageProfile": {"osDisk": body}}}
    found = {"properties": {"storageProfile": {"osDisk": {"managedDisk": {"id": "/d"}}}}}
    assert _paths(wanted_vm, found) == []
    other = copy.deepcopy(wanted_vm)
    disk = other["properties"]["storageProfile"]["osDisk"]
    (disk if field == "diskSizeGB" else disk["managedDisk"]).update({field.split(".")[-1]: 1})
    assert _paths(wanted_vm, other) == [f"properties.storageProfile.osDisk.{field}"]


def _with_disks(*names: str) -> Body:
    disks = [{"name": name, "lun": lun} for lun, name in enumerate(names)]
    storage = {"osDisk": {"name": "demo-osdisk"}, "dataDisks": disks}
    return {"properties": {"storageProfile": storage}}


@pytest.mark.parametrize(
    ("found", "same"),
    [
        pytest.param(_with_disks("demo-data0"), True, id="as wanted"),
        pytest.param(_with_disks("DEMO-DATA0"), True, id="in another case"),
        pytest.param(_with_disks("demo-data0", "theirs"), True, id="somebody attached one"),
        pytest.param(_with_disks("demo-data0", "demo-data1"), True, id="no longer in the spec"),
        pytest.param(_with_disks("theirs"), False, id="ours is gone"),
        pytest.param(_with_disks(), False, id="none"),
        pytest.param({"properties": None}, False, id="nothing"),
        pytest.param({"properties": {"storageProfile": None}}, False, id="no storage"),
    ],
)
def test_disks_are_compared_by_name_and_foreign_ones_ignored(found, same):
    seen = _paths(_with_disks("demo-data0"), found)
    assert any("dataDisks" in path for path in seen) is not same


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=10,
)
_FIELDS = st.text(min_size=1, max_size=5).filter(lambda name: name != "tags")
_BODIES = st.dictionaries(_FIELDS, _JSON)


@pytest.mark.slow
@given(_BODIES)
def test_a_body_does_not_differ_from_itself(body):
    assert differences(Kind.NSG, body, copy.deepcopy(body)) == ()


@pytest.mark.slow
@given(_BODIES, _BODIES)
def test_any_response_can_be_compared_with_any_body(body, found):
    for one in differences(Kind.VM, body, found):
        assert one.path
        assert one.wanted != one.found


def _leaves(body: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = body.items() if isinstance(body, dict) else enumerate(body)
    found = []
    for key, value in inner:
        here = (*path, key)
        found += _leaves(value, here) if isinstance(value, dict | list) else [here]
    return found


def _change_leaf(body: Body, path: tuple[Any, ...]) -> Body:
    found = copy.deepcopy(body)
    at: Any = found
    for key in path[:-1]:
        at = at[key]
    value = at[path[-1]]
    at[path[-1]] = (not value) if isinstance(value, bool) else f"{value}-changed"
    return found


# What no spec says, and Azure or a user may change without making it another VM.
_NO_FIELD_OF_A_SPEC = frozenset(
    {"patchSettings", "provisionVMAgent", "createOption", "caching", "deleteOption", "lun"}
    | {"evictionPolicy", "networkProfile", "addressSpace", "allowExtensionOperations"}
)


def _is_compared(kind: Kind, path: tuple[Any, ...]) -> bool:
    """Whether a change there must be seen: not what is write-only, nor who and when."""
    if path[0] == "tags":
        return path[1] not in VOLATILE_TAGS | FIRST_BOOT_TAGS
    if kind is Kind.GROUP:
        return False
    return not _NO_FIELD_OF_A_SPEC & set(path) and not {"publicKeys", "path"} <= set(path)


@pytest.mark.parametrize("name", VARIANTS)
def test_every_change_of_a_readable_property_is_a_difference(name):
    for one in resources_of_spec(**VARIANTS[name]).values():
        for path in _leaves(one.body):
            seen = differences(one.kind, one.body, _change_leaf(one.body, path))
            assert bool(seen) is _is_compared(one.kind, path), path
