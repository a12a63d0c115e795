"""The one error of the readers and writers of image formats."""

from ccgpu.domain.plain_text import one_line


class MalformedImage(ValueError):
    """Bytes of an image that break a rule of their format, or of ccgpu's layout."""

    def __init__(self, what: str, expected: object, found: object) -> None:
        super().__init__(one_line(f"{what}: expected {expected}, found {found}"))
        self.what = what
        self.expected = str(expected)
        self.found = str(found)


def demand(what: str, expected: object, found: object) -> None:
    """Refuse what is not equal to what is expected."""
    if expected != found:
        raise MalformedImage(what, expected, found)
