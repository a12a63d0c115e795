"""The environment assertion of a release: a token of an attestation service, and its key.

Source: Microsoft Learn, "Azure Key Vault secure key release policy grammar" (environment assertion)
and "Secure Key Release with Confidential VMs" (which key is chosen).
"""

import base64
import json
from collections.abc import Mapping
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from ccgpu.fakearm.keyvault import refusals

_SKEW = 60  # seconds between clocks; own
_ISSUER_HOSTS = (".attest.azure.net", ".attest.azure.us")


def verify(token: str, key_set: bytes, now: float) -> Mapping[str, Any]:
    """The claims of a token that a service of Microsoft's has signed, and that is valid now."""
    try:
        head, middle, signature = token.split(".")
        header, claims = (json.loads(_decode(part)) for part in (head, middle))
        keys = {one["kid"]: one for one in json.loads(key_set)["keys"]}
        if header["alg"] != "RS256":
            raise refusals.statement_unverified()
        _public_key(keys[header["kid"]]).verify(
            _decode(signature), f"{head}.{middle}".encode(), padding.PKCS1v15(), hashes.SHA256()
        )
        host = str(claims["iss"]).removeprefix("https://").rstrip("/")
        known = claims["iss"].startswith("https://") and host.endswith(_ISSUER_HOSTS)
        if not known or not claims.get("nbf", now) - _SKEW <= now < claims["exp"] + _SKEW:
            raise refusals.statement_unverified()
    except (ValueError, KeyError, TypeError, AttributeError, InvalidSignature) as err:
        raise refusals.statement_unverified() from err
    found: Mapping[str, Any] = claims
    return found


def encryption_key(claims: Mapping[str, Any]) -> tuple[str, rsa.RSAPublicKey]:
    """The first key of `x-ms-runtime` that is for encryption, with its id."""
    runtime = claims.get("x-ms-runtime")
    keys = runtime.get("keys") if isinstance(runtime, dict) else None
    for key in keys if isinstance(keys, list) else ():
        if isinstance(key, dict) and key.get("kty") == "RSA" and _encrypts(key):
            return str(key.get("kid", "")), _public_key(key)
    raise refusals.bad_parameter("The attestation statement has no key to encrypt the key with.")


def _encrypts(key: Mapping[str, Any]) -> bool:
    used_for = key.get("key_use", key.get("use"))
    return "encrypt" in (key.get("key_ops") or ()) or used_for in ("enc", ["enc"])


def _public_key(jwk: Mapping[str, Any]) -> rsa.RSAPublicKey:
    exponent, modulus = (int.from_bytes(_decode(jwk[name]), "big") for name in ("e", "n"))
    return rsa.RSAPublicNumbers(exponent, modulus).public_key()


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
