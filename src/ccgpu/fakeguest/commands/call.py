"""One call of a command in a guest, and how it ends."""

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from ccgpu.fakeguest.guest import SimulatedGuest

if TYPE_CHECKING:
    from ccgpu.fakeguest.files import FileTree


class GuestCall(NamedTuple):
    """A command's name and arguments, what it reads, and whom it runs as."""

    guest: SimulatedGuest
    files: "FileTree"
    argv: tuple[str, ...]
    stdin: Callable[[], bytes]
    user: str


class Ending(NamedTuple):
    """How a command ended; exit_code None if the guest has no such command. seconds: virtual."""

    exit_code: int | None
    stdout: bytes = b""
    stderr: bytes = b""
    seconds: float = 0.0


SimulatedCommand = Callable[[GuestCall], Ending]
CommandTable = Mapping[str, SimulatedCommand]


def as_json(value: Any) -> bytes:
    """A JSON document as a command prints it."""
    return json.dumps(value, indent=1).encode() + b"\n"


def printed(text: str, exit_code: int = 0) -> Ending:
    """Lines on standard output."""
    return Ending(exit_code, text.encode() + b"\n" if text else b"")


def complaint(text: str, exit_code: int = 1) -> Ending:
    """A line on standard error."""
    return Ending(exit_code, b"", text.encode() + b"\n")
