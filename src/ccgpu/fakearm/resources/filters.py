"""The `$filter` expressions that the fake knows. Any other is a gap."""

import re

from ccgpu.fakearm.wire import Body, FakeGap

_TEXT = r"'((?:[^']|'')*)'"
_TAG = re.compile(rf"tagName eq {_TEXT}(?: and tagValue eq {_TEXT})?", re.IGNORECASE)
_TYPE = re.compile(rf"resourceType eq {_TEXT}", re.IGNORECASE)
_LOCATION = re.compile(rf"location eq {_TEXT}", re.IGNORECASE)


def filter_bodies(text: str | None, bodies: list[Body]) -> list[Body]:
    """The bodies that match the filter. Tag names compare without case."""
    if not text:
        return bodies
    if found := _TAG.fullmatch(text):
        name, value = (_unquote(part) for part in found.groups())
        return [body for body in bodies if _has_tag(body, name or "", value)]
    if found := _TYPE.fullmatch(text):
        kind = _unquote(found[1])
        return [body for body in bodies if body["type"].lower() == (kind or "").lower()]
    raise FakeGap(f"$filter={text}")


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
