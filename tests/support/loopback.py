"""NVIDIA's two services on 127.0.0.1: real HTTPS, with a delay before each response."""

import base64
import hashlib
import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

from azure.core.pipeline.transport import RequestsTransport

from ccgpu.collateral.sources import Sources
from ccgpu.scheduling.clock import RealClock
from support import revocation, tls
from support.quiet_server import QuietServer

_RIM = b"<SoftwareIdentity>" + b"x" * 20_000 + b"</SoftwareIdentity>"  # as large as real ones


@dataclass(frozen=True)
class Loopback:
    """Their URL and their CA."""

    url: str
    ca: Path

    @property
    def sources(self) -> Sources:
        """Both vendors at this URL, without mirrors."""
        return Sources(kds=self.url, rim=f"{self.url}/v1/rim/", ocsp=f"{self.url}/", mirrors={})

    def transport(self) -> RequestsTransport:
        """The network, trusting only this CA."""
        return RequestsTransport(connection_verify=str(self.ca))


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # connections are kept
    disable_nagle_algorithm = True
    latency = 0.0
    clock = RealClock()

    def do_GET(self) -> None:
        rim_id = self.path.rsplit("/", 1)[-1]
        if rim_id == "ELSEWHERE":
            self._say(b"", 302, {"Location": "/v1/rim/HERE"})
            return
        digest = hashlib.sha256(_RIM).hexdigest()
        answer = {"id": rim_id, "rim": base64.b64encode(_RIM).decode(), "sha256": digest}
        self._say(json.dumps(answer).encode())

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self._say(revocation.ocsp_response_to(body, self.clock.now()))

    def _say(self, body: bytes, status: int = 200, headers: dict[str, str] | None = None) -> None:
        self.clock.sleep(self.latency)
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Says nothing."""


@contextmanager
def running_services(folder: Path, latency: float = 0.0) -> Iterator[Loopback]:
    """Both services, which run during the context."""
    ca = tls.certificate(folder)
    handler = type("Handler", (_Handler,), {"latency": latency})
    server = QuietServer(("127.0.0.1", 0), handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(ca)
    # The handshake is for the connection's own thread: here it would hold up those behind it.
    server.socket = context.wrap_socket(
        server.socket, server_side=True, do_handshake_on_connect=False
    )
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield Loopback(f"https://127.0.0.1:{server.server_port}", ca)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
