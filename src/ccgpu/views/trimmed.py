"""Renders text without trailing spaces and without control characters.

The text of every answer passes through here, so no control character in it reaches a terminal.
"""

from collections.abc import Iterator

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from ccgpu.domain.plain_text import one_line


class Trimmed:
    """A renderable whose lines have no trailing spaces."""

    def __init__(self, inner: RenderableType) -> None:
        self._inner = inner

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Segment]:
        """Render the inner renderable and trim each line."""
        for line in Segment.split_lines(console.render(self._inner, options)):
            kept = list(line)
            while kept and not kept[-1].text.strip():
                kept.pop()
            if kept:
                last = kept.pop()
                kept.append(Segment(last.text.rstrip(), last.style, last.control))
            yield from (*map(_escape, kept), Segment.line())


def _escape(segment: Segment) -> Segment:
    """The segment with its text escaped. Rich's own control segments stay."""
    if segment.control:
        return segment
    return Segment(one_line(segment.text), segment.style)
