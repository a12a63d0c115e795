"""A console's stream for bytes: what a command in the VM prints is passed on unchanged."""

import io
from typing import TYPE_CHECKING, Any, BinaryIO, cast

if TYPE_CHECKING:
    from rich.console import Console


class _Decoded(io.RawIOBase):
    """Writes bytes to a stream that takes text alone; what is not UTF-8 is escaped."""

    def __init__(self, text: Any) -> None:
        self._text = text

    def writable(self) -> bool:
        """It is."""
        return True

    def write(self, data: Any) -> int:
        """Write the data at once."""
        self._text.write(bytes(data).decode("utf-8", "backslashreplace"))
        return len(data)


def binary(console: "Console") -> BinaryIO:
    """The console's stream, for bytes. What was printed before is written first."""
    console.file.flush()
    buffer = getattr(console.file, "buffer", None)
    return cast("BinaryIO", buffer if buffer is not None else _Decoded(console.file))
