"""Text for a stream: lines without the spaces that fill up tables, and without anything to obey.

All text of an answer passes here: no control character of what is shown reaches a terminal.
"""

from collections.abc import Iterator

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from ccgpu.domain.plain_text import one_line


class Trimmed:
    """Another renderable, each of its lines ended where its text ends."""

    def __init__(self, inner: RenderableType) -> None:
        self._inner = inner

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Segment]:
        """Render it; what is printed is the same to the eye."""
        for line in Segment.split_lines(console.render(self._inner, options)):
            kept = list(line)
            while kept and not kept[-1].text.strip():
                kept.pop()
            if kept:
                last = kept.pop()
                kept.append(Segment(last.text.rstrip(), last.style, last.control))
            yield from (*map(_plain, kept), Segment.line())


def _plain(segment: Segment) -> Segment:
    """The segment as plain text; what rich itself tells the terminal stays."""
    if segment.control:
        return segment
    return Segment(one_line(segment.text), segment.style)
