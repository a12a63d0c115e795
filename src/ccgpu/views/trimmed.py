"""Text for a stream: lines without the spaces that fill up tables."""

from collections.abc import Iterator

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment


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
            yield from (*kept, Segment.line())
