"""Reads the data types of SSH (RFC 4251, §5): strings and numbers, one after the other."""


class SshReader:
    """The rest of a blob; each method takes the next value, or raises `ValueError`."""

    def __init__(self, data: bytes) -> None:
        self._rest = data

    def take(self, size: int) -> bytes:
        """So many bytes."""
        if len(self._rest) < size:
            raise ValueError("it ends too early")
        taken, self._rest = self._rest[:size], self._rest[size:]
        return taken

    def string(self) -> bytes:
        """A string: its length in 4 bytes, then the bytes."""
        return self.take(int.from_bytes(self.take(4)))

    def name(self) -> str:
        """A string of ASCII."""
        return self.string().decode("ascii")  # UnicodeDecodeError is a ValueError

    def number(self) -> int:
        """An mpint that is not negative, in its shortest form."""
        data = self.string()
        if data[:1] >= b"\x80" or (data[:1] == b"\x00" and data[1:2] < b"\x80"):
            raise ValueError("a number is negative, or not in its shortest form")
        return int.from_bytes(data)

    def end(self) -> None:
        """Nothing may be left."""
        if self._rest:
            raise ValueError("it goes on after its end")


def ssh_string(data: bytes) -> bytes:
    """The data as a string of SSH."""
    return len(data).to_bytes(4) + data
