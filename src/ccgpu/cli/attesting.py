"""What the commands that attest a VM share: the means of it, and the bundle that users save."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from ccgpu.cli.image_options import ImageOptions
from ccgpu.cli.option_groups import OptionGroup
from ccgpu.cli.options import option
from ccgpu.cli.output_files import OutputFiles, write_attested
from ccgpu.cli.pins_options import PinsOptions, note_recorded
from ccgpu.cli.runtime import OutputOptions, Runtime

if TYPE_CHECKING:
    from ccgpu.attest.attestation import Attestation
    from ccgpu.cli.backends import Backend
    from ccgpu.workflows.attest import AttestMeans


PolicyOption = Annotated[
    str | None,
    option("Attestation policy: default, cpu-only, or a file.", "--policy", metavar="POLICY"),
]


LoosenedOption = Annotated[
    bool,
    option(
        "Release secrets by a policy that asks for less than `default`.",
        "--unsafe-allow-loosened-policy",
    ),
]


@dataclass(frozen=True, slots=True)
class AttestFlags:
    """Whether the VM is attested at the end, by which policy (None: `default`) and golden values.

    pins: the file of golden PCR values; None for none. allow_loosened: secrets may be released by
    a policy that asks for less than `default`.
    """

    wanted: bool
    policy: str | None
    pins: Path | None = None
    allow_loosened: bool = False

    @property
    def golden(self) -> PinsOptions:
        """The golden values to compare with."""
        return PinsOptions(self.pins, None)


@dataclass(frozen=True, slots=True)
class AnswerOptions:
    """How a verdict is shown, and the files that are written: the user's, and golden PCR values."""

    output: OutputOptions
    files: OutputFiles
    record: Path | None
    verbose: bool


def attest_means(
    runtime: Runtime,
    backend: "Backend",
    policy: str | None,
    golden: PinsOptions | None = None,
    measured: ImageOptions | None = None,
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
        image=measured.load() if measured else None,
        chosen=policy is not None,
    )


def answer_attestation(
    runtime: Runtime, judged: "Attestation", means: "AttestMeans", shown: AnswerOptions
) -> None:
    """Write the files that are asked for, and print the verdict; raise unless the VM is good."""
    from ccgpu.views import attested as view

    runtime.attempt(lambda: write_attested(runtime, shown.files, judged, means))
    if shown.record is not None and judged.pins is not None:
        note_recorded(runtime, shown.record)
    text = lambda: view.as_text(judged, verbose=shown.verbose)  # noqa: E731
    runtime.answer(shown.output, text, lambda: view.as_json(judged))
    judged.require_good()
    shown.files.require_signed()


def _attest_flags(
    no_attest: Annotated[bool, option("Do not attest the VM at the end.", "--no-attest")] = False,
    policy: PolicyOption = None,
    pins: Annotated[
        Path | None,
        option("File of golden PCR values to compare with.", "--pins", metavar="FILE"),
    ] = None,
    unsafe_allow_loosened_policy: LoosenedOption = False,
) -> AttestFlags:
    return AttestFlags(not no_attest, policy, pins, unsafe_allow_loosened_policy)


AttestArguments = Annotated[AttestFlags, OptionGroup(_attest_flags)]
