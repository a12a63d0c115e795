"""The log of a workload: what systemd's journal has of its unit, read until the workload ends."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

from ccgpu.templates.guest.workload.base import ENVIRONMENT, Vm, WorkloadError, run_program
from ccgpu.templates.guest.workload.request import Request
from ccgpu.templates.guest.workload.units import ENDED, public, state_of, unit_of

MOST_LINES = 100_000


def follow(vm: Vm, request: Request) -> dict[str, Any]:
    """Write the log to stdout, from a time or the last lines on; the state at its end."""
    name = request.name
    since = request.number("since", 0, 2**40)
    lines = None if request.is_null("lines") else request.whole("lines", 0, MOST_LINES)
    until_end = request.flag("until_end")
    window = [f"--since=@{since:.6f}"] if since else ["--boot"]
    workload = state_of(vm, name)
    cursor = ""
    if lines is not None:
        cursor = write(entries(vm, name, [*window, f"--lines={lines}"]), cursor)
        window = window if cursor else [f"--since=@{time.time():.6f}"]
    while True:
        has_ended = not until_end or workload["state"] in ENDED
        if has_ended:  # what was printed before the end is in the journal then
            run_program(vm, "journalctl", ["--sync"], code="engine.error")
        place = [f"--after-cursor={cursor}"] if cursor else window
        cursor = write(entries(vm, name, place), cursor)
        if has_ended:
            return {"workload": public(workload)}
        time.sleep(vm.limits["pause"])
        workload = state_of(vm, name)


def entries(vm: Vm, name: str, words: list[str]) -> Iterator[dict[str, Any]]:
    """Entries of what a workload has printed, in order."""
    match = [f"_SYSTEMD_UNIT={unit_of(name)}", "_TRANSPORT=stdout"]
    fixed = ["--quiet", "--no-pager", "--output=json", "--all", "--output-fields=MESSAGE"]
    try:
        reader = subprocess.Popen(  # noqa: S603  # an absolute path, and no shell
            [vm.program("journalctl"), *fixed, *words, *match],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=ENVIRONMENT,
        )
    except OSError as err:
        raise WorkloadError("engine.error", f"journalctl cannot be run: {err}") from err
    with reader:
        for line in reader.stdout or ():
            yield json.loads(line)
    if reader.returncode != 0:
        raise WorkloadError("engine.error", f"journalctl ended with code {reader.returncode}")


def write(found: Iterator[dict[str, Any]], cursor: str) -> str:
    """Write the messages of entries to stdout; the cursor of the last."""
    out = sys.stdout.buffer
    for entry in found:
        out.write(message_of(entry) + b"\n")
        cursor = entry["__CURSOR"]
    out.flush()
    return cursor


def message_of(entry: dict[str, Any]) -> bytes:
    """The message of an entry; the journal gives bytes that are not UTF-8 as numbers."""
    message = entry.get("MESSAGE")
    if isinstance(message, list):
        return bytes(message)
    return str(message or "").encode("utf-8", "surrogateescape")


def last_words(vm: Vm, name: str) -> str:
    """The last lines that a workload printed, as one."""
    run_program(vm, "journalctl", ["--sync"], code="engine.error")
    lines = [message_of(one) for one in entries(vm, name, ["--boot", "--lines=3"])]
    return "; ".join(line.decode("utf-8", "replace").strip() for line in lines)[:800]
