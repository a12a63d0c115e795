"""`ccgpu collateral`: fetches the certificates and manifests that an offline verify needs."""

from pathlib import Path
from typing import Annotated

import typer

from ccgpu.cli.commands import Command, command_group
from ccgpu.cli.new_paths import new_path
from ccgpu.cli.option_groups import expand_options
from ccgpu.cli.options import DebugOption, OutputArguments, option
from ccgpu.cli.runtime import BackendName, ConnectionOptions, Runtime

app = command_group("collateral")


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
    out: Annotated[Path, new_path("Folder to write the files to.", "--out", metavar="DIR")],
    region: Annotated[str | None, option("The VM's Azure region: try its mirror first.")] = None,
    backend: Annotated[
        BackendName, typer.Option(envvar="CCGPU_BACKEND", help="fake: ask the simulated vendors.")
    ] = BackendName.AZURE,
    debug: DebugOption = False,
    output: OutputArguments,
) -> None:
    """Fetch the collateral for evidence; give it to `verify --collateral DIR`.

    Fetches everything anew, even what the evidence contains. If something cannot be fetched, the
    rest is still written and the exit code is 8.

    Example: `ccgpu collateral fetch bundle.json --out collateral`
    """
    from ccgpu.collateral import folder
    from ccgpu.store import evidence as files
    from ccgpu.views import collateral as view
    from ccgpu.workflows.fetch_collateral import fetch_for_all

    runtime: Runtime = ctx.obj
    every = [files.read_evidence(path, None) for path in evidence]
    tell, simulated = lambda event: runtime.note(event.text), backend is BackendName.FAKE
    with runtime.backend(ConnectionOptions(backend, debug=debug)).fetcher() as fetcher:
        fetched = fetch_for_all(every, fetcher, tell, region=region, simulated=simulated)
        folder.write(out, fetched.collateral, fetcher.now())
    parts = (fetched, str(out))
    runtime.answer(output, lambda: view.as_text(*parts), lambda: view.as_json(*parts))
    fetched.require()
