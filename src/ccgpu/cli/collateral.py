"""`ccgpu collateral`: what verdicts need from outside, for machines without a network."""

from pathlib import Path
from typing import Annotated

import typer

from ccgpu.cli.commands import COMMANDS, Command
from ccgpu.cli.option_groups import expand_options
from ccgpu.cli.options import WishOptions
from ccgpu.cli.runtime import Runtime

app = typer.Typer(help=COMMANDS["collateral"].help, rich_markup_mode=None, add_completion=False)


@app.callback()
def collateral() -> None:
    """Fetch what verdicts need."""


@app.command(cls=Command)
@expand_options
def fetch(
    ctx: typer.Context,
    *,
    evidence: Annotated[
        list[Path],
        typer.Argument(metavar="EVIDENCE...", help="Bundles, or files or folders of evidence."),
    ],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder to write the files to.")],
    region: Annotated[
        str | None,
        typer.Option(help="The VM's Azure region: its mirror is tried first.", show_default=False),
    ] = None,
    answer: WishOptions,
) -> None:
    """Fetch the collateral for evidence; give it to `verify --collateral DIR`.

    Fetches everything anew, even what the evidence contains. If something cannot be fetched, the
    rest is still written and the exit code is 8.

    Example: `ccgpu collateral fetch bundle.json --out collateral`
    """
    from ccgpu.collateral import folder
    from ccgpu.store import evidence as files
    from ccgpu.views import collateral as view
    from ccgpu.workflows import supplies

    run: Runtime = ctx.obj
    every = [files.read_evidence(path, None) for path in evidence]
    with run.fetching() as fetching:
        tell = lambda event: run.note(event.text)  # noqa: E731
        fetched = supplies.fetch_all(every, fetching, tell, region=region)
        folder.write(out, fetched.pieces, fetching.now())
    where = str(out)
    run.answer(answer, lambda: view.as_text(fetched, where), lambda: view.as_json(fetched, where))
    fetched.require()
