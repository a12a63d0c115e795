"""One HTTP request, as a line for people and as a JSON document."""

from dataclasses import asdict
from typing import Any

from ccgpu.domain.plain_text import one_line
from ccgpu.net.request_log import SentRequest
from ccgpu.scheduling.clock import rfc3339


def as_line(sent: SentRequest) -> str:
    """The line that `--debug` shows."""
    ended = sent.error if sent.status is None else str(sent.status)
    parts = [f"{sent.method} {sent.host}{sent.path}: {ended} in {sent.milliseconds} ms"]
    parts += [f"retry {sent.retry}"] if sent.retry else []
    if sent.correlation_id or sent.request_id:
        parts.append(f"correlation id {sent.correlation_id or sent.request_id}")
    return one_line(", ".join(parts))


def as_json(sent: SentRequest) -> dict[str, Any]:
    """The document that `--debug` writes beside JSON, and that the file of CCGPU_LOG has."""
    fields = asdict(sent)
    return {"schema": "ccgpu.request/1", "time": rfc3339(fields.pop("at"))} | fields
