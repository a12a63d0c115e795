"""A real `ccgpu fake serve` process, and a client of it that trusts its authority."""

import http.client
import json
import os
import signal
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support.repository import ROOT


@dataclass
class Served:
    """The process, what it printed, and the environment of commands with the same state."""

    process: subprocess.Popen[str]
    document: dict[str, Any]
    environment: dict[str, str]

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.document["url"].rpartition(":")[2])

    def connection(self, host: str = "localhost") -> http.client.HTTPSConnection:
        """A connection that is refused unless the certificate fits."""
        context = ssl.create_default_context(cafile=self.document["ca_file"])
        return http.client.HTTPSConnection(host, self.port, timeout=60, context=context)

    def ask(self, target: str, **headers: str) -> tuple[int, Any]:
        """Status and JSON of a GET on a new connection."""
        connection = self.connection()
        try:
            connection.request("GET", target, headers={"Authorization": "Bearer x", **headers})
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        finally:
            connection.close()

    def ccgpu(self, *words: str) -> subprocess.Popen[str]:
        """Start `ccgpu` on the same simulated subscription."""
        return _started(self.environment, *words)

    def end(self, number: int) -> tuple[int, str]:
        """Send a signal; the exit code, and what was printed on stderr."""
        self.process.send_signal(number)
        _, err = self.process.communicate(timeout=20)
        return self.process.returncode, err


@contextmanager
def serving(folder: Path, *options: str) -> Iterator[Served]:
    """The server with its state in `folder`, until the context ends."""
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "XDG_STATE_HOME": str(folder / "state"),
        "CCGPU_FAKE_STATE": str(folder / "fake.sqlite"),
        "PYTHONPATH": str(ROOT / "src"),
    }
    process = _started(environment, "fake", "serve", "-o", "json", *options)
    assert process.stdout is not None
    text = ""
    try:
        while not text.endswith("\n}\n"):
            line = process.stdout.readline()
            assert line, process.communicate()[1]
            text += line
        yield Served(process, json.loads(text), environment)
    finally:
        process.kill()
        process.communicate()


def _started(environment: dict[str, str], *words: str) -> subprocess.Popen[str]:
    # A runner in the background may have been told to ignore SIGINT, which a child inherits.
    before = signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        return subprocess.Popen(
            [sys.executable, "-m", "ccgpu", *words],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
    finally:
        signal.signal(signal.SIGINT, before)
