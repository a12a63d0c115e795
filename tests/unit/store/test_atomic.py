"""The one writer of files: whole and durable, or as if nothing had been tried."""

import errno
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from ccgpu.store import atomic
from ccgpu.store.atomic import OUTPUT, PRIVATE, SystemCalls

_OLD, _NEW = b"the good one\n", b"new\n" * 5000


def _fails(code: int):
    def call(*_: object) -> int:
        raise OSError(code, os.strerror(code))

    return call


def _fills_up(after: int):
    """A `write` that takes a part, then finds the disk full."""
    taken = 0

    def write(file: int, data: memoryview) -> int:
        nonlocal taken
        if taken >= after:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        count = os.write(file, data[: after - taken])
        taken += count
        return count

    return write


def _closes_badly(file: int) -> None:
    os.close(file)
    raise OSError(errno.EDQUOT, os.strerror(errno.EDQUOT))


_BEFORE_THE_RENAME = {
    "nothing-fits": SystemCalls(write=_fills_up(0)),
    "a-part-fits": SystemCalls(write=_fills_up(4096)),
    "nothing-taken": SystemCalls(write=lambda *_: 0),
    "fsync": SystemCalls(fsync=_fails(errno.EIO)),
    "close": SystemCalls(close=_closes_badly),
    "rename": SystemCalls(rename=_fails(errno.ENOSPC), link=_fails(errno.EPERM)),
    "interrupted": SystemCalls(write=lambda *_: (_ for _ in ()).throw(KeyboardInterrupt)),
}
_BAD = pytest.mark.parametrize("system", _BEFORE_THE_RENAME.values(), ids=_BEFORE_THE_RENAME)


@_BAD
def test_a_failed_write_leaves_only_the_previous_file(tmp_path, system):
    file = tmp_path / "file"
    file.write_bytes(_OLD)
    with pytest.raises((OSError, KeyboardInterrupt)):
        atomic.replace(file, _NEW, system=system)
    assert file.read_bytes() == _OLD
    assert list(tmp_path.iterdir()) == [file]


@_BAD
@pytest.mark.parametrize("write", [atomic.replace, atomic.create])
def test_a_failed_write_leaves_no_new_file(tmp_path, system, write):
    with pytest.raises((OSError, KeyboardInterrupt)):
        write(tmp_path / "file", _NEW, system=system)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("write", [atomic.replace, atomic.create])
def test_a_short_write_is_continued(tmp_path, write):
    system = SystemCalls(write=lambda file, data: os.write(file, data[:7]))
    write(tmp_path / "file", _NEW, system=system)
    assert (tmp_path / "file").read_bytes() == _NEW


@pytest.mark.parametrize("write", [atomic.replace, atomic.create])
def test_a_failed_folder_sync_is_an_error_unless_unsupported(tmp_path, write):
    def system(code: int) -> SystemCalls:
        def fsync(file: int) -> None:
            if stat.S_ISDIR(os.fstat(file).st_mode):
                raise OSError(code, os.strerror(code))

        return SystemCalls(fsync=fsync)

    write(tmp_path / "a", _NEW, system=system(errno.EINVAL))
    with pytest.raises(OSError, match="Input/output error"):
        write(tmp_path / "b", _NEW, system=system(errno.EIO))
    assert {path.read_bytes() for path in tmp_path.iterdir()} == {_NEW}


def test_a_short_write_of_the_kernel_replaces_nothing(tmp_path):
    """A limit on the size of files: the first `write` takes a part, the next one fails."""
    file = tmp_path / "file"
    file.write_bytes(_OLD)
    code = (
        "import sys, resource; from pathlib import Path; from ccgpu.store import atomic\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4099, 4099))\n"
        "try: atomic.replace(Path(sys.argv[1]), b'x' * 9000)\n"
        "except OSError as err: print(err.strerror)"
    )
    command = [sys.executable, "-c", code, str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "File too large"
    assert file.read_bytes() == _OLD
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize("dangling", [True, False])
def test_symlinks_are_neither_followed_nor_replaced(tmp_path, dangling):
    victim, link = tmp_path / "victim", tmp_path / "link"
    if not dangling:
        victim.write_bytes(_OLD)
    link.symlink_to(victim)
    with pytest.raises(OSError, match="symbolic link"):
        atomic.replace(link, _NEW)
    with pytest.raises(FileExistsError):
        atomic.create(link, _NEW)
    assert link.is_symlink()
    assert victim.exists() is not dangling


def test_only_regular_files_are_replaced(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    for path in (tmp_path / "pipe", tmp_path / "folder", Path("/dev/null"), Path()):
        kind = stat.S_IFMT(path.stat().st_mode)
        with pytest.raises(OSError, match=r"not a regular file|directory"):
            atomic.replace(path, _NEW)
        with pytest.raises(FileExistsError):
            atomic.create(path, _NEW)
        assert stat.S_IFMT(path.stat().st_mode) == kind


@pytest.mark.parametrize("links", [True, False])
def test_a_file_created_during_the_write_stays(tmp_path, links):
    file = tmp_path / "file"

    def late(new: Path, path: Path) -> None:
        file.write_bytes(_OLD)
        if not links:
            raise OSError(errno.EPERM, "no hard links here")
        os.link(new, path)

    with pytest.raises(FileExistsError):
        atomic.create(file, _NEW, system=SystemCalls(link=late))
    assert file.read_bytes() == _OLD
    assert list(tmp_path.iterdir()) == [file]


def test_file_systems_without_hard_links_are_supported(tmp_path):
    file = tmp_path / "file"
    atomic.create(file, _NEW, system=SystemCalls(link=_fails(errno.EPERM)))
    assert file.read_bytes() == _NEW
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize(("umask", "output"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
@pytest.mark.parametrize("write", [atomic.replace, atomic.create])
def test_private_files_are_0600_and_others_follow_the_umask(tmp_path, write, umask, output):
    before = os.umask(umask)
    try:
        write(tmp_path / "private", _NEW)
        write(tmp_path / "output", _NEW, mode=OUTPUT)
    finally:
        os.umask(before)
    modes = [stat.S_IMODE((tmp_path / n).stat().st_mode) for n in ("private", "output")]
    assert modes == [PRIVATE, output]


def test_a_replaced_file_keeps_its_mode_unless_it_is_private(tmp_path):
    file = tmp_path / "file"
    file.write_bytes(_OLD)
    file.chmod(0o640)
    atomic.replace(file, _NEW, mode=OUTPUT)
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    atomic.replace(file, _NEW)
    assert stat.S_IMODE(file.stat().st_mode) == PRIVATE


def test_the_longest_name_can_be_written(tmp_path):
    for name in ("x" * 255, "é" * 127):
        atomic.replace(tmp_path / name, _NEW)
        atomic.create(tmp_path / name[:-1], _NEW)
    assert len(list(tmp_path.iterdir())) == 4
