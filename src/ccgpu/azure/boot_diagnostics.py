"""A VM's serial log: ARM answers with the URL of a blob, which is then fetched without a token.

The URL has a signature that lets anybody read the log until it expires: it is never shown, logged
or stored. Hosts: Microsoft Learn, "Azure boot diagnostics" (managed storage), and "Azure storage
endpoints" of the other clouds.
"""

from dataclasses import dataclass
from urllib.parse import quote, urlsplit

from ccgpu.azure.arm import Arm
from ccgpu.azure.errors import translating_errors
from ccgpu.azure.session import Session
from ccgpu.domain.catalog import API_VERSIONS, Kind
from ccgpu.domain.resource import ResourceId
from ccgpu.errors import AzureRefused, AzureUnavailable
from ccgpu.net.fetch import HttpRequestSpec, NoAnswer

BLOB_HOSTS = {
    "public": (".blob.storage.azure.net", ".blob.core.windows.net"),
    "usgov": (".blob.storage.usgovcloudapi.net", ".blob.core.usgovcloudapi.net"),
    "china": (".blob.storage.chinacloudapi.cn", ".blob.core.chinacloudapi.cn"),
}
# Minutes for which the URL works; the compute API takes 1 to 1440.
_VALIDITY = 5
# Bytes. Azure keeps about the last megabyte of a console.
MAX_LOG = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class SerialLogs:
    """The serial logs of VMs in one session."""

    session: Session
    arm: Arm

    def read(self, vm: ResourceId) -> str:
        """The serial log of a VM so far; empty if it has not printed anything.

        Raises:
            AzureRefused: boot diagnostics are not enabled, or the answer cannot be used.
            Denied: the action retrieveBootDiagnosticsData is missing.
            AzureUnavailable: the same request may be sent again.
        """
        doing = f"reading the serial log of {vm}"
        url = self._url(vm, doing)
        if url is None:
            return ""
        hosts = BLOB_HOSTS[self.session.environment.name]
        if not (urlsplit(url).hostname or "").casefold().endswith(hosts):
            raise AzureRefused(
                f"{doing}: Azure names a host that is not its storage", code="ForeignHost"
            )
        try:
            data = self.session.web(hosts).get(HttpRequestSpec(url, MAX_LOG, "*/*"))
        except NoAnswer as err:
            text = f"{doing}: the log's storage {err}"
            if err.transient:
                raise AzureUnavailable(text, code="SerialLog", after=err.retry_after) from err
            raise AzureRefused(text, code="SerialLog") from err
        return data.decode("utf-8", "replace")

    def _url(self, vm: ResourceId, doing: str) -> str | None:
        """The URL of the log's blob; None if there is no log yet."""
        action = f"{quote(vm)}/retrieveBootDiagnosticsData"
        query = {"sasUriExpirationTimeInMinutes": str(_VALIDITY)}
        with translating_errors(doing):
            answer = self.arm.reader.post(action, API_VERSIONS[Kind.VM], query)
            url = answer.get("serialConsoleLogBlobUri")
        if url is not None and not isinstance(url, str):
            raise AzureUnavailable(f"{doing}: the response has no URL", code="NotArm")
        return url
