"""The permission to write a disk (SAS): asked for, and taken back.

Source: azure-mgmt-compute, `disks.begin_grant_access`, whose result is at the `Location` of the
answer (`final-state-via: location`), as `accessSAS`. Older API versions have it in the operation's
`properties.output`.
"""

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

from azure.core import exceptions as sdk
from azure.core.rest import HttpRequest, HttpResponse

from ccgpu.azure.arm import Arm, Pending, status_error
from ccgpu.azure.errors import translating_errors
from ccgpu.azure.page_blob import UploadUrl
from ccgpu.domain.catalog import API_VERSIONS, Kind
from ccgpu.domain.resource import ResourceId, group_of, name_of
from ccgpu.errors import AzureUnavailable, ForeignAnswer
from ccgpu.net.retry import retry_after


@dataclass(frozen=True, slots=True)
class DiskAccess:
    """The permission of one disk."""

    arm: Arm
    disk: ResourceId

    def grant(self, seconds: float) -> Pending | UploadUrl:
        """Start to ask for the permission to write for so many seconds."""
        wanted = {"access": "Write", "durationInSeconds": round(seconds)}
        doing = f"asking to write {self.disk}"
        # Not by the typed client: it parses the answer, which has no body until the work is done.
        url = f"https://{self.arm.reader.host}{quote(self.disk)}/beginGetAccess"
        request = HttpRequest(
            "POST", url, params={"api-version": API_VERSIONS[Kind.DISK]}, json=wanted
        )
        with translating_errors(doing):
            answer = self.arm.reader.send(request)
            if answer.status_code == 401:
                raise sdk.ClientAuthenticationError(response=answer)
            if answer.status_code not in (200, 202):
                raise sdk.HttpResponseError(response=answer)
            return self._result(answer)

    def poll(self, pending: Pending) -> Pending | UploadUrl:
        """Ask once for what `grant` has started."""
        doing = f"asking to write {self.disk}"
        if urlsplit(pending.url).hostname != self.arm.reader.host:
            raise ForeignAnswer(f"{doing}: the status URL names another host", code="ForeignHost")
        with translating_errors(doing):
            answer = self.arm.reader.send(HttpRequest("GET", pending.url))
            if answer.status_code not in (200, 201, 202):
                raise status_error(doing, pending, answer)
            return self._result(answer, pending)

    def revoke(self) -> Pending | None:
        """Start to take the permission back. Returns None if that is done."""
        with translating_errors(f"closing {self.disk}"):
            send = self.arm.typed(self.disk).disk_action("revoke_access")
            return self.arm.pending_of(send(group_of(self.disk), name_of(self.disk)))

    def _result(self, answer: HttpResponse, asked: Pending | None = None) -> Pending | UploadUrl:
        """The permission, or what to ask next."""
        if answer.status_code == 202:
            url = answer.headers.get("Location") or (asked.url if asked else None)
            if url is None:
                raise AzureUnavailable(
                    f"asking to write {self.disk}: the answer names no URL to ask", code="NoUrl"
                )
            return Pending(url, retry_after(answer.headers), by_location=True)
        url = _access_url(answer.json())
        if url is None:
            raise AzureUnavailable(
                f"asking to write {self.disk}: the answer has no permission", code="NoAccess"
            )
        return UploadUrl(url)


def _access_url(body: Any) -> str | None:
    """`accessSAS`, wherever the API version has it."""
    if not isinstance(body, dict):
        return None
    output = (body.get("properties") or {}).get("output") or {}
    found = body.get("accessSAS") or output.get("accessSAS")
    return found if isinstance(found, str) else None
