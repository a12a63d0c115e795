"""A plan, for people and for scripts."""

from collections.abc import Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from ccgpu.domain.capacity import Need
from ccgpu.domain.compare import Difference
from ccgpu.domain.desired import Placement
from ccgpu.domain.plan import Action, Plan, Step
from ccgpu.views.signs import SIGNS, STYLES, short

_DONE = {
    Action.CREATE: "to create",
    Action.UPDATE: "to update",
    Action.REPLACE: "to replace",
    Action.DELETE: "to delete",
}


def as_text(
    plan: Plan, placement: Placement, needs: Sequence[Need], *, simulated: bool
) -> RenderableType:
    """Where, what with a sign each, why where something is changed, and the quota afterwards."""
    parts = [_where(placement, simulated), Text(""), steps(plan), Text(f"\n{_count(plan)}")]
    if needs:
        parts += [Text("\nquota after it:"), _quota(needs)]
    return Group(*parts)


def steps(plan: Plan, *actions: Action) -> RenderableType:
    """The steps with one of `actions` (all, if none is named), and the reasons of changes."""
    table = Table.grid(padding=(0, 1))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    reasons: list[Text] = []
    for step in plan.of(*actions) if actions else plan.steps:
        table.add_row(
            SIGNS[step.action],
            short(step.resource.kind),
            Text(step.resource.name),
            style=STYLES[step.action],
        )
        reasons += [_reason(step, why) for why in step.reasons]
    return Group(table, *([Text(""), *reasons] if reasons else []))


def as_json(
    plan: Plan,
    placement: Placement,
    needs: Sequence[Need],
    *,
    simulated: bool,
    remembered: Sequence[str] = (),
) -> dict[str, Any]:
    """The stable form; `remembered` are the fields that come from the last create."""
    return {
        "schema": "ccgpu.plan/1",
        "region": placement.region,
        "zone": placement.zone,
        "image": dict(placement.image),
        "resources": resources(plan),
        "quota": [
            {"name": n.shown, "used": n.used, "after": n.after, "limit": n.limit} for n in needs
        ],
        "remembered": list(remembered),
        "simulated": simulated,
    }


def resources(plan: Plan) -> list[dict[str, Any]]:
    """Each step; `body` is exactly what is PUT, and null where something is only deleted."""
    return [
        {
            "action": step.action.value,
            "kind": step.resource.kind.value,
            "id": step.resource.id,
            "api_version": step.resource.api_version,
            "body": None if step.action is Action.DELETE else step.resource.body,
            "needs": sorted(step.resource.needs),
            "reasons": [
                {"path": why.path, "wanted": why.wanted, "found": why.found} for why in step.reasons
            ],
        }
        for step in plan.steps
    ]


def _where(placement: Placement, simulated: bool) -> Table:
    zone = f", zone {placement.zone}" if placement.zone else ""
    image = placement.image
    named = [image[part] for part in ("publisher", "offer", "sku", "version") if part in image]
    shown = ":".join(named) or image.get("communityGalleryImageId") or image.get("id", "")
    mark = " (simulated)" if simulated else ""
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    table.add_row("region", Text(f"{placement.region}{zone}{mark}"))
    table.add_row("image", Text(shown))
    return table


def _count(plan: Plan) -> str:
    counts = [(len(plan.of(action)), words) for action, words in _DONE.items()]
    return ", ".join(f"{n} {words}" for n, words in counts if n) or "nothing to do"


def _reason(step: Step, why: Difference) -> Text:
    sign = SIGNS[step.action]
    if why.path == "needs":
        return Text(f"{sign} {step.resource.name}: what it needs is replaced")
    return Text(f"{sign} {step.resource.name}: {why.path} is {why.found!r}, wanted {why.wanted!r}")


def _quota(needs: Sequence[Need]) -> Table:
    table = Table.grid(padding=(0, 2))
    for need in needs:
        table.add_row("", Text(need.shown), f"{need.after} of {need.limit}")
    return table
