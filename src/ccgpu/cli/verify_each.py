"""`ccgpu verify EVIDENCE… --each`: a verdict on each, in one process."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ccgpu.cli.runtime import Runtime, Wish
from ccgpu.cli.verify_options import Judging, asked
from ccgpu.errors import UsageProblem


def one_path(evidence: Sequence[Path]) -> Path:
    """The evidence of one verdict."""
    if len(evidence) > 1:
        raise UsageProblem(
            f"one verdict takes one EVIDENCE, but {len(evidence)} were given",
            hint="verify each by itself: `--each`; or put what belongs together into one folder",
        )
    return evidence[0]


def verify_each(
    run: Runtime,
    evidence: Sequence[Path],
    judging: Judging,
    wish: Wish,
    save: Path | None,
    *,
    simulated: bool,
    verbose: bool,
) -> None:
    """Judge each by itself, print all verdicts, and end with the worst of them."""
    from ccgpu.views import verdicts as view
    from ccgpu.workflows import verify as work
    from ccgpu.workflows import verify_each as each

    if judging.record is not None or save is not None:
        option = "--save" if judging.record is None else "--record"
        raise UsageProblem(f"{option} cannot be used with --each", hint="leave out `--each`")
    paths = each.sources(evidence)
    question = work.read_once(asked(evidence[0], judging, simulated=simulated))
    judged = tuple(
        each.judge_each(paths, lambda path: work.verify(replace(question, path=path), run.state))
    )
    run.answer(
        wish,
        lambda: view.as_text(judged, verbose=verbose),
        lambda: view.as_json(judged, each.worst(judged)),
    )
    each.require_all(judged)
