"""The composition root: streams and signals of a real process."""

import io
import json
import signal
import subprocess
import sys
import tomllib

import pytest

from ccgpu import __main__
from ccgpu.cli import entry
from ccgpu.cli.console import console
from ccgpu.fakearm import FAKE_SUBSCRIPTION
from ccgpu.store.journals import Journals
from support.repository import ROOT

_CREATE = "create demo --backend fake --region eastus2 --ssh-from 203.0.113.7/32"


def test_the_console_script_and_python_m_begin_alike():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["scripts"] == {"ccgpu": "ccgpu.cli.entry:main"}
    assert vars(__main__)["main"] is entry.main


def _ccgpu(line, **more):
    command = [sys.executable, "-m", "ccgpu", *line.split()]
    return subprocess.run(command, capture_output=True, text=True, check=False, **more)


@pytest.mark.slow
def test_processes_share_the_simulated_subscription(home):
    assert _ccgpu(_CREATE).returncode == 0
    shown = _ccgpu("fake show -o json --query length(resources)")
    assert (shown.returncode, shown.stdout) == (0, "7\n")
    deleted = _ccgpu("delete demo --backend fake", stdin=subprocess.DEVNULL)
    assert (deleted.returncode, deleted.stdout) == (2, "")
    assert _ccgpu("delete demo --backend fake --yes").returncode == 0
    assert "no resources" in _ccgpu("fake show").stdout
    assert home.is_dir()


@pytest.mark.slow
def test_a_closed_pipe_ends_the_output_quietly(home):
    command = f"{sys.executable} -m ccgpu {_CREATE} 2>&1 | head -n 1"
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command}"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout.count("\n"), done.stderr) == (0, 1, "")
    assert _ccgpu("list --backend fake --query deployments[].state").stdout.split() == [
        *("[", '"ready"', "]")
    ]
    help_ = f"{sys.executable} -m ccgpu create --help | head -n 1"
    done = subprocess.run(["bash", "-c", help_], capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert home.is_dir()


def test_characters_missing_in_the_locale_are_replaced():
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    console(stream).print("±1")
    stream.flush()
    assert raw.getvalue() == b"\\xb11\n"


def test_piped_output_is_not_wrapped_unless_columns_is_set(monkeypatch):
    for columns, lines in (("", 1), ("20", 5), ("0", 1), ("00", 1), ("²", 1), ("9" * 5000, 1)):
        monkeypatch.setenv("COLUMNS", columns)
        stream = io.StringIO()
        console(stream).print("word " * 20)
        assert stream.getvalue().count("\n") == lines


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_exits_130_with_a_message(number, home):
    """While it waits for another one's lock, so that the moment is certain."""
    journals = Journals(home / "state" / "ccgpu" / "fake.sqlite.journals")
    command = [sys.executable, "-m", "ccgpu", *_CREATE.split(), "--events", "ndjson"]
    # Under nohup the tests' own SIGHUP is ignored, and a child would inherit that.
    before = signal.signal(number, signal.SIG_DFL)
    with (
        journals.locked(FAKE_SUBSCRIPTION, "demo", lambda: None),
        subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process,
    ):
        signal.signal(number, before)
        assert process.stderr is not None
        while "waiting for it" not in (line := process.stderr.readline()):
            assert line, "it has ended"
        process.send_signal(number)
        error, end = [json.loads(line) for line in process.stderr.readlines()[-2:]]
    assert process.returncode == 130
    assert (error["code"], error["exit_code"]) == ("Interrupted", 130)
    assert (end["what"], end["outcome"], end["exit_code"]) == ("end", "interrupted", 130)


@pytest.mark.slow
def test_an_interrupted_create_names_its_resources(shell):
    def interrupt(request):
        if request.method == "PUT" and "virtualMachines" in request.path:
            raise KeyboardInterrupt

    shell.arm.faults.append(interrupt)
    done = shell(f"{_CREATE} -o json")
    assert done.code == 130
    assert {r["state"] for r in done.error["resources"]} == {"exists", "unknown"}
    shell.arm.faults.clear()
    assert shell(_CREATE).code == 0
