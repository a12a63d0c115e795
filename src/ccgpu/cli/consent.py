"""Whether something may be destroyed: `--yes`, or a person who says so."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from ccgpu.cli.option_groups import OptionGroup
from ccgpu.errors import UsageProblem

if TYPE_CHECKING:
    from ccgpu.cli.runtime import Runtime
    from ccgpu.domain.resource import ResourceId
    from ccgpu.views.progress import Progress


@dataclass(frozen=True, slots=True)
class Consent:
    """What the command line says of questions."""

    yes: bool
    no_input: bool

    def require(
        self, runtime: "Runtime", progress: "Progress", doing: str, what: "Iterable[ResourceId]"
    ) -> None:
        """Return if `doing` it to `what` is agreed to; a `UsageProblem` if nobody says so."""
        from ccgpu.views.signs import resource_label

        if self.yes:
            return
        if runtime.ask is None or self.no_input:
            raise UsageProblem(
                f"refusing to {doing} without confirmation",
                hint="confirm it: `--yes`",
            )
        with progress.paused():
            for id_ in what:
                runtime.err.out(f"- {resource_label(id_)}", highlight=False)
            agreed = runtime.ask(f"{doing[0].upper()}{doing[1:]}?")
        if not agreed:
            raise UsageProblem("not confirmed; nothing was changed")


def _consent(
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")] = False,
    no_input: Annotated[
        bool, typer.Option("--no-input", help="Never prompt; fail where confirmation is needed.")
    ] = False,
) -> Consent:
    return Consent(yes, no_input)


ConsentArguments = Annotated[Consent, OptionGroup(_consent)]
