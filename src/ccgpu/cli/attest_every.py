"""`ccgpu attest NAME --every DURATION`: one attestation after the other.

Each round opens the back end anew, as a command of its own would: its clock, its sign-in, its
policy. A process that runs for weeks must not judge evidence by a clock that it read at its start.
"""

import gc
import subprocess
from dataclasses import dataclass
from os import environ
from typing import TYPE_CHECKING, Annotated, NoReturn

from ccgpu.cli import failures
from ccgpu.cli.access_options import WayOptions
from ccgpu.cli.attest_sources import AttestSource
from ccgpu.cli.attesting import attest_means
from ccgpu.cli.durations import seconds
from ccgpu.cli.image_options import ImageOptions
from ccgpu.cli.option_groups import OptionGroup
from ccgpu.cli.options import ProgressOptions, option
from ccgpu.cli.pins_options import PinsOptions
from ccgpu.cli.runtime import ConnectionOptions, OutputOptions, Runtime
from ccgpu.errors import CcgpuError, InternalError, Interrupted, InvalidFile, UsageProblem

if TYPE_CHECKING:
    from ccgpu.attest.attestation import Attestation
    from ccgpu.cli.backends import Backend
    from ccgpu.views.attest_round import AttestRound
    from ccgpu.workflows.attest import AttestMeans

_SHORTEST = 60.0  # seconds: each round asks the vendors' services
_PANEL = "Again and again"
_STDERR = 2  # the descriptor: stdout has the answers alone
_LONGEST_TEXT = 4096  # characters of one variable of the environment


@dataclass(frozen=True, slots=True)
class RepeatOptions:
    """every: seconds from the begin of a round to that of the next; None: one attestation alone."""

    every: float | None
    on_failure: str | None

    def require_usable(self, source: AttestSource, **files: object) -> None:
        """Refuse what does not fit: `files` are options of a single attestation, by their names.

        Raises:
            UsageProblem: It does not.
        """
        if self.every is None:
            if self.on_failure is not None:
                raise UsageProblem("--on-failure needs --every", hint="give `--every 1h`, too")
            return
        if self.every < _SHORTEST:
            raise UsageProblem("--every is shorter than one minute", hint="give `--every 1m`")
        if source.evidence is not None:
            raise UsageProblem(
                "--every asks a VM, and --evidence is a file", hint="leave out --every"
            )
        for name, value in files.items():
            if value:
                raise UsageProblem(
                    f"--{name} cannot be used with --every",
                    hint=f"leave out --{name}: each line names the evidence of its round",
                )


@dataclass(frozen=True, slots=True)
class AttestRequest:
    """Which VM is attested, how it is reached, and by what policy."""

    runtime: Runtime
    connection: ConnectionOptions
    source: AttestSource
    policy: str | None
    golden: PinsOptions
    measured: ImageOptions
    way: WayOptions
    progress_options: ProgressOptions

    @property
    def name(self) -> str:
        """The deployment's name, or the address of another machine."""
        target, host = self.source.target, self.source.host
        return target.name if target is not None else str(host or "")

    def open(self) -> "Backend":
        """Open the back end."""
        return self.runtime.backend(self.connection)

    def means(self, backend: "Backend") -> "AttestMeans":
        """What judges the evidence."""
        return attest_means(self.runtime, backend, self.policy, self.golden, self.measured)

    def attest(self, backend: "Backend", *, quiet: bool = False) -> "Attestation":
        """Attest the VM once. quiet: show progress to none but programs that ask for it."""
        means, timeout = self.means(backend), self.progress_options.timeout
        ask = self.source.asking(self.runtime, backend, means, self.way, timeout)
        with self.progress_options.shown(self.runtime, quiet=quiet) as progress:
            return ask(progress)


@dataclass(frozen=True, slots=True)
class Repetition:
    """Rounds of one attestation."""

    runtime: Runtime
    output: OutputOptions
    options: RepeatOptions
    asking: AttestRequest

    def carry_out(self) -> NoReturn:
        """Attest until an attestation fails. With `--on-failure`, go on after most failures.

        Raises:
            CcgpuError: What the last attestation ended with.
        """
        number = 0
        while True:
            number += 1
            error = self._carry_out_round(number)
            if error is not None and not self._goes_on(error):
                raise error
            if self.runtime.failed:
                raise self.runtime.failed[0]
            gc.collect()  # the connections and threads of the round: nothing is kept

    def _carry_out_round(self, number: int) -> CcgpuError | None:
        """Attest, tell it, and wait for the next round; returns why it failed."""
        from ccgpu.scheduling.clock import rfc3339
        from ccgpu.scheduling.scheduler import pause
        from ccgpu.views.attest_round import AttestRound

        backend = self.asking.open()
        clock = backend.scheduler.clock
        began, judged, error = clock.now(), None, None
        try:
            judged = self.asking.attest(backend, quiet=True)
            judged.require_good()
        except Interrupted:
            raise
        except Exception as err:  # noqa: BLE001  # whatever it is, the VM was not accepted
            error = failures.error_of(err)
        goes_on = error is None or self._goes_on(error)
        following = max(began + (self.options.every or 0.0), clock.now())
        next_at = rfc3339(following) if goes_on else None
        done = AttestRound(number, self.asking.name, rfc3339(clock.now()), judged, error, next_at)
        # The command first: if the line cannot be made, the rounds end.
        if error is not None:
            self._run_command(done, error)
        self.runtime.attempt(lambda: self._tell(done))
        if goes_on and not self.runtime.failed:
            backend.scheduler.complete(pause(max(0.0, following - clock.now())))
        return error

    def _goes_on(self, error: CcgpuError) -> bool:
        """Whether there is a next round: not if the command itself has to be changed."""
        is_final = isinstance(error, InternalError | UsageProblem | InvalidFile)
        return self.options.on_failure is not None and not is_final

    def _tell(self, done: "AttestRound") -> None:
        """Print one line on stdout, at once."""
        from ccgpu.views import attest_round as view

        line = (
            f"{view.as_line(done)}\n"
            if self.output.is_text
            else self.output.rendered(view.as_json(done), indent=None)
        )
        self.runtime.out.file.write(line)
        self.runtime.out.file.flush()

    def _run_command(self, done: "AttestRound", error: CcgpuError) -> None:
        """Run the user's command, and wait for it."""
        command = self.options.on_failure
        if command is None:
            return
        ended = subprocess.run(  # noqa: S603  # it is the user's own; values are in variables
            ["/bin/sh", "-c", command],
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=_STDERR,
            env={**environ, **_variables(done, error)},
        )
        if ended.returncode != 0:
            self.runtime.note(f"note: the command of --on-failure ended with {ended.returncode}")


def _variables(done: "AttestRound", error: CcgpuError) -> dict[str, str]:
    """What the command is told. The message may hold words of the VM."""
    from ccgpu.domain.plain_text import one_line

    values = {
        "CCGPU_NAME": done.name,
        "CCGPU_VERDICT": done.verdict,
        "CCGPU_REASONS": ",".join(done.reasons),
        "CCGPU_EXIT_CODE": str(error.exit_code),
        "CCGPU_ERROR": str(error),
        "CCGPU_TIME": done.time,
        "CCGPU_POLICY": done.policy or "",
        "CCGPU_BUNDLE": done.bundle or "",
    }
    return {name: one_line(value)[:_LONGEST_TEXT] for name, value in values.items()}


def _repeat_options(
    every: Annotated[
        float | None,
        option(
            "Attest again and again, as in 1h, until an attestation fails.",
            "--every",
            parser=seconds,
            metavar="DURATION",
            panel=_PANEL,
        ),
    ] = None,
    on_failure: Annotated[
        str | None,
        option(
            "With --every: run CMD by `sh -c` after each failure, and go on.",
            "--on-failure",
            metavar="CMD",
            panel=_PANEL,
        ),
    ] = None,
) -> RepeatOptions:
    return RepeatOptions(every, on_failure)


RepeatArguments = Annotated[RepeatOptions, OptionGroup(_repeat_options)]
