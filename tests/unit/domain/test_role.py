"""What the role of a spec has, and what it has not."""

import pytest

from ccgpu.domain.role import (
    PermissionNeed,
    Rendered,
    RoleExtras,
    group_role,
    permission_needs,
    subscription_role,
)
from support.specs import ENCRYPTION_SET, IDENTITY, SUBNET, SUBSCRIPTION, VARIANTS, make_spec

_OWN = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/ccgpu-demo"
_HUB = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/hub"
_GALLERY = f"{_HUB}/providers/Microsoft.Compute/galleries/g/images/i"
_COMMUNITY = "/CommunityGalleries/public-1/Images/cvm/Versions/latest"
_GROUPS = "Microsoft.Resources/subscriptions/resourceGroups"
_NAT = {f"Microsoft.Network/natGateways/{verb}" for verb in ("write", "delete", "join/action")}
_VNET = {f"Microsoft.Network/virtualNetworks/{verb}" for verb in ("write", "delete")}
_PLATFORM = "Microsoft.Compute/locations/publishers/artifacttypes/offers/skus/versions/read"
_IPS = {
    f"Microsoft.Network/publicIPAddresses/{verb}" for verb in ("write", "delete", "join/action")
}


def _actions(**changes):
    return {one.action for one in permission_needs(make_spec(**changes), SUBSCRIPTION)}


_PUBLIC = _actions()


@pytest.mark.parametrize(
    ("changes", "more", "less"),
    [
        ({"private": True}, _NAT, set()),
        ({"subnet": SUBNET}, set(), _VNET),
        (
            {"subnet": SUBNET, "private": True},
            set(),
            {one for one in _VNET if "join" not in one} | _IPS,
        ),
        (
            {"os_disk": {"encryption_set": ENCRYPTION_SET}},
            {"Microsoft.Compute/diskEncryptionSets/read"},
            set(),
        ),
        (
            {"identities": ["system", IDENTITY]},
            {
                "Microsoft.ManagedIdentity/userAssignedIdentities/assign/action",
                "Microsoft.ManagedIdentity/userAssignedIdentities/read",
            },
            set(),
        ),
        ({"identities": ["system"]}, set(), set()),
        ({"data_disks": [{"size_gib": 64}], "spot": True, "ttl": "8h"}, set(), set()),
        (
            {"image": _COMMUNITY},
            {"Microsoft.Compute/locations/communityGalleries/images/versions/read"},
            {_PLATFORM},
        ),
        ({"image": _GALLERY}, {"Microsoft.Compute/galleries/images/read"}, {_PLATFORM}),
        (
            {"image": f"measured:image.json@{_GALLERY}"},
            {
                "Microsoft.Compute/galleries/images/read",
                "Microsoft.Compute/galleries/images/versions/read",
            },
            {_PLATFORM},
        ),
        (
            {"image": f"{_GALLERY}/versions/1.0.0"},
            {"Microsoft.Compute/galleries/images/versions/read"},
            {_PLATFORM},
        ),
        (
            {"resource_group": "lab"},
            set(),
            {
                *(f"{_GROUPS}/{verb}" for verb in ("write", "delete", "resources/read")),
                "Microsoft.Resources/subscriptions/operationresults/read",
            },
        ),
    ],
)
def test_the_role_has_only_the_actions_its_spec_needs(changes, more, less):
    found = _actions(**changes)
    assert (found - _PUBLIC, _PUBLIC - found) == (more, less)


@pytest.mark.parametrize("variant", VARIANTS)
def test_no_role_can_extend_itself_or_enter_the_vm(variant):
    for action in _actions(**VARIANTS[variant]):
        assert "*" not in action
        assert not action.startswith("Microsoft.Authorization/")
        forbidden = ("runCommand", "extensions", "listKeys", "register", "GetAccess", "password")
        assert not any(word.casefold() in action.casefold() for word in forbidden)


def test_run_command_is_included_only_if_it_is_asked_for():
    plain = permission_needs(make_spec(), SUBSCRIPTION)
    asked = permission_needs(make_spec(), SUBSCRIPTION, RoleExtras(run_command=True))
    (more,) = set(asked) - set(plain)
    assert more == PermissionNeed("Microsoft.Compute/virtualMachines/runCommand/action", _OWN)
    for role in (subscription_role, group_role):
        made = str(role(make_spec(), SUBSCRIPTION, RoleExtras(run_command=True)))
        assert "runCommand" in made
        assert "runCommand" not in str(role(make_spec(), SUBSCRIPTION))


def test_publishing_is_included_only_if_it_is_asked_for_and_in_its_group():
    plain = permission_needs(make_spec(), SUBSCRIPTION)
    asked = permission_needs(make_spec(), SUBSCRIPTION, RoleExtras(gallery_group="hub"))
    more = set(asked) - set(plain)
    assert {one.scope for one in more} == {_HUB}
    assert "Microsoft.Compute/disks/beginGetAccess/action" in {one.action for one in more}
    deleted = {one.action for one in more if one.action.endswith("/delete")}
    assert deleted == {
        "Microsoft.Compute/disks/delete",
        "Microsoft.Compute/galleries/images/versions/delete",
    }


@pytest.mark.parametrize("spec", [{}, {"resource_group": "lab"}])
def test_making_the_gallerys_group_is_a_right_at_the_subscription(spec):
    there = RoleExtras(gallery_group="hub")
    plain = permission_needs(make_spec(**spec), SUBSCRIPTION, there)
    asked = permission_needs(
        make_spec(**spec), SUBSCRIPTION, there._replace(makes_gallery_group=True)
    )
    write = PermissionNeed(f"{_GROUPS}/write", f"/subscriptions/{SUBSCRIPTION}")
    assert write in asked
    assert set(asked) - set(plain) == ({write} if spec else set()), "it makes a group of its own"


@pytest.mark.parametrize(
    ("spec", "scope"),
    [
        ({}, f"/subscriptions/{SUBSCRIPTION}"),
        ({"resource_group": "lab"}, f"/subscriptions/{SUBSCRIPTION}/resourceGroups/lab"),
    ],
)
def test_deployments_of_templates_are_included_only_if_asked_for_and_where_they_are(spec, scope):
    plain = permission_needs(make_spec(**spec), SUBSCRIPTION)
    asked = permission_needs(make_spec(**spec), SUBSCRIPTION, RoleExtras(rendered=(Rendered.ARM,)))
    assert not any("deployments" in one.action for one in plain)
    more = {one for one in asked if "deployments" in one.action}
    assert {one.scope for one in more} == {scope}
    assert {one.action.removeprefix("Microsoft.Resources/deployments/") for one in more} == {
        *("read", "write", "validate/action", "whatIf/action"),
        *("operations/read", "operationstatuses/read"),
    }
    results = "Microsoft.Resources/subscriptions/operationresults/read"
    assert PermissionNeed(results, f"/subscriptions/{SUBSCRIPTION}") in asked


def test_a_rendered_script_lists_a_group_that_is_not_its_own():
    extras = RoleExtras(rendered=(Rendered.AZ,))
    assert permission_needs(make_spec(), SUBSCRIPTION, extras) == permission_needs(
        make_spec(), SUBSCRIPTION
    )
    plain = permission_needs(make_spec(resource_group="lab"), SUBSCRIPTION)
    asked = permission_needs(make_spec(resource_group="lab"), SUBSCRIPTION, extras)
    scope = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/lab"
    assert {*asked} - {*plain} == {PermissionNeed(f"{_GROUPS}/resources/read", scope)}


def test_actions_on_foreign_resources_are_scoped_to_them():
    found = permission_needs(make_spec(subnet=SUBNET, identities=[IDENTITY]), SUBSCRIPTION)
    assert {one.action.rsplit("/", 2)[-2] for one in found if one.scope == _HUB} == {
        "virtualNetworks",
        "join",
        "assign",
        "userAssignedIdentities",
    }
    written = {one.scope for one in found if one.action.endswith(("/write", "/delete"))}
    assert written == {_OWN, f"/subscriptions/{SUBSCRIPTION}"}
    assert {one.action for one in found if one.scope != _OWN and one.action.endswith("/write")} == {
        f"{_GROUPS}/write"
    }


@pytest.mark.parametrize("variant", VARIANTS)
def test_group_actions_and_other_actions_are_the_whole_role(variant):
    spec = make_spec(**VARIANTS[variant])
    whole, (part, rest) = subscription_role(spec, SUBSCRIPTION), group_role(spec, SUBSCRIPTION)
    assert {*part["Actions"], *(one.action for one in rest)} == set(whole["Actions"])
    assert all("/resourceGroups/" in scope for scope in part["AssignableScopes"])
    assert PermissionNeed("Microsoft.Compute/skus/read", f"/subscriptions/{SUBSCRIPTION}") in rest


def test_a_role_definition_has_azures_form():
    made = subscription_role(make_spec(), SUBSCRIPTION)
    assert list(made) == [
        *("Name", "IsCustom", "Description", "Actions", "NotActions", "DataActions"),
        *("NotDataActions", "AssignableScopes"),
    ]
    assert made["Name"] == "ccgpu demo"
    assert made["AssignableScopes"] == [f"/subscriptions/{SUBSCRIPTION}"]
    assert len(set(made["Actions"])) == len(made["Actions"])


def test_references_to_other_subscriptions_add_assignable_scopes():
    other = SUBNET.replace(SUBSCRIPTION, "99999999-2222-4333-8444-555555555555")
    scopes = subscription_role(make_spec(subnet=other), SUBSCRIPTION)["AssignableScopes"]
    assert scopes == [
        f"/subscriptions/{SUBSCRIPTION}",
        "/subscriptions/99999999-2222-4333-8444-555555555555",
    ]
