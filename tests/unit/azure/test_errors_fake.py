"""Every error code of the simulated ARM has an expected error class.

The codes are read out of the fake's sources. A new one fails here until it has a row: the class
that a user of it should see.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from ccgpu import fakearm
from ccgpu.azure.errors import refusal_of
from ccgpu.errors import (
    AlreadyExists,
    AzureRefused,
    AzureUnavailable,
    CapacityUnavailable,
    Denied,
    NotFound,
    NotSignedIn,
)

_SOURCES = Path(fakearm.__file__).parent
_MAKERS = {"Refused", "error", "invalid_tags"}  # what is called with a code in the fake
_CODE = re.compile(r"[A-Z][A-Za-z]{4,}")  # one word; texts are several

# Codes whose class the fake's status, or text, decides stand with the status it answers with.
_EXPECTED: dict[str, tuple[int, type[AzureRefused]]] = {
    "AllocationFailed": (200, CapacityUnavailable),
    "OverconstrainedAllocationRequest": (200, CapacityUnavailable),
    "OverconstrainedZonalAllocationRequest": (200, CapacityUnavailable),
    "SkuNotAvailable": (409, CapacityUnavailable),
    "ZonalAllocationFailed": (200, CapacityUnavailable),
    "AnotherOperationInProgress": (409, AzureUnavailable),
    "Conflict": (409, AzureUnavailable),
    "InUseNatGatewayCannotBeDeleted": (400, AzureUnavailable),
    "InUseNetworkSecurityGroupCannotBeDeleted": (400, AzureUnavailable),
    "InUseSubnetCannotBeDeleted": (400, AzureUnavailable),
    "NicInUse": (400, AzureUnavailable),
    "NicReservedForAnotherVm": (400, AzureUnavailable),
    "OperationPreempted": (200, AzureUnavailable),
    "PublicIPAddressCannotBeDeleted": (400, AzureUnavailable),
    "PublicIPAddressInUse": (400, AzureUnavailable),
    "RateLimiting": (429, AzureUnavailable),
    "ReferencedResourceNotProvisioned": (429, AzureUnavailable),
    "ResourceGroupBeingDeleted": (409, AzureUnavailable),
    "RetryableError": (429, AzureUnavailable),
    "RetryableErrorDueToAnotherOperation": (429, AzureUnavailable),
    "AuthenticationFailed": (401, NotSignedIn),
    "ExpiredAuthenticationToken": (401, NotSignedIn),
    "PreconditionFailed": (412, AlreadyExists),
    "GalleryImageNotFound": (404, NotFound),
    "LockNotFound": (404, NotFound),
    "NotFound": (404, NotFound),
    "ParentResourceNotFound": (404, NotFound),
    "PlatformImageNotFound": (404, NotFound),
    "ResourceGroupNotFound": (404, NotFound),
    "RoleDefinitionDoesNotExist": (404, NotFound),
    "ResourceNotFound": (404, NotFound),
    "SubscriptionNotFound": (404, NotFound),
    "OperationNotAllowed": (409, AzureRefused),  # the texts have a table of their own
    "AuthorizationFailed": (403, Denied),
    "LinkedAuthorizationFailed": (403, Denied),
    "RequestDisallowedByPolicy": (403, AzureRefused),
    "ScopeLocked": (409, AzureRefused),
    "ReadOnlyDisabledSubscription": (409, AzureRefused),
    "ImageVersionDeprecated": (404, NotFound),
    "VMAgentStatusCommunicationError": (200, AzureRefused),
    "TooManyRequests": (429, AzureUnavailable),
    "AvailabilityZoneNotSupported": (400, AzureRefused),
    "BadRequest": (400, AzureRefused),
    "CannotDeleteResource": (409, AzureRefused),
    "ConflictingUserInput": (409, AzureRefused),
    "CrpPirReplicationJobsNotCompleted": (200, AzureRefused),
    "InvalidVhd": (200, AzureRefused),
    "FailedIdentityOperation": (400, AzureRefused),
    "InvalidAddressPrefixFormat": (400, AzureRefused),
    "InvalidParameter": (400, AzureRefused),
    "InvalidRequestContent": (400, AzureRefused),
    "InvalidResourceGroup": (400, AzureRefused),
    "InvalidResourceLocation": (409, AzureRefused),
    "InvalidResourceName": (400, AzureRefused),
    "InvalidResourceReference": (400, AzureRefused),
    "InvalidTagNameCharacters": (400, AzureRefused),
    "LocationNotAvailableForResourceGroup": (400, AzureRefused),
    "LocationNotAvailableForResourceType": (400, AzureRefused),
    "LocationRequired": (400, AzureRefused),
    "NetcfgSubnetRangeOutsideVnet": (400, AzureRefused),
    "NetcfgSubnetRangesOverlap": (400, AzureRefused),
    "PropertyChangeNotAllowed": (409, AzureRefused),
    "ResourceGroupDeletionBlocked": (409, AzureRefused),
    "SecurityRuleConflict": (400, AzureRefused),
    "SecurityRuleInvalidAddressPrefix": (400, AzureRefused),
    "SecurityRuleInvalidPriority": (400, AzureRefused),
    "StandardSkuPublicIPAddressesMustBeStatic": (400, AzureRefused),
    "SubnetIsFull": (400, AzureRefused),
    "MissingSubscriptionRegistration": (409, AzureRefused),
    "PreconditionFailedEtagMismatch": (412, AlreadyExists),  # a detail of the recorded 412
    "TagNameTooLong": (400, AzureRefused),
    "TagValueTooLong": (400, AzureRefused),
    "TooManyTags": (400, AzureRefused),
    "VMSizeIsNotPermittedToEnableAcceleratedNetworking": (400, AzureRefused),
}


def _name(called: ast.expr) -> str:
    return called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")


def _texts(node: ast.AST) -> Iterator[str]:
    for one in ast.walk(node):
        if isinstance(one, ast.Constant) and isinstance(one.value, str):
            yield one.value


def _codes(source: str) -> Iterator[str]:
    """What is given as a code: to the makers of errors, to a name `code`, as key of a text."""
    for node in ast.walk(ast.parse(source)):
        for one in _places(node):
            yield from (text for text in _texts(one) if _CODE.fullmatch(text))


def _places(node: ast.AST) -> list[ast.expr]:
    match node:
        case ast.Call() if _name(node.func) in _MAKERS:
            return node.args[:2]
        case ast.Assign(targets=[ast.Name("_TEXTS")], value=ast.Dict(keys=keys)):
            return [key for key in keys if key is not None]
        case ast.Assign(targets=[ast.Name("code") | ast.Tuple(elts=[ast.Name("code"), *_])]):
            return [node.value]
        case _:
            return []


def _codes_of_the_fake() -> set[str]:
    files = sorted(_SOURCES.rglob("*.py"))
    return {code for file in files for code in _codes(file.read_text("utf-8"))}


@pytest.mark.slow
def test_every_error_code_of_the_fake_has_an_expectation():
    emitted = _codes_of_the_fake()
    assert len(emitted) > 50, "the search has gone blind"
    assert emitted - _EXPECTED.keys() == set()


@pytest.mark.parametrize("code", _EXPECTED)
def test_each_error_code_of_the_fake_becomes_the_expected_error(code):
    status, kind = _EXPECTED[code]
    assert type(refusal_of("x", {"code": code, "message": "so"}, status)) is kind


@pytest.mark.parametrize(
    "source",
    [
        'raise Refused(400, "NewCode", "text")',
        'errors.Refused(\n    409,\n    "NewCode",\n    "text")',
        'error("NewCode", "text")',
        'invalid_tags("NewCode", "text")',
        'code = "NewCode" if zone else "NewCode"',
        'code, what = "NewCode", "resource group"',
        '_TEXTS = {"NewCode": "text"}',
    ],
)
def test_the_search_finds_every_error_code_in_the_source_of_the_fake(source):
    assert set(_codes(source)) == {"NewCode"}
