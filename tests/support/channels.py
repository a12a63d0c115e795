"""A channel whose probe answers are given, for tests of what waits for the guest."""

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from ccgpu.guest.channel import Completed
from ccgpu.guest.probe import ProbeAnswer


def encode(answer: ProbeAnswer) -> bytes:
    """The document that the script would print."""
    commands = {
        key: {"exit": one.exit_code, "stdout": one.stdout, "stderr": one.stderr}
        for key, one in answer.commands.items()
    }
    document = {"schema": "ccgpu.probe/1", "commands": commands, "files": dict(answer.files)}
    return json.dumps(document | {"tails": dict(answer.tails)}).encode()


@dataclass
class ScriptedChannel:
    """Each `run` takes the next of `answers`; the last one is repeated. An error is raised."""

    answers: Iterable[ProbeAnswer | Completed | Exception]
    commands: list[list[str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._answers = list(self.answers)

    def run(self, argv: Sequence[str], stdin: bytes = b"", *, timeout: float) -> Completed:  # noqa: ARG002
        self.commands.append(list(argv))
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, Completed) else Completed(0, encode(answer), b"")

    @contextmanager
    def opened(self) -> Iterator["ScriptedChannel"]:
        """The channel as `OpenChannel` gives it."""
        yield self
