"""A registry of container images on 127.0.0.1: real HTTPS, out of an OCI layout.

Source: OCI Distribution Specification 1.1, pulling manifests and blobs.
"""

import json
import shutil
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

from support import tls
from support.oci import INDEX, MANIFEST, OciLayout
from support.quiet_server import QuietServer

_CERTIFICATES = Path("/etc/containers/certs.d")  # containers-certs.d(5)


class _Registry(BaseHTTPRequestHandler):
    layout: OciLayout
    asked: list[str]

    def do_GET(self) -> None:
        *_, kind, digest = f"/{self.path}".split("/")
        self.asked.append(f"{kind} {digest}")
        file = self.layout.blob(digest)
        known = kind in ("manifests", "blobs") and file.exists()
        data = file.read_bytes() if known else b""
        self.send_response(200 if known or self.path == "/v2/" else 404)
        if kind == "manifests" and known:
            form = INDEX if "manifests" in json.loads(data) else MANIFEST
            self.send_header("Content-Type", form)
            self.send_header("Docker-Content-Digest", digest)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_HEAD(self) -> None:
        self.do_GET()

    def log_message(self, *_: Any) -> None:
        """Says nothing."""


@contextmanager
def running_registry(layout: OciLayout, folder: Path) -> Iterator[tuple[str, list[str]]]:
    """The host of a registry with the blobs of a layout, and what it was asked for.

    Programs of containers trust its certificate meanwhile.
    """
    certificate, asked = tls.certificate(folder), list[str]()
    handler = type("Registry", (_Registry,), {"layout": layout, "asked": asked})
    server = QuietServer(("127.0.0.1", 0), handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    host = f"127.0.0.1:{server.server_port}"
    trusted = _CERTIFICATES / host
    trusted.mkdir(parents=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        begin = certificate.read_bytes().index(b"-----BEGIN CERTIFICATE")
        (trusted / "ca.crt").write_bytes(certificate.read_bytes()[begin:])
        yield host, asked
    finally:
        shutil.rmtree(trusted)
        server.shutdown()
        server.server_close()
