"""`ccgpu schema`."""

from typing import Annotated

import typer

from ccgpu.cli.runtime import Runtime
from ccgpu.cli.schema_texts import Schema, output_schema_text, schema_text
from ccgpu.errors import UsageProblem


def schema(
    ctx: typer.Context,
    of: Annotated[Schema, typer.Argument(help="Which schema to print.", show_default=False)],
    document: Annotated[
        str | None,
        typer.Argument(
            help="Of output: a document by its name or its `schema`; without it, their names.",
            metavar="DOCUMENT",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Print the JSON Schema of a file format or an answer.

    Use it in an editor, or in checks of your own. `output` has one for every document that commands
    print with `-o json`, or save.

    Example: `ccgpu schema spec > ccgpu-spec.schema.json`; `ccgpu schema output show`
    """
    runtime: Runtime = ctx.obj
    if of is not Schema.OUTPUT and document is not None:
        raise UsageProblem(
            f"the schema of a {of.value} is one, and has no document {document}",
            hint=f"`ccgpu schema {of.value}`",
        )
    answer = output_schema_text(document) if of is Schema.OUTPUT else schema_text(of)
    runtime.out.out(answer, highlight=False)
