"""`ccgpu render`."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ccgpu.cli.option_groups import expand_options
from ccgpu.cli.options import ConnectionArguments, option
from ccgpu.cli.runtime import Runtime
from ccgpu.cli.spec_options import FreshOption, SpecArguments, connect_and_resolve

if TYPE_CHECKING:
    from ccgpu.render.rendered_plan import RenderedPlan


class RenderFormat(StrEnum):
    """The tools whose input a plan is rendered as."""

    ARM = "arm"
    AZ = "az"
    TERRAFORM = "terraform"


@expand_options
def render(
    ctx: typer.Context,
    *,
    request: SpecArguments,
    fresh: FreshOption = False,
    format_: Annotated[RenderFormat, option("What to render the plan as.", "--format")],
    out: Annotated[
        Path | None, option("Write it to a new file, not to stdout.", "--out", metavar="FILE")
    ] = None,
    connection: ConnectionArguments,
) -> None:
    """Print the plan of a spec as input of another tool.

    As an ARM template, as a shell script for `az`, or as a Terraform configuration, with the names,
    tags and bodies that `create` sends. So ccgpu lists, attests and deletes what the tool makes.
    Creates nothing.

    Example: `ccgpu render demo --format terraform --out main.tf`
    """
    from ccgpu.store import new_files
    from ccgpu.store.keys import Keys
    from ccgpu.workflows.create import planning
    from ccgpu.workflows.create.context import CreateOptions
    from ccgpu.workflows.create.rendering import known_keys, rendered_plan, rendering_notes

    runtime: Runtime = ctx.obj
    cloud, wanted = connect_and_resolve(
        lambda: runtime.connect(connection), request, runtime, fresh=fresh
    )
    keys = Keys(runtime.state, wanted.spec.name, runtime.home)
    options = CreateOptions(lambda: known_keys(keys), given=wanted.given)
    planned = planning.preview(cloud, wanted.spec, options)
    plan = rendered_plan(cloud, planned, only_new=format_ is RenderFormat.AZ)
    for note in rendering_notes(planned, plan):
        runtime.note(f"note: {runtime.complete(note)}")
    text = _rendered(plan, format_)
    if out is None:
        runtime.out.file.write(text)
    else:
        new_files.write(out, text.encode())


def _rendered(plan: "RenderedPlan", form: RenderFormat) -> str:
    from ccgpu.render import arm_template, az_script, terraform

    match form:
        case RenderFormat.ARM:
            return arm_template.template(plan)
        case RenderFormat.AZ:
            return az_script.script(plan)
        case RenderFormat.TERRAFORM:
            return terraform.configuration(plan)
