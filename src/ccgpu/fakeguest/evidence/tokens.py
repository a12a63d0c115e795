"""Tokens of simulated attestation services: NVIDIA's NRAS and Microsoft's MAA.

Anything can be changed before signing. `ABSENT` removes a claim or a header member.
"""

import base64
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils
from cryptography.x509.oid import NameOID

from ccgpu.fakeguest.evidence import pki
from ccgpu.fakeguest.evidence.hcl import base64url
from ccgpu.fakeguest.evidence.pki import CertificateTemplate, PrivateKey

Json = Mapping[str, object]
SignFunction = Callable[[bytes], bytes]

# basicConstraints (RFC 5280, §4.2.1.9) that leaves out cA, which is false then.
_NOT_A_CA = pki.X509Extension("2.5.29.19", pki.element(pki.SEQUENCE), critical=True)

ABSENT = ...
ISSUED = datetime(2026, 11, 22, tzinfo=UTC)
NRAS_ISSUER = "https://nras.attestation.nvidia.com"
MAA_ISSUER = "https://sharedeus2.eus2.attest.azure.net"
NRAS_KID, MAA_KID = "nv-eat-kid-prod-20261122000000000-simulated", "c2ltdWxhdGVk/a+b="
NRAS_LIFETIME, MAA_LIFETIME = timedelta(hours=1), timedelta(hours=8)
VM_ID = "2dedc52a-0000-4000-8000-000000000000"
UEID = "642960189298007511250958030500749152730221142468"

CHAIN_CLAIMS: Json = {
    "x-nvidia-cert-expiration-date": "9999-12-31T23:59:59Z",
    "x-nvidia-cert-status": "valid",
    "x-nvidia-cert-ocsp-status": "good",
    "x-nvidia-cert-revocation-reason": None,
}
# What claims 4.0 add: the opaque data of newer drivers.
_OPAQUE_DATA_CLAIMS: Json = {
    "x-nvidia-attester-claims": {},
    "x-nvidia-mismatch-opaque-data-records": None,
    "x-nvidia-gpu-claims-version": "4.0",
}


def with_changes(what: Json, changes: Json) -> dict[str, object]:
    """`what` with `changes`, without members that are `ABSENT`."""
    return {name: value for name, value in {**what, **changes}.items() if value is not ABSENT}


def ecdsa_signer(key: ec.EllipticCurvePrivateKey, digest: hashes.HashAlgorithm) -> SignFunction:
    """ES256 with P-256 and SHA-256, ES384 with P-384 and SHA-384: r and s, each of full size."""
    size = (key.curve.key_size + 7) // 8

    def sign(data: bytes) -> bytes:
        r, s = utils.decode_dss_signature(key.sign(data, ec.ECDSA(digest)))
        return r.to_bytes(size, "big") + s.to_bytes(size, "big")

    return sign


def rs256_signer(key: rsa.RSAPrivateKey) -> SignFunction:
    """RSASSA-PKCS1-v1_5 with SHA-256."""
    return lambda data: key.sign(data, padding.PKCS1v15(), hashes.SHA256())


def compact_token(header: Json, claims: Json, sign: SignFunction) -> str:
    """A token in compact serialisation."""
    parts = [base64url(json.dumps(part).encode()) for part in (header, claims)]
    signed = ".".join(parts)
    return f"{signed}.{base64url(sign(signed.encode()))}"


@dataclass(frozen=True, slots=True)
class TokenSigner:
    """A signing key of a service, with its key id."""

    key: PrivateKey
    kid: str

    @property
    def algorithm(self) -> str:
        """The algorithm that the services use with this kind of key."""
        return "RS256" if isinstance(self.key, rsa.RSAPrivateKey) else "ES384"

    def sign(self, data: bytes) -> bytes:
        """Sign with that algorithm."""
        if isinstance(self.key, rsa.RSAPrivateKey):
            return rs256_signer(self.key)(data)
        return ecdsa_signer(self.key, hashes.SHA384())(data)

    def token(self, claims: Json, **header: object) -> str:
        """A signed token. `header` changes members of its header."""
        plain: Json = {"alg": self.algorithm, "kid": self.kid, "typ": "JWT"}
        return compact_token(with_changes(plain, header), claims, self.sign)

    def jwk(self, **changes: object) -> Json:
        """The public key as a member of a key set."""
        common: Json = {"kid": self.kid, "use": "sig", "alg": self.algorithm}
        return with_changes({**common, **_public_jwk(self.key)}, changes)

    def certificate(self, start: datetime = ISSUED, end: datetime | None = None) -> bytes:
        """A self-signed certificate of the key (DER). NVIDIA's are valid for 48 hours."""
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Simulated signing key")])
        is_rsa = isinstance(self.key, rsa.RSAPrivateKey)
        return CertificateTemplate(
            subject=name,
            issuer=name,
            key=pki.public_key_info(self.key),
            not_before=start,
            not_after=end or start + timedelta(hours=48),
            extensions=(_NOT_A_CA,),
            serial=1,
            algorithm=pki.PSS_SHA384 if is_rsa else pki.ECDSA_SHA384,
        ).signed_by(self.key)


def _public_jwk(key: PrivateKey) -> Json:
    if isinstance(key, rsa.RSAPrivateKey):
        numbers = key.public_key().public_numbers()
        return {"kty": "RSA", "n": jwk_number(numbers.n), "e": jwk_number(numbers.e)}
    point = key.public_key().public_numbers()
    size = (key.curve.key_size + 7) // 8
    curve = f"P-{key.curve.key_size}"
    return {
        "kty": "EC",
        "crv": curve,
        "x": jwk_number(point.x, size),
        "y": jwk_number(point.y, size),
    }


def jwk_number(value: int, size: int | None = None) -> str:
    """A number in a JWK; of `size` bytes if that is fixed."""
    least = (value.bit_length() + 7) // 8
    return base64url(value.to_bytes(least if size is None else size, "big"))


def x5c_list(*certificates: bytes) -> list[str]:
    """Certificates (DER) as in a JWK."""
    return [base64.b64encode(each).decode() for each in certificates]


def key_set(*jwks: Json) -> bytes:
    """A key set as a service publishes it."""
    return json.dumps({"keys": list(jwks)}).encode()


def nras_signer() -> TokenSigner:
    """A signing key of NVIDIA's service."""
    return TokenSigner(ec.generate_private_key(ec.SECP384R1()), NRAS_KID)


def maa_signer(bits: int = 2048) -> TokenSigner:
    """A signing key of Microsoft's service."""
    return TokenSigner(rsa.generate_private_key(65537, bits), MAA_KID)


def gpu_claims(version: str, ueid: str = UEID) -> dict[str, object]:
    """NVIDIA's claims about a GPU that passes all checks, without times and nonce."""
    report, driver, vbios = (
        "x-nvidia-gpu-attestation-report",
        "x-nvidia-gpu-driver-rim",
        "x-nvidia-gpu-vbios-rim",
    )
    true = [f"{report}-{what}" for what in ("parsed", "nonce-match", "signature-verified")]
    true += [
        f"{rim}-{what}"
        for rim in (driver, vbios)
        for what in ("fetched", "schema-validated", "signature-verified", "measurements-available")
        if version != "4.0" or what != "schema-validated"
    ]
    true += ["secboot", "x-nvidia-gpu-arch-check", "x-nvidia-gpu-vbios-index-no-conflict"]
    chains: list[str] = []
    if version == "2.0":
        true += [f"{report}-cert-chain-validated", f"{driver}-cert-validated"]
        true += [f"{vbios}-cert-validated"]
    else:
        true += [f"{report}-cert-chain-fwid-match", f"{driver}-version-match"]
        true += [f"{vbios}-version-match"]
        chains = [f"{each}-cert-chain" for each in (report, driver, vbios)]
    return {
        "measres": "success",
        "dbgstat": "disabled",
        "hwmodel": "GH100" if version == "2.0" else "GH100 A01 GSP BROM",
        "oemid": "5703",
        "ueid": ueid,
        "x-nvidia-gpu-driver-version": "595.71.05",
        "x-nvidia-gpu-vbios-version": "96.00.9F.00.04",
        "x-nvidia-attestation-warning": None,
        **dict.fromkeys(true, True),
        **dict.fromkeys(chains, CHAIN_CLAIMS),
        **(_OPAQUE_DATA_CLAIMS if version == "4.0" else {}),
    }


@dataclass(frozen=True, slots=True)
class NrasResponse:
    """NVIDIA's response about one or more GPUs. Replace any field, then call `signed`.

    `gpu` changes the claims about the first GPU, `overall` the overall claims, `header` the header
    of the overall token. `tokens` replaces GPU tokens after their digests were taken.
    """

    signer: TokenSigner
    nonce: bytes
    version: str = "3.0"
    issuer: str = NRAS_ISSUER
    issued: datetime = ISSUED
    ueids: Sequence[str] = (UEID,)
    gpu: Json = field(default_factory=dict)
    overall: Json = field(default_factory=dict)
    header: Json = field(default_factory=dict)
    tokens: Json = field(default_factory=dict)

    def gpu_tokens(self) -> dict[str, str]:
        """The token of each GPU by name."""
        found = {}
        for index, ueid in enumerate(self.ueids):
            claims = {**self._common(), **gpu_claims(self.version, ueid)}
            found[f"GPU-{index}"] = self.signer.token(
                with_changes(claims, {} if index else self.gpu)
            )
        return found

    def signed(self) -> bytes:
        """The detached EAT."""
        gpus = self.gpu_tokens()
        claims = {
            **self._common(),
            "sub": "NVIDIA-PLATFORM-ATTESTATION",
            "x-nvidia-ver": self.version,
            "x-nvidia-overall-att-result": True,
            "submods": {name: token_digest(token) for name, token in gpus.items()},
        }
        overall = self.signer.token(with_changes(claims, self.overall), **self.header)
        return detached_eat(overall, with_changes(gpus, self.tokens))

    def _common(self) -> dict[str, object]:
        issued = int(self.issued.timestamp())
        return {
            "iss": self.issuer,
            "iat": issued,
            "nbf": issued,
            "exp": issued + int(NRAS_LIFETIME.total_seconds()),
            "jti": "c1a3cdc9-0000-4000-8000-000000000000",
            "eat_nonce": self.nonce.hex(),
        }


def token_digest(token: str, name: str = "SHA-256") -> list[object]:
    """A GPU token's digest in the overall token."""
    return ["DIGEST", [name, hashlib.sha256(token.encode()).hexdigest()]]


def detached_eat(overall: object, gpus: object) -> bytes:
    """The tokens in the form of the service's response."""
    return json.dumps([["JWT", overall], gpus]).encode()


@dataclass(frozen=True, slots=True)
class MaaToken:
    """Microsoft's token about a guest. Replace any field, then call `signed`.

    `claims` changes top-level claims, `tee` those of the isolation TEE, `header` the header.
    """

    signer: TokenSigner
    nonce: bytes
    vm_id: str = VM_ID
    issuer: str = MAA_ISSUER
    issued: datetime = ISSUED
    claims: Json = field(default_factory=dict)
    tee: Json = field(default_factory=dict)
    header: Json = field(default_factory=dict)

    def signed(self) -> bytes:
        """The token in compact serialisation."""
        header = {"jku": f"{self.issuer}/certs", **self.header}
        return self.signer.token(with_changes(self._claims(), self.claims), **header).encode()

    def _claims(self) -> Json:
        issued = int(self.issued.timestamp())
        return {
            "iss": self.issuer,
            "iat": issued,
            "nbf": issued,
            "exp": issued + int(MAA_LIFETIME.total_seconds()),
            "jti": "df7d7ed2",
            "secureboot": True,
            "x-ms-attestation-type": "azurevm",
            "x-ms-azurevm-vmid": self.vm_id.upper(),
            "x-ms-isolation-tee": with_changes(self._tee(), self.tee),
            "x-ms-runtime": {
                "client-payload": {"nonce": base64.b64encode(self.nonce.hex().encode()).decode()},
                "keys": [],
            },
            "x-ms-ver": "1.0",
        }

    def _tee(self) -> Json:
        return {
            "x-ms-attestation-type": "sevsnpvm",
            "x-ms-compliance-status": "azure-compliant-cvm",
            "x-ms-runtime": {"keys": [], "vm-configuration": {"vmUniqueId": self.vm_id.upper()}},
            "x-ms-sevsnpvm-is-debuggable": False,
            "x-ms-sevsnpvm-migration-allowed": False,
            "x-ms-sevsnpvm-vmpl": 0,
            "x-ms-sevsnpvm-reportdata": "11" * 32 + "00" * 32,
            "x-ms-sevsnpvm-launchmeasurement": "22" * 48,
            "x-ms-sevsnpvm-idkeydigest": "33" * 48,
            "x-ms-sevsnpvm-reportid": "44" * 32,
        }
