"""A plan, as text and as JSON."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType
from rich.text import Text

from ccgpu.domain.action import Action
from ccgpu.domain.capacity import QuotaNeed
from ccgpu.domain.desired import Placement
from ccgpu.domain.plain_text import one_line
from ccgpu.domain.plan import Plan, Step
from ccgpu.domain.price import Price
from ccgpu.domain.resource import name_of
from ccgpu.domain.spec_words import in_spec_words
from ccgpu.views import forecast as forecasts
from ccgpu.views import price as prices
from ccgpu.views.forecast import Forecast
from ccgpu.views.signs import SIGNS, STYLES, kind_name
from ccgpu.views.tables import Grid

if TYPE_CHECKING:
    from ccgpu.domain.spec.secrets import SecretSource

_DONE = {
    Action.CREATE: "to create",
    Action.UPDATE: "to update",
    Action.REPLACE: "to replace",
    Action.DELETE: "to delete",
}


def as_text(
    plan: Plan,
    placement: Placement,
    needs: Sequence[QuotaNeed],
    price: Price,
    *,
    expected: Forecast = (),
    secrets: "Sequence[SecretSource]" = (),
    simulated: bool,
) -> RenderableType:
    """Region, image, price, the steps with their reasons, their count, quota, and the forecast.

    secrets: what is released at the end, to a VM that does not hold it.
    """
    parts = [
        _placement_table(placement, price, simulated),
        Text(""),
        steps(plan),
        Text(f"\n{_count_text(plan)}"),
    ]
    if needs:
        parts += [Text("\nquota after it:"), _quota_table(needs)]
    if secrets:
        parts += [Text("\nreleased at the end, once the VM is proven:"), _secrets_table(secrets)]
    if expected:
        parts += [Text(""), forecasts.as_text(expected)]
    return Group(*parts)


def steps(plan: Plan, *actions: Action) -> RenderableType:
    """The steps with one of these actions (default: all), then the reasons of changes."""
    table = Grid(gap=1)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    reasons: list[Text] = []
    for step in plan.of(*actions) if actions else plan.steps:
        table.add_row(
            SIGNS[step.action],
            kind_name(step.resource.kind),
            Text(step.resource.name),
            style=STYLES[step.action],
        )
        reasons += [Text(line) for line in (*_reason_lines(step), *_kept_lines(step))]
    return Group(table, *([Text(""), *reasons] if reasons else []))


def as_json(
    plan: Plan,
    placement: Placement,
    needs: Sequence[QuotaNeed],
    price: Price,
    remembered: Sequence[str] = (),
    warnings: Sequence[str] = (),
    *,
    expected: Forecast = (),
    secrets: "Sequence[SecretSource]" = (),
    simulated: bool,
) -> dict[str, Any]:
    """The JSON document; `remembered` are the fields that come from the last create."""
    return {
        "schema": "ccgpu.plan/1",
        "region": placement.region,
        "zone": placement.zone,
        "image": dict(placement.image),
        "resources": resources(plan),
        "quota": [
            {"name": n.shown, "used": n.used, "after": n.after, "limit": n.limit} for n in needs
        ],
        "price": prices.document(price),
        "remembered": list(remembered),
        "secrets": [
            {"name": one.name, "source": one.source_text, "owner": one.owner} for one in secrets
        ],
        "warnings": list(warnings),
        "forecast": forecasts.document(expected),
        "simulated": simulated,
    }


def resources(plan: Plan) -> list[dict[str, Any]]:
    """Each step as JSON.

    `body` is the exact request body. It is null for a deletion. For a kept resource it is the body
    that a PUT would send.
    """
    return [
        {
            "action": step.action.value,
            "kind": step.resource.kind.value,
            "id": step.resource.id,
            "api_version": step.resource.api_version,
            "method": step.request[0] if step.request else None,
            "body": _body_of(step),
            "recovery": step.recovery,
            "needs": sorted(step.resource.depends_on),
            "reasons": _reasons_as_json(step),
            "others": [{"what": element.what, "name": element.name} for element in step.others],
        }
        for step in plan.steps
    ]


def _placement_table(placement: Placement, price: Price, simulated: bool) -> Grid:
    zone = f", zone {placement.zone}" if placement.zone else ""
    image = placement.image
    named = [image[part] for part in ("publisher", "offer", "sku", "version") if part in image]
    shown = ":".join(named) or image.get("communityGalleryImageId") or image.get("id", "")
    mark = " (simulated)" if simulated else ""
    table = Grid()
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    table.add_row("region", Text(f"{placement.region}{zone}{mark}"))
    table.add_row("image", Text(shown))
    table.add_row("price", Text(price.summary))
    return table


def _count_text(plan: Plan) -> str:
    counts = [(len(plan.of(action)), words) for action, words in _DONE.items()]
    return ", ".join(f"{n} {words}" for n, words in counts if n) or "nothing to do"


def _body_of(step: Step) -> dict[str, Any] | None:
    if step.request is not None:
        return step.request[1]
    return None if step.action is Action.DELETE else step.resource.body


def _reasons_as_json(step: Step) -> list[dict[str, Any]]:
    """Each difference with ARM's path and values, and with the spec's field and values."""
    rows = []
    for difference in step.reasons:
        (change,) = in_spec_words(step.resource.kind, [difference])
        words = {"field": change.field, "current": change.current, "new": change.new}
        rows.append(
            {
                "path": difference.path,
                "wanted": difference.wanted,
                "found": difference.found,
                **words,
            }
        )
    return rows


def _reason_lines(step: Step) -> list[str]:
    sign, name = SIGNS[step.action], step.resource.name
    moved = [difference.found for difference in step.reasons if difference.path == "needs"]
    if moved:
        needed = ", ".join(name_of(id_) for id_ in moved)
        return [f"{sign} {name}: it depends on {needed}, which is replaced"]
    changes = in_spec_words(step.resource.kind, step.reasons)
    done = [f"{sign} {name}: {change}" for change in changes]
    return [*done, f"{sign} {name}: {_RECOVERY[step.recovery]}"] if step.recovery else done


_RECOVERY = {"start": "it is started again", "reapply": "its state is applied again"}


def _kept_lines(step: Step) -> list[str]:
    """A line for each element of the resource that is not in the spec and stays."""
    if step.action in (Action.REPLACE, Action.DELETE):
        return []
    name = step.resource.name
    return [
        f"  {name}: {element.what} {element.name} is not in the spec: it stays"
        for element in step.others
    ]


def _secrets_table(secrets: "Sequence[SecretSource]") -> Grid:
    """The name of each secret, and where this machine reads it."""
    table = Grid()
    for one in secrets:
        table.add_row("", one.name, Text(one_line(one.source_text)), f"owner {one.owner}")
    return table


def _quota_table(needs: Sequence[QuotaNeed]) -> Grid:
    table = Grid()
    for need in needs:
        table.add_row("", Text(need.shown), f"{need.after} of {need.limit}")
    return table
