"""Real containers: podman with a storage of its own, and images made of this machine's files."""

import json
import os
import re
import shutil
import subprocess
import tarfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

PYTHON = "/usr/bin/python3"  # of the image and of this machine
IMAGE = "localhost/tools:1"
_PROGRAMS = ("/bin/sh", "/bin/cat", "/bin/sleep", "/bin/ls", "/usr/bin/id", "/usr/bin/env")
_CONF = """\
[containers]
default_ulimits = ["nofile=4096:4096", "nproc=4096:4096"]
[engine]
runtime = "{runtime}"
cgroup_manager = "cgroupfs"
events_logger = "file"
"""
# Docker's name for the engine; folders of the VM lie below its root.
_DOCKER = """\
#!/bin/bash
export CONTAINERS_CONF={folder}/containers.conf CONTAINERS_REGISTRIES_CONF={folder}/registries.conf
words=()
for word in "$@"; do
  case $word in /run/ccgpu/*:/* | /mnt/ccgpu/*:/*) word={root}$word ;; esac
  words+=("$word")
done
at={folder}
exec {podman} --root $at/storage --runroot $at/run --storage-driver overlay "${{words[@]}}"
"""


@dataclass(frozen=True)
class Podman:
    """podman with its own storage in a folder."""

    folder: Path
    program: str

    def install(self, root: Path) -> None:
        """Install it as the Docker of a VM."""
        file = root / "usr/bin/docker"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(_DOCKER.format(folder=self.folder, root=root, podman=self.program))
        file.chmod(0o755)

    def call(self, *words: str, check: bool = True) -> str:
        """The output of a command of podman."""
        docker = self.folder / "usr/bin/docker"
        if not docker.exists():
            self.install(self.folder)
        done = subprocess.run([docker, *words], capture_output=True, text=True, check=False)
        assert not check or done.returncode == 0, done.stderr
        return done.stdout


@contextmanager
def podman(folder: Path) -> Iterator[Podman]:
    """An engine that has the image `IMAGE`; its containers go at the end."""
    if os.geteuid():
        pytest.skip("only as root")
    program = shutil.which("podman")
    runtime = next((one for one in ("runc", "crun") if shutil.which(one)), None)
    if program is None or runtime is None:
        pytest.skip("needs podman and runc")
    (folder / "containers.conf").write_text(_CONF.format(runtime=runtime))
    (folder / "registries.conf").write_text("")
    engine = Podman(folder, program)
    tar = folder / "tools.tar"
    write_image(tar)
    engine.call("import", "-q", "--change", 'CMD ["/bin/sh"]', str(tar), IMAGE)
    tar.unlink()
    try:
        yield engine
    finally:
        engine.call("rm", "--force", "--all", "--time", "0", check=False)
        for mount in _mounts_below(folder):
            subprocess.run(["umount", "-l", mount], check=False, capture_output=True)


def write_image(file: Path) -> None:
    """A root file system with Python, a shell and a few programs, of this machine's files."""
    paths = {Path(one).resolve() for one in _PROGRAMS}
    python = Path(PYTHON).resolve()
    library = Path("/usr/lib") / python.name
    paths |= {python, *library.glob("lib-dynload/*.so")}
    with tarfile.open(file, "w", dereference=True) as archive:
        for folder in ("tmp", "proc", "sys", "dev", "run", "etc", "root"):
            one = tarfile.TarInfo(folder)
            one.type, one.mode = tarfile.DIRTYPE, 0o1777 if folder == "tmp" else 0o755
            archive.addfile(one)
        for path in sorted(paths | set(_libraries(paths))):
            archive.add(path, str(path).lstrip("/"), recursive=False)
        for name in {*_PROGRAMS, PYTHON} - {str(one) for one in paths}:
            target = Path(name).resolve()
            link = tarfile.TarInfo(name.lstrip("/"))
            link.type, link.linkname = tarfile.SYMTYPE, str(target)
            archive.addfile(link)
        for path in sorted(library.rglob("*.py")):
            if not {"test", "tests", "dist-packages", "idlelib", "lib2to3"} & set(path.parts):
                archive.add(path, str(path).lstrip("/"), recursive=False)


def _libraries(paths: Iterable[Path]) -> Iterator[Path]:
    """What the dynamic linker loads for these files, by the names that they use."""
    done = subprocess.run(["ldd", *map(str, paths)], capture_output=True, text=True, check=False)
    for name in set(re.findall(r"(/\S+) \(0x", done.stdout)):
        yield Path(name)


def _mounts_below(folder: Path) -> list[str]:
    lines = Path("/proc/self/mounts").read_text().splitlines()
    below = [line.split()[1] for line in lines if line.split()[1].startswith(f"{folder}/")]
    return sorted(below, reverse=True)


def inspected(engine: Podman, *words: str) -> str:
    """All that podman tells of something, as text."""
    return json.dumps(json.loads(engine.call("inspect", *words)))


def options(name: str, *more: str) -> Sequence[str]:
    """The options that every workload has, on the network of this machine, and others."""
    return ("--rm", "--name", f"ccgpu-{name}", "--pull=never", "--network=host", *more)
