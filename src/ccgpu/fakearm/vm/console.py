"""Boot diagnostics: the URLs of a VM's serial log, and the blob at such a URL.

The VM itself writes the log. A confidential VM has no screenshot.
"""

import hashlib
from urllib.parse import parse_qsl, unquote, urlsplit

from ccgpu.fakearm import compute_errors, errors, kinds
from ccgpu.fakearm.call import IN_GROUP, ArmCall, Route, Routes
from ccgpu.fakearm.resources import tracked
from ccgpu.fakearm.vm import inside
from ccgpu.fakearm.vm.rules import value_at
from ccgpu.fakearm.wire import FakeGap, Request, Response
from ccgpu.fakearm.world import StoredResource, World

BLOB_HOSTS = ".blob.storage.azure.net"
_LOG = "serialconsole.log"
_MINUTES = range(1, 1441)  # compute API, RetrieveBootDiagnosticsData; 120 when absent


def retrieve_boot_diagnostics(call: ArmCall) -> Response:
    vm = tracked.require(call, kinds.VM)
    minutes = int(call.query.get("sasUriExpirationTimeInMinutes", "120"))
    if minutes not in _MINUTES:
        raise errors.invalid_parameter(
            "sasUriExpirationTimeInMinutes",
            "The value of parameter sasUriExpirationTimeInMinutes is out of range: 1 to 1440.",
        )
    if not value_at(vm.properties, "diagnosticsProfile", "bootDiagnostics", "enabled"):
        raise compute_errors.operation_not_allowed(
            f"Boot diagnostics is not enabled for VM '{vm.name}'."
        )
    until = call.world.now + minutes * 60
    answer = {"serialConsoleLogBlobUri": _blob_url(vm, _LOG, until)}
    if value_at(vm.properties, "securityProfile", "securityType") != "ConfidentialVM":
        answer["consoleScreenshotBlobUri"] = _blob_url(vm, "screenshot.bmp", until)
    return Response(200, answer)


def _blob_url(vm: StoredResource, blob: str, until: float) -> str:
    id_ = vm.properties["vmId"]
    account = f"md-hdd-{id_[:12].replace('-', '')}.z1"
    signature = hashlib.sha256(f"{id_}/{blob}/{int(until)}".encode()).hexdigest()
    return (
        f"https://{account}{BLOB_HOSTS}/bootdiagnostics-{vm.name[:9].lower()}-{id_}/"
        f"{vm.name}.{id_}.{blob}?sv=2018-03-28&sr=b&sp=r&se={int(until)}&sig={signature}"
    )


def get_blob(world: World, request: Request) -> Response:
    """The text at such a URL. A request with a token would leak it, and is a gap."""
    if request.headers.get("Authorization"):
        raise FakeGap("a token was sent to a storage host")
    if request.method != "GET":
        raise FakeGap(f"{request.method} of a blob")
    query = dict(parse_qsl(urlsplit(request.url).query))
    for vm in _named(world, urlsplit(request.url).path.rpartition("/")[2]):
        if request.url == _blob_url(vm, _LOG, float(query.get("se", "0"))):
            if world.now >= float(query["se"]):
                return _text_response(403, "AuthenticationFailed: the signature has expired\n")
            return _text_response(200, inside.serial_log(world, vm))
    return _text_response(404, "BlobNotFound\n")


def _named(world: World, blob: str) -> list[StoredResource]:
    """The VMs whose name the blob's begins with: `NAME.VMID.serialconsole.log`."""
    name = unquote(blob).removesuffix(f".{_LOG}").rpartition(".")[0]
    end = f"/{kinds.VM.partition('/')[2]}/{name}".lower()
    where = "kind = ? AND substr(key, -length(?)) = ?"
    return world.select("resources", where, (kinds.VM, end, end), -1)


def _text_response(status: int, text: str) -> Response:
    return Response(status, text, {"Content-Type": "text/plain"})


ROUTES: Routes = {
    ("POST", f"{IN_GROUP}{kinds.VM.lower()}/*/retrievebootdiagnosticsdata"): Route(
        retrieve_boot_diagnostics, kinds.COMPUTE_API, frozenset({"sasUriExpirationTimeInMinutes"})
    )
}
