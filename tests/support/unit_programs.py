"""`systemctl` and `journalctl` for a VM without systemd, as far as workloads need them.

A unit's Exec lines are run for real, by one supervisor a unit, which follows systemd.service(5):
Restart=, StartLimit…=, RemainAfterExit=. `tests/real/test_workload_units.py` runs the same units
under a real systemd. Installed as two links to this file; the VM's root is above its folder.
"""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(sys.argv[0]).parent.parent.parent
UNITS, STATES = ROOT / "run/systemd/system", ROOT / "run/units"
_WORD = re.compile(r'"((?:[^"\\]|\\.)*)"|(\S+)')
_ESCAPE = re.compile(r"\\(x[0-9a-f]{2}|.)")


def words_of(line: str) -> list[str]:
    """The words of an Exec line: quotes, C escapes, and `%%` (systemd.syntax(7))."""
    found = []
    for quoted, plain in _WORD.findall(line):
        raw = _ESCAPE.sub(_unescaped, quoted) if quoted or not plain else plain
        found.append(raw.replace("%%", "%").encode("latin-1", "surrogateescape").decode())
    return found


def _unescaped(match: "re.Match[str]") -> str:
    name = match[1]
    return chr(int(name[1:], 16)) if len(name) == 3 else name


def read_unit(name: str) -> dict[str, str]:
    """The assignments of a unit; comments and sections are left out."""
    lines = (UNITS / name).read_bytes().decode("latin-1").splitlines()
    pairs = [line.partition("=") for line in lines if line[:1] not in ("#", "[", "")]
    return {key: value for key, _, value in pairs}


class State:
    """The state of a unit, in a file that is always whole."""

    def __init__(self, name: str) -> None:
        self._file = STATES / f"{name}.json"
        self.log = STATES / f"{name}.log"

    def read(self) -> dict[str, Any]:
        """The state; that of a unit that never ran if there is none."""
        try:
            return dict(json.loads(self._file.read_text()))
        except FileNotFoundError:
            none = {"ActiveState": "inactive", "SubState": "dead", "Result": "success"}
            return {**none, "ExecMainCode": 0, "ExecMainStatus": 0, "NRestarts": 0, "pid": 0}

    def write(self, **changes: Any) -> None:
        """Change some of it."""
        now = int(time.monotonic() * 1e6)
        whole = {**self.read(), "StateChangeTimestampMonotonic": now, **changes}
        new = self._file.with_suffix(f".{os.getpid()}")
        new.write_text(json.dumps(whole))
        new.replace(self._file)

    def forget(self) -> None:
        """As if it had never run."""
        self._file.unlink(missing_ok=True)

    def say(self, data: bytes) -> None:
        """An entry of the journal."""
        with self.log.open("a") as stream:
            text: Any = data.decode("utf-8", "surrogateescape")
            message = list(data) if any(0xDC80 <= ord(one) <= 0xDCFF for one in text) else text
            stream.write(json.dumps({"MESSAGE": message, "at": time.time()}) + "\n")


class Supervisor:
    """Runs one unit until it ends, or is told to stop."""

    def __init__(self, name: str) -> None:
        self._unit, self._state = read_unit(name), State(name)
        self._main: subprocess.Popen[bytes] | None = None
        self._stopping = False

    def run(self) -> None:
        """The life of the unit."""
        signal.signal(signal.SIGTERM, self._stop)
        starts: list[float] = []
        while not self._stopping:
            starts = [
                one
                for one in starts
                if time.monotonic() - one < self._number("StartLimitIntervalSec")
            ]
            if len(starts) >= self._number("StartLimitBurst"):
                self._state.write(ActiveState="failed", SubState="failed", Result="start-limit-hit")
                return
            starts.append(time.monotonic())
            code = self._run_once()
            if code == 0 or self._unit["Restart"] == "no" or self._is_told_to_stop():
                break
            restarts = self._state.read()["NRestarts"] + 1
            self._state.write(ActiveState="activating", SubState="auto-restart", NRestarts=restarts)
            end = time.monotonic() + self._number("RestartSec")
            while time.monotonic() < end and not self._stopping:
                time.sleep(0.02)
        self._end()

    def _is_told_to_stop(self) -> bool:
        return self._stopping

    def _run_once(self) -> int:
        self._quietly("ExecStartPre")
        argv = words_of(self._unit["ExecStart"].removeprefix(":"))
        self._main = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        self._state.write(
            ActiveState="active", SubState="running", ExecMainCode=0, ExecMainStatus=0
        )
        for line in self._main.stdout or ():
            self._state.say(line.rstrip(b"\n"))
        code = self._main.wait()
        status = {"ExecMainCode": 1 if code >= 0 else 2, "ExecMainStatus": abs(code)}
        result = "success" if code == 0 else "exit-code"
        self._state.write(**status, Result=result)
        self._quietly("ExecStopPost")
        return code

    def _end(self) -> None:
        code = self._state.read()["ExecMainStatus"]
        if code:
            self._state.write(ActiveState="failed", SubState="failed")
        elif self._stopping:
            self._state.forget()  # systemd unloads what is inactive, with its exit code
        else:
            self._state.write(ActiveState="active", SubState="exited")

    def _stop(self, *_: Any) -> None:
        self._stopping = True
        self._state.write(ActiveState="deactivating", SubState="stop")
        self._quietly("ExecStop")

    def _quietly(self, key: str) -> None:
        argv = words_of(self._unit[key].removeprefix("-"))
        subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, check=False)

    def _number(self, key: str) -> float:
        return float(self._unit[key])


def systemctl(verb: str, *words: str) -> int:
    """One call of systemctl."""
    STATES.mkdir(parents=True, exist_ok=True)
    if verb == "daemon-reload":
        return 0
    name, state = words[0], State(words[0])
    if verb == "start":
        return _start(name, state)
    if verb == "stop":
        return _stop(state)
    if verb == "reset-failed":
        state.forget()
        return 0
    if verb == "show":
        now = {"StateChangeTimestampMonotonic": 0, **state.read()}
        for word in words[1:]:
            key = word.removeprefix("--property=")
            sys.stdout.write(f"{key}={now[key]}\n")
        return 0
    sys.stderr.write(f"Failed to {verb} {name}\n")
    return 1


def _start(name: str, state: State) -> int:
    state.forget()
    if os.fork() == 0:
        os.setsid()
        null = os.open("/dev/null", os.O_RDWR)
        for descriptor in range(3):
            os.dup2(null, descriptor)
        os.closerange(3, 1000)
        state.write(pid=os.getpid(), ActiveState="activating", SubState="start")
        try:
            Supervisor(name).run()
        finally:
            os._exit(0)
    while (
        state.read()["ActiveState"] in ("inactive", "activating") and not state.read()["NRestarts"]
    ):
        time.sleep(0.01)
    return 0


def _stop(state: State) -> int:
    now = state.read()
    if now["SubState"] in ("running", "auto-restart", "start"):
        os.kill(now["pid"], signal.SIGTERM)
        while state.read()["ActiveState"] not in ("inactive", "failed"):
            time.sleep(0.02)
    elif now["ActiveState"] == "active":
        state.write(ActiveState="inactive", SubState="dead")
    return 0


def journalctl(*words: str) -> int:
    """One call of journalctl: the entries of one unit, as JSON."""
    given = dict(word.lstrip("-").partition("=")[::2] for word in words)
    if "sync" in given:
        return 0
    file = State(given["_SYSTEMD_UNIT"]).log
    lines = file.read_text().splitlines() if file.exists() else []
    entries = [json.loads(line) for line in lines]
    found = [{**one, "__CURSOR": f"c{at}"} for at, one in enumerate(entries)]
    if "after-cursor" in given:
        found = found[int(given["after-cursor"][1:]) + 1 :]
    if "since" in given:
        found = [one for one in found if one["at"] >= float(given["since"][1:])]
    if "lines" in given:
        found = found[max(0, len(found) - int(given["lines"])) :]
    for one in found:
        sys.stdout.write(json.dumps(one) + "\n")
    return 0


if __name__ == "__main__":
    is_systemctl = Path(sys.argv[0]).name == "systemctl"
    raise SystemExit(systemctl(*sys.argv[1:]) if is_systemctl else journalctl(*sys.argv[1:]))
