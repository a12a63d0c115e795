"""A binary stream that hands on what is written to it line by line."""

import io
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

_MOST_KEPT = 40 << 20  # bytes: more than an answer may have
_LONGEST_LINE = 1 << 20  # bytes: a longer one is handed on in pieces


class LineReader(io.BytesIO):
    """Calls `line` with each complete line, as text without its end.

    Without `line` it keeps all that is written, up to 40 MiB, and with it the last line.
    """

    def __init__(self, line: Callable[[str], None] | None = None) -> None:
        super().__init__()
        self._line, self._rest = line, b""
        self.kept = b""

    def write(self, data: "ReadableBuffer") -> int:
        """Take a part of the stream."""
        part = bytes(data)
        if self._line is None:
            self.kept = (self.kept + part)[:_MOST_KEPT]
            return len(part)
        *lines, self._rest = (self._rest + part).split(b"\n")
        for one in lines:
            self._hand_on(one)
        if len(self._rest) > _LONGEST_LINE:
            self._hand_on(self._rest)
            self._rest = b""
        return len(part)

    def writelines(self, lines: "Iterable[ReadableBuffer]") -> None:
        """Take several parts; that of `BytesIO` would not call `write`."""
        for one in lines:
            self.write(one)

    def close(self) -> None:
        """Hand on a last line without an end."""
        if self._rest:
            self._hand_on(self._rest)
            self._rest = b""
        super().close()

    def _hand_on(self, line: bytes) -> None:
        self.kept = line
        if self._line is not None:
            self._line(line.decode("utf-8", "replace").removesuffix("\r"))
