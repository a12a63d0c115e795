"""The parts of the script for workloads, called in this process."""

import json
import os
from pathlib import Path
from typing import Any

from ccgpu.guest.workload import command_line
from ccgpu.guest.workload_requests import WorkloadRequest
from ccgpu.templates.guest.workload import base, request
from ccgpu.templates.guest.workload.base import Vm

SCRIPTED_ENGINE = """\
root={root}
case "$1 $2" in
  "image inspect")
    [[ -e $root/image.json ]] || {{ echo "Error: No such image: $3" >&2; exit 1; }}
    cat "$root/image.json" ;;
  "pull --quiet")
    [[ -e $root/registry.json ]] || {{ echo "manifest unknown" >&2; exit 1; }}
    cp "$root/registry.json" "$root/image.json" ;;
  "container inspect") [[ -e $root/container ]] && echo true ;;
  "ps --all") [[ ! -e $root/container ]] || echo c0ffee ;;
  "rm --force" | "rm -f") [[ -e $root/stuck ]] || rm -f "$root/container" ;;
  "stop -t") pid=$(cat "$root/container"); kill "$pid"; sleep 0.1 ;;
  run*)
    [[ ! -e $root/broken ]] || {{ echo "no such device" >&2; exit 125; }}
    while [[ $1 != *@sha256:* && $1 != sha256:* ]]; do shift || exit 125; done
    shift
    "$@" &
    echo $! >"$root/container"
    wait $!
    code=$?
    [[ -e $root/stuck ]] || rm -f "$root/container"
    exit $code ;;
  *) echo "unknown: $*" >&2; exit 64 ;;
esac
"""


def vm_at(root: Path, descriptor: int | None = None, **limits: float) -> Vm:
    """A VM whose files are below `root`."""
    (root / "run").mkdir(exist_ok=True)
    (root / "mnt").mkdir(exist_ok=True)
    quick = {**base.LIMITS, "pause": 0.01, "lock": 0.2, **limits}
    return Vm(root, descriptor, None, os.geteuid(), quick)


def request_of(one: WorkloadRequest, **changes: Any) -> request.Request:
    """A request as the script reads it."""
    document = json.loads(command_line(one)[-1])
    return request.Request({**document, **changes})
