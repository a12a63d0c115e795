"""The documents on stderr: error, event, request."""

from typing import Any, get_args

from ccgpu.domain.events import EventKind
from ccgpu.errors import Presence
from ccgpu.views.schemas import files
from ccgpu.views.schemas.words import (
    ARM_ID,
    BOOLEAN,
    COUNT,
    NUMBER,
    TEXT,
    TIME,
    Schema,
    choice,
    described,
    document,
    listing,
    nullable,
    record,
)

_OUTCOMES = ("success", "error", "interrupted", "bug")


def error() -> dict[str, Any]:
    """An error."""
    resource = {"id": ARM_ID, "state": choice(get_args(Presence)), "billed": BOOLEAN}
    problem: dict[str, Schema] = {"source": TEXT, **files.PROBLEM}
    more: dict[str, Schema] = {
        "correlation_id": described(TEXT, "Azure's, of the refused request."),
        "signed_in_with": described(TEXT, "The credential of azure-identity."),
        "traceback": described(TEXT, "Of a bug in ccgpu."),
        "problems": described(listing(record(problem)), "Of an input file."),
    }
    return document(
        "ccgpu.error/1",
        "Why a command failed, on stderr.",
        {
            "code": TEXT,
            "message": TEXT,
            "hint": nullable(TEXT),
            "exit_code": COUNT,
            "resources": described(listing(record(resource)), "What may be left."),
            **more,
        },
        optional=more,
    )


def event() -> dict[str, Any]:
    """An event of `--events ndjson`; the last one, `end`, has other members than the rest."""
    common: dict[str, Schema] = {
        "time": TIME,
        "at": described(NUMBER, "Seconds since the command began."),
        "text": TEXT,
    }
    step = {
        "what": choice(get_args(EventKind)),
        **common,
        "id": nullable(ARM_ID),
        "kind": nullable(TEXT),
        "action": nullable(TEXT),
        "stage": nullable(TEXT),
    }
    end = {
        "what": {"const": "end"},
        **common,
        "outcome": choice(_OUTCOMES),
        "exit_code": COUNT,
        "code": nullable(TEXT),
    }
    whole = document("ccgpu.event/1", "An event of `--events ndjson`; the last one is `end`.", {})
    about = {name: whole[name] for name in ("$schema", "title", "description")}
    forms = ({"schema": {"const": "ccgpu.event/1"}, **form} for form in (step, end))
    return {**about, "oneOf": [record(form) for form in forms]}


def request() -> dict[str, Any]:
    """An HTTP request of `--debug`, or of the file of CCGPU_LOG."""
    return document(
        "ccgpu.request/1",
        "An HTTP request: never its query, headers or body.",
        {
            "time": TIME,
            "method": TEXT,
            "host": TEXT,
            "path": TEXT,
            "status": described(nullable(COUNT), "Null: there was no response."),
            "milliseconds": COUNT,
            "retry": COUNT,
            "correlation_id": nullable(TEXT),
            "request_id": nullable(TEXT),
            "error": described(nullable(TEXT), "Class of the exception without a response."),
        },
    )
