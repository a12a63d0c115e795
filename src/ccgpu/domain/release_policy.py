"""Release policies of Azure Key Vault (secure key release): grammar, evaluation, explanation. Pure.

A policy lists authorities, each with conditions on the claims of a token that this authority has
signed. A key is released if one authority's conditions hold. A condition on a claim that the token
does not have is not met.

Source: Microsoft Learn, "Azure Key Vault secure key release policy grammar". It names more
operators than `equals` and says that only `equals` is allowed: a policy with another is refused.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NoReturn, cast

VERSION = "1.0.0"
CONTENT_TYPE = "application/json; charset=utf-8"
SIZE_LIMIT = 64 * 1024  # bytes; our own limit, policies have one or two KiB
_DEPTH_LIMIT = 16  # of anyOf and allOf in each other; our own limit
_WORDS = ("anyOf", "allOf")

ClaimValue = str | bool | int | float


class InvalidReleasePolicy(ValueError):
    """The text is no release policy. `path`: the place in the document, such as `anyOf[0]`."""

    def __init__(self, path: str, message: str) -> None:
        super().__init__(f"{path}: {message}" if path else message)
        self.path = path
        self.message = message


@dataclass(frozen=True, slots=True)
class ClaimCondition:
    """The claim at this path of names, joined by dots, has this value."""

    claim: str
    equals: ClaimValue


@dataclass(frozen=True, slots=True)
class ConditionGroup:
    """Conditions of which any, or all, must be met."""

    word: Literal["anyOf", "allOf"]
    conditions: tuple["ReleaseCondition", ...]


ReleaseCondition = ClaimCondition | ConditionGroup


@dataclass(frozen=True, slots=True)
class AuthorityConditions:
    """The conditions on tokens of one authority: the `iss` claim that such a token has."""

    authority: str
    group: ConditionGroup


@dataclass(frozen=True, slots=True)
class ReleasePolicy:
    """A policy: the conditions of any one authority suffice."""

    authorities: tuple[AuthorityConditions, ...]


def parse(text: bytes) -> ReleasePolicy:
    """Parse a policy (JSON, at most 64 KiB), or raise `InvalidReleasePolicy`."""
    if len(text) > SIZE_LIMIT:
        raise InvalidReleasePolicy("", f"has {len(text)} bytes; at most {SIZE_LIMIT} are read")
    try:
        document = json.loads(
            text.decode("utf-8"), object_pairs_hook=_unique_members, parse_constant=_refuse_constant
        )
    except InvalidReleasePolicy:
        raise
    except (ValueError, RecursionError) as err:
        raise InvalidReleasePolicy("", f"is not JSON: {str(err)[:100]}") from err
    members = _members(document, "", {"version", "anyOf"})
    if members.get("version") != VERSION:
        raise InvalidReleasePolicy("version", f'must be "{VERSION}"')
    listed = _entries(members.get("anyOf"), "anyOf")
    return ReleasePolicy(tuple(_authority(one, f"anyOf[{i}]") for i, one in enumerate(listed)))


def as_document(policy: ReleasePolicy) -> dict[str, Any]:
    """The policy as the JSON document that Key Vault reads."""
    authorities = [
        {"authority": one.authority, **_as_document(one.group)} for one in policy.authorities
    ]
    return {"version": VERSION, "anyOf": authorities}


def encode(policy: ReleasePolicy) -> bytes:
    """The policy as JSON in UTF-8, on one line: what a key is created with."""
    return json.dumps(as_document(policy), separators=(",", ":"), ensure_ascii=False).encode()


def _as_document(condition: ReleaseCondition) -> dict[str, Any]:
    if isinstance(condition, ClaimCondition):
        return {"claim": condition.claim, "equals": condition.equals}
    return {condition.word: [_as_document(one) for one in condition.conditions]}


def _unique_members(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise InvalidReleasePolicy("", "has an object in which a name stands twice")
    return members


def _refuse_constant(text: str) -> NoReturn:
    raise InvalidReleasePolicy("", f"{text} is no number of JSON")


def _members(value: object, path: str, known: set[str]) -> Mapping[str, object]:
    if not isinstance(value, dict):
        raise InvalidReleasePolicy(path, "must be an object")
    if unknown := sorted(value.keys() - known):
        raise InvalidReleasePolicy(
            path, f"{unknown[0]!a} is not known here; known are {', '.join(sorted(known))}"
        )
    return value


def _entries(value: object, path: str) -> Sequence[object]:
    if not isinstance(value, list) or not value:
        raise InvalidReleasePolicy(path, "must be a list of at least one")
    return value


def _authority(value: object, path: str) -> AuthorityConditions:
    members = _members(value, path, {"authority", *_WORDS})
    authority = members.get("authority")
    if not isinstance(authority, str) or not authority:
        raise InvalidReleasePolicy(f"{path}.authority", "must be the address of an authority")
    return AuthorityConditions(authority, _group(members, path, 1))


def _group(members: Mapping[str, object], path: str, depth: int) -> ConditionGroup:
    words = [word for word in _WORDS if word in members]
    if len(words) != 1:
        raise InvalidReleasePolicy(path, "must have either anyOf or allOf")
    if depth > _DEPTH_LIMIT:
        raise InvalidReleasePolicy(path, f"nests more than {_DEPTH_LIMIT} deep")
    word = cast("Literal['anyOf', 'allOf']", words[0])
    listed = _entries(members[word], f"{path}.{word}")
    return ConditionGroup(
        word,
        tuple(_condition(one, f"{path}.{word}[{i}]", depth) for i, one in enumerate(listed)),
    )


def _condition(value: object, path: str, depth: int) -> ReleaseCondition:
    members = _members(value, path, {"claim", "equals", *_WORDS})
    if not {"claim", "equals"} & members.keys():
        return _group(members, path, depth + 1)
    if set(_WORDS) & members.keys():
        raise InvalidReleasePolicy(path, "has a claim beside anyOf or allOf: put it into the list")
    claim, expected = members.get("claim"), members.get("equals")
    if not isinstance(claim, str) or not claim:
        raise InvalidReleasePolicy(f"{path}.claim", "must be the name of a claim")
    if not isinstance(expected, str | bool | int | float) or not _is_finite(expected):
        raise InvalidReleasePolicy(f"{path}.equals", "must be a text, a number, true or false")
    return ClaimCondition(claim, expected)


def _is_finite(value: ClaimValue) -> bool:
    return not isinstance(value, float) or math.isfinite(value)
