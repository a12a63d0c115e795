"""Azure's error codes decide the error class; every class has a code."""

import re

import pytest
from azure.core import exceptions as sdk
from hypothesis import given
from hypothesis import strategies as st

from ccgpu.azure.error_details import error_object
from ccgpu.azure.errors import refusal_of, translating_errors
from ccgpu.errors import (
    AlreadyExists,
    AzureRefused,
    AzureUnavailable,
    CapacityUnavailable,
    Denied,
    NotFound,
    NotSignedIn,
    QuotaExceeded,
)

_FAMILY = (
    "Operation could not be completed as it results in exceeding approved "
    "standardNCCads2023Family Cores quota. Additional details - Current Limit: 0"
)

# Status, code and text as Azure gives them; our class, and how soon it may be sent again.
_TABLE: list[tuple[int, str, str, type[AzureRefused], float | None]] = [
    # There is no such machine free
    (200, "AllocationFailed", "Allocation failed.", CapacityUnavailable, None),
    (409, "AllocationFailed", "Allocation failed.", CapacityUnavailable, None),
    (200, "OverconstrainedAllocationRequest", "too restrictive", CapacityUnavailable, None),
    (200, "ZonalAllocationFailed", "Allocation failed.", CapacityUnavailable, None),
    (200, "OverconstrainedZonalAllocationRequest", "too restrictive", CapacityUnavailable, None),
    (409, "SkuNotAvailable", "failed for Capacity Restrictions", CapacityUnavailable, None),
    (
        200,
        "AllocationFailed",
        "We do not have sufficient capacity for the requested VM size in this region.",
        CapacityUnavailable,
        None,
    ),
    (
        409,
        "OperationNotAllowed",
        "We do not have sufficient capacity for the requested VM size in this zone.",
        CapacityUnavailable,
        None,
    ),
    # Quota
    (409, "OperationNotAllowed", _FAMILY, QuotaExceeded, None),
    (
        409,
        "OperationNotAllowed",
        "results in exceeding approved Total Regional Cores quota",
        QuotaExceeded,
        None,
    ),
    (409, "OperationNotAllowed", "exceeding approved LowPriorityCores", QuotaExceeded, None),
    (409, "OperationNotAllowed", "Submit a request for Quota increase", QuotaExceeded, None),
    (400, "QuotaExceeded", "exceeding quota limits of Core", QuotaExceeded, None),
    (409, "OperationNotAllowed", "exceeding quota limits of Core.", QuotaExceeded, None),
    # The request is wrong
    (400, "BadRequest", "The VM size is not supported", AzureRefused, None),
    (400, "InvalidParameter", "SecurityType is not supported by given image", AzureRefused, None),
    (409, "OperationNotAllowed", "Creation of managed images", AzureRefused, None),
    (409, "PropertyChangeNotAllowed", "Changing property", AzureRefused, None),
    (409, "ConflictingUserInput", "Disk already exists", AzureRefused, None),
    (400, "Conflict", "DiskAccess is in use", AzureRefused, None),
    (400, "IPv4BasicSkuPublicIpCountLimitReached", "", AzureRefused, None),
    (400, "MarketplacePurchaseEligibilityFailed", "", AzureRefused, None),
    (400, "InvalidResourceReference", "was not found", AzureRefused, None),
    (400, "SomethingNew", "of tomorrow", AzureRefused, None),
    (200, "OSProvisioningTimedOut", "did not finish in the allotted time", AzureRefused, None),
    # It will pass
    (409, "AnotherOperationInProgress", "", AzureUnavailable, None),
    (429, "AnotherOperationInProgress", "", AzureUnavailable, None),
    (429, "RetryableError", "", AzureUnavailable, None),
    (429, "RetryableErrorDueToAnotherOperation", "", AzureUnavailable, None),
    (400, "ReferencedResourceNotProvisioned", "not in Succeeded state", AzureUnavailable, None),
    (400, "NicReservedForAnotherVm", "for 180 seconds", AzureUnavailable, 180.0),
    (403, "NicReservedForAnotherVm", "for 180 seconds", AzureUnavailable, 180.0),
    (400, "NicInUse", "", AzureUnavailable, None),
    (400, "PublicIPAddressCannotBeDeleted", "", AzureUnavailable, None),
    (400, "PublicIPAddressInUse", "", AzureUnavailable, None),
    (400, "InUseSubnetCannotBeDeleted", "", AzureUnavailable, None),
    (400, "InUseNetworkSecurityGroupCannotBeDeleted", "", AzureUnavailable, None),
    (400, "InUseNatGatewayCannotBeDeleted", "", AzureUnavailable, None),
    (400, "NatGatewayInUseBySubnet", "", AzureUnavailable, None),
    (409, "OperationNotAllowed", "Disk is attached to VM x", AzureUnavailable, None),
    (409, "OperationNotAllowed", "the VM is marked for deletion", AzureUnavailable, None),
    (409, "ResourceGroupBeingDeleted", "", AzureUnavailable, None),
    (409, "Conflict", "conflict with a concurrent request", AzureUnavailable, None),
    (200, "OperationPreempted", "", AzureUnavailable, None),
    (429, "429", "temporarily throttled", AzureUnavailable, None),
    (429, "TooManyRequests", "", AzureUnavailable, None),
    (429, "SubscriptionRequestsThrottled", "", AzureUnavailable, None),
    (500, "InternalServerError", "", AzureUnavailable, None),
    (200, "InternalServerError", "", AzureUnavailable, None),
    (503, "ServiceUnavailable", "", AzureUnavailable, None),
    (409, "ServerTimeout", "", AzureUnavailable, None),
    (504, "GatewayTimeout", "", AzureUnavailable, None),
    (408, "RequestTimeout", "", AzureUnavailable, None),
    (502, "BadGateway", "", AzureUnavailable, None),
    # Who asks
    (401, "AuthenticationFailed", "", NotSignedIn, None),
    (401, "InvalidAuthenticationToken", "", NotSignedIn, None),
    (401, "SomethingElse", "", NotSignedIn, None),
    (403, "ExpiredAuthenticationToken", "", NotSignedIn, None),
    (403, "AuthorizationFailed", "no permission for action X", Denied, None),
    (403, "LinkedAuthorizationFailed", "join/action", Denied, None),
    (403, "RequestDisallowedByPolicy", "", AzureRefused, None),
    (409, "ScopeLocked", "", AzureRefused, None),
    (409, "MissingSubscriptionRegistration", "", AzureRefused, None),
    # What is asked about
    (404, "ResourceNotFound", "", NotFound, None),
    (404, "ResourceGroupNotFound", "", NotFound, None),
    (404, "SubscriptionNotFound", "", NotFound, None),
    (404, "NotFound", "", NotFound, None),
    (412, "PreconditionFailed", "", AlreadyExists, None),
]
_EXIT_CODES = {
    AzureRefused: 4,
    Denied: 4,
    NotSignedIn: 4,
    NotFound: 4,
    AlreadyExists: 4,
    AzureUnavailable: 4,
    QuotaExceeded: 5,
    CapacityUnavailable: 6,
}


@pytest.mark.parametrize(
    ("status", "code", "text", "kind", "after"),
    _TABLE,
    ids=[f"{status} {code} {text[:20]}" for status, code, text, *_ in _TABLE],
)
def test_the_error_code_decides_the_error_class(status, code, text, kind, after):
    found = refusal_of("creating x", {"code": code, "message": text}, status)
    assert type(found) is kind
    assert (found.code, found.after, found.exit_code) == (code, after, _EXIT_CODES[kind])
    assert str(found) == f"creating x: {text or 'no reason was given'} [{code}]"


@pytest.mark.parametrize(
    "code",
    [
        *("429", "AnotherOperationInProgress", "InternalServerError", "OperationPreempted"),
        *("ReferencedResourceNotProvisioned", "ResourceGroupBeingDeleted", "RetryableError"),
        *("RetryableErrorDueToAnotherOperation", "ServerTimeout", "ServiceUnavailable"),
        *("TooManyRequests", "NicInUse"),
    ],
)
@pytest.mark.parametrize("status", [200, 400, 409])
def test_transient_codes_are_transient_in_operation_statuses_too(code, status):
    assert type(refusal_of("x", {"code": code}, status)) is AzureUnavailable


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_transient_statuses_are_transient_with_any_code(status):
    assert type(refusal_of("x", {"code": "SomethingNew"}, status)) is AzureUnavailable


@pytest.mark.parametrize(
    "code", ["AuthenticationFailed", "ExpiredAuthenticationToken", "InvalidAuthenticationToken"]
)
def test_a_refused_token_is_not_signed_in_with_any_status(code):
    assert type(refusal_of("x", {"code": code}, 403)) is NotSignedIn


def test_every_error_class_has_a_row_in_the_table():
    family = {AzureRefused, *AzureRefused.__subclasses__()}
    assert {kind for _, _, _, kind, _ in _TABLE} == family == {*_EXIT_CODES}


@pytest.mark.parametrize("code", ["QuotaExceeded", "OperationNotAllowed"])
def test_the_message_decides_for_only_one_code(code):
    found = refusal_of("x", {"code": code, "message": "nothing of quota"}, 409)
    assert isinstance(found, QuotaExceeded) is (code == "QuotaExceeded")
    other = refusal_of("x", {"code": "BadRequest", "message": _FAMILY}, 400)
    assert type(other) is AzureRefused


_INNER = {"code": "AllocationFailed", "message": "none left"}


@pytest.mark.parametrize(
    "error",
    [
        pytest.param({"code": "Outer", "message": "see details", "details": [_INNER]}, id="once"),
        pytest.param(
            {"code": "A", "details": [{"code": "B", "details": [_INNER]}, {"code": "C"}]},
            id="twice",
        ),
        pytest.param({"details": [_INNER]}, id="no code outside"),
        pytest.param({"code": "A", "details": ["text", None, _INNER]}, id="between others"),
        pytest.param({"Code": "AllocationFailed", "Message": "none left"}, id="capitals"),
    ],
)
def test_the_real_code_is_found_in_the_details(error):
    found = refusal_of("x", error, 409)
    assert isinstance(found, CapacityUnavailable)
    assert str(found) == "x: none left [AllocationFailed]"


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("SkuNotAvailable", CapacityUnavailable),
        ("QuotaExceeded", QuotaExceeded),
        ("AnotherOperationInProgress", AzureUnavailable),
        ("NicInUse", AzureUnavailable),
        ("NicReservedForAnotherVm", AzureUnavailable),
    ],
)
def test_a_code_of_each_class_is_found_behind_an_unknown_one(code, kind):
    found = refusal_of("x", {"code": "Outer", "details": [{"code": code}]}, 400)
    assert (type(found), found.code) == (kind, code)


def test_of_unknown_codes_the_outermost_is_shown_before_its_details():
    error = {"code": "A", "message": "outer", "details": [{"code": "B", "message": "inner"}]}
    assert str(refusal_of("x", error, 400)) == "x: outer; inner (B) [A]"


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        *((400, AzureRefused), (401, NotSignedIn), (403, AzureRefused), (404, AzureUnavailable)),
        *((412, AlreadyExists), (429, AzureUnavailable), (502, AzureUnavailable)),
        (200, AzureRefused),
    ],
)
def test_without_a_code_the_status_decides(status, kind):
    found = refusal_of("x", {}, status)
    assert type(found) is kind
    assert str(found) == f"x: no reason was given [Http{status}]"


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"error": {"code": "A"}}, {"code": "A"}),
        ({"code": "A"}, {"code": "A"}),
        ({"error": "text"}, {}),
        ({"error": None}, {}),
        ([], {}),
        ("text", {}),
        (None, {}),
        (7, {}),
    ],
)
def test_the_error_object_is_found_in_every_envelope(body, error):
    assert error_object(body) == error


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["error", "code", "message", "details", "x"]), inner)
    ),
    max_leaves=12,
)


@given(_JSON, st.integers(100, 599))
def test_any_error_body_becomes_an_error_with_a_code(body, status):
    found = refusal_of("doing", error_object(body), status)
    assert isinstance(found, AzureRefused)
    assert str(found).startswith("doing: ")
    assert str(found).endswith(f" [{found.code}]")


_URL = "https://management.azure.com/operations/1?api-version=1&t=2&s=SECRET"


@pytest.mark.parametrize(
    "text",
    [
        f"To retrieve status of the operation use uri: {_URL}.",
        f"({_URL}) and '{_URL}'",
        "Max retries exceeded with url: /subscriptions/x?api-version=1&s=SECRET (Caused by X)",
    ],
)
def test_messages_omit_the_query_of_urls(text):
    told = [str(refusal_of("x", {"code": "AnotherOperationInProgress", "message": text}, 409))]
    with pytest.raises(AzureUnavailable) as caught, translating_errors("x"):
        raise sdk.ServiceRequestError(text)
    told.append(str(caught.value))
    for message in told:
        assert "SECRET" not in message
        assert not re.search(r"\?\S", message)
        assert "/operations/1" in message or "/subscriptions/x" in message


def test_messages_show_urls_without_their_query():
    text = f"use uri: {_URL}"
    found = refusal_of("x", {"code": "A", "message": text}, 409)
    assert str(found) == "x: use uri: https://management.azure.com/operations/1 [A]"


def test_a_question_mark_in_prose_is_kept():
    found = refusal_of("x", {"code": "A", "message": "and/or? yes? no?"}, 400)
    assert str(found) == "x: and/or? yes? no? [A]"


@pytest.mark.parametrize(
    ("code", "hint"),
    [
        ("AuthorizationFailed", "action"),
        ("LinkedAuthorizationFailed", "action"),
        ("MissingSubscriptionRegistration", "az provider register"),
        ("RequestDisallowedByPolicy", "policy"),
        ("ScopeLocked", "lock"),
    ],
)
def test_errors_that_the_user_can_fix_have_a_hint(code, hint):
    assert hint in str(refusal_of("x", {"code": code, "message": "no"}, 403).hint)


def test_errors_without_a_remedy_have_no_hint():
    assert refusal_of("x", {"code": "OtherCode", "message": "no"}, 403).hint is None


def test_errors_worth_a_retry_or_another_region_have_a_hint():
    for kind in (NotSignedIn, AzureUnavailable, QuotaExceeded, CapacityUnavailable):
        assert kind("x", code="y").hint == kind.usual_hint is not None
