"""The words of a run line, and the event that tells them (docs/trust.md).

Mounts, variables and ports have one spelling each, so that the event names all of them.
"""

import json
import re
from collections.abc import Sequence
from typing import Any

from ccgpu.templates.guest.workload.base import WorkloadError

EVENT = "ccgpu.workload-event/1"
EVENT_LIMIT = 64 * 1024  # bytes of one line
# Options that would name a mount, a variable, a port or a life of the container in another way.
FORBIDDEN = (
    *("--detach", "--restart", "--cidfile", "--env", "--env-file", "--volume", "--mount"),
    *("--volumes-from", "--publish", "--publish-all", "--env-host", "--secret", "--conmon-pidfile"),
)
SHORT = ("-v", "-e", "-p")  # each a word of its own, with a value in the next
OTHER_SHORT = ("-u", "-w", "-m", "-h")
PORT = re.compile(r"127\.0\.0\.1:[0-9]{1,5}:[0-9]{1,5}", re.ASCII)
VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=", re.ASCII)
GPU = "nvidia.com/gpu="


def check_options(name: str, options: Sequence[str]) -> None:
    """Refuse options that the event would not tell, or that systemd could not look after."""
    if "--rm" not in options:
        raise refused("`--rm` is missing")
    if values_of("--name", options) != [f"ccgpu-{name}"]:
        raise refused(f"`--name ccgpu-{name}` is missing, or not the only name")
    values = value_places(options)
    for place, word in enumerate(options):
        if place not in values and not is_allowed(word):
            raise refused(f"`{word}` may not be used")
    check_values(options)


def check_values(options: Sequence[str]) -> None:
    """Refuse mounts, variables and ports in another form."""
    for mount in mounts_of(options):
        check_mount(mount)
    for pair in values_of("-e", options):
        if not VARIABLE.match(pair):
            raise refused(f"`-e {pair.partition('=')[0]}` is not NAME=VALUE")
    for port in values_of("-p", options):
        if not PORT.fullmatch(port):
            raise refused(f"`-p {port}` is not 127.0.0.1:PORT:PORT")


def is_allowed(word: str) -> bool:
    """Whether a word may stand before the image; short options only if it is known what they do."""
    if word.startswith("--"):
        return word.partition("=")[0] not in FORBIDDEN
    return not word.startswith("-") or word in SHORT or word in OTHER_SHORT


def value_places(options: Sequence[str]) -> set[int]:
    """Where the values of `-v`, `-e` and `-p` stand."""
    places: set[int] = set()
    for place, word in enumerate(options):
        if word in SHORT and place not in places:
            if place + 1 == len(options):
                raise refused(f"`{word}` has no value")
            places.add(place + 1)
    return places


def values_of(option: str, options: Sequence[str]) -> list[str]:
    """The values of an option, in the next word or after `=`."""
    skipped = value_places(options)
    found = []
    for place, word in enumerate(options):
        if place in skipped:
            continue
        if word == option:
            found += list(options[place + 1 : place + 2])
        elif option.startswith("--") and word.startswith(f"{option}="):
            found.append(word.partition("=")[2])
    return found


def mounts_of(options: Sequence[str]) -> list[str]:
    """The mounts, `SOURCE:TARGET` or `SOURCE:TARGET:ro`."""
    return values_of("-v", options)


def check_mount(mount: str) -> None:
    """Refuse a mount that is not of two absolute paths."""
    source, target, *rest = (*mount.split(":"), "")[:4]
    plain = all(path.startswith("/") and ".." not in path.split("/") for path in (source, target))
    if not plain or rest not in ([""], ["ro", ""]):
        raise refused(f"`-v {mount}` is not SOURCE:TARGET or SOURCE:TARGET:ro, absolute paths")


def wants_gpu(options: Sequence[str]) -> bool:
    """Whether the container gets the GPU."""
    return any(value.startswith(GPU) for value in values_of("--device", options))


def event_line(
    *, name: str, image: str, digest: str, run: Sequence[str], options: Sequence[str], model: Any
) -> bytes:
    """The event of a start as one line of the log, without its newline."""
    event = {
        "schema": EVENT,
        "name": name,
        "image": image,
        "image_digest": digest,
        "command": list(run),
        "mounts": mounts_of(options),
        "model": model,
        "environment": [pair.partition("=")[0] for pair in values_of("-e", options)],
    }
    line = json.dumps(event, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()
    if len(line) > EVENT_LIMIT:
        raise refused(f"the run line makes an event of {len(line)} bytes: {EVENT_LIMIT} at most")
    return line


def refused(what: str) -> WorkloadError:
    """The error about the options."""
    return WorkloadError("request", f"the run line: {what}")
