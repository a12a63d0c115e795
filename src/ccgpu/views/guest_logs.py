"""A VM's log, as text and as JSON."""

from typing import Any, Literal

from ccgpu.guest.serial_log import plain_lines

LogSource = Literal["setup", "serial", "workload"]


def as_text(log: str) -> str:
    """The log without control sequences, which could do anything to a terminal."""
    return "\n".join(plain_lines(log)).rstrip("\n")


def as_json(name: str, source: LogSource, log: str, workload: str | None = None) -> dict[str, Any]:
    """The log as it is. workload: whose it is."""
    of = {} if workload is None else {"workload": workload}
    return {"schema": "ccgpu.logs/1", "name": name, "source": source, **of, "text": log}
