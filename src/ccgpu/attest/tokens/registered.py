"""The registered claims of tokens (JWT, RFC 7519): issuer, audience and times."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from ccgpu.attest.check import Checks, Rule, format_value
from ccgpu.attest.tokens.jws import Jws

_JWT = "RFC 7519"

ISSUER = Rule("token.iss", "the token is of an issuer that is configured", f"{_JWT}, §4.1.1")
AUDIENCE = Rule("token.aud", "the token is not made for somebody else", f"{_JWT}, §4.1.3")
PARTY = Rule("token.azp", "the token is not authorised for somebody else", "OpenID Connect, §2")
TIME = Rule("token.time.form", "times of the token are numbers of seconds", f"{_JWT}, §2")
EXP_ABSENT = Rule("token.exp.absent", "the token says when it expires", f"{_JWT}, §4.1.4")
EXPIRED = Rule("token.exp.past", "the token has not expired", f"{_JWT}, §4.1.4")
NOT_YET = Rule("token.nbf.future", "the token is valid already", f"{_JWT}, §4.1.5")
IAT_ABSENT = Rule("token.iat.absent", "the token says when it was issued", f"{_JWT}, §4.1.6")
IAT_FUTURE = Rule("token.iat.future", "the token was issued before now", f"{_JWT}, §4.1.6")
NONCE_UNASKED = Rule(
    "token.nonce.unasked", "the nonce of the challenge is known", "RFC 9334, §10.2"
)

# Clocks of the service and of the caller may differ ("usually no more than a few minutes", §4.1.4).
SKEW = timedelta(seconds=60)
_LAST = datetime(9999, 12, 31, tzinfo=UTC).timestamp()


def verify(token: Jws, issuers: Sequence[str], at: datetime, checks: Checks) -> None:
    """Check that a configured issuer made the token, for this time, and for no audience."""
    issuer = token.claims.get("iss")
    checks.record(
        ISSUER, issuer in tuple(issuers), format_accepted(issuers), token.describe(issuer)
    )
    # No audience is configured: a token that names one is for somebody else.
    for claim, rule in (("aud", AUDIENCE), ("azp", PARTY)):
        checks.record(
            rule, claim not in token.claims, None, token.describe(token.claims.get(claim))
        )
    expires = _time_claim(token, "exp", checks)
    if checks.record(EXP_ABSENT, "exp" in token.claims, "exp", token.describe(expires)) and (
        expires is not None
    ):
        checks.record(
            EXPIRED, at < expires + SKEW, f"after {format_value(at)}", token.describe(expires)
        )
    issued = _time_claim(token, "iat", checks)
    if checks.record(IAT_ABSENT, "iat" in token.claims, "iat", token.describe(issued)) and (
        issued is not None
    ):
        checks.record(
            IAT_FUTURE, issued <= at + SKEW, f"by {format_value(at)}", token.describe(issued)
        )
    starts = _time_claim(token, "nbf", checks)  # neither service leaves it out; RFC 7519 allows it
    if starts is not None:
        checks.record(
            NOT_YET, starts <= at + SKEW, f"by {format_value(at)}", token.describe(starts)
        )


def format_accepted(accepted: Sequence[str]) -> str:
    """Accepted values as checks print them; a policy may list an issuer for every region."""
    return ", ".join(accepted) or "none" if len(accepted) <= 4 else f"one of {len(accepted)} listed"


def check_nonce_known(nonce: bytes, checks: Checks) -> bool:
    """Check that there is a nonce to compare with, and return whether there is."""
    return checks.record(NONCE_UNASKED, bool(nonce), "a nonce", nonce or None)


def _time_claim(token: Jws, claim: str, checks: Checks) -> datetime | None:
    """The time in a claim; None if the claim is absent or no time."""
    if claim not in token.claims:
        return None
    value = token.claims[claim]
    seconds = _seconds(value)
    checks.record(TIME, seconds is not None, f"{claim} in seconds", token.describe(value))
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def _seconds(value: object) -> float | None:
    """A number that `datetime` can represent; booleans are not numbers here."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value) if 0 <= value <= _LAST else None


def member(claims: Mapping[str, object], *path: str) -> object:
    """The claim at a path of nested objects; None if a part is missing."""
    value: object = claims
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value
