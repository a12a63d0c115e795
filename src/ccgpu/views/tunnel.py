"""An open tunnel, as text and as JSON."""

from typing import Any

from rich.text import Text


def as_text(local: int) -> Text:
    """The local address."""
    return Text(f"127.0.0.1:{local}")


def as_json(name: str, local: int, remote: int) -> dict[str, Any]:
    """The deployment, the local address, and both ports."""
    return {
        "schema": "ccgpu.tunnel/1",
        "name": name,
        "address": f"127.0.0.1:{local}",
        "local_port": local,
        "port": remote,
    }
