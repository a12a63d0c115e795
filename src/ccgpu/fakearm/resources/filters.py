"""The `$filter` expressions that the fake knows. Any other is a gap."""

import re
from collections.abc import Callable

from ccgpu.fakearm.wire import Body, FakeGap

_TEXT = r"'((?:[^']|'')*)'"
_TAG = re.compile(rf"tagName eq {_TEXT}(?: and tagValue eq {_TEXT})?", re.IGNORECASE)
_TYPE = re.compile(rf"resourceType eq {_TEXT}", re.IGNORECASE)
_GROUP = re.compile(rf"resourceGroup eq {_TEXT}", re.IGNORECASE)
_NAME = re.compile(rf"name eq {_TEXT}", re.IGNORECASE)
_LOCATION = re.compile(rf"location eq {_TEXT}", re.IGNORECASE)


def filter_bodies(text: str | None, bodies: list[Body]) -> list[Body]:
    """The bodies that match the filter. Tag names compare without case."""
    if not text:
        return bodies
    if found := _TAG.fullmatch(text):
        name, value = (_unquote(part) for part in found.groups())
        return [body for body in bodies if _has_tag(body, name or "", value)]
    for term in text.split(" and "):
        bodies = _filter_by_term(term, bodies)
    return bodies


def _filter_by_term(term: str, bodies: list[Body]) -> list[Body]:
    """The bodies of a type, in a group or of a name; all compare without case."""
    for pattern, value_of in _TERMS:
        if found := pattern.fullmatch(term):
            wanted = (_unquote(found[1]) or "").lower()
            return [body for body in bodies if value_of(body).lower() == wanted]
    raise FakeGap(f"$filter={term}")


def _group_of(body: Body) -> str:
    parts = str(body["id"]).split("/")
    return parts[4] if len(parts) > 5 else ""


_TERMS: tuple[tuple[re.Pattern[str], Callable[[Body], str]], ...] = (
    (_TYPE, lambda body: str(body["type"])),
    (_GROUP, _group_of),
    (_NAME, lambda body: str(body["name"])),
)


def filters_by_tag(text: str | None) -> bool:
    """Whether the filter is by a tag's name, or by name and value."""
    return bool(text and _TAG.fullmatch(text))


def filtered_region(text: str | None) -> str | None:
    """The region of `location eq 'x'`; None without a filter."""
    if not text:
        return None
    found = _LOCATION.fullmatch(text)
    if not found:
        raise FakeGap(f"$filter={text}")
    return (_unquote(found[1]) or "").lower()


def _unquote(quoted: str | None) -> str | None:
    return None if quoted is None else quoted.replace("''", "'")


def _has_tag(body: Body, name: str, value: str | None) -> bool:
    for key, one in (body.get("tags") or {}).items():
        if key.lower() == name.lower():
            return value is None or one == value
    return False
