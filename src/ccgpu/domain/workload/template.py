"""The format of a workload's file, `ccgpu.workload-template/1`: what is fixed, and its parameters.

A word of `command` and a value of `environment` may hold `{NAME}`: a parameter, or one of
`BUILT_IN`. Nothing in a template is executed on the user's machine.
"""

import re
from collections.abc import Iterator
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from ccgpu.domain.workload import words
from ccgpu.domain.workload.values import WorkloadKind

SCHEMA = "ccgpu.workload-template/1"
DIALECT = "https://json-schema.org/draft/2020-12/schema"
# model: the model's folder in the container. model_name: ORG/NAME; model_short: NAME. port: the
# first of `ports`, which a parameter of this name may change. outputs: the folder of the results.
BUILT_IN = frozenset({"model", "model_name", "model_short", "port", "outputs"})
PLACE = re.compile(r"\{([a-z][a-z0-9_]*)\}")
MAX_DEADLINE = 40 * 60  # Azure/az-cgpu-onboarding waits as long for a model to be loaded

# defer_build: a model is built when it is first used by itself, and most are only parts of another.
_CONFIG = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, defer_build=True)


def _text(value: Any) -> Any:
    """A value as text: the file's parser leaves numbers and booleans as they are written."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float) else value


def _pattern(value: str) -> str:
    try:
        re.compile(value)
    except re.error as err:
        raise ValueError(f"is not a regular expression: {err}") from err
    return value


Text = Annotated[str, BeforeValidator(_text), Field(max_length=4096)]
Word = Annotated[str, BeforeValidator(_text), Field(min_length=1, max_length=4096)]
Port = Annotated[int, Field(ge=1024, le=65535)]
TemplatePath = Annotated[str, AfterValidator(words.container_path)]


class TemplateParameter(BaseModel):
    """A parameter: its type, its default and its limits. Without a default it is off."""

    model_config = _CONFIG

    type: Annotated[
        Literal["integer", "number", "boolean", "text"], Field(description="Type of its value.")
    ]
    description: Annotated[str, Field(min_length=1, max_length=400, description="What it is.")]
    default: Annotated[Text | None, Field(description="Its value unless one is given.")] = None
    minimum: Annotated[float | None, Field(description="Least value of a number.")] = None
    maximum: Annotated[float | None, Field(description="Greatest value of a number.")] = None
    choices: Annotated[tuple[Word, ...], Field(description="The values that are allowed.")] = ()
    pattern: Annotated[
        Annotated[str, AfterValidator(_pattern)] | None,
        Field(description="Regular expression that the whole text must match."),
    ] = None


class ConditionalWords(BaseModel):
    """Words that stand in the run line only if a parameter is on: neither empty nor false."""

    model_config = _CONFIG

    when: Annotated[str, Field(description="Name of the parameter.")]
    words: Annotated[tuple[Word, ...], Field(min_length=1, description="The words.")]


class TemplateHealth(BaseModel):
    """When a server counts as up: the path at its first port answers 200."""

    model_config = _CONFIG

    path: Annotated[str, AfterValidator(words.url_path), Field(description="Path of the URL.")]
    deadline_minutes: Annotated[
        int,
        Field(ge=1, le=MAX_DEADLINE // 60, description="How long the start may take."),
    ]


class TemplateAnswers(BaseModel):
    """How a server is asked for known answers. The answers themselves are in the table of models.

    completions: POST /v1/completions. images: POST /v1/images/generations.
    """

    model_config = _CONFIG

    protocol: Annotated[
        Literal["completions", "images"], Field(description="completions or images.")
    ]


class TemplateSecret(BaseModel):
    """A secret that the workload can use."""

    model_config = _CONFIG

    name: Annotated[str, AfterValidator(words.secret_name), Field(description="Its name.")]
    description: Annotated[str, Field(min_length=1, max_length=400, description="What it is for.")]
    mounted: Annotated[
        bool, Field(description="Whether the container reads it; else only the download does.")
    ] = True


class TemplateFile(BaseModel):
    """A file beside the template that the container runs."""

    model_config = _CONFIG

    file: Annotated[
        str, Field(pattern=r"^[a-z][a-z0-9_]*\.py$", description="Its name, beside the template.")
    ]
    to: Annotated[TemplatePath, Field(description="Its path in the container.")]


class WorkloadTemplate(BaseModel):
    """One workload: container image, command, parameters and checks."""

    model_config = _CONFIG

    format: Annotated[Literal["ccgpu.workload-template/1"], Field(alias="schema")]
    name: Annotated[str, AfterValidator(words.workload_name), Field(description="Its name.")]
    summary: Annotated[str, Field(min_length=1, max_length=120, description="One line about it.")]
    kind: Annotated[WorkloadKind, Field(description="server, job or interactive.")]
    image: Annotated[
        Annotated[str, AfterValidator(words.image_reference)] | None,
        Field(description="Container image with its version; none: the user names one."),
    ] = None
    source: Annotated[
        str | None,
        Field(description="Why this image and this version, with the source and its date."),
    ] = None
    model: Annotated[
        Literal["required", "optional", "none"], Field(description="Whether it runs a model.")
    ] = "none"
    parameters: Annotated[
        dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")], TemplateParameter],
        Field(description="Parameters, by name."),
    ] = {}
    options: Annotated[
        tuple[Word, ...], Field(description="Further options of the engine's run command.")
    ] = ()
    entrypoint: Annotated[Word | None, Field(description="In place of the image's own.")] = None
    command: Annotated[
        tuple[Word | ConditionalWords, ...], Field(description="Words after the image.")
    ] = ()
    environment: Annotated[
        dict[Annotated[str, AfterValidator(words.variable_name)], Text],
        Field(description="Environment variables; nothing secret."),
    ] = {}
    library_path: Annotated[
        Text | None,
        Field(
            description="LD_LIBRARY_PATH of the image. The VM's faster OpenSSL is put in front of "
            "it; without this field it is not used."
        ),
    ] = None
    files: Annotated[tuple[TemplateFile, ...], Field(description="Files of its own.")] = ()
    ports: Annotated[tuple[Port, ...], Field(description="Ports, on 127.0.0.1 of the VM.")] = ()
    health: Annotated[TemplateHealth | None, Field(description="When it is up.")] = None
    known_answers: Annotated[
        TemplateAnswers | None, Field(description="How it is asked for known answers.")
    ] = None
    gpu_memory_gb: Annotated[
        float | None,
        Field(gt=0, description="GPU memory that it needs beside the weights (10^9 bytes)."),
    ] = None
    secrets: Annotated[tuple[TemplateSecret, ...], Field(description="Secrets it can use.")] = ()
    inputs: Annotated[
        dict[TemplatePath, str],
        Field(description="Folders in the container that the user has to fill, and with what."),
    ] = {}
    outputs: Annotated[TemplatePath | None, Field(description="Folder of its results.")] = None
    stop_seconds: Annotated[
        int, Field(ge=1, le=600, description="How long it may take to stop.")
    ] = 60

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for problem in _contradictions(self):
            raise ValueError(problem)
        return self


def _contradictions(template: WorkloadTemplate) -> Iterator[str]:
    yield from _parameter_contradictions(template)
    if template.health is not None and not template.ports:
        yield "has a health check, and no port to ask at"
    if template.known_answers is not None and template.health is None:
        yield "has known answers, and no health check that says when to ask"
    if template.kind is WorkloadKind.SERVER and template.health is None:
        yield "is a server, and has no health check"


def _parameter_contradictions(template: WorkloadTemplate) -> Iterator[str]:
    own = template.parameters.keys()
    used = {name for text in _texts(template) for name in PLACE.findall(text)}
    if unknown := used - BUILT_IN - own:
        yield f"uses {{{min(unknown)}}}, which is no parameter"
    conditions = {part.when for part in template.command if isinstance(part, ConditionalWords)}
    if unknown := conditions - own:
        yield f"has words for {min(unknown)}, which is no parameter"
    if taken := (BUILT_IN - {"port"}) & own:
        yield f"may not call a parameter {min(taken)}"
    port = template.parameters.get("port")
    if port is not None and (port.type != "integer" or not template.ports):
        yield "has a parameter port that is no integer, or no port that it could be"


def _texts(template: WorkloadTemplate) -> Iterator[str]:
    for part in template.command:
        yield from part.words if isinstance(part, ConditionalWords) else (part,)
    yield from template.environment.values()


def schema() -> dict[str, Any]:
    """The JSON Schema of a template file."""
    body = WorkloadTemplate.model_json_schema(by_alias=True)
    body.pop("title")
    properties = {"$schema": {"type": "string"}} | body.pop("properties")
    return {"$schema": DIALECT, "title": "ccgpu workload"} | body | {"properties": properties}
