"""The files of a guest: those it has stored, and those that follow from its state.

Files have whole content and permissions; folders exist where a file is below them. Files of one
guest hold at most 64 MiB. Those in memory or on the encrypted temporary disk go with the boot.
"""

import hashlib
import json
import posixpath
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from ccgpu.fakearm import StoredFile
from ccgpu.fakeguest.commands.packages import set_up_holds
from ccgpu.fakeguest.drift import drift_document
from ccgpu.fakeguest.guest import KERNEL, SimulatedGuest
from ccgpu.fakeguest.hostkeys import public_line
from ccgpu.fakeguest.setup_run import SetupRun

MOST_BYTES = 64 << 20
_FOLDERS = ("/", "/etc", "/home", "/mnt", "/opt", "/root", "/run", "/tmp", "/usr", "/var")  # noqa: S108  # of a guest
# A tmpfs, or a disk whose key is made anew at each boot.
_OF_A_BOOT = ("/dev/shm/", "/mnt/ccgpu/", "/run/")  # noqa: S108  # of a guest
_WRITTEN_IN = "volatile-files"  # the fact: the boot of the stored files that go with it
STATE = "/var/lib/ccgpu"


class NoSpace(Exception):
    """The guest's disk is full."""


class FileTree:
    """The files of one guest, by absolute path. `~` and relative paths are below the home."""

    def __init__(self, guest: SimulatedGuest) -> None:
        self._guest, self._rows = guest, guest.machine.rows
        self._forget_older_boots()

    def _forget_older_boots(self) -> None:
        """Remove what went with an earlier boot."""
        written_in = self._rows.fact(_WRITTEN_IN)
        if written_in not in (None, self._guest.boot_id):
            for path in self._rows.sizes():
                if path.startswith(_OF_A_BOOT):
                    self._rows.remove(path)
            self._rows.record(_WRITTEN_IN, self._guest.boot_id)

    @property
    def home(self) -> str:
        """The admin user's home."""
        return f"/home/{self._guest.user}"

    def absolute(self, path: str) -> str:
        """The path from the root on, without `.`, `..` and `~/`."""
        path = path.removeprefix("~/") if path != "~" else "."
        return posixpath.normpath(posixpath.join(self.home, path))

    def read(self, path: str) -> StoredFile | None:
        """The file at `path`; None if there is none."""
        path = self.absolute(path)
        made = _MADE.get(path)
        return (
            self._rows.read(path)
            or (made(self._guest) if made else None)
            or self._guest.files.get(path)
        )

    def write(self, path: str, file: StoredFile) -> None:
        """Store a file; replaces the one at `path`. `NoSpace` if it does not fit."""
        path = self.absolute(path)
        sizes = self._rows.sizes()
        used = sum(sizes.values()) - sizes.get(path, 0)
        full = self._guest.settings["disk_full"] and not self._guest.freed_bytes
        if path.startswith(_OF_A_BOOT):
            full = False
            self._rows.record(_WRITTEN_IN, self._guest.boot_id)
        if full or used + len(file.data) > MOST_BYTES:
            raise NoSpace(path)
        self._rows.write(path, file)

    def remove(self, path: str) -> None:
        """Remove the stored file at `path`, if there is one."""
        self._rows.remove(self.absolute(path))

    def list_below(self, folder: str) -> list[str]:
        """The paths of all files below a folder."""
        start = self.absolute(folder).rstrip("/") + "/"
        known = {*self._rows.sizes(), *self._guest.files}
        known |= {path for path in _MADE if path.startswith(start) and self.read(path)}
        return sorted(path for path in known if path.startswith(start))

    def is_folder(self, path: str) -> bool:
        """Whether there is a folder at `path`."""
        path = self.absolute(path)
        return path in (*_FOLDERS, self.home) or bool(self.list_below(path))


def _text(text: str | None, mode: int = 0o644) -> StoredFile | None:
    return None if text is None else StoredFile(mode, text.encode())


def moment(seconds: float | None) -> str | None:
    """Unix seconds as RFC 3339, in UTC and whole seconds."""
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _setup_json(guest: SimulatedGuest) -> StoredFile | None:
    run = guest.setup
    if run is None or not run.lines:
        return None
    document = {
        "schema": "ccgpu.setup/1",
        "id": (guest.wanted or {}).get("CCGPU_SETUP_ID", ""),
        "state": run.state,
        "step": run.current,
        "boot_id": guest.boot_id_of(max(one.boot or 0 for one in run.steps)),
        "steps": [
            {
                "step": one.step,
                "state": one.state,
                "exit_code": one.exit_code,
                "message": one.message,
                "began": moment(one.began),
                "ended": moment(one.ended),
            }
            for one in run.steps
        ],
    }
    return _text(json.dumps(document) + "\n")


def _setup_log(guest: SimulatedGuest) -> StoredFile | None:
    run = guest.setup
    return _text(_log_text(run), 0o640) if run is not None and run.lines else None


def _log_text(run: SetupRun) -> str:
    """What the steps of the last run have printed; a new run begins a new log."""
    lines = []
    for one in run.steps:
        if one.began is not None and one.began >= (run.last or 0.0):
            lines += [f"== {one.step} {moment(one.began)}", *([one.message] if one.message else [])]
    return "".join(f"{line}\n" for line in lines)


def _drift_json(guest: SimulatedGuest) -> StoredFile | None:
    document = drift_document(guest)
    return None if document is None else _text(json.dumps(document) + "\n")


def _custom_data_digest(guest: SimulatedGuest) -> StoredFile | None:
    if guest.setup is None or not guest.setup.lines:
        return None
    return _text(hashlib.sha256(guest.machine.custom_data or b"").hexdigest() + "\n")


def _module_version(guest: SimulatedGuest) -> StoredFile | None:
    if not guest.is_module_loaded:
        return None
    return _text(
        f"NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  {guest.module_version}  "
        "Release Build  (buildd@simulated)\n"
        "GCC version:  gcc version 13.3.0 (Ubuntu 13.3.0-6ubuntu2~24.04)\n"
    )


_MADE: Mapping[str, Callable[[SimulatedGuest], StoredFile | None]] = {
    f"{STATE}/setup.json": _setup_json,
    f"{STATE}/setup.log": _setup_log,
    f"{STATE}/drift.json": _drift_json,
    f"{STATE}/custom-data.sha256": _custom_data_digest,
    "/proc/driver/nvidia/version": _module_version,
    "/proc/sys/kernel/random/boot_id": lambda guest: _text(f"{guest.boot_id}\n"),
    f"{STATE}/holds": lambda guest: (
        _text("".join(f"{one}\n" for one in set_up_holds(guest))) if guest.setup else None
    ),
    f"{STATE}/kernel": lambda guest: _text(f"{KERNEL}\n") if guest.setup else None,
    "/etc/hostname": lambda guest: _text(f"{guest.machine.name}\n"),
    "/etc/ssh/ssh_host_ed25519_key.pub": lambda guest: _text(
        f"{public_line(guest.host_key)} root@{guest.machine.name}\n"
    ),
    "/etc/os-release": lambda _: _text(
        'PRETTY_NAME="Ubuntu 24.04.3 LTS"\nNAME="Ubuntu"\nVERSION_ID="24.04"\nID=ubuntu\n'
    ),
}
