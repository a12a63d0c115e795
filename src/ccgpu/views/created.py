"""The result of a create, as text and as JSON."""

from collections.abc import Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from ccgpu.domain.deployment import Deployment
from ccgpu.domain.plan import Action, Plan
from ccgpu.views import deployment as shown
from ccgpu.views import plan as planned


def as_text(plan: Plan, deployment: Deployment, *, simulated: bool) -> RenderableType:
    """The deployment, then the steps that changed something."""
    facts = shown.facts(deployment, simulated=simulated)
    if not plan.changes:
        return Group(facts, Text("\nnothing to do"))
    actions = [action for action in Action if action is not Action.KEEP]
    return Group(facts, Text(""), planned.steps(plan, *actions))


def as_json(
    plan: Plan,
    deployment: Deployment,
    *,
    simulated: bool,
    remembered: Sequence[str] = (),
    warnings: Sequence[str] = (),
) -> dict[str, Any]:
    """The fields of `show`, but `resources` lists the executed steps, as in a plan.

    `remembered`: the fields of the spec whose values come from the last create on this machine.
    """
    fields = shown.fields(deployment, simulated=simulated)
    done = {
        "resources": planned.resources(plan),
        "remembered": list(remembered),
        "warnings": list(warnings),
    }
    return {"schema": "ccgpu.create/1"} | fields | done
