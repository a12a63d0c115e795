"""The simulated vendors of one simulated subscription: AMD and NVIDIA, with keys of their own.

They are nobody's vendors. The keys are made once and kept as text beside the subscription, so that
evidence and collateral of two commands belong together.
"""

import hashlib
import hmac
import json
import secrets
from base64 import b64decode, b64encode
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from ccgpu.fakeguest.evidence import amd, nvidia_pki, pki, rim, rim_pki, spdm, tokens
from ccgpu.fakeguest.evidence.amd import AmdAuthorities, SimulatedChip, SimulatedTcb
from ccgpu.fakeguest.evidence.nvidia_pki import GpuCertificates, NvidiaAuthorities
from ccgpu.fakeguest.evidence.tokens import TokenSigner

_SCHEMA = "ccgpu.fake-vendors/1"
_UNTIL = datetime(2056, 1, 1, tzinfo=UTC)  # thirty years after the virtual clock began
_AMD = ("ark", "ask", "asvk")
_RSA_BITS = 2048  # AMD's have 4096, which take seconds to generate
_HALF = 32  # bytes: a chip id is a tag of the chip's name, and a MAC of that tag
_P384_ORDER = int(
    "ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973",
    16,
)
# The drivers of which NVIDIA has published a manifest for the GH100 (templates/guest/drivers.yaml).
DRIVERS: Sequence[str] = (
    *("550.54.14", "550.54.15", "550.90.07", "550.90.12", "550.113", "550.144.03"),
    *("570.211.01", "580.126.09", "590.48.01", rim.DRIVER),
)
_DRIVER_RIM = "NV_GPU_DRIVER_GH100_"
DRIVER_RIM = f"{_DRIVER_RIM}{rim.DRIVER}"
VBIOS_RIM = "_".join(
    ("NV_GPU_VBIOS", spdm.PROJECT, spdm.PROJECT_SKU, spdm.CHIP_SKU, rim.VBIOS.replace(".", ""))
)


@dataclass(frozen=True, slots=True)
class Issuer:
    """An authority: its certificate and key."""

    certificate: x509.Certificate
    key: Any

    @property
    def der(self) -> bytes:
        """The certificate in DER."""
        return self.certificate.public_bytes(Encoding.DER)


@dataclass(frozen=True, slots=True)
class SimulatedVendors:
    """AMD's authorities for Genoa, NVIDIA's for GH100 and for manifests, and the manifests.

    `seed` derives the chips. `manifests`: XML by RIM id. `maa`: the key of Microsoft's attestation
    service, in all regions.
    """

    seed: bytes
    amd: AmdAuthorities
    gpu_issuers: Sequence[Issuer]
    rim_issuers: Sequence[Issuer]
    manifests: Mapping[str, bytes]
    maa: TokenSigner

    def maa_key_set(self) -> bytes:
        """The key set of Microsoft's attestation service (JWKS)."""
        return tokens.key_set(self.maa.jwk())

    @property
    def nvidia(self) -> NvidiaAuthorities:
        """NVIDIA's authorities for GPUs."""
        return NvidiaAuthorities(
            "GH100", tuple(each.key for each in self.gpu_issuers), self.gpu_issuers[-1].der
        )

    @property
    def rim_root(self) -> bytes:
        """The root of the manifests' signer (DER)."""
        return self.rim_issuers[-1].der

    @property
    def roots(self) -> Mapping[str, bytes]:
        """The authorities (DER) by the role that a bundle names them with."""
        return {
            "ark": self.amd.ark,
            "ask": self.amd.ask,
            "nvidia-device": self.nvidia.root,
            "nvidia-rim": self.rim_root,
        }

    def chip(self, name: str, tcb: SimulatedTcb = SimulatedTcb()) -> SimulatedChip:  # noqa: B008  # frozen
        """The chip of that name, which AMD made: its id, and its key at a TCB."""
        tag = self._mac(b"chip", name.encode())
        return self._chip(tag + self._mac(b"chip id", tag), tcb)

    def find_chip(self, chip_id: bytes, tcb: SimulatedTcb) -> SimulatedChip | None:
        """The chip of that id; None for one that this AMD did not make."""
        tag, mac = chip_id[:_HALF], chip_id[_HALF:]
        made = hmac.compare_digest(mac, self._mac(b"chip id", tag))
        return self._chip(chip_id, tcb) if made else None

    def _chip(self, chip_id: bytes, tcb: SimulatedTcb) -> SimulatedChip:
        return SimulatedChip(tcb, chip_id, self._key(b"vcek" + chip_id + tcb.raw))

    def gpu(self, name: str) -> GpuCertificates:
        """The GPU of that name, which NVIDIA made, with its keys."""
        leaf, chip = (self._key(part + name.encode()) for part in (b"gpu leaf ", b"gpu chip "))
        return self.nvidia.device(keys=(leaf, chip))

    def _key(self, purpose: bytes) -> ec.EllipticCurvePrivateKey:
        material = HKDF(hashes.SHA384(), 56, None, purpose).derive(self.seed)
        number = int.from_bytes(material) % (_P384_ORDER - 1) + 1
        return ec.derive_private_key(number, ec.SECP384R1())

    def _mac(self, purpose: bytes, data: bytes) -> bytes:
        return hmac.digest(self.seed, purpose + b"\0" + data, hashlib.sha256)

    def as_text(self) -> str:
        """Keys, certificates and manifests as JSON."""
        document = {
            "schema": _SCHEMA,
            "seed": self.seed.hex(),
            "amd": {
                name: _encode(getattr(self.amd, name), getattr(self.amd, f"{name}_key"))
                for name in _AMD
            },
            "gpu_issuers": [_encode(each.der, each.key) for each in self.gpu_issuers],
            "rim_issuers": [_encode(each.der, each.key) for each in self.rim_issuers],
            "manifests": {name: xml.decode() for name, xml in self.manifests.items()},
            "maa": _as_pem(self.maa.key),
        }
        return json.dumps(document, indent=1) + "\n"


@dataclass(frozen=True, slots=True)
class VendorKeys:
    """What vendors are made with: the seed of chips, and the keys of authorities."""

    seed: bytes
    amd: Sequence[rsa.RSAPrivateKey]
    gpus: Sequence[ec.EllipticCurvePrivateKey]
    rims: Sequence[ec.EllipticCurvePrivateKey]
    maa: rsa.RSAPrivateKey


def make_vendors(keys: VendorKeys | None = None) -> SimulatedVendors:
    """Vendors. keys: else new ones."""
    gpus = nvidia_pki.make_authorities(keys=None if keys is None else keys.gpus)
    signers = rim_pki.make_chain(_UNTIL, None if keys is None else keys.rims)
    chain = signers.ders
    versions = {f"{_DRIVER_RIM}{each}": (each, rim.DRIVER_INDICES) for each in DRIVERS}
    versions[VBIOS_RIM] = (rim.VBIOS, rim.VBIOS_INDICES)
    return SimulatedVendors(
        seed=secrets.token_bytes(32) if keys is None else keys.seed,
        amd=amd.make_authorities(bits=_RSA_BITS, keys=None if keys is None else keys.amd),
        gpu_issuers=tuple(_issuers(gpus.device().ders[nvidia_pki.PROVISIONER :], gpus.keys)),
        rim_issuers=tuple(_issuers(chain[rim_pki.L3 :], signers.keys[rim_pki.L3 :])),
        manifests={
            rim_id: rim.sign_document(_manifest_body(version, indices), signers.key, chain)
            for rim_id, (version, indices) in versions.items()
        },
        maa=tokens.maa_signer() if keys is None else TokenSigner(keys.maa, tokens.MAA_KID),
    )


def load_vendors(text: str) -> SimulatedVendors:
    """The vendors that `as_text` wrote. `ValueError` if the text is anything else."""
    try:
        document = json.loads(text)
        if document["schema"] != _SCHEMA:
            raise ValueError("unknown schema")
        authorities = {name: _decode(pair) for name, pair in document["amd"].items()}
        return SimulatedVendors(
            seed=bytes.fromhex(document["seed"]),
            amd=AmdAuthorities(
                "Genoa",
                *(authorities[name].key for name in _AMD),
                *(authorities[name].der for name in _AMD),
            ),
            gpu_issuers=tuple(map(_decode, document["gpu_issuers"])),
            rim_issuers=tuple(map(_decode, document["rim_issuers"])),
            manifests={name: xml.encode() for name, xml in document["manifests"].items()},
            maa=TokenSigner(_load_key(document["maa"]), tokens.MAA_KID),
        )
    except (KeyError, TypeError, AttributeError) as err:
        raise ValueError("not a document of simulated vendors") from err


def _issuers(ders: Sequence[bytes], keys: Sequence[pki.PrivateKey]) -> Iterator[Issuer]:
    return (
        Issuer(x509.load_der_x509_certificate(der), key)
        for der, key in zip(ders, keys, strict=True)
    )


def _manifest_body(version: str, indices: Sequence[int]) -> str:
    return rim.rim_template(version, {index: (spdm.measurement(index),) for index in indices}).body


def _encode(der: bytes, key: pki.PrivateKey) -> Sequence[str]:
    return b64encode(der).decode(), _as_pem(key)


def _as_pem(key: pki.PrivateKey) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def _decode(pair: Sequence[str]) -> Issuer:
    der, key = pair
    certificate = x509.load_der_x509_certificate(b64decode(der, validate=True))
    return Issuer(certificate, _load_key(key))


def _load_key(pem: str) -> Any:
    # The keys are our own: to check each RSA key would take 70 ms.
    return load_pem_private_key(pem.encode(), None, unsafe_skip_rsa_key_validation=True)
