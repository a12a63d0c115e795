"""The action Run Command of a VM: its start, and its result.

The result is at the operation's `Location`; the other URL tells whether it has ended.
"""

from dataclasses import dataclass, field
from typing import cast
from urllib.parse import quote

from azure.core import exceptions as sdk
from azure.core.rest import HttpRequest

from ccgpu.azure.arm import Arm, Pending
from ccgpu.azure.error_details import get_field
from ccgpu.azure.errors import translating_errors
from ccgpu.domain.catalog import API_VERSIONS, Kind
from ccgpu.domain.resource import ResourceId
from ccgpu.errors import AzureUnavailable
from ccgpu.net.retry import retry_after


@dataclass
class RunCommandCall:
    """One call of Run Command with these lines of a script."""

    arm: Arm
    vm: ResourceId
    script: list[str]
    _location: str | None = field(default=None, init=False, repr=False)  # has a signature

    def start(self) -> Pending | None:
        """Send the script. Returns what to poll, or None if Azure answers at once."""
        # The SDK's typed call reads the empty body of a 202 as JSON if it is not to poll by itself.
        request = HttpRequest(
            "POST",
            f"https://{self.arm.reader.host}{quote(self.vm)}/runCommand",
            params={"api-version": API_VERSIONS[Kind.VM]},
            json={"commandId": "RunShellScript", "script": self.script},
        )
        with translating_errors(f"Run Command in {self.vm}"):
            answer = self.arm.reader.send(request)
            if answer.status_code == 401:
                raise sdk.ClientAuthenticationError(response=answer)
            if answer.status_code not in (200, 202):
                raise sdk.HttpResponseError(response=answer)
            self._location = answer.headers.get("Location")
            url = answer.headers.get("Azure-AsyncOperation")
        if url is None:
            if self._location is None:
                raise AzureUnavailable(f"Run Command in {self.vm}: no URL to poll", code="NotArm")
            return Pending(self._location, retry_after(answer.headers), by_location=True)
        return Pending(url, retry_after(answer.headers))

    def message(self) -> str:
        """The agent's message, once the operation has ended.

        Raises:
            AzureUnavailable: the result cannot be read; it may be asked for again.
        """
        doing = f"reading the result of Run Command in {self.vm}"
        with translating_errors(doing):
            answer = self.arm.reader.send(HttpRequest("GET", self._location or ""))
            document = answer.json() if answer.status_code == 200 else None
            values = get_field(document, "value") if isinstance(document, dict) else None
        for value in values if isinstance(values, list) else ():
            if isinstance(value, dict) and isinstance(value.get("message"), str):
                return cast("str", value["message"])
        raise AzureUnavailable(
            f"{doing}: no result [{answer.status_code}]", code=f"Http{answer.status_code}"
        )
