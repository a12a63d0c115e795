"""`ccgpu verify`."""

import shlex
from pathlib import Path
from typing import Annotated

import typer

from ccgpu.cli.bundles import spread
from ccgpu.cli.options import WishOptions
from ccgpu.cli.runtime import Backend, Runtime
from ccgpu.cli.verify_options import JudgingOptions, asked


@spread
def verify(
    ctx: typer.Context,
    *,
    evidence: Annotated[
        Path,
        typer.Argument(metavar="EVIDENCE", help="A bundle, or a file or folder of evidence."),
    ],
    judging: JudgingOptions,
    save: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write what was read as a bundle.", show_default=False),
    ] = None,
    backend: Annotated[
        Backend, typer.Option(help="fake: believe the simulated roots in the evidence.")
    ] = Backend.AZURE,
    answer: WishOptions,
) -> None:
    """Judge evidence again, offline.

    Every check is listed with both sides. Exit codes: 0 accepted, 9 rejected, 8 no verdict for
    want of collateral, 3 in no known format.

    Example: `ccgpu verify evidence.json --nonce 5f0c… --vm-id ID --host-key vm.pub`
    """
    from ccgpu.views import verdict as view
    from ccgpu.workflows import verify as work

    run: Runtime = ctx.obj
    found = work.verify(asked(evidence, judging, simulated=backend is Backend.FAKE), run.state)
    document = view.as_json(
        found.appraisal, format_=found.evidence.format, ignored=found.evidence.ignored
    )
    if save is not None:
        from ccgpu.store import bundles

        bundles.write(save, work.bundled(found, document))
    if found.recorded is not None:
        run.note(f"golden PCR values written to {found.recorded}: the first use is trusted")
    run.answer(
        answer,
        lambda: view.as_text(found.appraisal, found.evidence.ignored),
        lambda: document,
    )
    found.appraisal.require(shlex.quote(str(evidence)))
