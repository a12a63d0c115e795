"""The ports of a tunnel on the command line: `8000`, `8000:8080`."""

import re
from typing import NamedTuple

import typer


class Ports(NamedTuple):
    """The port in the VM, and the one here; 0 for any free one."""

    remote: int
    local: int


def parse_ports(text: str) -> Ports:
    """Parse `PORT[:LOCAL]`."""
    match = re.fullmatch(r"(\d{1,5})(?::(\d{1,5}))?", text, re.ASCII)
    ports = Ports(int(match[1]), int(match[2] or 0)) if match else Ports(0, 0)
    if not 0 < ports.remote < 65536 or not 0 <= ports.local < 65536:
        raise typer.BadParameter(f"{text!r} is not PORT or PORT:LOCAL", param_hint="PORT[:LOCAL]")
    return ports
