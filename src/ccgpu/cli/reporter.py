"""What stderr says while a command runs and when it ends: text for people, JSON for programs.

With `-o json` (or `--query`) that is nothing, or one error document. With `--events ndjson` it is
one document a line, the last of which says how it ended. Only `cli.main` uses this.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from ccgpu.cli import failures
from ccgpu.cli.console import silent
from ccgpu.cli.runtime import ConnectionOptions, Runtime, Stderr
from ccgpu.errors import CcgpuError, InternalError, Interrupted

if TYPE_CHECKING:
    from ccgpu.cli.backends import Backend


class Reporter:
    """Speaks on one command's stderr."""

    def __init__(self, runtime: Runtime, stderr: Stderr) -> None:
        self._outer = runtime
        self._stderr = stderr
        self._clock: Callable[[], float] | None = None
        self._moment = 0.0
        self.runtime = runtime if stderr is Stderr.TEXT else self._for_programs()

    def _for_programs(self) -> Runtime:
        """The runtime of a command whose stderr holds nothing but JSON, and who asks nobody."""
        from ccgpu.views.progress import Stream

        runtime = self._outer
        streamed = self._stderr is Stderr.EVENTS
        return replace(
            runtime,
            err=silent(runtime.err),
            ask=None,
            backend=self._backend,
            progress=Stream(runtime.err, self._now) if streamed else None,
            stderr=self._stderr,
        )

    def _backend(self, connection: ConnectionOptions) -> "Backend":
        """Open the back end. From then on events have the time of its clock."""
        backend = self._outer.backend(connection)
        self._clock = backend.scheduler.clock.now
        return backend

    def _now(self) -> str:
        """RFC 3339; a clock that cannot be read any more stands still."""
        from ccgpu.scheduling.clock import RealClock, rfc3339

        if self._clock is None:
            self._clock = RealClock().now
        with suppress(Exception):
            self._moment = self._clock()
        return rfc3339(self._moment)

    def end(self, err: CcgpuError | None, code: int) -> int:
        """Say the last words, and return the exit code.

        A signal that comes meanwhile interrupts once, and changes nothing: they are said in full.
        """
        steps = [lambda: self._tell(err), lambda: self._close(err, code)]
        while steps:
            try:
                steps[0]()
            except KeyboardInterrupt:
                continue
            steps.pop(0)
        return code

    def _tell(self, err: CcgpuError | None) -> None:
        if err is not None:
            failures.tell_error(self._outer.err, err, as_json=self._stderr is not Stderr.TEXT)

    def _close(self, err: CcgpuError | None, code: int) -> None:
        if self.runtime.progress is not None:
            self.runtime.progress.end(_outcome(err, code), code, err.code if err else None)


def _outcome(err: CcgpuError | None, code: int) -> str:
    if isinstance(err, InternalError):
        return "bug"
    if code == Interrupted.exit_code:
        return "interrupted"
    return "error" if code else "success"
