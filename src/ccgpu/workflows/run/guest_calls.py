"""Requests to the workload script in a VM that was proven, over its one pinned channel."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import BinaryIO, TypeVar

from ccgpu.domain.advice import fill_name
from ccgpu.errors import GuestNotReady, WorkloadFailed
from ccgpu.guest import workload
from ccgpu.guest.channel import Channel
from ccgpu.guest.workload_answers import AllWorkloads, OneWorkload
from ccgpu.guest.workload_requests import FollowWorkload, ListWorkloads, WorkloadRequest
from ccgpu.workflows.guest_task import GuestTask
from ccgpu.workflows.run.streams import LineReader

T = TypeVar("T")
_LIST = 60.0  # seconds
_STEP = 0.05  # the least part of a download that is told again


@dataclass(frozen=True, slots=True)
class WorkloadGuest:
    """A VM whose workloads are handled.

    boot_id: the boot that counts; None: any. An answer of another boot is refused.
    """

    task: GuestTask
    channel: Channel
    boot_id: str | None = None

    def ask(self, request: WorkloadRequest, form: type[T], timeout: float) -> T:
        """Make a request; its progress is told as events.

        timeout: seconds, or what is left of the command's time.

        Raises:
            WorkloadFailed: It was refused, or its answer cannot be read.
            GuestNotReady: The VM has been started anew.
            GuestUnreachable, ConnectionLost, HostKeyMismatch, TimedOut: As `Channel` says.
        """
        doing = f"{request.action} of the workload"
        seconds = self.task.time_left(timeout, doing)
        output, errors = LineReader(), LineReader(self._tell_progress())
        send = partial(self._stream, request, output, errors, seconds)
        code = self.task.complete(send)
        answer = self._read(
            request, partial(workload.parse_line, code, output.kept, errors.kept, form)
        )
        self.require_boot(getattr(answer, "boot", None))
        return answer

    def _read(self, request: WorkloadRequest, parse: Callable[[], T]) -> T:
        """What `parse` returns. A hint of its error names deployment and workload, as it can."""
        try:
            return parse()
        except WorkloadFailed as err:
            if err.hint is not None:
                name = getattr(request, "name", "W")
                hint = fill_name(err.hint, self.task.name)
                err.hint = hint.replace("--workload W`", f"--workload {name}`")
            raise

    @contextmanager
    def in_this_boot(self) -> Iterator[None]:
        """During the context all goes to the boot that counts, over one connection to it.

        Raises:
            ConnectionLost: It has ended. Another boot may show the same host key.
            And as `ask`.
        """
        with self.channel.keep():
            self.ask(ListWorkloads(), AllWorkloads, _LIST)
            yield

    def follow(
        self, request: FollowWorkload, line: Callable[[str], None], timeout: float | None
    ) -> OneWorkload:
        """Stream a workload's log; `line` is called with each line, without its end.

        It runs in this thread, so that it can be interrupted. Raises as `ask`.
        """
        output, errors = LineReader(line), LineReader()
        code = self._stream(request, output, errors, timeout)
        output.close()
        answer = self._read(
            request, partial(workload.parse_line, code, errors.kept, b"", OneWorkload)
        )
        self.require_boot(answer.boot)
        return answer

    def require_boot(self, boot: str | None) -> None:
        """Refuse an answer of another boot than the one that was proven."""
        if self.boot_id is not None and boot != self.boot_id:
            raise GuestNotReady(
                "the VM has been started anew since it was asked: its workloads are gone",
                hint="run the same command again: it attests the VM anew",
            )

    def _stream(
        self,
        request: WorkloadRequest,
        output: "BinaryIO",
        errors: "BinaryIO",
        timeout: float | None,
    ) -> int:
        script = workload.script()
        argv = workload.command_line(request)
        return self.channel.stream(argv, _as_stream(script), output, errors, timeout=timeout)

    def _tell_progress(self) -> Callable[[str], None]:
        told = -1.0

        def tell(line: str) -> None:
            nonlocal told
            progress = workload.parse_progress(line.encode())
            if progress is None:
                return
            share = progress.done / progress.total if progress.total else 0.0
            if progress.total and told <= share < told + _STEP and share < 1.0:
                return
            told = share
            amount = f" ({share:.0%} of {progress.total / 1e9:.1f} GB)" if progress.total else ""
            self.task.tell("wait", f"{progress.progress}{amount}")

        return tell


def _as_stream(data: bytes) -> BinaryIO:
    from io import BytesIO

    return BytesIO(data)
