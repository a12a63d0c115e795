"""`ccgpu attest --evidence`: the verdict is shown as `ccgpu verify` shows it."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from ccgpu.cli.attest_sources import AttestSource
from ccgpu.cli.attesting import AnswerOptions
from ccgpu.cli.options import ProgressOptions
from ccgpu.cli.output_files import attest_flags, repeated_verdict, write_verified
from ccgpu.cli.pins_options import note_recorded
from ccgpu.cli.runtime import Runtime

if TYPE_CHECKING:
    from ccgpu.cli.backends import Backend
    from ccgpu.workflows.attest import AttestMeans


def judge_evidence(
    runtime: Runtime,
    backend: "Backend",
    means: "AttestMeans",
    source: AttestSource,
    progress_options: ProgressOptions,
    shown: AnswerOptions,
) -> None:
    """Fetch the collateral of a file of evidence, and print the verdict; raise unless good."""
    from ccgpu.views import verdict as view
    from ccgpu.workflows.attest import TIMEOUT
    from ccgpu.workflows.attest_evidence import attest_evidence
    from ccgpu.workflows.verify import VerifyRequest

    path = source.evidence or Path()
    request = VerifyRequest(
        path, None, nonce=source.nonce, vm_id=source.vm_id, host_key=source.host_key
    )
    with progress_options.shown(runtime) as progress:
        timeout = progress_options.timeout or TIMEOUT
        result = attest_evidence(
            backend.scheduler, means, request, runtime.state, timeout, progress
        )
    read = result.evidence
    judged = view.AppraisedEvidence(result.appraisal, str(path), read.format, read.ignored)
    document = view.as_json(judged, runtime.complete)
    flags = tuple(attest_flags(means))
    again = repeated_verdict(str(path), means.policy_name, result, flags)
    runtime.attempt(lambda: write_verified(runtime, shown.files, result, judged, again))
    if result.recorded is not None:
        note_recorded(runtime, result.recorded)
    text = lambda: view.as_text(  # noqa: E731
        judged, verbose=shown.verbose, complete=runtime.complete
    )
    runtime.answer(shown.output, text, lambda: document)
    simulated = read.simulated_roots is not None
    result.appraisal.require(shlex.quote(str(path)), says_simulated=simulated)
    shown.files.require_signed()
