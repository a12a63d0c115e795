"""The page blob behind an upload's disk, by Azure's own client over ccgpu's pipeline.

The URL is a secret: whoever has it writes the disk. It is sent to the storage service alone, and
is in no message: errors name the service's code and nothing of its text.
"""

import base64
import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from azure.core import PipelineClient
from azure.core import exceptions as sdk
from azure.core.pipeline import PipelineRequest, PipelineResponse
from azure.core.pipeline.policies import SansIOHTTPPolicy
from azure.core.rest import HttpRequest

from ccgpu.azure.session import Session
from ccgpu.errors import AzureRefused, AzureUnavailable, CcgpuError, ForeignAnswer
from ccgpu.net import answers
from ccgpu.net.pipeline import ForeignHost
from ccgpu.net.retry import retry_after

if TYPE_CHECKING:
    from azure.storage import blob as storage

# Where the disks of each cloud can be written: Microsoft Learn, "Restrict managed disks from being
# imported or exported" (md-*.z*.blob.storage.azure.net), and the clouds' storage endpoints.
_HOSTS = {
    "public": (".blob.core.windows.net", ".blob.storage.azure.net"),
    "usgov": (".blob.core.usgovcloudapi.net",),
    "china": (".blob.core.chinacloudapi.cn",),
}
_TRANSIENT = (408, 429, 500, 502, 503, 504)
# The code for a URL whose permission was taken back, or has ended.
PERMISSION_OVER = "AuthenticationFailed"
# Options that the client hands to policies of its own, which are not in this pipeline.
_OWN_OPTIONS = ("validate_content", "use_location")
# The service says so if the bytes that arrived are not those that were sent (Put Page).
_DAMAGED = ("Md5Mismatch", "InvalidMd5")


class UploadUrl:
    """The URL by which a disk is written. Its text is in no `repr`."""

    def __init__(self, value: str) -> None:
        self.value = value

    def __repr__(self) -> str:
        return "UploadUrl(…)"


class _BlobPolicy(SansIOHTTPPolicy[Any, Any]):
    """A policy that sends the MD5 of what is written, so that the service refuses other bytes.

    It takes the place of the client's own policies `StorageContentValidation` and `StorageHosts`.
    """

    def on_request(self, request: PipelineRequest[Any]) -> None:
        """Add the digest of a body."""
        for word in _OWN_OPTIONS:
            request.context.options.pop(word, None)
        body = request.http_request.content
        if isinstance(body, bytes):
            request.http_request.headers["Content-MD5"] = _md5(body)

    def on_response(
        self, request: PipelineRequest[Any], response: PipelineResponse[Any, Any]
    ) -> None:
        """Raise an error if the service says that it has other bytes."""
        response.http_response.location_mode = "primary"  # which the client reads of a list
        sent = request.http_request.headers.get("Content-MD5")
        got = response.http_response.headers.get("Content-MD5")
        if sent and got and response.http_response.status_code == 201 and sent != got:
            raise sdk.ServiceResponseError("the service has other bytes than were sent")


def _md5(data: bytes) -> str:
    return base64.b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode()


class PageBlob:
    """One blob. Each call sends one request, `ranges` one for each page of the list."""

    def __init__(self, session: Session, url: UploadUrl) -> None:
        """Raises `ForeignAnswer` if the URL is not of the cloud's storage service."""
        from azure.storage.blob import BlobClient

        parts = urlsplit(url.value)
        host = (parts.hostname or "").casefold()
        if parts.scheme != "https" or not host.endswith(_HOSTS[session.environment.name]):
            raise ForeignAnswer(
                f"writing the disk: Azure names a host that is none of its storage: {host}",
                code="ForeignHost",
            )
        pipeline = session.storage_pipeline(host, _BlobPolicy())
        # `_pipeline` is how the SDK itself shares one; there is no other word for it.
        self._blob: storage.BlobClient = BlobClient.from_blob_url(url.value, _pipeline=pipeline)
        self._raw: PipelineClient[Any, Any] = PipelineClient(url.value, pipeline=pipeline)
        self._url = url

    def write(self, offset: int, data: bytes) -> None:
        """Write whole pages."""
        with _translating("writing the disk"):
            self._blob.upload_page(data, offset, len(data))

    def ranges(self) -> Sequence[tuple[int, int]]:
        """The ranges that were written: offset, and the end, which is not in it."""
        with _translating("reading what is on the disk"):
            found = [one for one in self._blob.list_page_ranges() if not one.cleared]
            return [(int(str(one.start)), int(str(one.end)) + 1) for one in found]

    def read(self, offset: int, size: int) -> bytes:
        """Bytes that were written."""
        headers = {
            "x-ms-range": f"bytes={offset}-{offset + size - 1}",
            "x-ms-version": self._blob.api_version,
        }
        with _translating("reading what is on the disk"):
            request = HttpRequest("GET", self._url.value, headers=headers)
            with self._raw.send_request(request, stream=True) as answer:  # so it is not parsed
                if answer.status_code not in (200, 206):
                    raise sdk.HttpResponseError(response=answer)
                data: bytes = answer.read()
                return data


@contextmanager
def _translating(doing: str) -> Iterator[None]:
    """Translate the SDK's errors, without a word of what they say: it may have the URL."""
    with answers.tracked_request(), _translated(doing):
        yield


@contextmanager
def _translated(doing: str) -> Iterator[None]:
    try:
        yield
    except CcgpuError:
        raise
    except ForeignHost:
        raise ForeignAnswer(f"{doing}: refused to ask another host", code="ForeignHost") from None
    except sdk.HttpResponseError as err:
        raise _refusal(doing, err) from None
    except sdk.AzureError as err:
        kind = type(err).__name__
        raise AzureUnavailable(f"{doing}: no usable response ({kind})", code=kind) from None
    except (OSError, ValueError, TypeError, AttributeError, KeyError):
        if not answers.response_received():
            raise
        raise AzureUnavailable(f"{doing}: the response is not Azure's", code="NotAzure") from None


def _refusal(doing: str, err: sdk.HttpResponseError) -> AzureRefused:
    """The error for a status of the storage service (Microsoft Learn, "Blob service error codes").

    The code is in the header `x-ms-error-code`; the text of the body is never shown.
    """
    status = err.status_code or 0
    headers = getattr(err.response, "headers", None) or {}
    code = str(headers.get("x-ms-error-code") or f"Http{status}")
    code = code if code.isascii() and code.isalnum() else f"Http{status}"
    message = f"{doing}: the storage service answered {status} [{code}]"
    if status in _TRANSIENT or code in _DAMAGED:
        return AzureUnavailable(message, code=code, after=retry_after(headers))
    hint = "run the same command again: it asks for another permission to write"
    return AzureRefused(message, code=code, hint=hint if status in (401, 403, 404) else None)
