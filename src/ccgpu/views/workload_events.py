"""The workloads that the log of workloads has, as text. All of it is the log's, escaped."""

import shlex
from collections.abc import Iterator, Sequence

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from ccgpu.attest.workload_log import WorkloadEvent
from ccgpu.domain.plain_text import one_line

_TITLE = "workloads that were started, as the log of workloads tells it (PCR 13):"
_NOT_REPLAYED = "not replayed to PCR 13: not to be relied on"


def as_text(events: Sequence[WorkloadEvent], *, verbose: bool = False) -> RenderableType:
    """Each workload with image and model; `verbose` adds command line, mounts and variables."""
    parts: list[RenderableType] = [Text(_TITLE)]
    for event in events:
        mark = "" if event.replayed else f" ({_NOT_REPLAYED})"
        parts.append(Text(f"  {one_line(event.name)}{mark}"))
        details = _details(event) if verbose else _short_details(event)
        parts += [Padding(Text(f"{name}: {value}"), (0, 0, 0, 4)) for name, value in details]
    return Group(*parts)


def command_text(event: WorkloadEvent) -> str:
    """The run line after the engine's name, quoted for a shell, on one line."""
    return one_line(shlex.join(event.command))


def model_text(event: WorkloadEvent) -> str:
    """The model with its commit; empty if there is none."""
    return "" if event.model is None else f"{event.model.repository}@{event.model.commit}"


def _short_details(event: WorkloadEvent) -> Iterator[tuple[str, str]]:
    yield "image", one_line(f"{event.image} {event.image_digest}")
    if event.model is not None:
        yield "model", one_line(model_text(event))


def _details(event: WorkloadEvent) -> Iterator[tuple[str, str]]:
    yield from _short_details(event)
    if event.model is not None:
        yield "manifest", one_line(event.model.manifest)
    yield "command", command_text(event)
    yield from (("mount", one_line(each)) for each in event.mounts)
    if event.environment:
        yield "variables", one_line(", ".join(event.environment))
