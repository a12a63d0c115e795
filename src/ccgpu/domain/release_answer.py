"""What a release policy answers to the claims of a token, condition by condition. Pure.

The answer has three values. True and False are Key Vault's. None is ours: the claims are those that
we expect of a token that nobody has seen yet, and the claim is none of them.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ccgpu.domain.release_policy import (
    AuthorityConditions,
    ClaimCondition,
    ClaimValue,
    ConditionGroup,
    ReleaseCondition,
    ReleasePolicy,
)

# Microsoft Azure Attestation: the token of a guest (AttestAzureGuest) has what the hardware reports
# below this name; the token of a platform (AttestSevSnpVm) has it at the top.
GUEST_PREFIX = "x-ms-isolation-tee"


@dataclass(frozen=True, slots=True)
class TokenClaims:
    """The claims of a token; `complete`: whether it has no others."""

    claims: Mapping[str, object]
    complete: bool = True


@dataclass(frozen=True, slots=True)
class ClauseAnswer:
    """Whether one condition is met. `actual`: the claim's value, None if it is absent.

    path: its place in the policy. why: in words. hint: what is likely meant, if it can be told.
    """

    path: str
    claim: str
    expected: ClaimValue
    actual: object
    met: bool | None
    why: str
    hint: str | None = None


@dataclass(frozen=True, slots=True)
class AuthorityAnswer:
    """Whether one authority's conditions are met. `is_issuer`: whether it made the token."""

    authority: str
    is_issuer: bool
    met: bool | None
    clauses: tuple[ClauseAnswer, ...]


@dataclass(frozen=True, slots=True)
class PolicyAnswer:
    """Whether the policy lets the key go."""

    met: bool | None
    authorities: tuple[AuthorityAnswer, ...]


def explain(policy: ReleasePolicy, token: TokenClaims) -> PolicyAnswer:
    """The answer of the policy, with every condition of every authority."""
    authorities = tuple(
        _authority(one, f"anyOf[{i}]", token) for i, one in enumerate(policy.authorities)
    )
    return PolicyAnswer(_any(one.met for one in authorities), authorities)


def is_same_authority(authority: str, issuer: object) -> bool:
    """Whether a policy's authority is the token's `iss`.

    Policies that Microsoft publishes have a slash at the end that no token has, and work: that it
    does not count is inferred from this.
    """
    return isinstance(issuer, str) and authority.removesuffix("/") == issuer.removesuffix("/")


def is_guest_token(claims: Mapping[str, object]) -> bool:
    """Whether the claims are those of a guest's token, not of a platform's."""
    return isinstance(claims.get(GUEST_PREFIX), dict)


def _any(answers: Iterable[bool | None]) -> bool | None:
    found = list(answers)
    return True if True in found else None if None in found else False


def _all(answers: Iterable[bool | None]) -> bool | None:
    found = list(answers)
    return False if False in found else None if None in found else True


def _authority(one: AuthorityConditions, path: str, token: TokenClaims) -> AuthorityAnswer:
    clauses: list[ClauseAnswer] = []
    holds = _condition(one.group, path, token, clauses)
    is_issuer = is_same_authority(one.authority, token.claims.get("iss"))
    return AuthorityAnswer(one.authority, is_issuer, _all((is_issuer, holds)), tuple(clauses))


def _condition(
    condition: ReleaseCondition, path: str, token: TokenClaims, clauses: list[ClauseAnswer]
) -> bool | None:
    if isinstance(condition, ClaimCondition):
        answer = _clause(condition, path, token)
        clauses.append(answer)
        return answer.met
    return _group(condition, path, token, clauses)


def _group(
    group: ConditionGroup, path: str, token: TokenClaims, clauses: list[ClauseAnswer]
) -> bool | None:
    answers = [
        _condition(one, f"{path}.{group.word}[{i}]", token, clauses)
        for i, one in enumerate(group.conditions)
    ]
    return _any(answers) if group.word == "anyOf" else _all(answers)


_ABSENT = object()


def _clause(condition: ClaimCondition, path: str, token: TokenClaims) -> ClauseAnswer:
    actual = _find(token.claims, condition.claim)
    claim, expected = condition.claim, condition.equals
    if actual is _ABSENT:
        hint = _hint_absent(claim, token.claims)
        if token.complete or hint is not None:
            why = "the token does not have it"
            return ClauseAnswer(path, claim, expected, None, met=False, why=why, hint=hint)
        why = "no token was given to look into"
        return ClauseAnswer(path, claim, expected, None, met=None, why=why)
    if is_equal(expected, actual):
        return ClauseAnswer(path, claim, expected, actual, met=True, why="equal")
    why, hint = "the token has another value", _hint_other(expected, actual)
    return ClauseAnswer(path, claim, expected, actual, met=False, why=why, hint=hint)


def is_equal(expected: ClaimValue, actual: object) -> bool:
    """Whether a claim has the value: of the same JSON type, texts letter by letter."""
    if isinstance(expected, bool) or isinstance(actual, bool):
        return expected is actual
    if isinstance(expected, str) or isinstance(actual, str):
        return isinstance(expected, str) and isinstance(actual, str) and expected == actual
    return isinstance(actual, int | float) and expected == actual


def _find(claims: Mapping[str, object], name: str) -> object:
    """The claim at the path of names; objects alone are entered, as the grammar says."""
    value: object = claims
    for part in name.split("."):
        if not isinstance(value, Mapping) or part not in value:
            return _ABSENT
        value = value[part]
    return value


def _hint_absent(claim: str, claims: Mapping[str, object]) -> str | None:
    below = f"{GUEST_PREFIX}.{claim}"
    if _find(claims, below) is not _ABSENT:
        return f"this is a guest's token, which names it {below}"
    above = claim.removeprefix(f"{GUEST_PREFIX}.")
    if above != claim and _find(claims, above) is not _ABSENT:
        return f"this is a platform's token, which names it {above}"
    return None


def _hint_other(expected: ClaimValue, actual: object) -> str | None:
    if isinstance(expected, str) and isinstance(actual, bool):
        return "the policy has a text, the token true or false: write the value without quotes"
    if isinstance(expected, str) and isinstance(actual, str):
        if expected.casefold() == actual.casefold():
            return "only upper and lower case differ: Key Vault compares letter by letter"
        return None
    if isinstance(actual, list | dict):
        return "a list or an object cannot be compared"
    return None
