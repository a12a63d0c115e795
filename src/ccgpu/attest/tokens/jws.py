"""Signed tokens (JWS in compact form, RFC 7515): strict parsing, and verification.

The header may only select a key of the given set. The algorithm is fixed per service. A key, or an
address of keys, in the header is refused (RFC 8725, §3.10).
"""

import base64
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from jwt import PyJWS
from jwt.exceptions import PyJWTError

from ccgpu.attest import strict_json
from ccgpu.attest.check import Checks, Malformed, Rule, format_value
from ccgpu.attest.tokens import issuers, jwks
from ccgpu.attest.tokens.jwks import Algorithm, KeySet, SigningKey

_JWS, _BCP = "RFC 7515, §7.1", "RFC 8725, §3.1 and §3.2"
_HEADER = "RFC 8725, §3.10"

FORM = Rule("token.form", "a token is three parts in base64url, in their one spelling", _JWS)
SIZE = Rule("token.size", "a token is of a sane size", _JWS)

ALGORITHM = Rule("token.alg", "the token is signed with the service's one algorithm", _BCP)
ALG_ABSENT = Rule("token.alg.absent", "the token names its algorithm", "RFC 7515, §4.1.1")
ALG_EMPTY = Rule("token.alg.empty", "the name of the algorithm is not empty", _BCP)
ALG_NONE = Rule("token.alg.none", "the token is signed at all", "RFC 8725, §3.2; RFC 7518, §3.6")
ALG_SYMMETRIC = Rule(
    "token.alg.symmetric",
    "the token is not signed with a secret, for which a public key might pass",
    "RFC 8725, §2.1; CVE-2022-29217, CVE-2026-102268 (PyJWT)",
)
CRIT = Rule("token.header.crit", "the header asks for no extension", "RFC 7515, §4.1.11")
JWK = Rule("token.header.jwk", "the token brings no key along", _HEADER)
X5C = Rule("token.header.x5c", "the token brings no certificate along", _HEADER)
X5U = Rule("token.header.x5u", "the token names no address of a certificate", _HEADER)
JKU = Rule("token.header.jku", "an address of keys is that of the configured issuer", _HEADER)
KID_FORM = Rule("token.kid.form", "the token names a key, by a plain id", _HEADER)
KID_UNKNOWN = Rule("token.kid.unknown", "the key is in the given key set", "RFC 7515, §4.1.4")
KEY_DATES = Rule(
    "token.key.dates", "the certificate of the key is valid at the time", "RFC 5280, §6.1.3"
)
SIGNATURE = Rule("token.signature", "the token is signed by the key it names", "RFC 7515, §5.2")

# Of one token. Those of NRAS have 2 to 3 KiB, and list up to 64 measurements when these differ;
# those of MAA have 8 to 12 KiB.
SIZE_LIMIT = 128 * 1024
_BASE64URL = re.compile(rb"[A-Za-z0-9_-]*")
_KID = re.compile(r"[A-Za-z0-9+/=._~-]{1,256}")  # Microsoft's are base64 of a thumbprint
_MAX_SHOWN = 100

# PyJWT takes the algorithm from the header, `none` and HMAC included: so each of these allows one
# algorithm only, and gets a key object, never bytes. Its time checks use the clock: not used here.
_PYJWS: Mapping[Algorithm, PyJWS] = {
    "ES384": PyJWS(algorithms=["ES384"]),
    "RS256": PyJWS(algorithms=["RS256"]),
}


@dataclass(frozen=True, slots=True)
class Jws:
    """A parsed token, not verified; `name`: how checks name it. `compact`: the whole token."""

    name: str
    compact: bytes
    header: Mapping[str, object]
    claims: Mapping[str, object]

    def describe(self, value: object) -> str:
        """A value of this token, as checks print it."""
        return format_claim(self.name, value)


@dataclass(frozen=True, slots=True)
class TokenTrust:
    """What a token is verified with; `keys` is None if the key set is unreadable."""

    algorithm: Algorithm
    keys: KeySet | None
    issuers: Sequence[str]
    at: datetime


def format_claim(name: str, value: object) -> str:
    """A value of a token for display: shortened, without control characters."""
    return f"{name}: {printable(format_value(value)[:_MAX_SHOWN])}"


def printable(text: str) -> str:
    """`text`, with escapes if it contains characters that are not printable."""
    return text if text.isprintable() else ascii(text)[1:-1]


def parse(compact: bytes, name: str) -> Jws:
    """Parse a token in compact form (at most 128 KiB), or raise `Malformed`."""
    if len(compact) > SIZE_LIMIT:
        raise Malformed(SIZE, f"at most {SIZE_LIMIT} bytes", f"{name}: {len(compact)} bytes")
    parts = compact.split(b".")
    if len(parts) != 3:
        raise Malformed(FORM, "3 parts", f"{name}: {len(parts)}")
    header, claims, _ = (_decode_part(part, name) for part in parts)
    return Jws(
        name,
        compact,
        strict_json.load(header, SIZE_LIMIT),
        strict_json.load(claims, SIZE_LIMIT),
    )


def verify(token: Jws, trust: TokenTrust, checks: Checks) -> None:
    """Check that a key of the set signed the token with the service's algorithm."""
    # 1. The algorithm is the service's (RFC 8725, §3.1).
    algorithm = token.header.get("alg")
    rule = _algorithm_rule(token.header)
    fits = checks.record(
        rule, algorithm == trust.algorithm, trust.algorithm, token.describe(algorithm)
    )
    # 2. The header brings no key or address of keys (RFC 8725, §3.10).
    for member, refusal in (("crit", CRIT), ("jwk", JWK), ("x5c", X5C), ("x5u", X5U)):
        present = member in token.header
        checks.record(
            refusal, not present, f"no {member}", token.describe(token.header.get(member))
        )
    if "jku" in token.header:
        known = [url for issuer in trust.issuers if (url := issuers.jwks_url(issuer))]
        jku = token.header["jku"]
        expected = known if len(known) <= 4 else f"one of {len(known)} addresses"
        checks.record(JKU, jku in known, expected, token.describe(jku))
    # 3. The given set has the key, and it is usable (RFC 7517, §4).
    key = _key(token, trust, checks)
    # 4. The key signed the token (RFC 7515, §5.2).
    if fits and key is not None:
        signed = _is_signed(token.compact, key, trust.algorithm)
        checks.record(
            SIGNATURE, signed, "a good signature", token.describe("good" if signed else "a bad one")
        )


def _decode_part(part: bytes, name: str) -> bytes:
    """Decode a part; only its canonical base64url is accepted (RFC 7515, §2)."""
    if not _BASE64URL.fullmatch(part) or len(part) % 4 == 1:
        raise Malformed(FORM, "base64url without padding", f"{name}: {part[:20].decode('latin-1')}")
    data = base64.urlsafe_b64decode(part + b"=" * (-len(part) % 4))
    if base64.urlsafe_b64encode(data).rstrip(b"=") != part:
        raise Malformed(FORM, "no bits behind the last byte", f"{name}: …{part[-4:].decode()}")
    return data


def _algorithm_rule(header: Mapping[str, object]) -> Rule:
    """The rule that describes the header's algorithm best."""
    match header.get("alg"):
        case None:
            return ALG_ABSENT
        case "":
            return ALG_EMPTY
        case str(name) if name.strip().lower() == "none":
            return ALG_NONE
        case str(name) if name.strip().upper().startswith("HS"):
            return ALG_SYMMETRIC
        case _:
            return ALGORITHM


def _key(token: Jws, trust: TokenTrust, checks: Checks) -> SigningKey | None:
    kid = token.header.get("kid")
    plain = isinstance(kid, str) and bool(_KID.fullmatch(kid)) and ".." not in kid
    if not checks.record(KID_FORM, plain, "an id", token.describe(kid)) or trust.keys is None:
        return None
    jwk = trust.keys.get(str(kid))
    known = f"one of {len(trust.keys)} keys"
    checks.record(KID_UNKNOWN, jwk is not None, known, token.describe(kid))
    if jwk is None:
        return None
    usable = f"a key for {trust.algorithm}"
    key = checks.parse(jwks.USABLE, lambda jwk: jwks.signing_key(jwk, trust.algorithm), jwk, usable)
    if key is not None and key.certificate is not None:
        start, end = key.certificate.not_valid_before_utc, key.certificate.not_valid_after_utc
        window = f"{format_value(start)} to {format_value(end)}"
        checks.record(KEY_DATES, start <= trust.at <= end, window, token.describe(trust.at))
    return key


def _is_signed(compact: bytes, key: SigningKey, algorithm: Algorithm) -> bool:
    try:
        _PYJWS[algorithm].decode_complete(compact, key.public, algorithms=[algorithm])
    except PyJWTError:
        return False
    return True
