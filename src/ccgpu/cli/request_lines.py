"""Shows each HTTP request: on stderr with `--debug`, and in the file that CCGPU_LOG names.

Where stderr has JSON, a request is a document of one line there; in the file it always is.
"""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from ccgpu.errors import UsageProblem

if TYPE_CHECKING:
    from rich.console import Console

    from ccgpu.net.request_log import Listener, SentRequest

VARIABLE = "CCGPU_LOG"


def listener(console: "Console | None", log: Path | None, *, as_json: bool) -> "Listener | None":
    """A listener that shows requests; None if nobody wants to see them.

    Args:
        console: where `--debug` shows them; None without it.
        log: the file to append to.
        as_json: whether the console gets JSON documents.
    """
    writers: list[Callable[[SentRequest], None]] = []
    if console is not None:
        writers.append(lambda sent: _show(console, sent, as_json=as_json))
    if log is not None:
        append = _appender(log)
        writers.append(lambda sent: append(_json_line(sent)))
    if not writers:
        return None

    def told(sent: "SentRequest") -> None:
        for write in writers:
            write(sent)

    return told


def _show(console: "Console", sent: "SentRequest", *, as_json: bool) -> None:
    from ccgpu.views.sent_request import as_line

    console.out(_json_line(sent) if as_json else as_line(sent), highlight=False)


def _json_line(sent: "SentRequest") -> str:
    from ccgpu.views.sent_request import as_json

    return json.dumps(as_json(sent))


def _appender(log: Path) -> Callable[[str], None]:
    """Appends a line to the file, which only its owner may read.

    A disk that is full later ends the log, not the command, whose work must not be left half done.
    """
    try:
        number = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    except OSError as err:
        raise UsageProblem(
            f"{VARIABLE}: {log} cannot be written: {err.strerror}",
            hint=f"name another file, or unset {VARIABLE}",
        ) from err
    open_ = [True]

    def append(line: str) -> None:
        if not open_[0]:
            return
        try:
            os.write(number, f"{line}\n".encode())  # one write: lines of several threads stay whole
        except OSError:
            open_[0] = False

    return append
