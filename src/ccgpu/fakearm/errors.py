"""ARM's errors: one function for each, and the exception that carries them.

A handler raises before it writes. Codes and texts follow recorded traffic where it exists;
docs/fake-azure.md marks those that are inferred.
"""

from collections.abc import Sequence

from ccgpu.fakearm import kinds
from ccgpu.fakearm.wire import Body, Response

GATEWAY = {"x-ms-failure-cause": "gateway"}
SERVICE = {"x-ms-failure-cause": "service"}


def error(code: str, message: str, **more: object) -> Body:
    return {"code": code, "message": message, **more}


class Refused(Exception):
    """ARM refuses the request. `response` is the error response."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        headers: dict[str, str] | None = None,
        **more: object,
    ) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.error = error(code, message, **more)
        self.response = Response(status, {"error": self.error}, headers or {})


def unauthenticated() -> Refused:
    challenge = (
        'Bearer authorization_uri="https://login.microsoftonline.com/common", '
        'error="invalid_token", '
        "error_description=\"The authentication failed because of missing 'Authorization' header.\""
    )
    return Refused(
        401,
        "AuthenticationFailed",
        "Authentication failed. The 'Authorization' header is missing.",
        headers={"WWW-Authenticate": challenge, **GATEWAY},
    )


def token_expired(end: str, now: str) -> Refused:
    message = f"The access token expiry UTC time '{end}' is earlier than current UTC time '{now}'."
    challenge = (
        'Bearer authorization_uri="https://login.microsoftonline.com/common", '
        f'error="invalid_token", error_description="{message}"'
    )
    return Refused(
        401,
        "ExpiredAuthenticationToken",
        message,
        headers={"WWW-Authenticate": challenge, **GATEWAY},
    )


def subscription_not_found(subscription: str) -> Refused:
    return Refused(
        404,
        "SubscriptionNotFound",
        f"The subscription '{subscription}' could not be found.",
        headers=GATEWAY,
    )


def group_not_found(group: str) -> Refused:
    return Refused(
        404,
        "ResourceGroupNotFound",
        f"Resource group '{group}' could not be found.",
        headers=GATEWAY,
    )


def group_being_deleted(group: str) -> Refused:
    return Refused(
        409,
        "ResourceGroupBeingDeleted",
        f"The resource group '{group}' is in deprovisioning state and cannot perform this "
        "operation.",
        headers=GATEWAY,
    )


def resource_not_found(kind: str, name: str, group: str) -> Refused:
    return Refused(
        404,
        "ResourceNotFound",
        f"The Resource '{kind}/{name}' under resource group '{group}' was not found. For more "
        "details please go to https://aka.ms/ARMResourceNotFoundFix",
        headers=GATEWAY,
    )


def parent_not_found(name: str) -> Refused:
    return Refused(
        404,
        "ParentResourceNotFound",
        "Can not perform requested operation on nested resource. Parent resource "
        f"'{name}' not found.",
        headers=GATEWAY,
    )


def not_found(message: str, *, details: Sequence[Body] | None = None) -> Refused:
    more = {} if details is None else {"details": details}
    return Refused(404, "NotFound", message, headers=None, **more)


def bad_json(message: str) -> Refused:
    return Refused(
        400,
        "InvalidRequestContent",
        f"The request content was invalid and could not be deserialized: '{message}'.",
        headers=GATEWAY,
    )


def location_required() -> Refused:
    return Refused(
        400,
        "LocationRequired",
        "The location property is required for this definition.",
        headers=GATEWAY,
    )


def location_unavailable(kind: str, location: str, regions: Sequence[str]) -> Refused:
    listed = ",".join(regions)
    if kind == kinds.GROUP:
        return Refused(
            400,
            "LocationNotAvailableForResourceGroup",
            f"The provided location '{location}' is not available for resource group. List of "
            f"available regions is '{listed}'.",
            headers=GATEWAY,
        )
    return Refused(
        400,
        "LocationNotAvailableForResourceType",
        f"The provided location '{location}' is not available for resource type '{kind}'. List of "
        f"available regions for the resource type is '{listed}'.",
        headers=GATEWAY,
    )


def location_changed(name: str, group: str, there: str, wanted: str) -> Refused:
    return Refused(
        409,
        "InvalidResourceLocation",
        f"The resource '{name}' already exists in location '{there}' in resource group '{group}'. "
        f"A resource with the same name cannot be created in location '{wanted}'. Please select "
        "a new resource name.",
        headers=GATEWAY,
    )


def precondition_failed(id_: str) -> Refused:
    return Refused(
        412,
        "PreconditionFailed",
        f"The precondition given in the request headers is not met by resource {id_}.",
    )


def etag_mismatch(wanted: str, current: str, id_: str) -> Refused:
    """The 412 of the network provider, as recorded by cloud-provider-azure."""
    detail = error(
        "PreconditionFailedEtagMismatch",
        f'Etag provided in if-match header W/"{wanted}" does not match etag {current} of resource '
        f"{id_} in NRP data store.",
    )
    return Refused(412, "PreconditionFailed", "Precondition failed.", details=[detail])


def invalid_parameter(target: str, message: str) -> Refused:
    return Refused(400, "InvalidParameter", message, target=target)


def bad_request(message: str) -> Refused:
    return Refused(400, "BadRequest", message)


def invalid_name(name: str, rule: str) -> Refused:
    return Refused(400, "InvalidResourceName", f"Resource name {name} is invalid. {rule}")


def invalid_group_name(name: str) -> Refused:
    return Refused(
        400,
        "InvalidResourceGroup",
        f"The provided resource group name '{name}' is not valid. The name can only be a letter, "
        "digit, '-', '.', '(', ')' or '_', of at most 90 characters, and cannot end with '.'.",
        headers=GATEWAY,
    )


def invalid_tags(code: str, message: str) -> Refused:
    return Refused(400, code, message, headers=GATEWAY)
