"""Runs read-only commands in the VM and prints their results as one JSON document.

It is sent over the channel and never stored in the VM: `python3 - ccgpu-probe REQUEST`. It needs
Python 3.9 and nothing else. REQUEST and the answer are described in `ccgpu/guest/probe.py`.
"""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Optional

TIMEOUT = 20  # seconds for one command
LIMIT = 65536  # characters kept of each text
ENVIRONMENT = {"LC_ALL": "C", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}


def run_command(argv: Sequence[str]) -> Mapping[str, Any]:
    """The result of one command; `exit` is null if it could not be run or did not end in time."""
    try:
        done = subprocess.run(  # noqa: S603  # the command is ccgpu's own
            argv,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env=ENVIRONMENT,
            timeout=TIMEOUT,
            check=False,
        )
    except (OSError, ValueError) as err:
        return {"exit": None, "stdout": "", "stderr": str(err)}
    except subprocess.TimeoutExpired:
        return {"exit": None, "stdout": "", "stderr": f"no end after {TIMEOUT} seconds"}
    out, err_text = (text.decode("utf-8", "replace") for text in (done.stdout, done.stderr))
    return {"exit": done.returncode, "stdout": out[:LIMIT], "stderr": err_text[:LIMIT]}


def read_text(path: str) -> Optional[str]:  # noqa: UP045  # Python 3.9
    """The text of a file; null if it cannot be read."""
    try:
        with Path(path).open(encoding="utf-8", errors="replace") as stream:
            return stream.read(LIMIT)
    except OSError:
        return None


def read_tail(path: str, lines: int) -> Optional[list[str]]:  # noqa: UP045
    """The last lines of a file; null if it cannot be read."""
    try:
        with Path(path).open("rb") as stream:
            stream.seek(max(0, stream.seek(0, 2) - LIMIT))
            return stream.read().decode("utf-8", "replace").splitlines()[-lines:]
    except OSError:
        return None


def main(request: Mapping[str, Any]) -> None:
    """Answer one request."""
    answer = {
        "schema": "ccgpu.probe/1",
        "commands": {key: run_command(argv) for key, argv in request["commands"].items()},
        "files": {path: read_text(path) for path in request["files"]},
        "tails": {path: read_tail(path, lines) for path, lines in request["tails"].items()},
    }
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    main(json.loads(sys.argv[2]))
