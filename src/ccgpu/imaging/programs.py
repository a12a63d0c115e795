"""The programs that build an image: whether they are there, their versions, and how they are run.

They get an environment of their own, so that nothing of the user's decides about the image's bytes.
"""

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from ccgpu.errors import ImageNotBuilt, ProgramMissing

# Each with Debian's package that has it.
PROGRAMS: Mapping[str, str] = {
    "apt-get": "apt",
    "dpkg-deb": "dpkg",
    "mmdebstrap": "mmdebstrap",
    "mkfs.erofs": "erofs-utils",
    "veritysetup": "cryptsetup-bin",
    "mkfs.vfat": "dosfstools",
    "mmd": "mtools",
    "mcopy": "mtools",
}
# How the programs that decide about bytes tell their versions.
_VERSIONS: Mapping[str, Sequence[str]] = {
    "mmdebstrap": ("mmdebstrap", "--version"),
    "mkfs.erofs": ("mkfs.erofs", "-V"),
    "veritysetup": ("veritysetup", "--version"),
    "mkfs.vfat": ("mkfs.vfat", "--help"),
    "mcopy": ("mcopy", "-V"),
}
# Those that container images need besides.
CONTAINER_PROGRAMS: Mapping[str, str] = {"skopeo": "skopeo", "unshare": "util-linux"}
_VERSION = re.compile(r"[0-9]+(\.[0-9]+)+")
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_SAID = 12  # lines of what a failed program said


def find_program(name: str) -> str | None:
    """The path of a program, where all of them are looked for."""
    return shutil.which(name, path=_PATH)


def require_programs(*, containers: bool = False) -> None:
    """Refuse to begin without one of the programs, or without root.

    containers: whether the image has container images.

    Raises:
        ProgramMissing: with the packages to install, all of them.
    """
    wanted = {**PROGRAMS, **(CONTAINER_PROGRAMS if containers else {})}
    missing = [name for name in wanted if find_program(name) is None]
    if missing:
        packages = " ".join(dict.fromkeys(wanted[name] for name in missing))
        raise ProgramMissing(
            f"to build an image needs {', '.join(missing)}, not found on this machine",
            hint=f"`apt-get install {packages}` (Debian 12 or later)",
        )
    if os.geteuid() != 0:
        raise ProgramMissing(
            "to build an image needs root: packages are installed below a folder, as their owners",
            hint="run it with sudo, or in a container",
        )


def program_versions() -> dict[str, str]:
    """The versions of the programs that decide about the image's bytes."""
    found = {}
    for name, argv in _VERSIONS.items():
        done = subprocess.run(  # noqa: S603  # words of our own
            [*argv], capture_output=True, env=environment(), check=False, stdin=subprocess.DEVNULL
        )
        said = _VERSION.search((done.stdout + done.stderr).decode("utf-8", "replace"))
        found[name] = said[0] if said else "unknown"
    return found


def environment(more: Mapping[str, str] = {}) -> dict[str, str]:
    """The environment of the programs."""
    own = {"PATH": _PATH, "LC_ALL": "C", "TZ": "UTC", "HOME": "/nonexistent"}
    return {**own, "DEBIAN_FRONTEND": "noninteractive", **more}


def run_program(
    *argv: str | Path,
    given: bytes = b"",
    more: Mapping[str, str] = {},
    folder: Path | None = None,
) -> bytes:
    """What a program prints. Interrupted, it is ended with all that it has started.

    Raises:
        ImageNotBuilt: it failed; with the end of what it said.
    """
    words = [str(each) for each in argv]
    pipe = subprocess.PIPE
    with subprocess.Popen(  # noqa: S603  # a program of the table, in an environment of its own
        words, stdin=pipe, stdout=pipe, stderr=pipe, env=environment(more), cwd=folder,
        start_new_session=True,
    ) as process:  # fmt: skip
        try:
            output, said = process.communicate(given)
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            raise
    if process.returncode:
        lines = said.decode("utf-8", "replace").strip().splitlines()[-_SAID:]
        text = "\n".join(f"  {line[:300]}" for line in lines)
        code = process.returncode
        raise ImageNotBuilt(f"{words[0]} failed with exit code {code}:\n{text}")
    return output
