"""Confirmation of a deletion: the flag `--yes`, or an answer at the terminal."""

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
    """The flags `--yes` and `--no-input`."""

    yes: bool
    no_input: bool

    def require(
        self, runtime: "Runtime", progress: "Progress", doing: str, what: "Iterable[ResourceId]"
    ) -> None:
        """Return if the user agrees.

        Args:
            runtime: asks the user, if there is a terminal.
            progress: is paused meanwhile.
            doing: the action, as in `delete 2 resources`.
            what: the resources to list before the question.

        Raises:
            UsageProblem: the user does not agree, or cannot be asked.
        """
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
