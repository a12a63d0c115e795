"""GitHub's token issuer on 127.0.0.1: a real HTTPS server with its own CA."""

import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from azure.core.pipeline.transport import RequestsTransport

from support import tls

REQUEST_TOKEN = "request-token-which-nobody-may-see"


class Issuer:
    """Its requests and responses. By default each response has a new assertion."""

    def __init__(self, url: str, ca: Path) -> None:
        self.url = url
        self.requests: list[dict[str, Any]] = []
        self.given: list[str] = []
        self.answer: tuple[int, str] | None = None
        self._ca = ca

    def transport(self) -> RequestsTransport:
        """The network, trusting only the issuer's CA."""
        return RequestsTransport(connection_verify=str(self._ca))

    def environ(self) -> dict[str, str]:
        """The environment of a job that may request assertions."""
        return {
            "ACTIONS_ID_TOKEN_REQUEST_URL": self.url,
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN": REQUEST_TOKEN,
            "AZURE_CLIENT_ID": "11111111-0000-4000-8000-000000000001",
            "AZURE_TENANT_ID": "11111111-0000-4000-8000-000000000002",
        }

    def reply(self, path: str, headers: Any) -> tuple[int, str]:
        """The response to a request."""
        query = parse_qs(urlsplit(path).query)
        self.requests.append({"query": query, "authorization": headers.get("Authorization")})
        if self.answer is not None:
            return self.answer
        self.given.append(f"header.assertion{len(self.given)}.signature")
        return 200, json.dumps({"count": 1, "value": self.given[-1]})


@contextmanager
def running_issuer(folder: Path) -> Iterator[Issuer]:
    """An issuer that runs during the context."""
    certificate = tls.certificate(folder)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, text = issuer.reply(self.path, self.headers)
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            if status == 302:
                self.send_header("Location", "https://elsewhere.example/")
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: Any) -> None:
            """Says nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    url = f"https://127.0.0.1:{server.server_port}/token?api-version=2.0"
    issuer = Issuer(url, certificate)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield issuer
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
