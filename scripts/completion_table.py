"""The table of `ccgpu completion`: every command, option and value, as compact JSON."""

import json
import sys
from enum import Enum
from pathlib import Path
from typing import Any

import parser_table
from ccgpu.domain.catalog import DEFAULT_IMAGE, NCC_H100_V5, REGIONS
from ccgpu.domain.key_vault import HSM_TYPES
from ccgpu.domain.spec.structure import SpecField, fields_of
from ccgpu.domain.spec.vm import VmSpec
from ccgpu.fakearm.scenarios import SCENARIOS
from ccgpu.store import driver_table, model_table, policies, specs, workload_templates
from ccgpu.views.schemas.table import SCHEMAS

_FILES = {"paths": "files"}
# What may stand where the help shows this word; an empty value is free text.
_FREE: dict[str, Any] = {}
FREE_TEXT = (
    "-- CMD",
    "CMD",
    "CODE",
    "COMMAND",
    "DEFINITION",
    "DURATION",
    "EXPR",
    "FACTOR",
    "GIB",
    "GROUP",
    "HEX",
    "ID",
    "K",
    "KEY",
    "KEY...",
    "NAME=VALUE",
    "NAME|ID",
    "NUMBER",
    "PORT[:LOCAL]",
    "TIME",
    "UID",
    "URL",
    "USD",
    "USER",
    "USER@ADDRESS[:PORT]",
    "V",
    "VALUE...",
    "VARIABLE",
    "W",
    "[USER@]HOST[:PORT]",
    "port",
)


def _words(*words: str) -> dict[str, Any]:
    return {"words": dict.fromkeys(words, "")}


def _by_metavar() -> dict[str, dict[str, Any]]:
    of_spec = {"words": {each.name: each.summary for each in specs.templates()}}
    return {
        **dict.fromkeys(FREE_TEXT, _FREE),
        "FILE": _FILES,
        "FILE|SHA256:…": _FILES,
        "EVIDENCE": _FILES,
        "EVIDENCE...": _FILES,
        "DIR": {"paths": "folders"},
        "DISK": _FILES,
        "IMAGE.yaml": _FILES,
        "NAME": {"deployments": True},
        "NAME...": {"deployments": True},
        "SRC": {"deployments": ":", **_FILES},
        "DST": {"deployments": ":", **_FILES},
        "REGION": _words(*REGIONS),
        "ZONE": _words("1", "2", "3"),
        "SIZE": _words(NCC_H100_V5),
        "size": _words(*(size for sizes in HSM_TYPES.values() for size in sizes)),  # of a key
        "IMAGE": _words(DEFAULT_IMAGE),
        "CIDR": _words("auto"),
        "TEMPLATE": of_spec,
        "POLICY": _words(*policies.names()) | _FILES,
        "WORKLOAD": _words(*workload_templates.names()) | _FILES,
        "MODEL": _words(*(each.repository for each in model_table.shipped().models)),
        "FROM:TO": _FILES,
        "VERSION": _words(*_drivers()),
        "NAME|FILE": _words(*SCENARIOS) | _FILES,
        "KEY=VALUE": {"fields": _fields()},
        "DOCUMENT": _words(*SCHEMAS),
    }


# Where the word of the help says too little.
_BY_OPTION = {
    "--region": _words(*REGIONS),
    "--identity": _words("system"),
    "--ssh-key": _FILES,
}


def _drivers() -> list[str]:
    table = driver_table.shipped()
    return [text for each in table.offered() for text in (each.branch, each.version)]


def _fields() -> dict[str, list[str]]:
    """The fields of a spec that are one value, each with the values that are known."""
    known = {"size": [NCC_H100_V5], "image": [DEFAULT_IMAGE], "ssh_from": ["auto"]} | {
        "workload.use": workload_templates.names(),
        "guest.driver": _drivers(),
    }
    return {
        ".".join(field.path): known.get(".".join(field.path), _values_of(field))
        for field in fields_of(VmSpec)
        if field.section is None and field.entry is None and not field.is_map
    }


def _values_of(field: SpecField) -> list[str]:
    if field.kind is bool:
        return ["true", "false"]
    is_enum = isinstance(field.kind, type) and issubclass(field.kind, Enum)
    return [each.value for each in field.kind] if is_enum else []


def value_of(one: parser_table.ParameterEntry, known: dict[str, dict[str, Any]]) -> Any:
    """What may stand for the parameter; None for a flag.

    Raises:
        LookupError: with its name, if nobody has said that of what the help shows.
    """
    if one.metavar is None:
        return None
    if one.choices:
        return _words(*one.choices)
    by_name = next((_BY_OPTION[name] for name in one.names if name in _BY_OPTION), None)
    if by_name is not None:
        return by_name
    if one.kind is Path and one.metavar == "KEY":
        return _FILES
    if one.metavar == "TIME" and one.kind is str:
        return _words("bundle")
    if one.metavar not in known:
        raise LookupError(f"{', '.join(one.names)} {one.metavar}")
    return known[one.metavar]


def _entry(command: parser_table.CommandEntry, known: dict[str, dict[str, Any]]) -> dict[str, Any]:
    return {
        "help": command.short,
        "options": [
            {"names": one.names, "help": one.help, "many": one.many, "value": value_of(one, known)}
            for one in command.options
        ],
        "arguments": [
            {"many": one.many, "value": value_of(one, known)} for one in command.arguments
        ],
        "commands": {name: _entry(one, known) for name, one in command.commands.items()},
    }


def text() -> str:
    """The table as a file."""
    root, known = parser_table.root(), _by_metavar()
    _require_known(root, known)
    entry = _entry(root, known)
    return json.dumps(entry, indent=1, ensure_ascii=False) + "\n"


def _require_known(root: parser_table.CommandEntry, known: dict[str, dict[str, Any]]) -> None:
    """Exit with every parameter of an unknown kind."""
    unknown = []
    for command in parser_table.every(root):
        for one in (*command.options, *command.arguments):
            try:
                value_of(one, known)
            except LookupError as err:
                unknown.append(f"{command.path} {err}")
    if unknown:
        listed = "\n  ".join(unknown)
        sys.exit(
            f"error: nothing says what completes these:\n  {listed}\n\n"
            "hint: add what the help shows to FREE_TEXT, or to the table, in "
            "scripts/completion_table.py"
        )
