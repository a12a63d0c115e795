"""What the commands that attest a VM share: the means of it, and the bundle that users save."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from ccgpu.cli.option_groups import OptionGroup
from ccgpu.cli.options import option
from ccgpu.cli.pins_options import PinsOptions, note_recorded
from ccgpu.cli.runtime import OutputOptions, Runtime
from ccgpu.errors import UsageProblem

if TYPE_CHECKING:
    from ccgpu.attest.attestation import Attestation
    from ccgpu.cli.backends import Backend
    from ccgpu.workflows.attest import AttestMeans


PolicyOption = Annotated[
    str | None,
    option("Attestation policy: default, cpu-only, or a file.", "--policy", metavar="POLICY"),
]


SaveBundleOption = Annotated[
    Path | None, option("Save evidence and verdict as a bundle.", "--save", metavar="FILE")
]


@dataclass(frozen=True, slots=True)
class AttestFlags:
    """Whether the VM is attested at the end, and by which policy (None: `default`)."""

    wanted: bool
    policy: str | None


@dataclass(frozen=True, slots=True)
class AnswerOptions:
    """How a verdict is shown, and the files that are written: the bundle, and golden PCR values."""

    output: OutputOptions
    save: Path | None
    record: Path | None
    verbose: bool


def attest_means(
    runtime: Runtime, backend: "Backend", policy: str | None, golden: PinsOptions | None = None
) -> "AttestMeans":
    """The policy, the record of challenges, and the source of collateral of a back end."""
    from ccgpu.store import policies, reference_values
    from ccgpu.store.challenges import Challenges
    from ccgpu.workflows.attest import AttestMeans

    return AttestMeans(
        backend.fetcher,
        Challenges(runtime.state / "challenges"),
        *policies.load_with_origin(policy),
        roots=backend.roots if backend.simulated else None,
        pins=reference_values.load(golden.pins) if golden and golden.pins else None,
        record=golden.record if golden else None,
    )


def require_new(*files: Path | None) -> None:
    """Refuse a file that exists, or has no folder, before anything is done."""
    for file in files:
        if file is not None and os.path.lexists(file):
            raise UsageProblem(f"{file} already exists", hint="name another file")
        if file is not None and not file.parent.is_dir():
            raise UsageProblem(f"{file.parent} is no folder", hint="make it, or name another file")


def answer_attestation(runtime: Runtime, judged: "Attestation", shown: AnswerOptions) -> None:
    """Save the bundle, if it is asked for, and print the verdict; raise unless the VM is good."""
    from ccgpu.views import attested as view

    if shown.save is not None:
        save_bundle(shown.save, judged)
    if shown.record is not None and judged.pins is not None:
        note_recorded(runtime, shown.record)
    text = lambda: view.as_text(judged, verbose=shown.verbose)  # noqa: E731
    runtime.answer(shown.output, text, lambda: view.as_json(judged))
    judged.require_good()


def save_bundle(path: Path, judged: "Attestation") -> None:
    """Write the evidence with its verdict to a new file."""
    from ccgpu.store import bundles
    from ccgpu.views import attested as view
    from ccgpu.views import verdict
    from ccgpu.workflows.verify import VerifyResult, make_bundle

    document = verdict.as_json(view.appraised(judged))
    bundles.write(path, make_bundle(VerifyResult(judged.appraisal, judged.evidence), document))


def _attest_flags(
    no_attest: Annotated[bool, option("Do not attest the VM at the end.", "--no-attest")] = False,
    policy: PolicyOption = None,
) -> AttestFlags:
    return AttestFlags(not no_attest, policy)


AttestArguments = Annotated[AttestFlags, OptionGroup(_attest_flags)]
