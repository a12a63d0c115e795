"""A console's stream for bytes: what a command in the VM prints is passed on unchanged."""

import io
from typing import TYPE_CHECKING, Any, BinaryIO, cast

if TYPE_CHECKING:
    from rich.console import Console


class RawOutput(io.RawIOBase):
    """Writes bytes at once to a console's stream; what is not UTF-8 is escaped if it takes text."""

    def __init__(self, file: Any) -> None:
        self._text = file
        self._bytes = getattr(file, "buffer", None)

    def writable(self) -> bool:
        """It is."""
        return True

    @property
    def failed(self) -> bool:
        """Whether the stream's reader has gone, or its disk is full: more need not be written."""
        return getattr(getattr(self._bytes, "raw", None), "failure", None) is not None

    def write(self, data: Any) -> int:
        """Write the data; the process's streams never raise (`cli.streams`)."""
        if self._bytes is None:
            self._text.write(bytes(data).decode("utf-8", "backslashreplace"))
        else:
            self._bytes.write(data)
            self._bytes.flush()
        return len(data)


def binary(console: "Console") -> BinaryIO:
    """The console's stream, for bytes. What was printed before is written first."""
    console.file.flush()
    return cast("BinaryIO", RawOutput(console.file))
