"""Local TCP ports."""

import socket


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on at this moment; another process may take it."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
