"""Builds the root of the guests that tests boot: `dev.py guest-root`, once, in about a minute.

A Debian with cloud-init and sshd, by debootstrap from the mirror that apt uses here. Needs root,
debootstrap and systemd-nspawn; no test downloads anything. It lies in `CCGPU_GUEST_ROOT`, else in
the user's cache folder, and is thrown away by `rm -r`.
"""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from commands import fail, say

_SUITE = "bookworm"
_PACKAGES = (
    *("systemd-sysv", "dbus", "cloud-init", "openssh-server", "sudo", "iproute2", "gpg"),
    *("unattended-upgrades", "needrestart", "cryptsetup-bin", "dmsetup", "kmod"),
)
_TOOLS = ("debootstrap", "systemd-nspawn", "chroot", "unshare")
_LEFTOVERS = ("etc/machine-id", "var/lib/dbus/machine-id", "usr/sbin/policy-rc.d")
_DATASOURCES = "datasource_list: [NoCloud, None]\nnetwork: {config: disabled}\n"


def folder_of(environ: Mapping[str, str]) -> Path:
    """Where the root is, whether or not it was built."""
    if given := environ.get("CCGPU_GUEST_ROOT"):
        return Path(given)
    cache = environ.get("XDG_CACHE_HOME") or Path(environ.get("HOME", "/var/cache")) / ".cache"
    return Path(cache) / "ccgpu-tests" / f"guest-{_SUITE}"


def is_ready(folder: Path) -> bool:
    """Whether the root was built to its end, with these very packages."""
    mark = folder / "ccgpu-root"
    return mark.is_file() and mark.read_text() == _recipe()


def guest_root(_: list[str]) -> None:
    """Build the root, unless it is there."""
    folder = folder_of(os.environ)
    if is_ready(folder):
        say(f"{folder} is ready")
        return
    missing = [tool for tool in _TOOLS if not shutil.which(tool)]
    if missing or os.geteuid():
        reason = f"no {', '.join(missing)}" if missing else "not root"
        fail(f"cannot build {folder}: {reason}", "apt-get install debootstrap systemd-container")
    began = time.monotonic()
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    work = folder.with_name(f"{folder.name}.{os.getpid()}")
    try:
        _build(work)
        work.rename(folder)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    say(f"{folder} is ready ({time.monotonic() - began:.0f} s)")


def _recipe() -> str:
    return "\n".join([_SUITE, *_PACKAGES, _DATASOURCES])


def _build(root: Path) -> None:
    _quietly(
        "debootstrap", "--variant=minbase", "--include=ca-certificates", _SUITE, root, *_mirror()
    )
    shutil.copy("/etc/resolv.conf", root / "etc/resolv.conf")
    for file in Path("/etc/apt/apt.conf.d").iterdir():
        if "proxy" in file.read_text(errors="replace").lower():
            shutil.copy(file, root / "etc/apt/apt.conf.d")
    policy = root / "usr/sbin/policy-rc.d"
    policy.write_text("#!/bin/sh\nexit 101\n")
    policy.chmod(0o755)
    install = "apt-get update -qq && apt-get install -qq -y --no-install-recommends"
    command = (
        f"mount -t proc proc {root}/proc && chroot {root} sh -c '{install} {' '.join(_PACKAGES)}'"
    )
    _quietly("unshare", "-m", "-p", "-f", "--propagation", "private", "sh", "-c", command)
    for name in _LEFTOVERS:
        (root / name).unlink(missing_ok=True)
    for file in [*(root / "etc/ssh").glob("ssh_host_*"), *(root / "var/cache/apt").glob("*.bin")]:
        file.unlink()
    for folder in ("var/lib/cloud", "var/cache/apt/archives", "var/lib/apt/lists"):
        shutil.rmtree(root / folder, ignore_errors=True)
    (root / "var/lib/cloud/seed/nocloud").mkdir(parents=True)  # a bind mount needs its target
    (root / "etc/systemd/network/80-container-host0.network").touch()
    (root / "etc/apt/sources.list").write_text("")  # guests have no network but their host
    (root / "etc/cloud/cloud.cfg.d/99-ccgpu-tests.cfg").write_text(_DATASOURCES)
    wants = root / "etc/systemd/system/multi-user.target.wants/systemd-networkd.service"
    wants.symlink_to("/lib/systemd/system/systemd-networkd.service")
    (root / "ccgpu-root").write_text(_recipe())


def _mirror() -> list[str]:
    """The mirror of Debian that apt uses on this machine; nothing for debootstrap's own."""
    command = ["apt-get", "indextargets", "--format", "$(CODENAME) $(REPO_URI)"]
    try:
        found = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return []
    lines = (line.split() for line in found.splitlines())
    return next(([line[1]] for line in lines if line[0] == _SUITE), [])


def _quietly(*command: str | Path) -> None:
    environ = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C"}
    words = [str(word) for word in command]
    done = subprocess.run(words, capture_output=True, text=True, env=environ, check=False)
    if done.returncode:
        say("\n".join((done.stdout + done.stderr).splitlines()[-30:]))
        sys.exit(f"error: {words[0]} ended with {done.returncode}")
