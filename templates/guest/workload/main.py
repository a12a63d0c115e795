"""Starts, checks and stops the containers of a confidential GPU VM, and prints one JSON answer.

The parts are sent over the channel as one script (`ccgpu/guest/workload.py`), and never stored in
the VM. They need root, Python 3.10, systemd and Docker. No program is looked up in PATH, and
nothing of the environment is used but `SUDO_UID`, the user who logged in.
"""

import argparse
import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ccgpu.templates.guest.collector.settings import CollectorError
from ccgpu.templates.guest.workload.base import LIMITS, Vm, WorkloadError
from ccgpu.templates.guest.workload.check import check
from ccgpu.templates.guest.workload.hub import fetch
from ccgpu.templates.guest.workload.journal import follow
from ccgpu.templates.guest.workload.outputs import offer_outputs
from ccgpu.templates.guest.workload.request import Request, parse_request
from ccgpu.templates.guest.workload.start import start
from ccgpu.templates.guest.workload.stop import stop
from ccgpu.templates.guest.workload.storage import prepare
from ccgpu.templates.guest.workload.units import names, public, state_of

ANSWER, ERROR = "ccgpu.workload/1", "ccgpu.workload-error/1"


def status(vm: Vm, request: Request) -> dict[str, Any]:
    """One workload."""
    return {"workload": public(state_of(vm, request.name))}


def all_workloads(vm: Vm, _request: Request) -> dict[str, Any]:
    """All workloads of this boot."""
    return {"workloads": [public(state_of(vm, name)) for name in names(vm)]}


ACTIONS: Mapping[str, Callable[[Vm, Request], dict[str, Any]]] = {
    "prepare": prepare,
    "start": start,
    "stop": stop,
    "status": status,
    "list": all_workloads,
    "check": check,
    "fetch": fetch,
    "follow": follow,
    "outputs": offer_outputs,
}


def parse_vm(arguments: argparse.Namespace) -> Vm:
    """Where the VM's parts are, by the command line."""
    limits = dict(LIMITS)
    for each in arguments.limit:
        step, _, seconds = each.partition("=")
        if step not in LIMITS:
            raise WorkloadError("request", f"{step!r} is no step: {', '.join(LIMITS)}")
        limits[step] = float(seconds)
    user = os.environ.get("SUDO_UID", "")
    return Vm(
        root=Path(arguments.root),
        tpm=None if arguments.tpm is None else int(arguments.tpm.removeprefix("fd:")),
        authorities=arguments.authorities,
        user=int(user) if user.isdigit() else os.geteuid(),
        limits=limits,
    )


def answer(vm: Vm, text: str) -> dict[str, Any]:
    """The answer to a request."""
    request = parse_request(text)
    action = request.chosen("action", *ACTIONS)
    return {"schema": ANSWER, "boot": vm.boot, **ACTIONS[action](vm, request)}


def main(arguments: Sequence[str]) -> int:
    """Do what is asked, and print the answer, or the error; returns the exit code."""
    parser = argparse.ArgumentParser("ccgpu-workload")
    parser.add_argument("request")
    parser.add_argument("--tpm", metavar="fd:N", help="an open descriptor instead of /dev/tpmrm0")
    parser.add_argument("--authorities", metavar="FILE", help="whom a hub is trusted by")
    parser.add_argument("--root", metavar="DIR", default="/")
    parser.add_argument("--limit", metavar="STEP=SECONDS", action="append", default=[])
    options = parser.parse_args(arguments)
    os.umask(0o022)
    try:
        vm = parse_vm(options)
        os.environ.clear()
        document, code = answer(vm, options.request), 0
    except (WorkloadError, CollectorError) as err:
        document, code = {"schema": ERROR, "code": err.code, "message": str(err)}, 1
    except OSError as err:
        document, code = {"schema": ERROR, "code": "storage.error", "message": str(err)}, 1
    except Exception as err:  # noqa: BLE001  # what the client gets must be an answer
        message = f"{type(err).__name__}: {err}"
        document, code = {"schema": ERROR, "code": "bug", "message": message}, 1
    stream = sys.stderr if is_follow(options.request) else sys.stdout  # stdout has the log
    stream.write(json.dumps(document) + "\n")
    stream.flush()
    return code


def is_follow(text: str) -> bool:
    """Whether a request is to stream the log."""
    try:
        return bool(json.loads(text)["action"] == "follow")
    except (ValueError, TypeError, KeyError, RecursionError):
        return False
