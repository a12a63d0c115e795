"""All commands of a guest, and how a command line is run: `sudo`, folders, unknown commands."""

import json
import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from ccgpu.fakeguest.commands.call import CommandTable, Ending, GuestCall, complaint
from ccgpu.fakeguest.commands.gpu import GPU
from ccgpu.fakeguest.commands.packages import PACKAGES
from ccgpu.fakeguest.commands.plain import PLAIN
from ccgpu.fakeguest.commands.system import SYSTEM
from ccgpu.fakeguest.commands.units import UNITS
from ccgpu.fakeguest.files import FileTree
from ccgpu.fakeguest.guest import SimulatedGuest
from ccgpu.fakeguest.opener import run_opener
from ccgpu.fakeguest.workloads.script import run_workload_script

COMMANDS: CommandTable = {**PLAIN, **SYSTEM, **UNITS, **PACKAGES, **GPU}
_NOT_FOUND = 127  # POSIX shell, "Exit Status for Commands"
PROBE, _PROBE_SCHEMA, COLLECTOR = "ccgpu-probe", "ccgpu.probe/1", "ccgpu-collect"
WORKLOAD = "ccgpu-workload"
OPENER = "ccgpu-release"
_SYNTAX_ERROR = 2
_PLAIN = re.compile(r"[A-Za-z0-9_./:=@%+, -]*")
# Runs a command if a file has the one line that is given.
_IF_FILE_IS = re.compile(r'test "\$\(cat ([/a-z_]+)\)" = "\$0" && exec "\$@"')
_TELL_EXIT_CODE = 'echo "ccgpu-exit-code=$?"'
_BIN = ("/bin/", "/usr/bin/", "/sbin/", "/usr/sbin/")


Collect = Callable[[SimulatedGuest, str, str], Ending]  # guest, request, user


def script_name(argv: Sequence[str]) -> str:
    """The shipped script that a command line feeds to Python; empty for any other command."""
    words = tuple(argv[2:]) if tuple(argv[:2]) == ("sudo", "-n") else tuple(argv)
    if words[:1] != ("python3",) or "-" not in words[1:-2]:
        return ""
    return words[words.index("-") + 1]


def execute(
    guest: SimulatedGuest,
    argv: Sequence[str],
    stdin: Callable[[], bytes],
    user: str,
    collect: Collect | None = None,
) -> Ending:
    """Run a command to its end. An unknown one ends with 127, as in a shell.

    collect: the collector; None where there is none, since its script arrives as input.
    """
    words = tuple(argv)
    if words[:1] == ("sudo",):
        words, user = words[2:] if words[1:2] == ("-n",) else words[1:], "root"
    script = script_name(words)
    if script == PROBE:
        return Ending(0, json.dumps(answer_probe(guest, words[-1])).encode())
    if script == COLLECTOR and collect is not None:
        return collect(guest, words[-1], user)
    if script == WORKLOAD:
        return run_workload_script(guest, words[-1], partial(_run_as_root, guest))
    if script == OPENER:
        return run_opener(guest, words[-1], stdin(), user)
    call = GuestCall(guest, FileTree(guest), words, stdin, user)
    ending = _run(call)
    if ending.exit_code is not None:
        return ending
    return complaint(f"{words[0] if words else ''}: command not found", _NOT_FOUND)


def _run_as_root(guest: SimulatedGuest, words: Sequence[str]) -> Ending:
    return _run(GuestCall(guest, FileTree(guest), tuple(words), bytes, "root"))


def _run(call: GuestCall) -> Ending:
    """Run it; the exit code is None if there is no such command."""
    if call.argv[:2] == ("sh", "-c") and (found := _IF_FILE_IS.fullmatch("".join(call.argv[2:3]))):
        file = call.files.read(found[1])
        if file is None or [file.data.decode().removesuffix("\n")] != list(call.argv[3:4]):
            return Ending(1)
        call = call._replace(argv=call.argv[4:])
    name = call.argv[0] if call.argv else ""
    for folder in _BIN:
        name = name.removeprefix(folder) if name.startswith(folder) else name
    command = COMMANDS.get(name)
    return Ending(None) if command is None else command(call)


def run_script(guest: SimulatedGuest, lines: Sequence[str]) -> Ending:
    """Run the lines of a script as root: single commands, and one that tells their exit code."""
    ending, out, err = Ending(0), b"", b""
    for line in lines:
        if line == _TELL_EXIT_CODE:
            told = line.split('"')[1].replace("$?", str(ending.exit_code))
            ending = Ending(0, f"{told}\n".encode())
        else:
            ending = _run_line(guest, line)
        out, err = out + ending.stdout, err + ending.stderr
    return Ending(ending.exit_code, out, err)


def _run_line(guest: SimulatedGuest, line: str) -> Ending:
    """A line whose words need no shell, or are quoted as `shlex.join` quotes them."""
    try:
        words = shlex.split(line)
    except ValueError as err:
        return complaint(f"sh: Syntax error: {err}", _SYNTAX_ERROR)
    if not words:
        return Ending(0)
    if line != shlex.join(words) and not _PLAIN.fullmatch(line):
        return complaint(
            "sh: this simulated guest has no shell; it knows single commands", _NOT_FOUND
        )
    return execute(guest, words, bytes, "root")


def answer_probe(guest: SimulatedGuest, request: str) -> Mapping[str, Any]:
    """The answer of the probe's script to a request: commands, files and ends of files."""
    asked = json.loads(request)
    files = FileTree(guest)
    return {
        "schema": _PROBE_SCHEMA,
        "commands": {
            key: _result(_run(GuestCall(guest, files, tuple(argv), bytes, "root")))
            for key, argv in asked["commands"].items()
        },
        "files": {path: _read(files, path) for path in asked["files"]},
        "tails": {path: _tail(files, path, count) for path, count in asked["tails"].items()},
    }


def _result(ending: Ending) -> Mapping[str, Any]:
    out, err = (text.decode("utf-8", "replace") for text in (ending.stdout, ending.stderr))
    return {"exit": ending.exit_code, "stdout": out, "stderr": err}


def _read(files: FileTree, path: str) -> str | None:
    file = files.read(path)
    return None if file is None else file.data.decode("utf-8", "replace")


def _tail(files: FileTree, path: str, count: int) -> list[str] | None:
    text = _read(files, path)
    return None if text is None else text.splitlines()[-count:]
