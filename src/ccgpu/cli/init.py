"""`ccgpu init`."""

from pathlib import Path
from typing import Annotated

import typer

from ccgpu.cli.option_groups import expand_options
from ccgpu.cli.options import OutputArguments, UncheckedName, option
from ccgpu.cli.runtime import Runtime
from ccgpu.cli.schema_texts import Schema, schema_text

SCHEMA_FILE = "ccgpu-spec.schema.json"


@expand_options
def init(
    ctx: typer.Context,
    *,
    name: UncheckedName = None,
    template: Annotated[
        str, option("Template (minimal); `ccgpu templates` lists them.", metavar="TEMPLATE")
    ] = "minimal",
    file: Annotated[
        Path | None,
        option(
            "File to write: NAME.yaml or vm.yaml; - for stdout.", "--file", "-f", metavar="FILE"
        ),
    ] = None,
    force: Annotated[bool, option("Overwrite existing files.", "--force")] = False,
    no_schema: Annotated[bool, option("Do not write the JSON Schema.", "--no-schema")] = False,
    output: OutputArguments,
) -> None:
    """Write a commented spec file to start from.

    Also writes the JSON Schema that lets editors check the file as you type.

    Example: `ccgpu init demo --template spot`, then `ccgpu create -f demo.yaml`
    """
    from ccgpu.store import drafts, specs
    from ccgpu.views import specs as view

    runtime: Runtime = ctx.obj
    if name is not None:
        specs.build(name, template=template)  # refuses an invalid name
    if file == specs.STDIN:
        output.require_text("the spec itself")
        runtime.out.out(drafts.draft_spec(template, name, None), end="", highlight=False)
        return
    target = file or Path(f"{name or 'vm'}.yaml")
    schema = None if no_schema else f"./{SCHEMA_FILE}"
    files = {target: drafts.draft_spec(template, name, schema)}
    if not no_schema:
        files[target.parent / SCHEMA_FILE] = schema_text(Schema.SPEC) + "\n"
    drafts.write_draft(files, force=force)
    written = [str(path) for path in files]
    runtime.answer(
        output, lambda: view.written_as_text(written), lambda: view.written_as_json(written)
    )
