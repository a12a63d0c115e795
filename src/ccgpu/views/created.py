"""The result of a create, as text and as JSON."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from ccgpu.domain.action import Action
from ccgpu.domain.deployment import Deployment
from ccgpu.domain.plain_text import one_line
from ccgpu.domain.plan import Plan
from ccgpu.domain.secrets_outcome import NO_SECRETS, SecretsOutcome
from ccgpu.domain.tries import FailedTry
from ccgpu.views import deployment as shown
from ccgpu.views import plan as planned
from ccgpu.views.tables import Grid
from ccgpu.views.times import elapsed_text


@dataclass(frozen=True, slots=True)
class Notes:
    """What a create tells besides the deployment.

    remembered: the fields of the spec whose values come from the last create on this machine.
    tries: where Azure had no room. secrets: what became of the spec's secrets.
    """

    remembered: Sequence[str] = ()
    warnings: Sequence[str] = ()
    tries: Sequence[FailedTry] = ()
    secrets: SecretsOutcome = NO_SECRETS


def as_text(
    plan: Plan, deployment: Deployment, notes: Notes = Notes(), *, simulated: bool
) -> RenderableType:
    """The deployment, what was released and changed, then where Azure had no room."""
    facts: RenderableType = shown.facts(deployment, simulated=simulated)
    if names := notes.secrets.released:
        facts = Group(facts, Text(f"\nreleased: {', '.join(names)}"))
    elif not plan.changes:
        return Group(facts, Text("\nnothing to do"))
    if not plan.changes:
        return facts
    actions = [action for action in Action if action is not Action.KEEP]
    done = Group(facts, Text(""), planned.steps(plan, *actions))
    return Group(done, Text("\nno room in:"), _tries_table(notes.tries)) if notes.tries else done


def as_json(
    plan: Plan, deployment: Deployment, notes: Notes = Notes(), *, simulated: bool
) -> dict[str, Any]:
    """The fields of `show`, but `resources` lists the executed steps, as in a plan."""
    fields = shown.fields(deployment, simulated=simulated)
    done = {
        "resources": planned.resources(plan),
        "remembered": list(notes.remembered),
        "secrets": {
            "released": list(notes.secrets.released),
            "held": list(notes.secrets.held),
        },
        "warnings": list(notes.warnings),
        "tries": [
            {
                "region": one.region,
                "zone": one.zone,
                "code": one.code,
                "message": one.message,
                "seconds": round(one.seconds),
            }
            for one in notes.tries
        ],
    }
    return {"schema": "ccgpu.create/1"} | fields | done


def _tries_table(tries: Sequence[FailedTry]) -> Grid:
    """For each place and code: how often it was tried and for how long, and what Azure said."""
    table = Grid()
    groups: dict[tuple[str, str], list[FailedTry]] = {}
    for one in tries:
        groups.setdefault((one.place, one.code), []).append(one)
    for (place, code), tried in groups.items():
        took = elapsed_text(sum(one.seconds for one in tried))
        times = f"{len(tried)} times, {took}" if len(tried) > 1 else took
        table.add_row("", Text(place), code, times)
        table.add_row("", "", Text(one_line(tried[-1].message)), "")
    return table
