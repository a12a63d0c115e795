"""`ccgpu verify`."""

import shlex

import typer

from ccgpu.cli import verify_options as options
from ccgpu.cli.option_groups import expand_options
from ccgpu.cli.options import OutputArguments
from ccgpu.cli.output_files import FileArguments, repeated_verify, write_verified
from ccgpu.cli.pins_options import note_recorded
from ccgpu.cli.runtime import Runtime
from ccgpu.cli.verify_each import verify_each
from ccgpu.cli.verify_source import SourceArguments


@expand_options
def verify(
    ctx: typer.Context,
    *,
    sources: SourceArguments,
    given: options.AppraisalArguments,
    files: FileArguments,
    each: options.EachOption = False,
    verbose: options.VerboseOption = False,
    output: OutputArguments,
) -> None:
    """Verify attestation evidence, offline.

    Exit codes: 0 accepted; 9 rejected; 8 no verdict, because collateral is missing; 3 not in a
    known format. With --each, the worst one counts: 9 before 1 (a bug), 8, 3, 2.

    Example: `ccgpu verify --example`, then `ccgpu verify evidence.json --nonce 5f0c --host-key
    vm.pub --vm-id 390cbcf5-6c67-4d9b-98ef-c3f1699cc8fc`
    """
    from ccgpu.views import verdict as view
    from ccgpu.workflows import verify as work

    runtime: Runtime = ctx.obj
    if each:
        verify_each(runtime, sources, given, output, files, verbose=verbose)
        return
    files = files.prepare(runtime, given.golden.record)
    with sources.only(runtime, given) as source:
        request = options.verify_request(source.path, source.asked, simulated=sources.simulated)
        result = work.verify(request, source.state)
        read = result.evidence
        shown = view.AppraisedEvidence(result.appraisal, source.name, read.format, read.ignored)
        document = view.as_json(shown, runtime.complete)
        again = repeated_verify(source.name, given, result, simulated=sources.simulated)
        runtime.attempt(lambda: write_verified(runtime, files, result, shown, again))
    if result.recorded is not None:
        note_recorded(runtime, result.recorded)
    text = lambda: view.as_text(shown, verbose=verbose, complete=runtime.complete)  # noqa: E731
    runtime.answer(output, text, lambda: document)
    simulated = read.simulated_roots is not None
    result.appraisal.require(shlex.quote(source.name), says_simulated=simulated)
    files.require_signed()
