"""Answers for the programs of `gpu_machine`, from one process: to start Python for each takes long.

A set-up calls a hundred programs. Each is a link to `STUB`, a script that sends its command line
here, with its folder and guest, and repeats the answer: exit code, output and errors.
"""

import contextlib
import io
import os
import socket
import subprocess
import sys
import threading
import traceback
from collections.abc import Iterator
from pathlib import Path

from support import gpu_machine
from support.repository import ROOT

STUB = r"""#!/bin/bash
exec 3<>"/dev/tcp/127.0.0.1/{port}"
printf '%s\0' "$#" "$PWD" "$CCGPU_ROOT" "${{0##*/}}" "$@" >&3
for part in code out err; do IFS= read -r -d '' "$part" <&3; done
printf '%s' "$out"
printf '%s' "$err" >&2
exit "$code"
"""
_BEFORE_WORDS = 4


@contextlib.contextmanager
def stubs(folder: Path) -> Iterator[Path]:
    """The script that stands for each program. It works while the server runs, in this context."""
    command = [sys.executable, "-m", "support.stub_server"]
    with subprocess.Popen(
        command, cwd=ROOT / "tests", stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        file = folder / "stub"
        file.write_text(STUB.format(port=int(server.stdout.readline())))
        file.chmod(0o755)
        yield file
        server.stdin.close()


def _serve() -> None:
    threading.Thread(target=_end_with_the_tests, daemon=True).start()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        sys.stdout.write(f"{listener.getsockname()[1]}\n")
        sys.stdout.flush()
        while True:
            connection, _ = listener.accept()
            with connection, connection.makefile("rwb") as stream:
                if parts := _read(stream):
                    stream.write(b"".join(one + b"\0" for one in _answer(*parts)))


def _end_with_the_tests() -> None:
    sys.stdin.read()
    os._exit(0)


def _read(stream: io.BufferedRWPair) -> list[str]:
    """What a stub sends; nothing if it was killed meanwhile."""
    raw, missing = b"", 1
    while missing > 0:
        more = stream.read1()
        if not more:
            return []
        raw += more
        missing = int(raw.partition(b"\0")[0]) + _BEFORE_WORDS - raw.count(b"\0")
    return [os.fsdecode(one) for one in raw.split(b"\0")[1:-1]]


def _answer(folder: str, guest: str, name: str, *words: str) -> tuple[bytes, bytes, bytes]:
    os.chdir(folder)
    gpu_machine.ROOT = Path(guest)
    gpu_machine.STATE = gpu_machine.ROOT / "machine.json"
    with (
        contextlib.redirect_stdout(io.StringIO()) as out,
        contextlib.redirect_stderr(io.StringIO()) as err,
    ):
        try:
            code = gpu_machine.answer(name, words)
        except Exception:  # noqa: BLE001  # that program alone ends with it, as if it were one
            traceback.print_exc()
            code = 1
    return str(code).encode(), os.fsencode(out.getvalue()), os.fsencode(err.getvalue())


if __name__ == "__main__":
    _serve()
