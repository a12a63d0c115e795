"""The token that a key is released to: that Key Vault will believe it, and can wrap the key.

Key Vault takes a token of one of the policy's authorities alone, checks it with that authority's
published keys, and encrypts the key for the first key in the token that is for encryption.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from ccgpu.attest.check import Checks, Rule
from ccgpu.attest.tokens import issuers, jws, registered
from ccgpu.attest.tokens import jwks as key_sets
from ccgpu.attest.tokens.jws import Jws, TokenTrust
from ccgpu.attest.tokens.registered import member

ENCRYPTION_KEY = Rule(
    "maa.release.key",
    "the token names an RSA key for encryption, which the released key is wrapped for",
    "Azure Key Vault secure key release policy grammar, environment assertion",
)
AUTHORITY = Rule(
    "maa.release.authority",
    "the policy names an attestation service of Microsoft's",
    "Azure Key Vault, secure key release and attestation (FAQ)",
)


def key_set_address(token: Jws) -> str | None:
    """Where the key set of the token's issuer is; None if it is no service of Microsoft's."""
    issuer = token.claims.get("iss")
    if not isinstance(issuer, str) or issuer == issuers.NRAS_ISSUER:
        return None
    return issuers.jwks_url(issuer)


def verify(
    token: Jws, jwks: bytes, authorities: Sequence[str], at: datetime, checks: Checks
) -> None:
    """Check a token with the key set of its issuer, at a time.

    authorities: those of the release policy; a slash at the end does not count.
    """
    accepted = [one.removesuffix("/") for one in authorities]
    known = [one for one in accepted if issuers.jwks_url(one) and one != issuers.NRAS_ISSUER]
    checks.record(AUTHORITY, bool(known), "https://….attest.azure.net or .us", accepted)
    keys = checks.parse(key_sets.READABLE, key_sets.parse, jwks, "a key set")
    jws.verify(token, TokenTrust("RS256", keys, known, at), checks)
    registered.verify(token, known, at, checks)
    names = _names_of_keys(token.claims)
    checks.record(ENCRYPTION_KEY, bool(names), "a key", token.describe(", ".join(names) or None))


def _names_of_keys(claims: Mapping[str, object]) -> list[str]:
    """The ids of the RSA keys for encryption in `x-ms-runtime`."""
    keys = member(claims, "x-ms-runtime", "keys")
    found = [one for one in keys if isinstance(one, dict)] if isinstance(keys, list) else []
    return [str(one.get("kid", "")) for one in found if one.get("kty") == "RSA" and _encrypts(one)]


def _encrypts(key: Mapping[str, object]) -> bool:
    operations = key.get("key_ops")
    if isinstance(operations, list) and "encrypt" in operations:
        return True
    return key.get("key_use", key.get("use")) in ("enc", ["enc"])
