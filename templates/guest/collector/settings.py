"""What every part of the collector shares: its error, its settings and time limits."""

import base64
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

# Seconds for each step. The sum is below the time limit of the client.
LIMITS = {"lock": 20.0, "claims": 15.0, "imds": 10.0, "gpu": 60.0, "tpm": 10.0, "openssl": 10.0}

PROGRAM_ENVIRONMENT = {"LC_ALL": "C", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}


class CollectorError(Exception):
    """The evidence cannot be collected. `code` is for programs, the message for people."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Settings:
    """Where the VM's parts are. The defaults are those of every VM; tests use others.

    root: the folder that stands for `/`. tpm: an open descriptor, or None for /dev/tpmrm0.
    imds: host and port of Azure's metadata service. limits: seconds, by step.
    """

    root: Path
    tpm: int | None
    imds: tuple[str, int]
    limits: Mapping[str, float]


def encode(data: bytes) -> str:
    """Base64."""
    return base64.b64encode(data).decode("ascii")


@contextmanager
def time_limit(seconds: float, code: str, message: str) -> Iterator[None]:
    """Raise `CollectorError` if the block has not ended after so many seconds."""

    def ring(_signal: int, _frame: FrameType | None) -> None:
        raise CollectorError(code, message)

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds, 1.0)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
