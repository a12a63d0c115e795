"""Boot diagnostics: the URLs of a VM's serial log, and the log itself.

The log grows with virtual time. A confidential VM has no screenshot. The host key in the log is
derived from the VM's id, so it never changes.
"""

import base64
import hashlib
from urllib.parse import parse_qsl, urlsplit

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ccgpu.fakearm import compute_errors, errors, kinds
from ccgpu.fakearm.call import IN_GROUP, ArmCall, Route, Routes
from ccgpu.fakearm.clock import arm_time
from ccgpu.fakearm.resources import tracked
from ccgpu.fakearm.vm.rules import value_at
from ccgpu.fakearm.vm.view import is_agent_ready
from ccgpu.fakearm.wire import FakeGap, Request, Response
from ccgpu.fakearm.world import StoredResource, World

BLOB_HOSTS = ".blob.storage.azure.net"
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
    answer = {"serialConsoleLogBlobUri": _blob_url(vm, "serialconsole.log", until)}
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
    for vm in world.list_kind(kinds.VM):
        if request.url == _blob_url(vm, "serialconsole.log", float(query.get("se", "0"))):
            if world.now >= float(query["se"]):
                return _text_response(403, "AuthenticationFailed: the signature has expired\n")
            return _text_response(200, serial_log(world, vm))
    return _text_response(404, "BlobNotFound\n")


def _text_response(status: int, text: str) -> Response:
    return Response(status, text, {"Content-Type": "text/plain"})


def serial_log(world: World, vm: StoredResource) -> str:
    """What the serial console has printed so far."""
    booted = vm.internal_state.get("bootedAt")
    if booted is None:
        return ""
    name = vm.properties["osProfile"]["computerName"]
    lines = [
        f"[    0.000000] Linux version 6.8.0-azure-fde (simulated) booted {arm_time(booted)}",
        "[    0.412907] Memory Encryption Features active: AMD SEV SEV-ES SEV-SNP",
        f"[    3.118442] systemd[1]: Hostname set to <{name}>.",
    ]
    if is_agent_ready(world, vm):
        key = host_key(vm.properties["vmId"])
        lines += [
            f"[   21.730115] cloud-init[911]: configuring {name}",
            "-----BEGIN SSH HOST KEY FINGERPRINTS-----",
            f"256 {_fingerprint(key)} root@{name} (ED25519)",
            "-----END SSH HOST KEY FINGERPRINTS-----",
            "-----BEGIN SSH HOST KEY KEYS-----",
            f"{key} root@{name}",
            "-----END SSH HOST KEY KEYS-----",
            "[   33.902618] cloud-init[911]: finished, the machine is up",
            "",
            f"{name} login: ",
        ]
    return "\r\n".join(lines) + "\r\n"


def host_key(vm_id: str) -> str:
    """The VM's ssh-ed25519 host key, as a line of a public key file without a comment."""
    secret = Ed25519PrivateKey.from_private_bytes(hashlib.sha256(vm_id.encode()).digest())
    return secret.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


def _fingerprint(key: str) -> str:
    digest = hashlib.sha256(base64.b64decode(key.split()[1])).digest()
    return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")


ROUTES: Routes = {
    ("POST", f"{IN_GROUP}{kinds.VM.lower()}/*/retrievebootdiagnosticsdata"): Route(
        retrieve_boot_diagnostics, kinds.COMPUTE_API, frozenset({"sasUriExpirationTimeInMinutes"})
    )
}
