"""The ports of a tunnel on the command line: `8000`, `8000:8080`, `sglang`, `sglang:8080`."""

import re
from typing import NamedTuple

import typer

_LAST = 65535


class Ports(NamedTuple):
    """The port in the VM, or the workload that listens there; and the port here, 0 for any."""

    remote: int | str
    local: int


def parse_ports(text: str) -> Ports:
    """Parse `PORT[:LOCAL]` or `WORKLOAD[:LOCAL]`."""
    match = re.fullmatch(r"(\d{1,5}|[a-z][a-z0-9-]{0,62})(?::(\d{1,5}))?", text, re.ASCII)
    remote: int | str = 0 if match is None else match[1]
    if isinstance(remote, str) and remote.isdecimal():
        remote = int(remote)
    local = int(match[2] or 0) if match else 0
    if remote == 0 or (isinstance(remote, int) and remote > _LAST) or local > _LAST:
        raise typer.BadParameter(
            f"{text!r} is not PORT or PORT:LOCAL, and no name of a workload",
            param_hint="PORT[:LOCAL]",
        )
    return Ports(remote, local)
