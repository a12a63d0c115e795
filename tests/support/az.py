"""A stand-in for `az` on PATH. It records its calls and prints what a test sets."""

import json
import shlex
import time
from pathlib import Path

AZ = "AzureCliCredential"


class Az:
    """The `az` of one machine."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._log = folder / "calls"
        folder.mkdir()
        self.fails("ERROR: Please run 'az login' to setup account.")

    def prints_token(self, token: str, *, seconds: int = 3600) -> None:
        """Print this token."""
        ends = int(time.time()) + seconds  # noqa: TID251  # the SDK compares with its own clock
        self.prints(json.dumps({"accessToken": token, "expires_on": ends}))

    def prints(self, text: str) -> None:
        """Print this text and succeed."""
        self._write(f"printf '%s' {shlex.quote(text)}")

    def fails(self, stderr: str) -> None:
        """Print this to stderr and fail."""
        self._write(f"printf '%s' {shlex.quote(stderr)} >&2; exit 1")

    def hangs(self, seconds: int) -> None:
        """Print nothing for so long."""
        self._write(f"exec /bin/sleep {seconds}")

    def remove(self) -> None:
        """Uninstall it."""
        (self.folder / "az").unlink()

    def calls(self) -> list[list[str]]:
        """The arguments of each call."""
        lines = self._log.read_text().splitlines() if self._log.exists() else []
        return [line.split("\t") for line in lines]

    def _write(self, body: str) -> None:
        script = self.folder / "az"
        log = shlex.quote(str(self._log))
        script.write_text(f"#!/bin/sh\n(IFS='\t'; printf '%s\\n' \"$*\") >> {log}\n{body}\n")
        script.chmod(0o755)
