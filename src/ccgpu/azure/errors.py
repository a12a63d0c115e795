"""Translate the SDK's exceptions into `ccgpu.errors`, by ARM's error code.

The SDK's exception classes do not suffice: every 409 is a `ResourceExistsError`, even a lack of
capacity. An operation that fails after it was accepted is reported with status 200. So the class of
an error depends on `error.code`, and for `OperationNotAllowed` on the text.
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
from ccgpu.domain.quota_request import parse_refusal
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
_TRANSIENT = {
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
# A delete is refused until another delete has ended. Projects report both codes of a NAT gateway.
_IN_USE = {
    "InUseNatGatewayCannotBeDeleted",
    "InUseNetworkSecurityGroupCannotBeDeleted",
    "InUseSubnetCannotBeDeleted",
    "NatGatewayInUseBySubnet",
    "NicInUse",
    "PublicIPAddressCannotBeDeleted",
    "PublicIPAddressInUse",
}
_RESERVED = {"NicReservedForAnotherVm": 180.0}  # seconds, as its message says
_AUTH = {"AuthenticationFailed", "ExpiredAuthenticationToken", "InvalidAuthenticationToken"}
_RIGHTS = {"AuthorizationFailed", "LinkedAuthorizationFailed"}
# Causes that may be nested in the details of an outer error with a generic code.
_CAUSES = {NOT_REGISTERED, "RequestDisallowedByPolicy", "ScopeLocked"} | _RIGHTS
_TRANSIENT_STATUS = {408, 429, 500, 502, 503, 504}

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

_NO_REASON = "no reason was given"

# Codes of a 404 that does not prove the absence of the requested resource.
_INCONCLUSIVE_404_CODES = {"SubscriptionNotFound"}
_NAMESPACE = re.compile(r"\bMicrosoft\.\w+")
_SUBSCRIPTION = re.compile(r"/subscriptions/([^/\s]+)")
# The query of a URL in a message: that of an operation's URL contains a signature.
_QUERY = re.compile(r"(/[^\s?]*)\?[^\s'\")]+")

# Exceptions of parsing a response of another shape, in the SDK and here.
_MISREAD = (AttributeError, IndexError, KeyError, TypeError, sdk.DeserializationError)


@contextmanager
def translating_errors(doing: str) -> Iterator[None]:
    """Translate exceptions of SDK calls into an `AzureRefused` whose message begins with `doing`.

    Before any response, a parsing error is a bug of ccgpu and is not translated. The error has the
    correlation id of the last response.
    """
    with answers.tracked_request():
        try:
            with _translating_exceptions(doing):
                yield
        except AzureRefused as err:
            err.correlation_id = err.correlation_id or answers.correlation_id()
            raise


@contextmanager
def _translating_exceptions(doing: str) -> Iterator[None]:
    try:
        yield
    except ForeignHost as err:
        raise ForeignAnswer(f"{doing}: {err.message}", code="ForeignHost") from err
    except sdk.DecodeError as err:
        raise AzureUnavailable(f"{doing}: the response is not JSON", code="NotJson") from err
    except sdk.HttpResponseError as err:
        _raise_translated(err, doing)
    except sdk.AzureError as err:  # no response: reset, timed out, name not found
        raise AzureUnavailable(f"{doing}: {_first_line(err)}", code=type(err).__name__) from err
    except (JSONDecodeError, UnicodeDecodeError) as err:  # usually the page of a proxy
        raise AzureUnavailable(f"{doing}: the response is not JSON", code="NotJson") from err
    except _MISREAD as err:  # JSON, but not of ARM's form
        if not answers.response_received():
            raise
        raise AzureUnavailable(
            f"{doing}: the response is not from Azure Resource Manager", code="NotArm"
        ) from err


def refusal_of(doing: str, error: Mapping[str, Any], status: int = 200) -> AzureRefused:
    """The error for ARM's error object (`code`, `message`, `details`…) and HTTP status."""
    parts = error_parts(error)
    coded = [part for part in parts if part.code] or [Part(f"Http{status}", "")]
    main = next((part for part in coded if _is_specific(part)), coded[0])
    text = main.text or next((p.text for p in coded if p.code == main.code and p.text), "")
    message = _strip_queries("; ".join(filter(None, [text, *error_details(parts, main, text)])))
    refusal = _make_error(
        main.code, text, status, f"{doing}: {message or _NO_REASON} [{main.code}]"
    )
    refusal.hint = _hint_for(main.code, doing, error) or refusal.hint
    return refusal


def _is_specific(part: Part) -> bool:
    """Whether the code determines the class of the error, unlike a generic failure code."""
    code = part.code
    return (
        code in _CAPACITY | _TRANSIENT | _IN_USE | _CAUSES
        or code in _RESERVED
        or _is_quota(code, part.text)
    )


def _is_quota(code: str, text: str) -> bool:
    low = text.casefold()
    return code == "QuotaExceeded" or (
        code == "OperationNotAllowed" and any(t in low for t in _QUOTA_TEXTS)
    )


def _make_error(code: str, text: str, status: int, message: str) -> AzureRefused:
    """The error of the class for ARM's `code` and, for `OperationNotAllowed`, for its `text`."""
    low = text.casefold()
    not_allowed = code == "OperationNotAllowed"
    if _is_quota(code, text):
        shortage = parse_refusal(text)
        told = message if shortage is None else f"{message}\n{shortage.text}"
        return QuotaExceeded(told, code=code)
    if code in _CAPACITY or (not_allowed and any(t in low for t in _CAPACITY_TEXTS)):
        return CapacityUnavailable(message, code=code)
    if code in _RESERVED:
        return AzureUnavailable(message, code=code, after=_RESERVED[code])
    out_of_order = not_allowed and any(t in low for t in _ORDER_TEXTS)
    in_conflict = code == "Conflict" and status == 409  # with another request; as 400 it is final
    if code in _TRANSIENT | _IN_USE or out_of_order or in_conflict:
        return AzureUnavailable(message, code=code)
    return _error_by_status(code, status, message)


def _error_by_status(code: str, status: int, message: str) -> AzureRefused:
    if status == 401 or code in _AUTH:
        return NotSignedIn(message, code=code)
    if status == 404:
        # Without a code the 404 is not ARM's (see `is_absent`).
        kind = AzureUnavailable if code == "Http404" else NotFound
        return kind(message, code=code)
    if status == 412:
        return AlreadyExists(message, code=code)
    if status in _TRANSIENT_STATUS:
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
        names = violated_policies(error)
        what = f"the policy {' and '.join(names)}" if names else "a policy of the subscription"
        return f"{what} forbids this; ask its owner"
    return _HINTS.get(code)


def _registration_hint(doing: str, error: Mapping[str, Any]) -> str:
    """The command that registers the provider in the message, in the subscription of `doing`."""
    parts = [part for part in error_parts(error) if part.code == NOT_REGISTERED]
    texts = [text for part in parts for text in (part.target, part.text)]
    namespaces = [name for text in texts for name in _NAMESPACE.findall(text)]
    match = _SUBSCRIPTION.search(doing)
    return register_hint(
        dict.fromkeys(namespaces or ["NAMESPACE"]), match[1] if match else "SUBSCRIPTION"
    )


def is_absent(err: BaseException) -> bool:
    """Whether ARM has answered that the requested resource does not exist.

    A 404 without an error code is not ARM's, but usually a proxy's: it proves nothing.
    """
    if not isinstance(err, sdk.HttpResponseError) or err.status_code != 404:
        return False
    codes = {
        part.code for part in error_parts(error_object(_error_body(err.response))) if part.code
    }
    return bool(codes) and not codes & _INCONCLUSIVE_404_CODES


def _raise_translated(err: sdk.HttpResponseError, doing: str) -> NoReturn:
    """Raise the error for an HTTP error status, or for a failed sign-in."""
    response = err.response
    status = err.status_code or 0
    error = error_object(_error_body(response))
    if isinstance(err, SignInFailed):
        raise NotSignedIn(f"{doing}: {err.message}", code=err.code_of_cause, hint=err.hint) from err
    if isinstance(err, sdk.ClientAuthenticationError) and not error_parts(error):
        # The sign-in has failed: the message is azure-identity's, not ARM's.
        raise NotSignedIn(f"{doing}: {_first_line(err)}", code="Unauthenticated") from err
    refusal = refusal_of(doing, error, status)
    if response is not None:
        after = retry_after(getattr(response, "headers", {}))
        refusal.after = after if after is not None else refusal.after
    raise _with_credential_name(refusal) from err


def _with_credential_name(err: AzureRefused) -> AzureRefused:
    """The error with the name of the credential that signed the request."""
    err.signed_in_with = answers.signed_in_with()
    if err.signed_in_with and (
        isinstance(err, Denied | NotSignedIn) or err.code in _INCONCLUSIVE_404_CODES
    ):
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
