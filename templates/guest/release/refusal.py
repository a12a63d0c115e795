"""The error of the opener."""


class ReleaseError(Exception):
    """Secrets cannot be taken. `code` is for programs, the message for people.

    No value of a secret is in it.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
