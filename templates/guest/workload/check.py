"""Asks a workload on the VM's loopback: for its health, then what the caller wants to know.

Nothing is judged here.
"""

import hashlib
import http.client
import json
import time
from dataclasses import dataclass
from typing import Any

from ccgpu.templates.guest.collector.settings import CollectorError, time_limit
from ccgpu.templates.guest.workload.base import Vm
from ccgpu.templates.guest.workload.request import Request
from ccgpu.templates.guest.workload.units import ENDED, public, state_of

MOST_REQUESTS = 64
MOST_WAIT = 600  # seconds
MOST_KEPT = 8 * 1024 * 1024  # bytes of one answer that are returned
KEPT_IN_ALL = 16 * 1024 * 1024  # bytes of all answers
MOST_READ = 64 * 1024 * 1024  # bytes of one answer
HEALTH_SECONDS = 10.0
OK = 200


@dataclass(frozen=True)
class Asked:
    """A request: its limits are seconds, and bytes that are returned."""

    method: str
    path: str
    body: bytes
    seconds: float
    limit: int


def check(vm: Vm, request: Request) -> dict[str, Any]:
    """The health of a workload, and its answers if it is well."""
    name, port = request.name, request.whole("port", 1, 65535)
    wait = request.number("wait", 0, MOST_WAIT)
    asked = [parse_asked(one) for one in request.parts("requests")]
    if len(asked) > MOST_REQUESTS:
        raise request.refuse("requests", f"has more than {MOST_REQUESTS} entries")
    health = Asked("GET", path_of(request, "health"), b"", HEALTH_SECONDS, 0)
    end = time.monotonic() + wait
    while True:
        workload, answer = state_of(vm, name), ask(port, health)
        is_well = answer["status"] == OK
        if is_well or workload["state"] in ENDED or time.monotonic() >= end:
            break
        time.sleep(vm.limits["pause"])
    answers = []
    left = KEPT_IN_ALL
    for one in asked if is_well else []:
        answers.append(ask(port, one, left))
        left -= len((answers[-1]["body"] or "").encode())
    return {
        "workload": public(state_of(vm, name) if answers else workload),
        "health": {"status": answer["status"], "seconds": answer["seconds"]},
        "answers": answers,
    }


def parse_asked(request: Request) -> Asked:
    """One request."""
    body = request.value("body")
    return Asked(
        request.chosen("method", "GET", "POST"),
        path_of(request, "path"),
        b"" if body is None else json.dumps(body).encode(),
        request.number("timeout", 0.1, 600),
        request.whole("limit", 0, MOST_KEPT),
    )


def path_of(request: Request, name: str) -> str:
    """A path of an HTTP request."""
    path = request.text(name)
    if not path.startswith("/") or not path.isascii() or not path.isprintable() or " " in path:
        raise request.refuse(name, "is not a path such as /health")
    return path


def ask(port: int, asked: Asked, left: int = MOST_KEPT) -> dict[str, Any]:
    """An answer; `status` is None if there was none within the time. No proxy is ever used."""
    began, status, raw, error = time.monotonic(), None, b"", ""
    try:
        with time_limit(asked.seconds, "slow", f"no answer within {asked.seconds:g} seconds"):
            code, raw = exchange(port, asked)
            status = code
    except (OSError, http.client.HTTPException, CollectorError) as err:
        error = f"{type(err).__name__}: {err}" if not isinstance(err, CollectorError) else str(err)
    seconds = round(time.monotonic() - began, 6)
    if len(raw) > MOST_READ:
        status, raw, error = None, b"", f"the answer has more than {MOST_READ} bytes"
    return {
        "status": status,
        "seconds": seconds,
        "size": len(raw),
        "sha256": hashlib.sha256(raw).hexdigest(),
        "body": text_of(raw) if len(raw) <= min(asked.limit, left) else None,
        "error": error[:500],
    }


def exchange(port: int, asked: Asked) -> tuple[int, bytes]:
    """Status and body of an answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=asked.seconds)
    try:
        headers = {"Connection": "close"}
        if asked.body:
            headers["Content-Type"] = "application/json"
        connection.request(asked.method, asked.path, asked.body or None, headers)
        with connection.getresponse() as answer:
            return answer.status, answer.read(MOST_READ + 1)
    finally:
        connection.close()


def text_of(raw: bytes) -> str | None:
    """A body as text; None if it is none."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return None
