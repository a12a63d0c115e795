"""The release of a key: its policy is evaluated, and the key wrapped for the environment's key.

Sources: Microsoft Learn, "Azure Key Vault secure key release policy grammar"; REST "Release"; the
form of the answer is that of Azure/confidential-computing-cvm-guest-attestation, cvm-securekey-
release-app. The signature of the answer is meaningless.
"""

import base64
import json
import os
from collections.abc import Mapping
from typing import Any

from cryptography.hazmat.primitives import hashes, keywrap
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from ccgpu.fakearm.keyvault import refusals
from ccgpu.fakearm.wire import Body

# The hash of OAEP by the name of the algorithm (REST, KeyEncryptionAlgorithm).
_HASHES: dict[str, type[hashes.HashAlgorithm]] = {
    "CKM_RSA_AES_KEY_WRAP": hashes.SHA1,
    "RSA_AES_KEY_WRAP_256": hashes.SHA256,
    "RSA_AES_KEY_WRAP_384": hashes.SHA384,
}


def check_policy(encoded: str) -> Body:
    """The policy in `data`, if it has the form of one."""
    try:
        policy: Body = json.loads(decode(encoded))
        _require_authorities(policy)
    except (ValueError, KeyError, TypeError, AttributeError) as err:
        raise refusals.bad_parameter("The release policy is not valid.") from err
    return policy


def _require_authorities(policy: Body) -> None:
    for authority in policy["anyOf"]:
        _require_form({key: value for key, value in authority.items() if key != "authority"})
        if not isinstance(authority["authority"], str):
            raise TypeError("authority")
    if policy["version"] != "1.0.0" or not policy["anyOf"]:
        raise ValueError("version")


def _require_form(condition: Mapping[str, Any]) -> None:
    ((name, value), *more) = condition.items()
    if name in ("anyOf", "allOf"):
        if more or not value:
            raise ValueError(name)
        for one in value:
            _require_form(one)
        return
    if set(condition) != {"claim", "equals"} or isinstance(condition["equals"], list | dict):
        raise ValueError(name)


def is_met(policy: Body, claims: Mapping[str, Any]) -> bool:
    """Whether one authority of the policy made the claims, and its conditions hold."""
    for authority in policy["anyOf"]:
        conditions = {key: value for key, value in authority.items() if key != "authority"}
        same = authority["authority"].removesuffix("/") == str(claims.get("iss")).removesuffix("/")
        if same and _holds(conditions, claims):
            return True
    return False


def _holds(condition: Mapping[str, Any], claims: Mapping[str, Any]) -> bool:
    if "anyOf" in condition:
        return any(_holds(one, claims) for one in condition["anyOf"])
    if "allOf" in condition:
        return all(_holds(one, claims) for one in condition["allOf"])
    value: Any = claims
    for name in condition["claim"].split("."):
        if not isinstance(value, dict) or name not in value:
            return False
        value = value[name]
    # As JSON, true is not 1, and a text is equal to the same text alone.
    wanted = condition["equals"]
    return bool(value == wanted) and isinstance(value, bool) == isinstance(wanted, bool)


def wrapped_key(
    private: str, algorithm: str | None, kid: str, key: rsa.RSAPublicKey
) -> tuple[str, str]:
    """The key's `key_hsm`, and the algorithm: PKCS #8 under AES, whose key is under RSA-OAEP."""
    enc = algorithm or "CKM_RSA_AES_KEY_WRAP"
    if enc not in _HASHES:
        raise refusals.bad_parameter(f"enc {enc} is not known.")
    secret = load_pem_private_key(private.encode(), None).private_bytes(
        Encoding.DER, PrivateFormat.PKCS8, NoEncryption()
    )
    hash_, aes = _HASHES[enc](), os.urandom(32)
    oaep = padding.OAEP(padding.MGF1(hash_), hash_, None)
    ciphertext = key.encrypt(aes, oaep) + keywrap.aes_key_wrap_with_padding(aes, secret)
    envelope = {
        "schema_version": "1.0",
        "header": {"kid": kid, "alg": "dir", "enc": enc},
        "ciphertext": encode(ciphertext),
    }
    return encode(json.dumps(envelope).encode()), enc


def answer(body: Body, key_hsm: str, request: Body) -> Body:
    """The signed object with the key."""
    key = {**body["key"], "key_hsm": key_hsm}
    payload = {"request": request, "response": {"key": {**body, "key": key}}}
    header = {"alg": "RS256", "kid": "simulated", "typ": "JWT"}
    parts = [encode(json.dumps(part).encode()) for part in (header, payload)]
    return {"value": ".".join([*parts, encode(b"simulated")])}


def encode(data: bytes) -> str:
    """Base64url without padding."""
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def decode(text: str) -> bytes:
    """The bytes of base64url, with or without padding."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
