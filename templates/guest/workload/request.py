"""The members of a request, checked: what is missing or of another type is an error."""

import json
import re
from collections.abc import Mapping
from typing import Any

from ccgpu.templates.guest.workload.base import NAME, WorkloadError

REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]{0,95}(/[A-Za-z0-9][\w.-]{0,95})?", re.ASCII)
COMMIT = re.compile(r"[0-9a-f]{40}", re.ASCII)
SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)
MODEL_FILES = 5000


class Request:
    """The members of a JSON object; `where` names it in messages."""

    def __init__(self, members: Mapping[str, Any], where: str = "the request") -> None:
        self._members = members
        self._where = where

    def refuse(self, name: str, what: str) -> WorkloadError:
        """The error about a member."""
        return WorkloadError("request", f"{self._where}: `{name}` {what}")

    def value(self, name: str) -> Any:
        """A member of any type."""
        if name not in self._members:
            raise self.refuse(name, "is missing")
        return self._members[name]

    def text(self, name: str) -> str:
        """A text without NUL."""
        value = self.value(name)
        if not isinstance(value, str) or "\0" in value or not encodes(value):
            raise self.refuse(name, "is not a text")
        return value

    def matching(self, name: str, pattern: "re.Pattern[str]") -> str:
        """A text that a pattern describes."""
        value = self.text(name)
        if not pattern.fullmatch(value):
            raise self.refuse(name, f"does not match {pattern.pattern}")
        return value

    def chosen(self, name: str, *choices: str) -> str:
        """One of these texts."""
        value = self.text(name)
        if value not in choices:
            raise self.refuse(name, f"is none of {', '.join(choices)}")
        return value

    def words(self, name: str) -> list[str]:
        """A list of texts."""
        values = self.value(name)
        if not isinstance(values, list):
            raise self.refuse(name, "is not a list")
        return [Request({name: one}, self._where).text(name) for one in values]

    def flag(self, name: str) -> bool:
        """True or false."""
        value = self.value(name)
        if not isinstance(value, bool):
            raise self.refuse(name, "is neither true nor false")
        return value

    def number(self, name: str, least: float, most: float) -> float:
        """A number in this range."""
        value = self.value(name)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.refuse(name, "is not a number")
        if not least <= value <= most:
            raise self.refuse(name, f"is not between {least:g} and {most:g}")
        return value

    def whole(self, name: str, least: int, most: int) -> int:
        """A whole number in this range."""
        value = self.number(name, least, most)
        if not isinstance(value, int):
            raise self.refuse(name, "is not a whole number")
        return value

    def part(self, name: str) -> "Request":
        """An object."""
        value = self.value(name)
        if not isinstance(value, dict):
            raise self.refuse(name, "is not an object")
        return Request(value, f"{self._where}: `{name}`")

    def parts(self, name: str) -> "list[Request]":
        """A list of objects."""
        values = self.value(name)
        if not isinstance(values, list):
            raise self.refuse(name, "is not a list")
        return [Request({name: one}, self._where).part(name) for one in values]

    def is_null(self, name: str) -> bool:
        """Whether a member is null."""
        return self.value(name) is None

    @property
    def name(self) -> str:
        """The name of the workload."""
        return self.matching("name", NAME)


def encodes(value: str) -> bool:
    """Whether a text is UTF-8: a surrogate alone is not."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def parse_request(text: str) -> Request:
    """The request on the command line."""
    try:
        members = json.loads(text)
    except (ValueError, RecursionError) as err:
        raise WorkloadError("request", f"the request cannot be read: {err}") from err
    if not isinstance(members, dict):
        raise WorkloadError("request", "the request is not an object")
    return Request(members)
