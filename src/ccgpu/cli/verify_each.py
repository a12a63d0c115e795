"""`ccgpu verify EVIDENCE… --each`: one verdict for each evidence, in one process."""

from dataclasses import replace

from ccgpu.cli.output_files import OutputFiles
from ccgpu.cli.runtime import OutputOptions, Runtime
from ccgpu.cli.verify_options import AppraisalOptions, verify_request
from ccgpu.cli.verify_source import VerifySources
from ccgpu.errors import UsageProblem


def verify_each(
    runtime: Runtime,
    sources: VerifySources,
    given: AppraisalOptions,
    output: OutputOptions,
    files: OutputFiles,
    *,
    verbose: bool,
) -> None:
    """Appraise each evidence, print all verdicts, and end with the worst exit code."""
    from ccgpu.views import verdicts as view
    from ccgpu.workflows import verify as work
    from ccgpu.workflows import verify_each as each

    for_one = {
        "--example": sources.example or None,
        "--record": given.golden.record,
        "--save": files.save,
        "--sign": files.sign,
        "--report": files.report,
        "--signature": given.signature,
    }
    for option, value in for_one.items():
        if value is not None:
            raise UsageProblem(f"{option} cannot be used with --each", hint="leave out --each")
    paths = each.sources(sources.paths)
    request = work.read_once(verify_request(sources.paths[0], given, simulated=sources.simulated))
    results = tuple(
        each.verify_all(paths, lambda path: work.verify(replace(request, path=path), runtime.state))
    )
    runtime.answer(
        output,
        lambda: view.as_text(results, verbose=verbose),
        lambda: view.as_json(results, each.worst_exit_code(results)),
    )
    each.require_all(results)
