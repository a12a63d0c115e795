"""The parser of key sets (JWK Set, RFC 7517), and of the one key that a token is verified with.

The set must be unambiguous; only the key that is needed is parsed. A key that is weak, of another
type or for another use is refused.
"""

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from ccgpu.attest import certificates, strict_json
from ccgpu.attest.check import Malformed, Rule

Algorithm = Literal["ES384", "RS256"]
PublicKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey
Jwk = Mapping[str, object]
KeySet = Mapping[str, Jwk]

_JWKS, _JWK = "RFC 7517, §5", "RFC 7517, §4"

READABLE = Rule("token.jwks", "the key set can be read", _JWKS)
KEYS = Rule("token.jwks.keys", "the key set is a list of a sane number of keys", _JWKS)
KID = Rule("token.jwks.kid", "every key of the set has an id", f"{_JWK}.5")
DUPLICATE = Rule("token.jwks.duplicate", "no two keys of the set have one id", f"{_JWK}.5")
PRIVATE = Rule(
    "token.jwks.private", "the key set holds no secret", "RFC 7518, §6.2.2, §6.3.2, §6.4"
)

USABLE = Rule("token.key", "the key of the token can be used", _JWK)
TYPE = Rule("token.key.type", "the key is of the kind that the algorithm needs", f"{_JWK}.1")
USE = Rule("token.key.use", "the key is for signatures of this algorithm", f"{_JWK}.2 to §4.4")
CURVE = Rule("token.key.curve", "the key is of the curve P-384", "RFC 7518, §3.4 and §6.2.1.1")
ENCODING = Rule("token.key.encoding", "the numbers of the key are base64url", "RFC 7518, §2 and §6")
POINT = Rule("token.key.point", "the key is a point of the curve", "SEC 1, §3.2.2.1")
SIZE = Rule("token.key.size", "an RSA key has 2048 to 8192 bits", "RFC 7518, §3.3")
MODULUS = Rule("token.key.modulus", "the modulus of an RSA key is odd", "FIPS 186-5, §5.1")
EXPONENT = Rule(
    "token.key.exponent",
    "the exponent of an RSA key is odd, and from 2^16 to 2^32",
    "FIPS 186-5, §5.1; NIST SP 800-56B, §6.2",
)
CERTIFICATE = Rule("token.key.certificate", "the key's certificate can be read", f"{_JWK}.7")
OTHER = Rule("token.key.other", "the certificate is one of this key", f"{_JWK}.7")

_SET_LIMIT = 1024 * 1024  # a real set of 26 keys with two certificates each is about 150 KiB
_KEYS_LIMIT = 128
_KID_LIMIT = 256
_CERTIFICATES_LIMIT = 8
_CERTIFICATE_LIMIT = 32 * 1024  # Microsoft puts an SGX quote into some of its own
_SECRET_MEMBERS = {"d", "p", "q", "dp", "dq", "qi", "oth", "k"}
_P384_BYTES = 48
_RSA_BITS = (2048, 8192)
_BASE64URL = re.compile(r"[A-Za-z0-9_-]{1,1400}")


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A public key, and its certificate (first of `x5c`) if the set has one."""

    public: PublicKey
    certificate: x509.Certificate | None


def parse(data: bytes) -> KeySet:
    """The keys of a set (JSON, at most 1 MiB) by `kid`, not parsed yet; or `Malformed`."""
    listed = strict_json.load(data, _SET_LIMIT).get("keys")
    if not isinstance(listed, list) or not 1 <= len(listed) <= _KEYS_LIMIT:
        raise Malformed(KEYS, f"1 to {_KEYS_LIMIT} keys", _describe_count(listed, "keys"))
    keys: dict[str, Jwk] = {}
    for jwk in listed:
        if not isinstance(jwk, dict):
            raise Malformed(KEYS, "objects", type(jwk).__name__)
        kid = _kid(jwk)
        if kid in keys:
            raise Malformed(DUPLICATE, "every id once", f"{kid} twice")
        if secrets := _SECRET_MEMBERS & set(jwk):
            raise Malformed(PRIVATE, "public keys", f"{kid} has {', '.join(sorted(secrets))}")
        keys[kid] = jwk
    return keys


def signing_key(jwk: Jwk, algorithm: Algorithm) -> SigningKey:
    """Parse `jwk` as a key for this algorithm, or raise `Malformed`."""
    kind = "EC" if algorithm == "ES384" else "RSA"
    if jwk.get("kty") != kind:
        raise Malformed(TYPE, kind, _shorten(jwk.get("kty")))
    _check_use(jwk, algorithm)
    certificate = _certificate(jwk["x5c"]) if "x5c" in jwk else None
    certified = _require_strong(certificate.public_key(), algorithm) if certificate else None
    if certified is not None and not {"n", "e", "x", "y"} & set(jwk):
        return SigningKey(
            certified, certificate
        )  # some of Microsoft's keys are stated by certificate only
    stated = _ec_key(jwk) if algorithm == "ES384" else _rsa_key(jwk)
    if certified is not None and stated != certified:
        raise Malformed(OTHER, "the key that is stated", "another key")
    return SigningKey(_require_strong(stated, algorithm), certificate)


def _describe_count(listed: object, what: str) -> str:
    return f"{len(listed)} {what}" if isinstance(listed, list) else type(listed).__name__


def _shorten(value: object) -> str | None:
    return None if value is None else str(value)[:100]


def _kid(jwk: Jwk) -> str:
    kid = jwk.get("kid")
    if not isinstance(kid, str) or not 1 <= len(kid) <= _KID_LIMIT:
        raise Malformed(KID, f"a string of 1 to {_KID_LIMIT} characters", _shorten(kid))
    return kid


def _check_use(jwk: Jwk, algorithm: Algorithm) -> None:
    """Check that `alg`, `use` and `key_ops` allow this; an absent one allows everything."""
    if jwk.get("alg", algorithm) != algorithm:
        raise Malformed(USE, f"alg {algorithm}", _shorten(jwk["alg"]))
    if jwk.get("use", "sig") != "sig":
        raise Malformed(USE, "use sig", _shorten(jwk["use"]))
    operations = jwk.get("key_ops", ["verify"])
    if not isinstance(operations, list) or "verify" not in operations:
        raise Malformed(USE, "key_ops with verify", _shorten(operations))


def _certificate(chain: object) -> x509.Certificate:
    """The first certificate of `x5c`; the chain above it is not verified."""
    if not isinstance(chain, list) or not 1 <= len(chain) <= _CERTIFICATES_LIMIT:
        found = _describe_count(chain, "certificates")
        raise Malformed(CERTIFICATE, f"1 to {_CERTIFICATES_LIMIT} certificates", found)
    text = chain[0]
    if not isinstance(text, str) or len(text) > _CERTIFICATE_LIMIT:
        raise Malformed(CERTIFICATE, f"text of at most {_CERTIFICATE_LIMIT} characters", "other")
    try:
        der = base64.b64decode(text, validate=True)
    except ValueError as error:
        raise Malformed(CERTIFICATE, "base64", str(error)) from error
    return certificates.parse(der, CERTIFICATE)


def _require_strong(key: object, algorithm: Algorithm) -> PublicKey:
    """`found`, if it is of the algorithm's type and strong enough; else `Malformed`."""
    if algorithm == "ES384":
        if not isinstance(key, ec.EllipticCurvePublicKey):
            raise Malformed(TYPE, "EC", "another key")
        if not isinstance(key.curve, ec.SECP384R1):
            raise Malformed(CURVE, "P-384", key.curve.name)
        return key
    if not isinstance(key, rsa.RSAPublicKey):
        raise Malformed(TYPE, "RSA", "another key")
    _check_rsa(key.public_numbers().n, key.public_numbers().e)
    return key


def _check_rsa(modulus: int, exponent: int) -> None:
    if not _RSA_BITS[0] <= modulus.bit_length() <= _RSA_BITS[1]:
        raise Malformed(SIZE, f"{_RSA_BITS[0]} to {_RSA_BITS[1]} bits", modulus.bit_length())
    if modulus % 2 == 0:
        raise Malformed(MODULUS, "odd", "even")
    if exponent % 2 == 0 or not 2**16 < exponent < 2**32:
        raise Malformed(EXPONENT, "odd, from 2^16 to 2^32", exponent)


def _ec_key(jwk: Jwk) -> ec.EllipticCurvePublicKey:
    if jwk.get("crv") != "P-384":
        raise Malformed(CURVE, "P-384", _shorten(jwk.get("crv")))
    x, y = (_number(jwk, member, _P384_BYTES) for member in ("x", "y"))
    try:
        return ec.EllipticCurvePublicNumbers(x, y, ec.SECP384R1()).public_key()
    except ValueError as error:
        raise Malformed(POINT, "a point of P-384", "none") from error


def _rsa_key(jwk: Jwk) -> rsa.RSAPublicKey:
    modulus, exponent = _number(jwk, "n"), _number(jwk, "e")
    _check_rsa(modulus, exponent)  # before the library, whose limits are its own
    return rsa.RSAPublicNumbers(exponent, modulus).public_key()


def _number(jwk: Jwk, member: str, size: int | None = None) -> int:
    """Decode a number of a JWK: base64url, big endian; of `size` bytes if that is fixed."""
    text = jwk.get(member)
    if not isinstance(text, str) or not _BASE64URL.fullmatch(text) or len(text) % 4 == 1:
        raise Malformed(ENCODING, f"{member} in base64url", _shorten(text))
    value = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if size is not None and len(value) != size:
        raise Malformed(ENCODING, f"{member} of {size} bytes", f"{len(value)} bytes")
    return int.from_bytes(value, "big")
