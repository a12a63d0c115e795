"""The text of `ccgpu render`."""

from enum import StrEnum
from typing import TYPE_CHECKING

from ccgpu.cli.runtime import ConnectionOptions, Runtime
from ccgpu.cli.spec_options import SpecRequest, connect_and_resolve

if TYPE_CHECKING:
    from ccgpu.render.rendered_plan import RenderedPlan


class RenderFormat(StrEnum):
    """The tools whose input a plan is rendered as."""

    ARM = "arm"
    AZ = "az"
    TERRAFORM = "terraform"


def rendered_text(
    runtime: Runtime,
    request: SpecRequest,
    connection: ConnectionOptions,
    form: RenderFormat,
    *,
    fresh: bool,
) -> str:
    """The plan of the spec as input of a tool; notes on it go to stderr."""
    from ccgpu.store.keys import Keys
    from ccgpu.workflows.create import planning
    from ccgpu.workflows.create.context import CreateOptions
    from ccgpu.workflows.create.rendering import known_keys, rendered_plan, rendering_notes

    cloud, wanted = connect_and_resolve(
        lambda: runtime.connect(connection), request, runtime, fresh=fresh
    )
    keys = Keys(runtime.state, wanted.spec.name, runtime.home)
    options = CreateOptions(lambda: known_keys(keys), given=wanted.given)
    planned = planning.preview(cloud, wanted.spec, options)
    plan = rendered_plan(cloud, planned, only_new=form is RenderFormat.AZ)
    for note in rendering_notes(planned, plan):
        runtime.note(f"note: {runtime.complete(note)}")
    return _in_format(plan, form)


def _in_format(plan: "RenderedPlan", form: RenderFormat) -> str:
    from ccgpu.render import arm_template, az_script, terraform

    match form:
        case RenderFormat.ARM:
            return arm_template.template(plan)
        case RenderFormat.AZ:
            return az_script.script(plan)
        case RenderFormat.TERRAFORM:
            return terraform.configuration(plan)
