"""Tables that lose no text on a narrow terminal: people copy the names and ids in them."""

from collections.abc import Sequence

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, JustifyMethod, RenderableType, RenderResult
from rich.style import StyleType
from rich.table import Table
from rich.text import Text

_GAP = 2  # cells between two columns


class Grid(Table):
    """A table without headings. A word that is longer than its column goes on in the next line.

    Rich's own `Table.grid` cuts such a word, and ends it with an ellipsis.
    """

    def __init__(self, gap: int = _GAP) -> None:
        """gap: cells between two columns."""
        super().__init__(
            box=None,
            padding=(0, gap),
            collapse_padding=True,
            show_header=False,
            show_footer=False,
            show_edge=False,
            pad_edge=False,
        )

    def add_row(
        self,
        *renderables: RenderableType | None,
        style: StyleType | None = None,
        end_section: bool = False,
    ) -> None:
        """Add a row, and the columns that it needs."""
        while len(self.columns) < len(renderables):
            self.add_column(overflow="fold")
        super().add_row(*renderables, style=style, end_section=end_section)


class RowTable:
    """A table with headings; a block of lines for each row where the words do not fit side by side.

    The first heading may be empty: that column has a sign, which begins the block.
    """

    def __init__(self, *headings: str, style: str = "bold", right: bool = False) -> None:
        """style: of the headings. right: all columns but the first are numbers."""
        self._headings = headings
        self._style = style
        self._right = right
        self._rows: list[tuple[Text, ...]] = []

    def add_row(self, *cells: str | Text) -> None:
        """Add a row with a cell for each heading."""
        self._rows.append(tuple(Text(one) if isinstance(one, str) else one for one in cells))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Render as a table if each word fits into its column, else as blocks."""
        rows = ([cell.plain for cell in row] for row in self._rows)
        columns = list(zip(self._headings, *rows, strict=True))
        widths = whole_word_widths(columns, options.max_width - _GAP * (len(columns) - 1))
        yield self._blocks() if widths is None else self._table(widths)

    def _table(self, widths: Sequence[int]) -> Table:
        table = Table(box=None, pad_edge=False, header_style=self._style)
        for heading, width in zip(self._headings, widths, strict=True):
            justify: JustifyMethod = "right" if self._right and table.columns else "left"
            table.add_column(Text(heading), width=width, overflow="fold", justify=justify)
        for row in self._rows:
            table.add_row(*row)
        return table

    def _blocks(self) -> Grid:
        blocks = Grid()
        for number, row in enumerate(self._rows):
            if number:
                blocks.add_row("")
            sign = [] if self._headings[0] else [row[0]]
            for heading, cell in list(zip(self._headings, row, strict=True))[len(sign) :]:
                blocks.add_row(*sign, Text(heading, style=self._style), cell)
                sign = sign and [Text("")]
        return blocks


def whole_word_widths(columns: Sequence[Sequence[str]], room: int) -> list[int] | None:
    """The widths of columns that break no word and are at most `room` together, or None.

    columns: the texts of each, heading included. The widest are narrowed first.
    """
    widths = [max(map(cell_len, texts)) for texts in columns]
    least = [
        max(cell_len(word) for text in texts for word in text.split() or [""]) for texts in columns
    ]
    while sum(widths) > room:
        wide = [i for i, width in enumerate(widths) if width > least[i]]
        if not wide:
            return None
        widths[max(wide, key=widths.__getitem__)] -= 1
    return widths
