"""The `$filter` expressions that the fake knows. Any other is a gap."""

import re

from ccgpu.fakearm.wire import FakeGap

_TEXT = r"'((?:[^']|'')*)'"
_TAG = re.compile(rf"tagName eq {_TEXT}(?: and tagValue eq {_TEXT})?", re.IGNORECASE)
_TYPE = re.compile(rf"resourceType eq {_TEXT}", re.IGNORECASE)
_GROUP = re.compile(rf"resourceGroup eq {_TEXT}", re.IGNORECASE)
_NAME = re.compile(rf"name eq {_TEXT}", re.IGNORECASE)
_LOCATION = re.compile(rf"location eq {_TEXT}", re.IGNORECASE)

# SQL conditions on the columns of `resources`.
_HAS_TAG = "EXISTS (SELECT 1 FROM json_each(body, '$.tags') AS one WHERE lower(one.key) = lower(?)"
_TERMS = (
    (_TYPE, "lower(kind) = lower(?)"),
    (_GROUP, "grp = lower(?)"),
    (_NAME, "lower(json_extract(body, '$.name')) = lower(?)"),
)

SqlTerm = tuple[str, tuple[str, ...]]


def sql_terms(text: str | None) -> list[SqlTerm]:
    """The filter as SQL conditions with their values. All names compare without case."""
    if not text:
        return []
    if found := _TAG.fullmatch(text):
        name, value = _unquote(found[1]), found[2]
        if value is None:
            return [(f"{_HAS_TAG})", (name,))]
        return [(f"{_HAS_TAG} AND one.value = ?)", (name, _unquote(value)))]
    return [_sql_term(term) for term in text.split(" and ")]


def _sql_term(term: str) -> SqlTerm:
    for pattern, condition in _TERMS:
        if found := pattern.fullmatch(term):
            return condition, (_unquote(found[1]),)
    raise FakeGap(f"$filter={term}")


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
    return _unquote(found[1]).lower()


def _unquote(quoted: str) -> str:
    return quoted.replace("''", "'")
