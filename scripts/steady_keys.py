"""Keys that follow from a text, and sign the same bytes in the same way each time.

They are for evidence that is a file of this repository, which everybody can make again. Everybody
can make the keys, too: what they sign proves nothing.
"""

import hashlib
from collections.abc import Iterator
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

_EXPONENT = 65537
_BITS = 2048
_SMALL = tuple(n for n in range(3, 2000, 2) if all(n % m for m in range(3, int(n**0.5) + 1, 2)))


def steady_ec_key(name: str) -> Any:
    """A key on P-384."""
    number = int.from_bytes(hashlib.shake_256(f"ec {name}".encode()).digest(47))  # below the order
    return SteadyEcKey(ec.derive_private_key(number + 1, ec.SECP384R1()))


def plain_rsa_key(name: str) -> rsa.RSAPrivateKey:
    """An RSA key, for signatures that are the same each time by themselves (PKCS #1 v1.5)."""
    primes = _primes(name)
    p, q = next(primes), next(primes)
    d = rsa.rsa_recover_private_exponent(_EXPONENT, p, q)
    private = rsa.RSAPrivateNumbers(
        *(p, q, d),
        *(rsa.rsa_crt_dmp1(d, p), rsa.rsa_crt_dmq1(d, q), rsa.rsa_crt_iqmp(p, q)),
        rsa.RSAPublicNumbers(_EXPONENT, p * q),
    )
    return private.private_key()  # checks that they are primes


def steady_rsa_key(name: str) -> Any:
    """An RSA key whose RSASSA-PSS has no random salt."""
    return SteadyRsaKey(plain_rsa_key(name))


def _primes(name: str) -> Iterator[int]:
    """Probable primes of half the modulus, with the two highest bits set (FIPS 186-5, A.1.3)."""
    size = _BITS // 16
    stream = hashlib.shake_256(f"rsa {name}".encode()).digest(size * 20_000)
    for at in range(0, len(stream), size):
        number = int.from_bytes(stream[at : at + size]) | 0b11 << _BITS // 2 - 2 | 1
        if all(number % small for small in _SMALL) and pow(2, number - 1, number) == 1:
            yield number


class SteadyEcKey:
    """A key on a curve, which signs as RFC 6979 says."""

    def __init__(self, key: ec.EllipticCurvePrivateKey) -> None:
        self._key = key

    def __getattr__(self, name: str) -> Any:
        return getattr(self._key, name)

    def sign(self, data: bytes, algorithm: ec.ECDSA) -> bytes:
        """The signature in DER."""
        return self._key.sign(data, ec.ECDSA(algorithm.algorithm, deterministic_signing=True))


class SteadyRsaKey:
    """An RSA key, whose salt is a digest of what is signed (RFC 8017, 8.1.1 and 9.1.1)."""

    def __init__(self, key: rsa.RSAPrivateKey) -> None:
        self._key = key

    def __getattr__(self, name: str) -> Any:
        return getattr(self._key, name)

    def sign(self, data: bytes, scheme: padding.PSS, digest: hashes.HashAlgorithm) -> bytes:
        """The signature; MGF1 with the same hash, and a salt as long as its digest."""
        hashed = hashlib.new(digest.name, data).digest()
        salt = hashlib.new(digest.name, b"salt" + hashed).digest()
        numbers = self._key.private_numbers()
        modulus = numbers.public_numbers.n
        bits = modulus.bit_length() - 1
        size = (bits + 7) // 8
        digested = hashlib.new(digest.name, bytes(8) + hashed + salt).digest()
        block = (b"\x01" + salt).rjust(size - len(digested) - 1, b"\0")
        mask = _mgf1(digest.name, digested, len(block))
        masked = int.from_bytes(block) ^ int.from_bytes(mask)
        masked &= (1 << len(block) * 8 - (size * 8 - bits)) - 1
        encoded = masked.to_bytes(len(block)) + digested + b"\xbc"
        signature = pow(int.from_bytes(encoded), numbers.d, modulus)
        signed = signature.to_bytes(_BITS // 8)
        self._key.public_key().verify(signed, data, scheme, digest)
        return signed


def _mgf1(name: str, seed: bytes, size: int) -> bytes:
    """The mask of RFC 8017, B.2.1."""
    blocks = range(size // hashlib.new(name).digest_size + 1)
    return b"".join(hashlib.new(name, seed + n.to_bytes(4)).digest() for n in blocks)[:size]


ec.EllipticCurvePrivateKey.register(SteadyEcKey)
rsa.RSAPrivateKey.register(SteadyRsaKey)
