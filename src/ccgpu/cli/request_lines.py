"""Shows each HTTP request: on stderr with `--debug`, and in the file that CCGPU_LOG names.

Where stderr has JSON, a request is a document of one line there; in the file it always is.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from ccgpu.errors import UsageProblem

if TYPE_CHECKING:
    from rich.console import Console

    from ccgpu.net.request_log import Listener, SentRequest
    from ccgpu.store.line_log import LineLog

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
        lines = _open(log)
        writers.append(lambda sent: lines.append(_json_line(sent)))
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


def _open(log: Path) -> "LineLog":
    from ccgpu.store.line_log import LineLog

    try:
        return LineLog(log)
    except OSError as err:
        raise UsageProblem(
            f"{VARIABLE}: {log} cannot be written: {err.strerror}",
            hint=f"name another file, or unset {VARIABLE}",
        ) from err
