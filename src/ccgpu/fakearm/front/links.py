"""Addresses in requests and answers: those of Azure's hosts, and those on loopback.

The simulated ARM knows only Azure's hosts. A client on loopback follows the addresses in its
answers, so they must lead back here: `Location`, `Azure-AsyncOperation`, `nextLink`, and the
addresses of serial logs and of disks, whose host becomes the beginning of the path.
"""

import re
from typing import Any

from ccgpu.fakearm.wire import Request, Response

_MANAGEMENT = "https://management.azure.com/"
_BLOBS = "/blobs/"
_BLOB_ADDRESS = re.compile(r"https://([a-z0-9.-]+\.blob\.storage\.azure\.net)/")
_SLASHES = re.compile("//+")
_HEADERS = frozenset(("location", "azure-asyncoperation"))
_FIELDS = frozenset(
    ("nextLink", "serialConsoleLogBlobUri", "consoleScreenshotBlobUri", "accessSAS")
)
_NESTED = ("properties", "output")  # where an operation has what it gives


def to_azure(request: Request) -> Request:
    """The request as a client of Azure would send it, without empty parts of the path.

    `az` writes `Microsoft.Compute//virtualMachines` for a type without a parent, which ARM takes.
    """
    _, _, target = request.url.partition("://")[2].partition("/")
    path, mark, query = target.partition("?")
    target = _SLASHES.sub("/", path) + mark + query
    if f"/{target}".startswith(_BLOBS):
        host, _, target = target.removeprefix(_BLOBS[1:]).partition("/")
        return Request(request.method, f"https://{host}/{target}", request.headers, request.body)
    return Request(request.method, _MANAGEMENT + target, request.headers, request.body)


def to_loopback(answer: Response, host: str) -> Response:
    """The answer with all addresses on loopback."""
    headers = {
        name: _moved(value, host) if name.lower() in _HEADERS else value
        for name, value in answer.headers.items()
    }
    return Response(answer.status, _moved_fields(answer.body, host), headers)


def _moved_fields(body: Any, host: str) -> Any:
    if not isinstance(body, dict) or not _FIELDS.union(_NESTED) & body.keys():
        return body
    return {key: _moved_field(key, value, host) for key, value in body.items()}


def _moved_field(key: str, value: Any, host: str) -> Any:
    if key in _NESTED:
        return _moved_fields(value, host)
    return _moved(value, host) if key in _FIELDS else value


def _moved(address: str, host: str) -> str:
    if address.startswith(_MANAGEMENT):
        return f"https://{host}/{address.removeprefix(_MANAGEMENT)}"
    return _BLOB_ADDRESS.sub(rf"https://{host}{_BLOBS}\1/", address)
