"""The section `workload`: what runs in the VM once it is proven, as one container.

The section says what the user wants; `domain/workload/resolve.py` makes a `ContainerPlan` of it.
"""

import re
from enum import StrEnum
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, WithJsonSchema

from ccgpu.domain.spec.flags import Flag
from ccgpu.domain.spec.rules import FieldRule
from ccgpu.domain.spec.section import Section
from ccgpu.domain.workload import words
from ccgpu.domain.workload.values import WorkloadKind

PANEL = "Workload"
ANY_IMAGE = "image"  # the template for any container
_MAX_WORDS = 128
_MAX_WORD = 4096


class Gpus(StrEnum):
    """Which GPUs the container sees."""

    ALL = "all"
    NONE = "none"


def _parameter(value: Any) -> Any:
    """A parameter's value as text: the template decides what it means."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    return value


def _parameter_name(value: object) -> object:
    if isinstance(value, str) and not re.fullmatch(r"[a-z][a-z0-9_]{0,62}", value):
        raise ValueError("must be 1 to 63 of a-z, 0-9 and '_', and start with a letter")
    return value


def _command_word(value: str) -> str:
    if len(value) > _MAX_WORD or re.search(r"[\x00-\x08\x0b-\x1f\x7f]", value):
        raise ValueError(f"is longer than {_MAX_WORD} characters, or has a control character")
    return value


def _distinct_names(value: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(value)) != len(value):
        raise ValueError("names a secret twice, remove one")
    return value


def _only_for_any_image(field: str) -> "FieldRule[Workload]":
    return FieldRule(
        (field,),
        (("use",), (field,)),
        lambda workload: workload.use != ANY_IMAGE and bool(getattr(workload, field)),
        "is only for use: image; other workloads say it themselves",
    )


ParameterName = Annotated[
    str, Field(pattern=r"^[a-z][a-z0-9_]{0,62}$"), BeforeValidator(_parameter_name)
]
ParameterText = Annotated[
    str,
    AfterValidator(_command_word),
    BeforeValidator(_parameter),
    WithJsonSchema({"type": ["string", "number", "boolean"]}),
]
ContainerPath = Annotated[str, AfterValidator(words.container_path)]


class WorkloadInput(Section):
    """A file or folder that is copied into the VM, and that the container can read."""

    # `from` is a word of Python's own; the spec's is the alias, in both directions.
    model_config = ConfigDict(serialize_by_alias=True, validate_by_name=False)

    from_: Annotated[
        str,
        Field(alias="from", min_length=1, max_length=4096, description="Local file or folder."),
    ]
    to: Annotated[ContainerPath, Field(description="Its path in the container.")]


class Workload(Section):
    """What runs in the VM once it is proven, as one container."""

    use: Annotated[
        Annotated[str, AfterValidator(words.template_name)],
        Field(
            description="The workload: a name that `ccgpu workloads` lists, or a file of your own "
            "(`ccgpu schema workload`). image: any container."
        ),
        Flag("Workload: a name, or a file.", "WORKLOAD", ("--workload",), PANEL, of_run=True),
    ] = ANY_IMAGE
    name: Annotated[
        Annotated[str, AfterValidator(words.workload_name)] | None,
        Field(description="Its name in the VM; by default that of the workload."),
        Flag("Its name in the VM.", "NAME", ("--as",), PANEL, of_run=True),
    ] = None
    model: Annotated[
        Annotated[str, AfterValidator(words.model_reference)] | None,
        Field(
            description="Model of huggingface.co: ORG/NAME, with @COMMIT (40 hex digits) to pin "
            "it. `ccgpu models` lists those that fit."
        ),
        Flag("Model: ORG/NAME, or ORG/NAME@COMMIT.", "MODEL", ("--model",), PANEL, of_run=True),
    ] = None
    parameters: Annotated[
        dict[ParameterName, ParameterText],
        Field(description="Parameters of the workload."),
        Flag("Parameter of the workload.", "NAME=VALUE", ("--parameter",), PANEL, of_run=True),
    ] = {}  # noqa: RUF012  # pydantic copies it for each spec
    image: Annotated[
        Annotated[str, AfterValidator(words.image_reference)] | None,
        Field(
            description="Container image in place of the workload's own, with a tag, or better "
            "with its digest: REGISTRY/NAME:TAG@sha256:…"
        ),
        Flag("Container image.", "IMAGE", ("--image",), PANEL, of_run=True),
    ] = None
    command: Annotated[
        tuple[Annotated[str, AfterValidator(_command_word)], ...],
        Field(
            max_length=_MAX_WORDS,
            description="Words after the image, in place of the workload's own. They are not "
            "secret: they are measured, and everybody in the VM can read them.",
        ),
    ] = ()
    environment: Annotated[
        dict[
            Annotated[str, AfterValidator(words.variable_name)],
            Annotated[str, AfterValidator(_command_word)],
        ],
        Field(description="Environment variables of the container. Nothing secret: use secrets."),
    ] = {}  # noqa: RUF012  # pydantic copies it for each spec
    inputs: Annotated[
        tuple[WorkloadInput, ...],
        Field(max_length=16, description="What is copied into the VM for it, over SSH."),
    ] = ()
    secrets: Annotated[
        Annotated[
            tuple[Annotated[str, AfterValidator(words.secret_name)], ...],
            AfterValidator(_distinct_names),
        ],
        Field(
            max_length=16,
            description="Names of secrets that it may read, as the files /run/secrets/NAME.",
        ),
    ] = ()
    outputs: Annotated[
        ContainerPath | None,
        Field(description="Folder in the container with its results, to fetch afterwards."),
    ] = None
    kind: Annotated[
        WorkloadKind | None,
        Field(description="For use: image: server, job (the default) or interactive."),
    ] = None
    ports: Annotated[
        tuple[Annotated[int, Field(ge=1024, le=65535)], ...],
        Field(max_length=8, description="For use: image: its ports, on 127.0.0.1 of the VM."),
    ] = ()
    health: Annotated[
        Annotated[str, AfterValidator(words.url_path)] | None,
        Field(description="For use: image: the path at its first port that answers 200."),
    ] = None
    gpus: Annotated[Gpus, Field(description="all: it sees the GPU. none: it does not.")] = Gpus.ALL

    rules: ClassVar["tuple[FieldRule[Workload], ...]"] = (
        FieldRule(
            ("image",),
            (("use",), ("image",)),
            lambda workload: workload.use == ANY_IMAGE and workload.image is None,
            "is needed for use: image; or choose a workload with use",
        ),
        _only_for_any_image("kind"),
        _only_for_any_image("ports"),
        _only_for_any_image("health"),
        FieldRule(
            ("health",),
            (("use",), ("health",), ("ports",)),
            lambda workload: (
                workload.use == ANY_IMAGE and workload.health is not None and not workload.ports
            ),
            "needs ports: it is asked for at the first of them",
        ),
        FieldRule(
            ("ports",),
            (("kind",), ("ports",)),
            lambda workload: len(set(workload.ports)) != len(workload.ports),
            "has the same port twice, remove one",
        ),
    )
