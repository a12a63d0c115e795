"""Writes a command's progress and its error to stderr: text for people, JSON for programs.

With `--quiet`, stderr is empty or has the error. With `-o json` or `--query`, that is a JSON
document. With `--events ndjson` it has one JSON document per line; the last one is the outcome.
With `--debug` the HTTP requests are among them, as text or as JSON documents. Only `cli.main` uses
this module.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from ccgpu.cli import failures, request_lines
from ccgpu.cli.console import silent
from ccgpu.cli.runtime import ConnectionOptions, Runtime, Stderr
from ccgpu.errors import CcgpuError, InternalError, Interrupted

if TYPE_CHECKING:
    from ccgpu.cli.backends import Backend


class Reporter:
    """Writes to one command's stderr."""

    def __init__(self, runtime: Runtime, stderr: Stderr) -> None:
        self._outer = runtime
        self._stderr = stderr
        self._clock: Callable[[], float] | None = None
        self._moment = 0.0
        self._debug = False
        if stderr is Stderr.TEXT:
            self.runtime = replace(runtime, backend=self._open_backend)
        else:
            self.runtime = self._without_text()

    def _without_text(self) -> Runtime:
        """The runtime of a command that writes no text to stderr and asks no questions."""
        from ccgpu.views.progress import Stream

        runtime = self._outer
        streamed = self._stderr is Stderr.EVENTS
        return replace(
            runtime,
            err=silent(runtime.err),
            ask=None,
            ask_secret=None,
            backend=self._open_backend,
            progress=Stream(runtime.err, self._now) if streamed else None,
            stderr=self._stderr,
        )

    def _open_backend(self, connection: ConnectionOptions) -> "Backend":
        """Open the back end, whose requests are shown. Its clock gives the time of events."""
        self._debug = connection.debug
        listener = request_lines.listener(
            self._outer.err if connection.debug else None,
            self._outer.log,
            as_json=self._stderr.is_json,
        )
        backend = self._outer.backend(connection)
        backend.requests.listener = listener
        self._clock = backend.scheduler.clock.now
        return backend

    def _now(self) -> str:
        """The time in RFC 3339; if the clock fails, the last time that was read."""
        from ccgpu.scheduling.clock import RealClock, rfc3339

        if self._clock is None:
            self._clock = RealClock().now
        with suppress(Exception):
            self._moment = self._clock()
        return rfc3339(self._moment)

    def end(self, err: CcgpuError | None, code: int) -> int:
        """Write the error and the last event, and return the exit code.

        An interrupted step is repeated. The signal handler interrupts at most once.
        """
        steps = [lambda: self._write_error(err), lambda: self._write_end(err, code)]
        while steps:
            try:
                steps[0]()
            except KeyboardInterrupt:
                continue
            steps.pop(0)
        return code

    def _write_error(self, err: CcgpuError | None) -> None:
        if err is not None:
            as_json, verbose = self._stderr.is_json, self._debug
            failures.tell_error(self._outer.err, err, as_json=as_json, verbose=verbose)

    def _write_end(self, err: CcgpuError | None, code: int) -> None:
        if self.runtime.progress is not None:
            self.runtime.progress.end(_outcome(err, code), code, err.code if err else None)


def _outcome(err: CcgpuError | None, code: int) -> str:
    if isinstance(err, InternalError):
        return "bug"
    if code == Interrupted.exit_code:
        return "interrupted"
    return "error" if code else "success"
