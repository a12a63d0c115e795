"""`ccgpu verify`."""

import shlex
from typing import Annotated

import typer

from ccgpu.cli import verify_options as options
from ccgpu.cli.option_groups import expand_options
from ccgpu.cli.options import OutputArguments
from ccgpu.cli.output_files import FileArguments, repeated_verify, write_verified
from ccgpu.cli.pins_options import note_recorded
from ccgpu.cli.runtime import BackendName, Runtime
from ccgpu.cli.verify_each import one_path, verify_each


@expand_options
def verify(
    ctx: typer.Context,
    *,
    evidence: options.EvidenceArgument,
    given: options.AppraisalArguments,
    files: FileArguments,
    each: options.EachOption = False,
    verbose: options.VerboseOption = False,
    backend: Annotated[
        BackendName, typer.Option(help="fake: accept evidence of the simulated subscription.")
    ] = BackendName.AZURE,
    output: OutputArguments,
) -> None:
    """Verify attestation evidence, offline.

    Exit codes: 0 accepted; 9 rejected; 8 no verdict, because collateral is missing; 3 not in a
    known format. With --each, the worst one counts: 9 before 1 (a bug), 8, 3, 2.

    Example: `ccgpu verify evidence.json --nonce 5f0c --host-key vm.pub --vm-id
    390cbcf5-6c67-4d9b-98ef-c3f1699cc8fc`
    """
    from ccgpu.views import verdict as view
    from ccgpu.workflows import verify as work

    runtime: Runtime = ctx.obj
    simulated = backend is BackendName.FAKE
    if each:
        verify_each(runtime, evidence, given, output, files, simulated=simulated, verbose=verbose)
        return
    files = files.prepare(runtime, given.golden.record)
    request = options.verify_request(one_path(evidence), given, simulated=simulated)
    result = work.verify(request, runtime.state)
    read = result.evidence
    shown = view.AppraisedEvidence(result.appraisal, str(evidence[0]), read.format, read.ignored)
    document = view.as_json(shown, runtime.complete)
    again = repeated_verify(request.path, given, result, simulated=simulated)
    write_verified(runtime, files, result, shown, again)
    if result.recorded is not None:
        note_recorded(runtime, result.recorded)
    text = lambda: view.as_text(shown, verbose=verbose, complete=runtime.complete)  # noqa: E731
    runtime.answer(output, text, lambda: document)
    result.appraisal.require(shlex.quote(str(evidence[0])))
    files.require_signed()
