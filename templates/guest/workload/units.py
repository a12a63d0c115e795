"""The systemd unit of a workload, and its state.

Units lie in /run, so that none starts after a reboot: by then no secrets are there, and nobody has
attested that boot. The first line of a unit tells what `list` answers, as JSON.
"""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ccgpu.templates.guest.workload.base import Vm, WorkloadError, complaint, run_program

FOLDER = "run/systemd/system"
PREFIX, SUFFIX = "ccgpu-workload-", ".service"
MARK = "# ccgpu: "
PROPERTIES = (
    *("ActiveState", "SubState", "Result", "ExecMainCode", "ExecMainStatus", "NRestarts"),
    "StateChangeTimestampMonotonic",
)
EXITED = "1"  # CLD_EXITED (siginfo_t): the exit code is one, not the number of a signal
ENDED = ("exited", "failed", "stopped")
TEXT = """{mark}
[Unit]
Description=ccgpu: the workload {name}
After=docker.service
Wants=docker.service
StartLimitIntervalSec={window}
StartLimitBurst={starts}

[Service]
Type=exec
ExecStartPre=-/bin/sh -c "exec {engine} rm -f ccgpu-{name} >/dev/null 2>&1"
ExecStart=:{engine} {words}
ExecStop=-/bin/sh -c "exec {engine} stop -t {stop} ccgpu-{name} >/dev/null 2>&1"
ExecStopPost=-/bin/sh -c "exec {engine} rm -f ccgpu-{name} >/dev/null 2>&1"
Restart={restart}
RestartSec={delay}
RemainAfterExit=yes
TimeoutStopSec={timeout}
KillMode=mixed
StandardInput=null
SyslogIdentifier=ccgpu-{name}
LogRateLimitIntervalSec=0
"""


@dataclass(frozen=True)
class Restarts:
    """How often a workload that fails is started again within how many seconds, and its pauses."""

    attempts: int
    window: int
    delay: int
    stop: int


def unit_of(name: str) -> str:
    """The name of a workload's unit."""
    return f"{PREFIX}{name}{SUFFIX}"


def file_of(vm: Vm, name: str) -> Path:
    """The file of a workload's unit."""
    return vm.root / FOLDER / unit_of(name)


def render_unit(
    name: str, engine: str, run: Sequence[str], restarts: Restarts, told: Mapping[str, Any]
) -> str:
    """The text of a unit that runs the words `run` of the engine. `told`: what `list` answers."""
    return TEXT.format(
        mark=f"{MARK}{json.dumps(told, sort_keys=True)}",
        name=name,
        engine=engine,
        words=" ".join(map(quoted, run)),
        window=restarts.window,
        starts=restarts.attempts + 1,
        restart="on-failure" if restarts.attempts else "no",
        delay=restarts.delay,
        stop=restarts.stop,
        timeout=restarts.stop + 30,
    )


def quoted(word: str) -> str:
    """A word as systemd reads it (systemd.service(5), Command lines; systemd.syntax(7))."""
    text = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return '"' + "".join(one if one.isprintable() else escaped(one) for one in text) + '"'


def escaped(character: str) -> str:
    """A character that may not stand in a unit as it is, byte by byte."""
    return "".join(f"\\x{byte:02x}" for byte in character.encode())


def systemctl(vm: Vm, *words: str, code: str, seconds: float | None = None) -> str:
    """The output of systemctl, which must succeed."""
    done = run_program(vm, "systemctl", words, code=code, seconds=seconds)
    if done.returncode != 0:
        raise WorkloadError(code, f"systemctl {words[0]}: {complaint(done)}")
    return done.stdout.decode("utf-8", "replace")


def write_unit(vm: Vm, name: str, text: str) -> None:
    """Write a unit, and let systemd read it."""
    file = file_of(vm, name)
    file.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    new = file.with_name(f".{file.name}")
    new.write_text(text, "utf-8")
    new.chmod(0o644)
    new.replace(file)
    systemctl(vm, "daemon-reload", code="start.failed")


def remove_unit(vm: Vm, name: str) -> None:
    """Remove a unit that does not run, and let systemd forget it."""
    file_of(vm, name).unlink(missing_ok=True)
    systemctl(vm, "daemon-reload", code="stop.failed")
    run_program(vm, "systemctl", ["reset-failed", unit_of(name)], code="stop.failed")


def names(vm: Vm) -> list[str]:
    """The names of all workloads."""
    files = (vm.root / FOLDER).glob(f"{PREFIX}*{SUFFIX}")
    return sorted(file.name[len(PREFIX) : -len(SUFFIX)] for file in files)


def is_there(vm: Vm, name: str) -> bool:
    """Whether there is a workload of that name."""
    return file_of(vm, name).exists()


def state_of(vm: Vm, name: str) -> dict[str, Any]:
    """A workload with its state. `last_exit_code`: of the last container, if that has ended."""
    try:
        text = file_of(vm, name).read_text("utf-8")
    except FileNotFoundError as err:
        raise WorkloadError("absent", f"there is no workload {name} in this boot") from err
    told = json.loads(text.splitlines()[0][len(MARK) :])
    words = ["show", unit_of(name), *(f"--property={one}" for one in PROPERTIES)]
    lines = systemctl(vm, *words, code="engine.error").splitlines()
    shown = dict(line.partition("=")[::2] for line in lines)
    return {**told, "name": name, **state(shown), "restarts": number(shown["NRestarts"])}


def public(there: Mapping[str, Any]) -> dict[str, Any]:
    """A workload as it is answered."""
    return {key: value for key, value in there.items() if key != "last_exit_code"}


def state(shown: Mapping[str, str]) -> dict[str, Any]:
    """The state by systemd's properties. An exit code counts once the workload has ended."""
    active, sub = shown["ActiveState"], shown["SubState"]
    if active in ("active", "reloading"):
        name = "exited" if sub == "exited" else "running"
    elif active == "activating":
        name = "restarting" if sub.startswith("auto-restart") else "starting"
    else:
        name = {"deactivating": "stopping", "failed": "failed"}.get(active, "stopped")
    code = exit_code(shown)
    changed = number(shown["StateChangeTimestampMonotonic"]) / 1e6
    return {
        "state": name,
        "exit_code": code if name in ENDED else None,
        "last_exit_code": code,
        "result": shown["Result"],
        "since": round(time.time() - (time.monotonic() - changed), 3),
    }


def exit_code(shown: Mapping[str, str]) -> int | None:
    """The exit code of the container, 128 and more for a signal; None if it never ran."""
    code, status = shown["ExecMainCode"], number(shown["ExecMainStatus"])
    if number(code) == 0:
        return None
    return status if code == EXITED else 128 + status


def number(text: str) -> int:
    """A property that is a number; 0 if it is not set."""
    return int(text) if text.isdigit() else 0
