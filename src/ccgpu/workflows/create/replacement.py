"""Which changes of a plan need the user's consent, by `--replace` or by approval.

A resource is expendable if it holds nothing that could be lost: a VM that never ran, or a network
without resources of others. Only expendable resources are replaced without consent. This is decided
from Azure's current state, never from the journal.
"""

from ccgpu.domain.action import Action
from ccgpu.domain.catalog import Kind
from ccgpu.domain.lease import parse_moment
from ccgpu.domain.plan import Plan, Step
from ccgpu.domain.resource import EXPIRES
from ccgpu.domain.spec_words import in_spec_words
from ccgpu.errors import UsageProblem


def refuse_replacing(todo: Plan, *, allowed: bool) -> None:
    """Raise `UsageProblem` if the plan contains a replacement that is not allowed.

    A network that others use is never replaced. Another resource that is not expendable is only
    replaced if `allowed`, that is with `--replace`.
    """
    for step in todo.of(Action.REPLACE):
        if step.resource.kind is Kind.VNET and step.others:
            message = _shared_network_message(step)
            raise UsageProblem(message, hint="give the deployment another name")
    if allowed or all(step.expendable for step in todo.of(Action.REPLACE)):
        return
    lines = [
        f"  {line}"
        for step in todo.of(Action.REPLACE)
        if not step.expendable
        for line in _change_lines(step)
    ]
    raise UsageProblem(
        "these changes cannot be made in place:\n" + "\n".join(lines),
        hint="`--replace` deletes and recreates it; the data on its disks is lost",
    )


def _shared_network_message(step: Step) -> str:
    users = ", ".join(f"{one.what} {one.name}" for one in step.others)
    return f"{step.resource.id} would have to be replaced, but others use it: {users}"


def _change_lines(step: Step) -> list[str]:
    """The reasons of a step, in the spec's words; none if it only follows from another step."""
    if any(one.path == "needs" for one in step.reasons):
        return []
    return [str(change) for change in in_spec_words(step.resource.kind, step.reasons)]


def needs_approval(todo: Plan) -> bool:
    """Whether the plan deletes a resource that is not expendable, or shortens the lease."""
    replaced = any(not step.expendable for step in todo.of(Action.REPLACE))
    return replaced or bool(todo.of(Action.DELETE)) or shortened_lease(todo) is not None


def shortened_lease(todo: Plan) -> tuple[str, str] | None:
    """The current end of the lease, the latest of all tags, and the new one if it is earlier."""
    reasons = (one for step in todo.of(Action.UPDATE) for one in step.reasons)
    ends = [one for one in reasons if one.path == f"tags.{EXPIRES}"]
    known = [(before, one) for one in ends if (before := parse_moment(one.found)) is not None]
    if not known:
        return None
    latest, one = max(known, key=lambda pair: pair[0])
    after = parse_moment(one.wanted)
    return (one.found, one.wanted) if after is not None and after < latest else None
