"""The simulated Resource Manager over real TLS on 127.0.0.1; it goes silent at one request.

The client is the real one: its transport, the network's, is only led to this server.
"""

import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from requests import PreparedRequest
from requests.adapters import HTTPAdapter

from ccgpu.azure.session import ENVIRONMENTS, Session
from ccgpu.cli.backends import Backend
from ccgpu.cli.runtime import ConnectionOptions
from ccgpu.fakearm import FAKE_SUBSCRIPTION, FakeArm, FakeCredential, Request
from ccgpu.fakearm.transport import encode_body
from ccgpu.net.transport import network_transport
from ccgpu.scheduling.clock import RealClock
from ccgpu.scheduling.request_threads import AT_ONCE, RequestThreads
from ccgpu.scheduling.scheduler import Scheduler
from support import tls
from support.cli import Shell
from support.cloud import make_backend
from support.quiet_server import QuietServer

WAYS = ("drip-headers", "silent", "headers", "drip")
_DRIP = 0.2  # seconds between two bytes
_HOST = "management.azure.com"


@dataclass
class SilentServer:
    """The server. It is silent from request `start` on, until `end` (by `clock`)."""

    arm: FakeArm
    way: str
    start: int
    end: float
    clock: RealClock
    seen: int = 0
    struck: int = 0
    closing: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def strikes(self) -> bool:
        """Count a request; whether it is a silent one."""
        with self.lock:
            self.seen += 1
            strikes = self.seen > self.start and self.clock.now() < self.end
            self.struck += strikes
            return strikes


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 0
    silent: SilentServer

    def _serve(self) -> None:
        server = self.silent
        strikes = server.strikes()
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        url = f"https://{_HOST}{self.path}"
        with server.lock:
            answer = server.arm.send(Request(self.command, url, dict(self.headers.items()), body))
        content = encode_body(answer)
        headers = {"Content-Type": "application/json", **answer.headers}
        lines = [f"{name}: {value}" for name, value in headers.items()]
        lines = [f"HTTP/1.1 {answer.status} said", *lines, f"Content-Length: {len(content)}"]
        head = "\r\n".join([*lines, "", ""]).encode()
        if not strikes:
            self.wfile.write(head + content)
            return
        self.close_connection = True
        if server.way in ("headers", "drip"):
            self.wfile.write(head)
        rest = {"drip": content, "drip-headers": head + content}.get(server.way, b"")
        for byte in rest:
            self.wfile.write(bytes([byte]))
            if server.closing.wait(_DRIP):
                return
        server.closing.wait(60.0)

    do_GET = do_PUT = do_POST = do_PATCH = do_DELETE = _serve  # noqa: N815

    def log_message(self, *_: Any) -> None:
        """Says nothing."""


class _Detour(HTTPAdapter):
    """Leads requests to the server."""

    def __init__(self, port: int, ca: Path) -> None:
        super().__init__()
        self._port, self._ca = port, ca

    def send(self, request: PreparedRequest, *_: Any, **more: Any) -> Any:
        there = urlsplit(str(request.url))._replace(netloc=f"127.0.0.1:{self._port}")
        request.url = urlunsplit(there)
        return super().send(request, **{**more, "verify": str(self._ca)})


@contextmanager
def silent_server(
    folder: Path, shell: Shell, way: str, start: int, seconds: float, at_once: int = AT_ONCE
) -> Iterator[tuple[SilentServer, Callable[[ConnectionOptions], Backend]]]:
    """The server, silent for so many seconds, and a back end whose Azure it is.

    at_once: how many requests the back end makes at the same time.
    """
    clock, ca = RealClock(), tls.certificate(folder)
    silent = SilentServer(shell.arm, way, start, clock.now() + seconds, clock)
    server = QuietServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"silent": silent}))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(ca)
    server.socket = context.wrap_socket(
        server.socket, server_side=True, do_handshake_on_connect=False
    )
    transport: Any = network_transport()
    transport.open()
    transport.session.mount("https://", _Detour(server.server_port, ca))
    plain = make_backend(shell.arm, shell.state)
    credential = FakeCredential(shell.arm)
    session = Session(FAKE_SUBSCRIPTION, ENVIRONMENTS["public"], credential, transport)
    scheduler = Scheduler(clock, RequestThreads(at_once))
    with ExitStack() as stack:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        stack.callback(transport.close)
        stack.callback(server.server_close)
        stack.callback(thread.join)
        stack.callback(server.shutdown)
        stack.callback(silent.closing.set)
        backend = replace(plain, session=lambda: session, scheduler=scheduler)
        yield silent, lambda _: backend
