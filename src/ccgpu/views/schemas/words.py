"""The building blocks of the schemas: JSON Schema, draft 2020-12, as plain values.

Objects are closed, and each of their members is required unless it is listed as optional. Times are
RFC 3339 in UTC, with `Z`.
"""

from collections.abc import Iterable, Mapping
from typing import Any

DIALECT = "https://json-schema.org/draft/2020-12/schema"

Schema = Mapping[str, Any]

TEXT: Schema = {"type": "string"}
BOOLEAN: Schema = {"type": "boolean"}
INTEGER: Schema = {"type": "integer"}
COUNT: Schema = {"type": "integer", "minimum": 0}
NUMBER: Schema = {"type": "number"}
TIME: Schema = {"type": "string", "format": "date-time", "pattern": "Z$"}
DATE: Schema = {"type": "string", "format": "date"}
HEX: Schema = {"type": "string", "pattern": "^([0-9a-f]{2})+$"}
SHA256: Schema = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
ARM_ID: Schema = {"type": "string", "pattern": "^/subscriptions/", "description": "ARM id."}
ANY: Schema = {}
ANY_OBJECT: Schema = {"type": "object"}
NULL: Schema = {"type": "null"}

SIMULATED: Schema = {"type": "boolean", "description": "Whether this is the simulated Azure."}
SIGNED_IN_WITH: Schema = {
    "type": ["string", "null"],
    "description": "The credential of azure-identity that signed in; null if none did.",
}


def described(schema: Schema, description: str) -> Schema:
    """The schema with a description for people."""
    return {**schema, "description": description}


def nullable(schema: Schema) -> Schema:
    """The schema, or null."""
    if not isinstance(schema.get("type"), str):
        return {"anyOf": [schema, NULL]}
    values = {"enum": [*schema["enum"], None]} if "enum" in schema else {}
    return {**schema, "type": [schema["type"], "null"], **values}


def choice(values: Iterable[str]) -> Schema:
    """One of these texts."""
    return {"type": "string", "enum": [str(value) for value in values]}


def listing(items: Schema) -> Schema:
    """A list."""
    return {"type": "array", "items": items}


def mapping(values: Schema) -> Schema:
    """An object whose names are data."""
    return {"type": "object", "additionalProperties": values}


def record(properties: Mapping[str, Schema], optional: Iterable[str] = ()) -> Schema:
    """An object with these members and no others."""
    left_out = set(optional)
    return {
        "type": "object",
        "properties": dict(properties),
        "required": [name for name in properties if name not in left_out],
        "additionalProperties": False,
    }


def document(
    name: str, description: str, properties: Mapping[str, Schema], optional: Iterable[str] = ()
) -> dict[str, Any]:
    """The schema of the document whose member `schema` is `name`."""
    about = {"$schema": DIALECT, "title": name, "description": description}
    return {**about, **record({"schema": {"const": name}, **properties}, optional)}
