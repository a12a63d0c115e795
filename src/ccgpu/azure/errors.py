"""What the SDK raises, translated once, by ARM's own code.

The SDK's exception classes say little: every 409 is a `ResourceExistsError`, sold out included.
An operation that fails after it was accepted says so in an answer with status 200. Only
`error.code` is true, and for one code the text.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from json import JSONDecodeError
from typing import Any, NoReturn

from azure.core import exceptions as sdk

from ccgpu.azure.error_details import (
    Part,
    error_details,
    error_object,
    error_parts,
    violated_policies,
)
from ccgpu.azure.failed_sign_in import SignInFailed
from ccgpu.domain.providers import NOT_REGISTERED, register_hint
from ccgpu.errors import (
    AlreadyExists,
    AzureRefused,
    AzureUnavailable,
    CapacityUnavailable,
    Denied,
    ForeignAnswer,
    NotFound,
    NotSignedIn,
    QuotaExceeded,
)
from ccgpu.net import answers
from ccgpu.net.pipeline import ForeignHost
from ccgpu.net.retry import retry_after

# Codes of Azure Resource Manager, Compute and Network: Microsoft Learn, "Common Azure deployment
# errors", and the threads that docs/fake-azure.md names.
_CAPACITY = {
    "AllocationFailed",
    "OverconstrainedAllocationRequest",
    "OverconstrainedZonalAllocationRequest",
    "SkuNotAvailable",
    "ZonalAllocationFailed",
}
_PASSING = {
    "429",
    "AnotherOperationInProgress",
    "InternalServerError",
    "OperationPreempted",
    "ReferencedResourceNotProvisioned",
    "ResourceGroupBeingDeleted",
    "RetryableError",
    "RetryableErrorDueToAnotherOperation",
    "ServerTimeout",
    "ServiceUnavailable",
    "TooManyRequests",
}
# Refusals of a delete that the end of another one lifts. Projects name the gateway's either way.
_IN_USE = {
    "InUseNatGatewayCannotBeDeleted",
    "InUseNetworkSecurityGroupCannotBeDeleted",
    "InUseSubnetCannotBeDeleted",
    "NatGatewayInUseBySubnet",
    "NicInUse",
    "PublicIPAddressCannotBeDeleted",
    "PublicIPAddressInUse",
}
_RESERVED = {"NicReservedForAnotherVm": 180.0}  # seconds: its own text says so
_AUTH = {"AuthenticationFailed", "ExpiredAuthenticationToken", "InvalidAuthenticationToken"}
_RIGHTS = {"AuthorizationFailed", "LinkedAuthorizationFailed"}
# Causes that an outer error, which says only that something failed, may hide in its details.
_CAUSES = {NOT_REGISTERED, "RequestDisallowedByPolicy", "ScopeLocked"} | _RIGHTS
_PASSING_STATUS = {408, 429, 500, 502, 503, 504}

# `OperationNotAllowed` stands for quota and for other refusals; only its text tells them apart
# (azure-sdk-for-go-extensions, pkg/errors/consts.go; "limits of Core" is the older text). No other
# code's text is ever searched.
_QUOTA_TEXTS = (
    "family cores quota",
    "exceeding approved total regional",
    "exceeding quota limits of",
    "lowprioritycores",
    "submit a request for quota increase",
)
_CAPACITY_TEXTS = ("do not have sufficient capacity",)
_ORDER_TEXTS = ("is attached to", "marked for deletion")

_SILENT = "no reason was given"

# A 404 that says nothing about the resource that was asked for.
_NOT_ITS_OWN = {"SubscriptionNotFound"}
_NAMESPACE = re.compile(r"\bMicrosoft\.\w+")
_SUBSCRIPTION = re.compile(r"/subscriptions/([^/\s]+)")
# What follows a path in a message: an operation's URL carries a signature there.
_QUERY = re.compile(r"(/[^\s?]*)\?[^\s'\")]+")

# What reading an answer of another shape ends in, in the SDK and here.
_MISREAD = (AttributeError, IndexError, KeyError, TypeError, sdk.DeserializationError)


@contextmanager
def translating_errors(doing: str) -> Iterator[None]:
    """Run SDK calls; what they raise leaves as an `AzureRefused` that says what we were `doing`.

    A mistake of ours stays what it is: before there is an answer, none can be misread.
    """
    with answers.tracked_request():
        try:
            yield
        except ForeignHost as err:
            raise ForeignAnswer(f"{doing}: {err.message}", code="ForeignHost") from err
        except sdk.DecodeError as err:
            raise AzureUnavailable(f"{doing}: the response is not JSON", code="NotJson") from err
        except sdk.HttpResponseError as err:
            _raise_translated(err, doing)
        except sdk.AzureError as err:  # no answer at all: reset, timed out, name not found
            raise AzureUnavailable(f"{doing}: {_first_line(err)}", code=type(err).__name__) from err
        except (JSONDecodeError, UnicodeDecodeError) as err:  # a proxy's page, most often
            raise AzureUnavailable(f"{doing}: the response is not JSON", code="NotJson") from err
        except _MISREAD as err:  # JSON, but not ARM's
            if not answers.response_received():
                raise
            raise AzureUnavailable(
                f"{doing}: the response is not from Azure Resource Manager", code="NotArm"
            ) from err


def refusal_of(doing: str, error: Mapping[str, Any], status: int = 200) -> AzureRefused:
    """The error for ARM's error object (`code`, `message`, `details`…) and HTTP status."""
    found = error_parts(error)
    coded = [part for part in found if part.code] or [Part(f"Http{status}", "")]
    main = next((part for part in coded if _known_error(part)), coded[0])
    text = main.text or next((p.text for p in coded if p.code == main.code and p.text), "")
    told = _strip_queries("; ".join(filter(None, [text, *error_details(found, main, text)])))
    made = _error_class(main.code, text, status, f"{doing}: {told or _SILENT} [{main.code}]")
    made.hint = _hint_for(main.code, doing, error) or made.hint
    return made


def _known_error(part: Part) -> bool:
    """Whether the code says more than that something failed."""
    code = part.code
    return (
        code in _CAPACITY | _PASSING | _IN_USE | _CAUSES
        or code in _RESERVED
        or _is_quota(code, part.text)
    )


def _is_quota(code: str, text: str) -> bool:
    low = text.casefold()
    return code == "QuotaExceeded" or (
        code == "OperationNotAllowed" and any(t in low for t in _QUOTA_TEXTS)
    )


def _error_class(code: str, text: str, status: int, message: str) -> AzureRefused:
    low = text.casefold()
    not_allowed = code == "OperationNotAllowed"
    if _is_quota(code, text):
        return QuotaExceeded(message, code=code)
    if code in _CAPACITY or (not_allowed and any(t in low for t in _CAPACITY_TEXTS)):
        return CapacityUnavailable(message, code=code)
    if code in _RESERVED:
        return AzureUnavailable(message, code=code, after=_RESERVED[code])
    ordering = not_allowed and any(t in low for t in _ORDER_TEXTS)
    meanwhile = code == "Conflict" and status == 409  # with another request; as 400 it is final
    if code in _PASSING | _IN_USE or ordering or meanwhile:
        return AzureUnavailable(message, code=code)
    return _class_by_status(code, status, message)


def _class_by_status(code: str, status: int, message: str) -> AzureRefused:
    if status == 401 or code in _AUTH:
        return NotSignedIn(message, code=code)
    if status == 404:
        # Without a code it is not ARM's: `absent` says why that is not the same.
        kind = AzureUnavailable if code == "Http404" else NotFound
        return kind(message, code=code)
    if status == 412:
        return AlreadyExists(message, code=code)
    if status in _PASSING_STATUS:
        return AzureUnavailable(message, code=code)
    refused = Denied if code in _RIGHTS else AzureRefused
    return refused(message, code=code)


_HINTS = {
    "AuthorizationFailed": "grant the action that the message names; a new role assignment "
    "takes a few minutes to apply",
    "LinkedAuthorizationFailed": "grant the action that the message names",
    "ScopeLocked": "a lock on the resource or its group prevents this; ask its owner",
}


def _hint_for(code: str, doing: str, error: Mapping[str, Any]) -> str | None:
    if code == NOT_REGISTERED:
        return _registration_hint(doing, error)
    if code == "RequestDisallowedByPolicy":
        named = violated_policies(error)
        what = f"the policy {' and '.join(named)}" if named else "a policy of the subscription"
        return f"{what} forbids this; ask its owner"
    return _HINTS.get(code)


def _registration_hint(doing: str, error: Mapping[str, Any]) -> str:
    """The command, with the provider that ARM names and the subscription that was asked."""
    found = [part for part in error_parts(error) if part.code == NOT_REGISTERED]
    texts = [text for part in found for text in (part.target, part.text)]
    namespaces = [name for text in texts for name in _NAMESPACE.findall(text)]
    asked = _SUBSCRIPTION.search(doing)
    return register_hint(
        dict.fromkeys(namespaces or ["NAMESPACE"]), asked[1] if asked else "SUBSCRIPTION"
    )


def is_absent(err: BaseException) -> bool:
    """Whether it is ARM's word that what was asked for is not there.

    A 404 without an error code is somebody else's, a proxy's most often: it proves nothing.
    """
    if not isinstance(err, sdk.HttpResponseError) or err.status_code != 404:
        return False
    codes = {
        part.code for part in error_parts(error_object(_error_body(err.response))) if part.code
    }
    return bool(codes) and not codes & _NOT_ITS_OWN


def _raise_translated(err: sdk.HttpResponseError, doing: str) -> NoReturn:
    response = err.response
    status = err.status_code or 0
    error = error_object(_error_body(response))
    if isinstance(err, SignInFailed):
        raise NotSignedIn(f"{doing}: {err.message}", code=err.code_of_cause, hint=err.hint) from err
    if isinstance(err, sdk.ClientAuthenticationError) and not error_parts(error):
        # The sign-in's own failure: no answer of ARM's, but words of azure-identity's.
        raise NotSignedIn(f"{doing}: {_first_line(err)}", code="Unauthenticated") from err
    found = refusal_of(doing, error, status)
    if response is not None:
        wish = retry_after(getattr(response, "headers", {}))
        found.after = wish if wish is not None else found.after
    raise _with_credential_name(found) from err


def _with_credential_name(err: AzureRefused) -> AzureRefused:
    """The error, with the credential that the request was signed with."""
    err.signed_in_with = answers.signed_in_with()
    if err.signed_in_with and (isinstance(err, Denied | NotSignedIn) or err.code in _NOT_ITS_OWN):
        used = f"signed in with {err.signed_in_with}"
        err.hint = f"{err.hint}; {used}" if err.hint else used
    return err


def _error_body(response: Any) -> Any:
    try:
        return response.json()
    except (ValueError, AttributeError, sdk.AzureError):
        return None


def _first_line(err: BaseException) -> str:
    text = _strip_queries(str(err)).strip().splitlines()
    return text[0] if text else type(err).__name__


def _strip_queries(text: str) -> str:
    return _QUERY.sub(r"\1", text)
