"""`ccgpu completion`."""

from enum import StrEnum
from importlib import resources
from typing import Annotated

import typer

from ccgpu.cli.runtime import Runtime


class CompletingShell(StrEnum):
    """The shells that have a completion script."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


def completion(
    ctx: typer.Context,
    shell: Annotated[CompletingShell, typer.Argument(help="Your shell.", show_default=False)],
) -> None:
    """Print the completion script of a shell.

    With it the shell completes commands, options, their values, files, and the names of the
    deployments in this machine's journals. Nothing is asked of Azure.

    Example: `ccgpu completion bash > ~/.local/share/bash-completion/completions/ccgpu`
    """
    runtime: Runtime = ctx.obj
    folder = resources.files("ccgpu") / "templates" / "completion"
    runtime.out.file.write((folder / f"ccgpu.{shell.value}").read_text("utf-8"))
