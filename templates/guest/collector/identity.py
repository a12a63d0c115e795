"""The VM's own values: its SSH host key, whose file is the lock, and the log of its boot."""

import base64
import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager

from ccgpu.templates.guest.collector.settings import CollectorError, Settings

LOCK = "etc/ssh/ssh_host_ed25519_key"  # only root opens it, so no other user can hold the lock
HOST_KEY = f"{LOCK}.pub"
EVENT_LOG = "sys/kernel/security/tpm0/binary_bios_measurements"
EVENT_LOG_LIMIT = 1024 * 1024  # bytes; Azure's logs stay below 64 KiB


@contextmanager
def locked_host_key(settings: Settings) -> Iterator[bytes]:
    """The blob of the SSH host key. Its file is locked: one collection at a time in a VM."""
    try:
        line = (settings.root / HOST_KEY).read_bytes()
        lock = (settings.root / LOCK).open("rb")
    except OSError as err:
        raise CollectorError("host-key.absent", f"the SSH host key cannot be read: {err}") from err
    with lock:
        end = time.monotonic() + settings.limits["lock"]
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError as err:
                if time.monotonic() > end:
                    raise CollectorError(
                        "busy", "another collection runs in the VM; try again"
                    ) from err
                time.sleep(0.1)
        yield parse_host_key(line)


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
