"""`ccgpu schema`."""

import json
from enum import StrEnum
from typing import Annotated

import typer

from ccgpu.cli.runtime import Runtime


class Schema(StrEnum):
    """The file formats that have a JSON Schema."""

    SPEC = "spec"
    POLICY = "policy"
    BUNDLE = "bundle"
    WORKLOAD = "workload"
    CONFIG = "config"


def schema(
    ctx: typer.Context,
    of: Annotated[Schema, typer.Argument(help="Which schema to print.", show_default=False)],
) -> None:
    """Print the JSON Schema of a file format.

    Use it in an editor, or in checks of your own.

    Example: `ccgpu schema spec > ccgpu-spec.schema.json`
    """
    runtime: Runtime = ctx.obj
    runtime.out.out(text(of), highlight=False)


def text(of: Schema) -> str:
    """The schema as text; `init` writes the same text."""
    from ccgpu.domain import bundle, policy, user_config
    from ccgpu.domain.spec import schema as spec
    from ccgpu.domain.workload import template

    schemas = {
        Schema.SPEC: spec.schema,
        Schema.POLICY: policy.schema,
        Schema.BUNDLE: bundle.schema,
        Schema.WORKLOAD: template.schema,
        Schema.CONFIG: user_config.schema,
    }
    return json.dumps(schemas[of](), indent=2)
