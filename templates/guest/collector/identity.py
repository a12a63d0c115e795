"""The VM's own values: its SSH host key, whose file is the lock, and the logs of what it runs."""

import base64
import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from ccgpu.templates.guest.collector.settings import CollectorError, Settings

LOCK = "etc/ssh/ssh_host_ed25519_key"  # only root opens it, so no other user can hold the lock
HOST_KEY = f"{LOCK}.pub"
EVENT_LOG = "sys/kernel/security/tpm0/binary_bios_measurements"
EVENT_LOG_LIMIT = 1024 * 1024  # bytes; Azure's logs stay below 64 KiB
WORKLOAD_LOG = "run/ccgpu/workloads.log"
WORKLOAD_LOG_LIMIT = 1024 * 1024  # bytes; what starts workloads stops there


@contextmanager
def locked_host_key(settings: Settings) -> Iterator[bytes]:
    """The blob of the SSH host key. Its file is locked: one collection at a time in a VM."""
    try:
        line = (settings.root / HOST_KEY).read_bytes()
        lock = (settings.root / LOCK).open("rb")
    except OSError as err:
        raise CollectorError("host-key.absent", f"the SSH host key cannot be read: {err}") from err
    with lock:
        wait_for_lock(settings, lock, fcntl.LOCK_EX, "another collection runs")
        yield parse_host_key(line)


def wait_for_lock(settings: Settings, file: BinaryIO, kind: int, otherwise: str) -> None:
    """Lock a file (`fcntl.LOCK_EX` or `LOCK_SH`) until it is closed."""
    end = time.monotonic() + settings.limits["lock"]
    while True:
        try:
            fcntl.flock(file, kind | fcntl.LOCK_NB)
        except BlockingIOError as err:
            if time.monotonic() > end:
                raise CollectorError("busy", f"{otherwise} in the VM; try again") from err
        else:
            return
        time.sleep(0.1)


def parse_host_key(line: bytes) -> bytes:
    """The key blob in a `.pub` file."""
    words = line.split()
    try:
        blob = base64.b64decode(words[1], validate=True)
    except (IndexError, ValueError):
        blob = b""
    if not blob.startswith(b"\x00\x00\x00\x0bssh-ed25519\x00\x00\x00\x20") or len(blob) != 51:
        raise CollectorError("host-key.absent", f"/{HOST_KEY} holds no ssh-ed25519 key")
    return blob


def read_event_log(settings: Settings) -> bytes:
    """The event log of the boot; empty if the VM has none."""
    try:
        with (settings.root / EVENT_LOG).open("rb") as stream:
            log = stream.read(EVENT_LOG_LIMIT + 1)
    except OSError:
        return b""
    if len(log) > EVENT_LOG_LIMIT:
        raise CollectorError("event-log.large", "the event log has more than 1 MiB")
    return log


@contextmanager
def locked_workload_log(settings: Settings) -> Iterator[bytes]:
    """The log of workloads, empty if there is none. Nothing is added to it in this context.

    What adds to it extends PCR 13, so that a quote made in this context tells the same as the log.
    """
    try:
        descriptor = os.open(settings.root / WORKLOAD_LOG, os.O_RDONLY | os.O_NOFOLLOW)
    except FileNotFoundError:
        yield b""
        return
    except OSError as err:
        message = f"the log of workloads cannot be read: {err}"
        raise CollectorError("workload-log.error", message) from err
    with os.fdopen(descriptor, "rb") as stream:
        wait_for_lock(settings, stream, fcntl.LOCK_SH, "a workload is being started")
        log = stream.read(WORKLOAD_LOG_LIMIT + 1)
        if len(log) > WORKLOAD_LOG_LIMIT:
            raise CollectorError("workload-log.large", "the log of workloads has more than 1 MiB")
        yield log
