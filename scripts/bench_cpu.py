"""Measures the CPU time of ARM requests beside a raw `send_request` of azure-core, in one process.

A GET: the same body over the same stub of a transport, by turns. A create: all that it costs, the
simulated Azure included, for each of its requests. Run by `dev.py bench` in the project's
environment; prints its rows.
"""

import io
import json
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

import requests
from azure.core import PipelineClient
from azure.core.pipeline import policies
from azure.core.pipeline.transport import RequestsTransport
from azure.core.rest import HttpRequest
from requests.adapters import BaseAdapter
from urllib3.response import HTTPResponse

from bench_rows import Row, by_turns, cpu_in_process, tell
from ccgpu.azure.arm import Arm
from ccgpu.azure.session import ENVIRONMENTS, Session
from ccgpu.domain.catalog import API_VERSIONS, Kind
from ccgpu.domain.resource import subscription_of
from ccgpu.fakearm import FakeArm, FakeCredential
from ccgpu.net.request_log import RequestLog
from support.cloud import Machine

_ROUNDS = 15
_CREATES = 7
_BLOCK = 40
_CLOUD = ENVIRONMENTS["public"]
_HEADERS = {"Content-Type": "application/json; charset=utf-8", "x-ms-request-id": "a-b-c"}
_LIMIT_OF_GET = 1.3
_LIMIT_OF_CREATE = 2.5


class _Stub(BaseAdapter):
    """Answers every request with one body, below all that azure-core and requests do."""

    def __init__(self, body: bytes) -> None:
        super().__init__()
        self._body = body

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        """The answer."""
        answer = requests.Response()
        answer.status_code, answer.reason = 200, "OK"
        answer.headers.update(_HEADERS)
        answer.request, answer.url = request, request.url or ""
        answer.raw = HTTPResponse(
            io.BytesIO(self._body), headers=_HEADERS, status=200, preload_content=False
        )
        return answer

    def close(self) -> None:
        """Nothing is open."""


def main() -> None:
    """Print the rows."""
    with tempfile.TemporaryDirectory() as folder:
        machine = Machine(FakeArm(), Path(folder))
        machine.create()
        vm = next(one for one in machine.ids() if "/virtualMachines/" in one)
        body = machine.cloud.arm.get(Kind.VM, vm)
        machine.delete()
        raw, get = _gets(vm, json.dumps(body).encode())
        bare_get = cpu_in_process(raw, _BLOCK)
        bare, ours = by_turns([bare_get, cpu_in_process(get, _BLOCK)], _ROUNDS)
        beside, create = by_turns([bare_get, partial(_create, machine)], _CREATES)
    of = "÷ a raw send_request of azure-core"
    tell(
        [
            Row(f"CPU of a GET {of}", ours / bare, _LIMIT_OF_GET),
            Row(
                f"CPU of create, fake included, a request, {of}", create / beside, _LIMIT_OF_CREATE
            ),
        ]
    )


def _gets(vm: str, body: bytes) -> tuple[Any, Any]:
    """A raw GET of the VM by azure-core with its own policies, and ccgpu's."""
    credential = FakeCredential()
    client: Any = PipelineClient(
        f"https://{_CLOUD.host}",
        policies=[
            policies.RequestIdPolicy(),
            policies.HeadersPolicy(),
            policies.UserAgentPolicy("bench"),
            policies.ContentDecodePolicy(),
            policies.BearerTokenCredentialPolicy(credential, _CLOUD.scope),
        ],
        transport=_transport(body),
    )
    url = f"https://{_CLOUD.host}{vm}"
    query = {"api-version": API_VERSIONS[Kind.VM]}
    log = RequestLog(lambda: 0.0)
    arm = Arm(Session(subscription_of(vm), _CLOUD, credential, _transport(body), log))

    def raw() -> Any:
        return client.send_request(HttpRequest("GET", url, params=query)).json()

    def get() -> Any:
        return arm.get(Kind.VM, vm)

    if raw() != get():
        sys.exit("error: the two GETs have different answers")
    return raw, get


def _transport(body: bytes) -> RequestsTransport:
    session = requests.Session()
    session.mount("https://", _Stub(body))
    return RequestsTransport(session=session, session_owner=False)


def _create(machine: Machine) -> float:
    """Seconds of CPU for each request of a create; the deployment is deleted."""
    before = len(machine.arm.show()["requests"])
    taken = cpu_in_process(machine.create)()
    sent = len(machine.arm.show()["requests"]) - before
    machine.delete()
    return taken / sent


if __name__ == "__main__":
    main()
