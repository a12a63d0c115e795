"""`ccgpu verify EVIDENCE… --each`: one verdict for each evidence, in one process."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ccgpu.cli.output_files import OutputFiles
from ccgpu.cli.runtime import OutputOptions, Runtime
from ccgpu.cli.verify_options import AppraisalOptions, verify_request
from ccgpu.errors import UsageProblem


def one_path(evidence: Sequence[Path]) -> Path:
    """The only path of a verify without `--each`.

    Raises:
        UsageProblem: several paths were given.
    """
    if len(evidence) > 1:
        raise UsageProblem(
            f"one verdict takes one EVIDENCE, but {len(evidence)} were given",
            hint="verify each by itself: `--each`; or put what belongs together into one folder",
        )
    return evidence[0]


def verify_each(
    runtime: Runtime,
    evidence: Sequence[Path],
    given: AppraisalOptions,
    output: OutputOptions,
    files: OutputFiles,
    *,
    simulated: bool,
    verbose: bool,
) -> None:
    """Appraise each evidence, print all verdicts, and end with the worst exit code."""
    from ccgpu.views import verdicts as view
    from ccgpu.workflows import verify as work
    from ccgpu.workflows import verify_each as each

    for_one = {
        "--record": given.golden.record,
        "--save": files.save,
        "--sign": files.sign,
        "--report": files.report,
        "--signature": given.signature,
    }
    for option, file in for_one.items():
        if file is not None:
            raise UsageProblem(f"{option} cannot be used with --each", hint="leave out `--each`")
    paths = each.sources(evidence)
    request = work.read_once(verify_request(evidence[0], given, simulated=simulated))
    results = tuple(
        each.verify_all(paths, lambda path: work.verify(replace(request, path=path), runtime.state))
    )
    runtime.answer(
        output,
        lambda: view.as_text(results, verbose=verbose),
        lambda: view.as_json(results, each.worst_exit_code(results)),
    )
    each.require_all(results)
