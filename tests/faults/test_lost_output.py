"""Output that cannot be written does not break the command, in real processes.

Lost stderr changes nothing. Lost stdout means exit code 1 and one error line, after the command has
completed. Every command is tested; a new one runs the example of its help.
"""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from ccgpu.cli.main import app
from ccgpu.fakearm import FAKE_SUBSCRIPTION
from support.cloud import PUBLIC_KEY
from support.disks import fill, mount, unmount
from support.slow import mostly_slow

_CREATE = "create demo --region eastus2 --ssh-from 203.0.113.7/32"
_LOST = "error: cannot write the answer to stdout: No space left on device\n"
# How a command is run on a machine where `demo` exists; another one is run as its example says.
_LINES = {
    "create": "create other --region eastus2 --ssh-from 203.0.113.7/32",
    "wait": "wait demo --for ready",
    "gc": "gc",
    "init": "init fresh",
    "plan": "plan other --region eastus2 --ssh-from 203.0.113.7/32",
    "render": "render other --format arm --region eastus2 --ssh-from 203.0.113.7/32",
    "validate": "validate vm.yaml",
    "role": "role -f vm.yaml",
    "schema": "schema spec",
    "completion": "completion fish",
}
# Their example needs evidence, a recipe or an image, which is not at hand, asks the network, goes
# into a VM (for `exec`, `tests/real/test_sshd_terminal.py` does the same over a real sshd), or
# serves until it is stopped.
_HELP_ALONE = {"verify", "collateral fetch", "ssh", "exec", "cp", "tunnel"} | {
    "fake serve",
    "image build",
    "image measure",
    "image publish",
    "image show",
    "keyvault check",
    "keyvault create-key",
    "secret put",
    "secret rm",
}


def _commands(group: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    """Every command by its full name."""
    names = group.list_commands(None)
    for name in names:
        found = group.get_command(None, name)
        if hasattr(found, "list_commands"):
            yield from _commands(found, (*path, name))
        else:
            yield " ".join((*path, name)), found


_COMMANDS = dict(_commands(typer.main.get_command(app)))


def _command_line(name: str) -> str:
    if name in _LINES:
        return _LINES[name]
    (example,) = re.findall(r"Example: `ccgpu (.*?)[`>|]", _COMMANDS[name].help)[:1]
    return str(example)


def _ccgpu(
    line: str, redirect: str = "", *, check: bool = False, **more: Any
) -> subprocess.CompletedProcess[str]:
    command = f"{sys.executable} -m ccgpu {line} {redirect}"
    words = ["bash", "-c", command]
    limits = {"timeout": 300, **more}
    return subprocess.run(words, capture_output=True, text=True, check=check, **limits)


@pytest.fixture(scope="module")
def home_with_deployment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home of a user whose deployment `demo` is ready, in the simulated subscription."""
    home = tmp_path_factory.mktemp("prepared")
    (home / ".ssh").mkdir()
    (home / ".ssh" / "id_ed25519.pub").write_text(f"{PUBLIC_KEY} me\n")
    names = {f"XDG_{name}_HOME": str(home / name.lower()) for name in ("STATE", "CACHE")}
    done = _ccgpu(f"{_CREATE} --backend fake", env={**os.environ, "HOME": str(home), **names})
    assert done.returncode == 0, done.stderr
    return home


@pytest.fixture
def user(home: Path, home_with_deployment: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same user in an empty folder with a spec, with the simulated back end."""
    shutil.copytree(home_with_deployment, home, dirs_exist_ok=True)
    monkeypatch.setenv("CCGPU_BACKEND", "fake")
    work = home / "work"
    work.mkdir()
    (work / "vm.yaml").write_text("name: other\n")
    group = f"/subscriptions/{FAKE_SUBSCRIPTION}/resourceGroups/keys"
    (work / "keys.yaml").write_text(f"{{id: {group}, location: eastus2}}\n")
    monkeypatch.chdir(work)
    return home


def _state(name: str = "demo") -> Any:
    done = _ccgpu(f"list --query \"deployments[?name=='{name}'].state | [0]\" -o json", check=True)
    return json.loads(done.stdout)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", mostly_slow(sorted({*_COMMANDS} - _HELP_ALONE, reverse=True), 40, 12)
)
def test_an_unwritable_result_exits_1_with_one_error_line(user: Path, name: str) -> None:
    done = _ccgpu(_command_line(name), ">/dev/full")
    *said, last = done.stderr.splitlines(keepends=True)
    assert done.returncode == 1, done.stderr
    if last.startswith("{"):
        assert json.loads(last)["message"] == _LOST.removeprefix("error: ").rstrip()
        assert said == []
    assert "".join(done.stderr).count(_LOST.removeprefix("error: ").rstrip()) == 1
    assert "Traceback" not in done.stderr
    assert "Exception" not in done.stderr
    assert user.is_dir()


@pytest.mark.parametrize("name", mostly_slow(["", "fake", "collateral", *_COMMANDS], 18, 12))
def test_unwritable_help_exits_1_with_one_error_line(name: str) -> None:
    done = _ccgpu(f"{name} --help", ">/dev/full")
    assert (done.returncode, done.stderr) == (1, _LOST)


@pytest.mark.slow
@pytest.mark.parametrize("line", mostly_slow(["list -o json", "--version", "-V"], 3))
def test_other_unwritable_results_exit_1(user: Path, line: str) -> None:
    done = _ccgpu(line, ">/dev/full")
    assert done.returncode == 1
    assert "No space left on device" in done.stderr
    assert done.stderr.count("\n") == 1
    assert user.is_dir()


@pytest.mark.slow
def test_the_write_error_is_a_json_document_for_programs(user: Path) -> None:
    done = _ccgpu("list -o json", ">/dev/full")
    error = json.loads(done.stderr)
    assert (error["code"], error["exit_code"]) == ("AnswerLost", 1)
    done = _ccgpu("extend demo --ttl 4h --events ndjson", ">/dev/full")
    *_, end = [json.loads(line) for line in done.stderr.splitlines()]
    assert (done.returncode, end["what"], end["exit_code"]) == (1, "end", 1)
    assert user.is_dir()


@pytest.mark.slow
def test_a_failure_of_the_command_outranks_a_write_error(user: Path) -> None:
    (user / "work" / "bad.yaml").write_text("zone: 9\n")
    done = _ccgpu("validate bad.yaml", ">/dev/full")
    assert (done.returncode, done.stderr) == (3, _LOST)


@pytest.mark.slow
def test_a_closed_pipe_is_no_error(user: Path) -> None:
    for line in ("list", "list -o json", "schema spec", "create --help", "--help"):
        done = _ccgpu(line, "| head -0; exit ${PIPESTATUS[0]}")
        assert (done.returncode, done.stderr) == (0, "")
    assert user.is_dir()


@pytest.mark.slow
@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_a_closed_stream_is_no_error(user: Path, closed: str) -> None:
    done = _ccgpu("list", closed)
    assert (done.returncode, done.stderr) == (0, "")
    assert user.is_dir()


_MORE = ["", "-o json", "--events ndjson", "-o json --events ndjson"]


@pytest.mark.slow
@pytest.mark.parametrize("more", mostly_slow(_MORE, 4, 3))
def test_create_succeeds_when_stderr_is_on_a_full_disk(user: Path, more: str) -> None:
    done = _ccgpu(f"{_LINES['create']} {more}", "2>/dev/full")
    assert (done.returncode, done.stderr) == (0, "")
    assert "other" in done.stdout
    assert _state("other") == "ready"
    assert user.is_dir()


@pytest.mark.slow
def test_create_completes_when_both_streams_are_on_a_full_disk(user: Path) -> None:
    done = _ccgpu(_LINES["create"], ">/dev/full 2>&1")
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "")
    assert _state("other") == "ready"
    assert user.is_dir()


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "small"
    mount("tmpfs", folder, "size=64k")
    yield folder
    unmount(folder)


@pytest.mark.slow
@pytest.mark.parametrize("free", mostly_slow([0, 4096], 2, 2))
@pytest.mark.parametrize("more", _MORE[::2])
def test_create_succeeds_when_its_log_is_on_a_full_disk(
    user: Path, small: Path, more: str, free: int
) -> None:
    fill(small, but=free)
    log = shlex.quote(str(small / "log"))
    done = _ccgpu(f"{_LINES['create']} {more}", f"2>{log}")
    assert (done.returncode, done.stderr) == (0, "")
    assert _state("other") == "ready"
    assert (small / "log").stat().st_size <= 4096
    assert user.is_dir()


@pytest.mark.slow
def test_create_completes_when_its_result_file_is_on_a_full_disk(user: Path, small: Path) -> None:
    fill(small)
    out = shlex.quote(str(small / "answer"))
    done = _ccgpu(f"{_LINES['create']} -o json", f">{out}")
    assert done.returncode == 1
    assert json.loads(done.stderr)["code"] == "AnswerLost"
    assert _state("other") == "ready"
    assert user.is_dir()


@pytest.mark.slow
@pytest.mark.parametrize(
    "line", mostly_slow(["frobnicate", "show nobody", "", "create x --zone 9"], 4)
)
def test_an_unwritable_error_keeps_its_exit_code(user: Path, line: str) -> None:
    heard = _ccgpu(line)
    lost = _ccgpu(line, "2>/dev/full")
    assert (lost.returncode, lost.stdout) == (heard.returncode, heard.stdout)
    assert lost.returncode in (2, 3, 4)
    assert user.is_dir()
