"""What `ccgpu verify` reads: the evidence that is given, or the example that ships with ccgpu."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import typer

from ccgpu.cli.option_groups import OptionGroup
from ccgpu.cli.runtime import BackendName, Runtime
from ccgpu.cli.verify_options import AppraisalOptions
from ccgpu.errors import UsageProblem

_EXAMPLE = "--example"


@dataclass(frozen=True, slots=True)
class VerifySource:
    """The path of the evidence, how the command line names it, and what is asked of it.

    state: the folder with the records of the challenges that were sent.
    """

    path: Path
    state: Path
    name: str
    asked: AppraisalOptions


@dataclass(frozen=True, slots=True)
class VerifySources:
    """The paths that were given, or the example. simulated: whether simulated roots count."""

    paths: Sequence[Path]
    example: bool
    simulated: bool

    @contextmanager
    def only(self, runtime: Runtime, given: AppraisalOptions) -> Iterator[VerifySource]:
        """What a verify without `--each` reads. The example has a time of its own.

        Raises:
            UsageProblem: several paths were given.
        """
        if self.example:
            from ccgpu.store.example import BUNDLE, SENT_AT, example_folder

            asked = given if given.at is not None else replace(given, at=SENT_AT.isoformat())
            with example_folder() as folder:
                yield VerifySource(folder / BUNDLE, folder, _EXAMPLE, asked)
            return
        if len(self.paths) > 1:
            raise UsageProblem(
                f"one verdict takes one EVIDENCE, but {len(self.paths)} were given",
                hint="verify each by itself: `--each`; or put what belongs together into one"
                " folder",
            )
        (path,) = self.paths
        yield VerifySource(path, runtime.state, str(path), given)


def _sources(
    *,
    evidence: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="EVIDENCE",
            help="A bundle (- for stdin), or a file or folder of evidence.",
            show_default=False,
        ),
    ] = None,
    example: Annotated[
        bool,
        typer.Option(
            _EXAMPLE,
            help="Verify the evidence of a simulated VM that ships with ccgpu, as whoever sent"
            " its nonce, at its own time. Needs no EVIDENCE, nor `--backend fake`.",
        ),
    ] = False,
    backend: Annotated[
        BackendName | None,
        typer.Option(
            help="fake: accept evidence of the simulated subscription. Default: azure.",
            show_default=False,
        ),
    ] = None,
) -> VerifySources:
    paths = evidence or []
    if example and paths:
        raise UsageProblem(
            f"{_EXAMPLE} is evidence by itself, but EVIDENCE was given, too",
            hint="leave out one of them",
        )
    if not example and not paths:
        raise UsageProblem(
            "missing argument 'EVIDENCE'",
            hint=f"give a bundle, a file or a folder; to see one: `ccgpu verify {_EXAMPLE}`",
        )
    simulated = (example and backend is None) or backend is BackendName.FAKE
    return VerifySources(paths, example, simulated)


SourceArguments = Annotated[VerifySources, OptionGroup(_sources)]
