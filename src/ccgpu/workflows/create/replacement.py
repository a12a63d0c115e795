"""What a create may destroy, and who must have agreed to it.

Whether something is worth keeping is read from what is live, never from the journal: only a VM that
Azure says never ran, and what nobody else has put anything into, is replaced unasked.
"""

from ccgpu.domain.catalog import Kind
from ccgpu.domain.lease import parse_moment
from ccgpu.domain.plan import Action, Plan, Step
from ccgpu.domain.resource import EXPIRES
from ccgpu.domain.spec_words import in_spec_words
from ccgpu.errors import UsageProblem


def refuse_replacing(todo: Plan, *, asked: bool) -> None:
    """Raise `UsageProblem` if the plan replaces what it must not; `asked`: with `--replace`."""
    for step in todo.of(Action.REPLACE):
        if step.resource.kind is Kind.VNET and step.others:
            raise UsageProblem(_shared_network(step), hint="give the deployment another name")
    if asked or all(step.expendable for step in todo.of(Action.REPLACE)):
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


def _shared_network(step: Step) -> str:
    theirs = ", ".join(f"{one.what} {one.name}" for one in step.others)
    return f"{step.resource.id} would have to be replaced, but others use it: {theirs}"


def _change_lines(step: Step) -> list[str]:
    """The reasons in the spec's words; what only follows from another step has none of its own."""
    if any(one.path == "needs" for one in step.reasons):
        return []
    return [str(change) for change in in_spec_words(step.resource.kind, step.reasons)]


def needs_approval(todo: Plan) -> bool:
    """Whether the plan deletes something that holds something, or ends a lease earlier."""
    replaced = any(not step.expendable for step in todo.of(Action.REPLACE))
    return replaced or bool(todo.of(Action.DELETE)) or shortened_lease(todo) is not None


def shortened_lease(todo: Plan) -> tuple[str, str] | None:
    """The end of the lease (the latest counts) and the new one, where that is earlier."""
    reasons = (one for step in todo.of(Action.UPDATE) for one in step.reasons)
    ends = [one for one in reasons if one.path == f"tags.{EXPIRES}"]
    known = [(before, one) for one in ends if (before := parse_moment(one.found)) is not None]
    if not known:
        return None
    latest, one = max(known, key=lambda pair: pair[0])
    after = parse_moment(one.wanted)
    return (one.found, one.wanted) if after is not None and after < latest else None
