"""An entry of `secrets`: a secret for the proven VM, and where this machine reads its value.

A spec never holds a value. It names a source, which is read once the VM has been proven.
"""

import re
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    Field,
    SerializerFunctionWrapHandler,
    WithJsonSchema,
    model_serializer,
    model_validator,
)

from ccgpu.domain.secret import LAST_OWNER, NAME_PATTERN, is_secret_name
from ccgpu.domain.spec.fields import distinct, not_boolean
from ccgpu.domain.spec.section import Section

# POSIX.1-2017, "Environment Variable Definition".
_VARIABLE = r"[A-Za-z_][A-Za-z0-9_]*"
SOURCES = ("file", "env", "stdin", "command")


def _name(value: str) -> str:
    if not is_secret_name(value):
        raise ValueError("must be 1 to 63 of a-z, 0-9 and '-', and start with a letter or digit")
    return value


def _variable(value: str) -> str:
    if not re.fullmatch(_VARIABLE, value):
        raise ValueError("must be the name of an environment variable, such as HF_TOKEN")
    return value


def _file(value: str) -> str:
    if not value.strip() or "\0" in value:
        raise ValueError("must be the path of a file")
    return value


def _command(value: tuple[str, ...]) -> tuple[str, ...]:
    if not value or not value[0]:
        raise ValueError("must be a list of a program and its arguments, as in [pass, show, token]")
    if any("\0" in word for word in value):
        raise ValueError("has a character that no program can be given, remove it")
    return value


class SecretSource(Section):
    """A secret for the proven VM: its name there, and where this machine reads its value."""

    name: Annotated[
        Annotated[
            str,
            AfterValidator(_name),
            WithJsonSchema({"type": "string", "pattern": f"^{NAME_PATTERN}$"}),
        ],
        Field(description="Its name; in the VM it is the file /run/ccgpu/secrets/NAME."),
    ]
    file: Annotated[
        Annotated[str, AfterValidator(_file)] | None,
        Field(description="Read it from this file: all bytes, a trailing newline included."),
    ] = None
    env: Annotated[
        Annotated[str, AfterValidator(_variable)] | None,
        Field(description="Read it from this environment variable of the caller."),
    ] = None
    stdin: Annotated[
        bool, Field(description="Read it from the caller's standard input, to its end.")
    ] = False
    command: Annotated[
        Annotated[tuple[str, ...], AfterValidator(_command)] | None,
        Field(
            description="Run this program here, without a shell; what it prints to its standard "
            "output is the value."
        ),
    ] = None
    owner: Annotated[
        Annotated[int, not_boolean],
        Field(ge=0, le=LAST_OWNER, description="User id in the VM that alone may read it."),
    ] = 0

    @property
    def source(self) -> str:
        """Which of `SOURCES` it has."""
        return next(name for name in SOURCES if getattr(self, name))

    @property
    def source_text(self) -> str:
        """Where its value comes from, in words."""
        match self.source:
            case "file":
                return f"file {self.file}"
            case "env":
                return f"environment variable {self.env}"
            case "stdin":
                return "standard input"
            case _:
                return f"command {(self.command or ('',))[0]}"

    @model_validator(mode="after")
    def _has_one_source(self) -> Self:
        given = [name for name in SOURCES if getattr(self, name)]
        if not given:
            raise ValueError("needs a source: one of file, env, stdin: true, command")
        if len(given) > 1:
            raise ValueError(f"has {len(given)} sources ({', '.join(given)}), leave one")
        return self

    @model_serializer(mode="wrap")
    def _without_other_sources(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        values: dict[str, Any] = handler(self)
        return {name: value for name, value in values.items() if value or name == "owner"}


def _distinct(value: tuple[SecretSource, ...]) -> tuple[SecretSource, ...]:
    distinct("secret", (secret.name for secret in value))
    if sum(secret.stdin for secret in value) > 1:
        raise ValueError("reads standard input twice: it can be read for one secret only")
    return value


SecretSources = Annotated[tuple[SecretSource, ...], AfterValidator(_distinct)]
