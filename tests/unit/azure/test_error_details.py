"""Error objects are parsed in every spelling, with their details and policies."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccgpu.azure.error_details import error_object, error_parts, violated_policies
from ccgpu.azure.errors import refusal_of
from ccgpu.errors import AzureRefused, CapacityUnavailable, Denied, QuotaExceeded

_NIC = "/subscriptions/S/resourceGroups/g/providers/Microsoft.Network/networkInterfaces/n"
_RESERVED = "Nic(s) in request is reserved for another Virtual Machine"
# As recorded for a resource group's delete that failed.
_GROUP = {
    "Error": {
        "Code": "ResourceGroupDeletionBlocked",
        "Message": "Deletion of resource group 'g' failed.",
        "Details": [
            {"Target": _NIC, "Message": _RESERVED},
            {
                "Target": f"{_NIC}2",
                "Message": json.dumps({"error": {"code": "ScopeIsLocked", "message": "a lock"}}),
            },
        ],
    }
}


def test_a_failed_group_delete_names_the_blocking_resource():
    found = refusal_of("deleting g", error_object(_GROUP), 409)
    assert str(found) == (
        "deleting g: Deletion of resource group 'g' failed.; "
        f"{_NIC}: {_RESERVED}; {_NIC}2: a lock (ScopeIsLocked) [ResourceGroupDeletionBlocked]"
    )
    assert found.code == "ResourceGroupDeletionBlocked"


@pytest.mark.parametrize(
    "spelt", [str.lower, str.upper, str.title, lambda name: name], ids=["low", "UP", "Title", "as"]
)
def test_field_names_are_case_insensitive(spelt):
    inner = {spelt("code"): "AllocationFailed", spelt("message"): "none left"}
    outer = {spelt("code"): "Outer", spelt("message"): "see details", spelt("details"): [inner]}
    found = refusal_of("x", error_object({spelt("error"): outer}), 409)
    assert isinstance(found, CapacityUnavailable)
    assert str(found) == "x: none left [AllocationFailed]"


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"innererror": {"exceptiontype": "X", "errordetail": "the disk is held"}}, "the disk is "),
        ({"innererror": {"code": "Inner", "message": "the disk is held"}}, "the disk is held (In"),
        ({"innerError": {"innererror": {"code": "I", "message": "deep"}}}, "deep (I)"),
        (
            {"details": [{"code": "D", "message": "one"}, {"code": "E", "message": "two"}]},
            "two (E)",
        ),
        ({"details": [{"error": {"code": "D", "message": "in an envelope"}}]}, "in an envelope"),
        ({"details": [{"message": "no code"}]}, "no code"),
        ({"details": [{"code": "D", "target": "osDisk", "message": "bad"}]}, "osDisk: bad (D)"),
    ],
)
def test_nested_details_are_shown(more, told):
    error = {"code": "BadRequest", "message": "The request is invalid.", **more}
    found = refusal_of("x", error, 400)
    assert told in str(found)
    assert str(found).startswith("x: The request is invalid.; ")
    assert str(found).endswith(" [BadRequest]")


def test_repeated_messages_are_shown_once_and_long_ones_truncated():
    details = [{"code": "D", "message": f"part {n}"} for n in range(9)]
    error = {"code": "A", "message": "part 0", "details": [*details, *details]}
    assert str(refusal_of("x", error, 400)) == (
        "x: part 0; part 1 (D); part 2 (D); part 3 (D); part 4 (D); part 5 (D); and 3 more [A]"
    )


def test_odata_errors_are_parsed():
    body = {"odata.error": {"code": "Request_Denied", "message": {"lang": "en", "value": "no"}}}
    assert str(refusal_of("x", error_object(body), 400)) == "x: no [Request_Denied]"


@pytest.mark.parametrize(
    ("inner", "kind"),
    [
        ({"code": "AuthorizationFailed", "message": "no right"}, Denied),
        (
            {"code": "OperationNotAllowed", "message": "exceeding approved x Family Cores quota"},
            QuotaExceeded,
        ),
        ({"code": "RequestDisallowedByPolicy", "message": "not here"}, AzureRefused),
    ],
)
def test_the_cause_in_the_details_decides_the_error(inner, kind):
    error = {"code": "DeploymentFailed", "message": "see details", "details": [inner]}
    found = refusal_of("x", error, 400)
    assert (type(found), found.code) == (kind, inner["code"])


_INFO = {
    "policyDefinitionDisplayName": "Allowed locations",
    "policyDefinitionId": "/providers/Microsoft.Authorization/policyDefinitions/e56962a6",
    "policyAssignmentDisplayName": "Only in Europe",
    "policyAssignmentId": "/subscriptions/S/providers/Microsoft.Authorization/x/eu",
}
_POLICY = (
    "'Allowed locations' (assignment 'Only in Europe', "
    "/subscriptions/S/providers/Microsoft.Authorization/x/eu)"
)
_IDENTIFIERS = json.dumps(
    [
        {
            "policyAssignment": {"name": "Only in Europe", "id": _INFO["policyAssignmentId"]},
            "policyDefinition": {"name": "Allowed locations", "id": "d"},
        }
    ]
)


@pytest.mark.parametrize(
    "error",
    [
        pytest.param({"additionalInfo": [{"type": "PolicyViolation", "info": _INFO}]}, id="info"),
        pytest.param(
            {"AdditionalInfo": [{"Type": "PolicyViolation", "Info": _INFO}]}, id="capitals"
        ),
        pytest.param(
            {"message": f"'vm' was disallowed by policy. Policy identifiers: '{_IDENTIFIERS}'."},
            id="in the text",
        ),
    ],
)
@pytest.mark.parametrize("nested", [False, True])
def test_the_denying_policy_is_named(error, nested):
    error = {"code": "RequestDisallowedByPolicy", "message": "disallowed by policy"} | error
    if nested:
        error = {"code": "InvalidTemplateDeployment", "message": "failed", "details": [error]}
    found = refusal_of("x", error, 403)
    assert found.code == "RequestDisallowedByPolicy"
    assert found.hint == f"the policy {_POLICY} forbids this; ask its owner"


def test_a_policy_without_a_name_is_named_by_its_id():
    info = {"policyDefinitionId": "/p/d", "policyAssignmentId": "/p/a"}
    error = {"code": "X", "additionalInfo": [{"info": info}, {"info": None}, "text"]}
    assert violated_policies(error) == ("'/p/d' (assignment '/p/a')",)


_REGISTRATION = {
    "code": "MissingSubscriptionRegistration",
    "message": "The subscription is not registered to use namespace 'Microsoft.Compute'.",
    "details": [
        {
            "code": "MissingSubscriptionRegistration",
            "target": "Microsoft.Compute",
            "message": "The subscription is not registered to use namespace 'Microsoft.Compute'.",
        }
    ],
}


def test_an_unregistered_provider_has_the_complete_command():
    found = refusal_of("creating /subscriptions/SUB/resourceGroups/g", _REGISTRATION, 409)
    assert found.hint == (
        "`az provider register --namespace Microsoft.Compute --subscription SUB --wait`, "
        "once for the subscription"
    )


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=6),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["Error", "code", "Message", "details", "innererror", "additionalInfo", "info"]
            ),
            inner,
        )
    ),
    max_leaves=15,
)


@pytest.mark.slow
@given(_JSON)
def test_any_error_body_is_parsed(body):
    error = error_object(body)
    assert all(part.code or part.text for part in error_parts(error))
    violated_policies(error)
    assert isinstance(refusal_of("x", error_object({"error": body}), 409), AzureRefused)


@pytest.mark.parametrize("depth", [0, 1, 10, 200])
def test_deeply_nested_error_bodies_are_parsed(depth):
    error: dict[str, Any] = {"code": "Last"}
    for _ in range(depth):
        error = {"details": [error], "innererror": error}
    refusal_of("x", error, 400)
