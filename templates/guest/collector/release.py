"""The key that secrets are sealed to. It stays in memory, and is gone when the VM stops."""

import os
import subprocess
from collections.abc import Sequence

from ccgpu.templates.guest.collector.settings import (
    PROGRAM_ENVIRONMENT,
    CollectorError,
    Settings,
)
from ccgpu.templates.guest.release.memory import find_disk_risk

RUN = "run/ccgpu"
OPENSSL = "/usr/bin/openssl"
X25519_DER = bytes.fromhex("302a300506032b656e032100")  # RFC 8410, §4, before the 32 bytes


def make_release_key(settings: Settings) -> bytes:
    """A new X25519 key, in memory only; returns the public one (32 bytes).

    The private one goes to /run/ccgpu/release.pem, which only root reads, and replaces an old one.
    """
    refuse_disks(settings)
    private = openssl(settings, ["genpkey", "-algorithm", "X25519"])
    public = openssl(settings, ["pkey", "-pubout", "-outform", "DER"], private)
    if len(public) != len(X25519_DER) + 32 or not public.startswith(X25519_DER):
        raise CollectorError("release.error", "openssl did not make an X25519 key")
    folder = settings.root / RUN
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        there = folder.lstat()
        # Others may pass through it to their own secrets, and do nothing else (0711).
        if there.st_uid != os.geteuid() or there.st_mode & 0o170066 != 0o040000:
            raise CollectorError("release.error", f"{folder} is not a folder of root alone")
        new = folder / f".release.{os.getpid()}"
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(private)
        new.replace(folder / "release.pem")
    except OSError as err:
        raise CollectorError("release.error", f"the key cannot be kept: {err}") from err
    return public[len(X25519_DER) :]


def refuse_disks(settings: Settings) -> None:
    """Refuse a VM in which the key could reach a disk: with swap, or with /run on one."""
    risk = find_disk_risk(settings.root, f"/{RUN}")
    if risk is not None:
        raise CollectorError(f"release.{risk.kind}", risk.message)


def openssl(settings: Settings, arguments: Sequence[str], given: bytes = b"") -> bytes:
    """The output of openssl."""
    try:
        done = subprocess.run(  # noqa: S603  # an absolute path, and words of our own
            [OPENSSL, *arguments],
            input=given,
            capture_output=True,
            env=PROGRAM_ENVIRONMENT,
            timeout=settings.limits["openssl"],
            check=True,
        )
    except (OSError, subprocess.SubprocessError) as err:
        raise CollectorError("release.error", f"openssl failed: {err}") from err
    return done.stdout
