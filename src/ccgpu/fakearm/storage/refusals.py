"""Azure Storage's errors, as XML.

Microsoft Learn, "Blob service error codes" and "Common REST API error codes"; docs/fake-azure.md
names the sources of the texts.
"""

from email.utils import formatdate
from xml.sax.saxutils import escape

from ccgpu.fakearm.wire import Response


class StorageRefused(Exception):
    """Storage refuses the request. The answer needs the time."""

    def __init__(self, status: int, code: str, message: str, detail: str | None = None) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status, self.code, self.message, self.detail = status, code, message, detail

    def response(self, request_id: str, moment: str) -> Response:
        more = f"\nRequestId:{request_id}\nTime:{moment}"
        detail = ""
        if self.detail is not None:
            shown = escape(self.detail)
            detail = f"<AuthenticationErrorDetail>{shown}</AuthenticationErrorDetail>"
        text = (
            f'\ufeff<?xml version="1.0" encoding="utf-8"?><Error><Code>{self.code}</Code>'
            f"<Message>{escape(self.message)}{more}</Message>{detail}</Error>"
        )
        headers = {"Content-Type": "application/xml", "x-ms-error-code": self.code}
        return Response(self.status, text.encode(), headers)


def unauthenticated(detail: str) -> StorageRefused:
    return StorageRefused(
        403,
        "AuthenticationFailed",
        "Server failed to authenticate the request. Make sure the value of Authorization header is "
        "formed correctly including the signature.",
        detail,
    )


def revoked() -> StorageRefused:
    return unauthenticated("SAS identifier cannot be found for specified signed identifier")


def unsigned() -> StorageRefused:
    return unauthenticated("Signature did not match.")


def expired(start: float, until: float, now: float) -> StorageRefused:
    given, end, current = (formatdate(one, usegmt=True) for one in (start, until, now))
    return unauthenticated(
        f"Signature not valid in the specified time frame: Start [{given}] - Expiry [{end}] - "
        f"Current [{current}]"
    )


def wrong_permission() -> StorageRefused:
    return StorageRefused(
        403,
        "AuthorizationPermissionMismatch",
        "This request is not authorized to perform this operation using this permission.",
    )


def condition_not_met(status: int) -> StorageRefused:
    return StorageRefused(
        status,
        "ConditionNotMet",
        "The condition specified using HTTP conditional header(s) is not met.",
    )


def bad_header() -> StorageRefused:
    return StorageRefused(
        400,
        "InvalidHeaderValue",
        "The value for one of the HTTP headers is not in the correct format.",
    )


def missing_header() -> StorageRefused:
    return StorageRefused(
        400,
        "MissingRequiredHeader",
        "An HTTP header that's mandatory for this request is not specified.",
    )


def bad_page_range() -> StorageRefused:
    return StorageRefused(416, "InvalidPageRange", "The page range specified is invalid.")


def bad_range() -> StorageRefused:
    return StorageRefused(
        416, "InvalidRange", "The range specified is invalid for the current size of the resource."
    )


def too_large() -> StorageRefused:
    return StorageRefused(
        413,
        "RequestBodyTooLarge",
        "The request body is too large and exceeds the maximum permissible limit.",
    )


def wrong_md5() -> StorageRefused:
    return StorageRefused(
        400,
        "Md5Mismatch",
        "The MD5 value specified in the request did not match with the MD5 value calculated by "
        "the server.",
    )


def wrong_crc64() -> StorageRefused:
    return StorageRefused(
        400,
        "Crc64Mismatch",
        "The CRC64 value specified in the request did not match with the CRC64 value calculated by "
        "the server.",
    )
