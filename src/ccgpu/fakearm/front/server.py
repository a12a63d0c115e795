"""HTTPS on loopback for the simulated Azure: a thread for each connection."""

import ssl
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import formatdate
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer  # noqa: TID251  # silenced
from pathlib import Path
from typing import Any

from ccgpu.fakearm.transport import encode_body
from ccgpu.fakearm.wire import Request, Response

_LOOPBACK = "127.0.0.1"
_MOST_BYTES = 4 * 1024 * 1024  # of a request; ARM's limit (Microsoft Learn, ARM limits)
_IDLE_SECONDS = 60.0  # before a silent connection is closed
_POLL_SECONDS = 0.05  # how soon the server notices that it should end


class LoopbackServer(ThreadingHTTPServer):
    """Answers every request with `service.send`."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(self, port: int, service: Any, identity: Path) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(identity)
        self.service = service
        super().__init__((_LOOPBACK, port), _LoopbackHandler)
        # The handshake is for the connection's own thread: here it would hold up those behind it.
        self.socket = context.wrap_socket(
            self.socket, server_side=True, do_handshake_on_connect=False
        )

    @property
    def hosts(self) -> frozenset[str]:
        """What clients may call this server."""
        return frozenset(f"{name}:{self.server_port}" for name in ("localhost", _LOOPBACK))

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Be silent about a client that went away; anything else is a bug, and is printed."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class _LoopbackHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # connections are kept
    disable_nagle_algorithm = True
    wbufsize = -1  # an answer is one write
    timeout = _IDLE_SECONDS
    server: LoopbackServer

    def _serve(self) -> None:
        refused = self._refusal()
        if refused is not None:
            self.close_connection = True
            self._say(refused)
            return
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        address = f"https://{self.headers['Host']}{self.path}"
        headers = dict(self.headers.items())
        self._say(self.server.service.send(Request(self.command, address, headers, body)))

    do_GET = do_HEAD = do_PUT = do_PATCH = do_POST = do_DELETE = do_OPTIONS = _serve  # noqa: N815

    def _refusal(self) -> Response | None:
        """Why the request is not carried out. A page in a browser may ask, by a name of its own."""
        if (self.headers.get("Host") or "").lower() not in self.server.hosts:
            return _refused(HTTPStatus.MISDIRECTED_REQUEST, "this server is localhost")
        if self.headers.get("Transfer-Encoding"):
            return _refused(HTTPStatus.LENGTH_REQUIRED, "send Content-Length")
        length = self.headers.get("Content-Length") or "0"
        if not length.isascii() or not length.isdigit():
            return _refused(HTTPStatus.BAD_REQUEST, "Content-Length is not a number")
        if int(length) > _MOST_BYTES:
            return _refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "at most 4 MiB")
        return None

    def _say(self, answer: Response) -> None:
        content = encode_body(answer)
        self.send_response_only(answer.status)
        lower = {name.lower() for name in answer.headers}
        if "date" not in lower:
            self.send_header("Date", formatdate(usegmt=True))
        if content and "content-type" not in lower:
            self.send_header("Content-Type", "application/json; charset=utf-8")
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if answer.status != HTTPStatus.NO_CONTENT and "content-length" not in lower:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        """Print nothing: the state keeps the requests."""


def _refused(status: HTTPStatus, message: str) -> Response:
    return Response(status, {"error": {"code": status.phrase.replace(" ", ""), "message": message}})


@contextmanager
def running(port: int, service: Any, identity: Path) -> Iterator[int]:
    """The server, in a thread of its own, until the context ends; its port. 0: a free one.

    OSError if the port is taken.
    """
    server = LoopbackServer(port, service, identity)
    thread = threading.Thread(target=server.serve_forever, args=(_POLL_SECONDS,), daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
