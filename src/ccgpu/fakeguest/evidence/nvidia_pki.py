"""A simulated NVIDIA: a GPU's five certificates and their keys. NVIDIA issued none of it.

Names, serial numbers and extensions follow NVIDIA's certificates for GH100.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from ccgpu.attest.gpu import layout
from ccgpu.fakeguest.evidence import pki
from ccgpu.fakeguest.evidence.pki import (
    ECDSA_SHA384,
    CertificateTemplate,
    ChainTemplate,
    X509Extension,
)

LEAF, CHIP, PROVISIONER, IDENTITY, ROOT = range(5)

BASIC_CONSTRAINTS, KEY_USAGE = "2.5.29.19", "2.5.29.15"
SIGNS_DATA, SIGNS_CERTIFICATES = "digital_signature", "key_cert_sign"

_CHIP_START, _START = datetime(2020, 10, 17, tzinfo=UTC), datetime(2022, 1, 12, tzinfo=UTC)
_END = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
OWNER = (NameOID.ORGANIZATION_NAME, "NVIDIA Corporation")
_USAGES = (
    *("digital_signature", "content_commitment", "key_encipherment", "data_encipherment"),
    *("key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only"),
)


@dataclass(frozen=True)
class GpuCertificates(ChainTemplate):
    """The certificate chain of one GPU, LEAF to ROOT. The leaf's key signs reports.

    `fwid` is the firmware digest that the leaf certifies.
    """

    fwid: bytes

    @property
    def pem(self) -> bytes:
        """The chain as the driver returns it."""
        return b"".join(pki.pem(der) for der in self.ders)


@dataclass(frozen=True, slots=True)
class NvidiaAuthorities:
    """NVIDIA's three authorities for the GPUs of one chip.

    `keys`: provisioner, identity and root. `root`: the root's certificate (DER).
    """

    chip: str
    keys: Sequence[ec.EllipticCurvePrivateKey]
    root: bytes

    def device(
        self,
        fwid: bytes = b"\xf1" * 48,
        keys: Sequence[ec.EllipticCurvePrivateKey] | None = None,
    ) -> GpuCertificates:
        """The certificates of a GPU with this firmware digest. keys: leaf and chip, else new."""
        own = [new_key() for _ in (LEAF, CHIP)] if keys is None else keys
        keys = (*own, *self.keys)
        return GpuCertificates(
            keys=keys,
            certificates=(
                _leaf_template(self.chip, keys, fwid),
                _chip_template(self.chip, keys),
                *_authority_templates(self.chip, self.keys),
            ),
            signers=(*keys[1:], keys[ROOT]),
            root=self.root,
            fwid=fwid,
        )


def make_authorities(
    chip: str = "GH100", keys: Sequence[ec.EllipticCurvePrivateKey] | None = None
) -> NvidiaAuthorities:
    """Authorities. keys: of PROVISIONER, IDENTITY and ROOT, else new ones."""
    keys = tuple(new_key() for _ in (PROVISIONER, IDENTITY, ROOT)) if keys is None else keys
    *_, root = _authority_templates(chip, keys)
    return NvidiaAuthorities(chip, keys, root.signed_by(keys[-1]))


def new_key() -> ec.EllipticCurvePrivateKey:
    """A key on NVIDIA's curve."""
    return ec.generate_private_key(ec.SECP384R1())


def basic_constraints(*, ca: bool, path_length: int | None = None) -> X509Extension:
    """The basic constraints of an authority, or of a leaf."""
    value = x509.BasicConstraints(ca=ca, path_length=path_length).public_bytes()
    return X509Extension(BASIC_CONSTRAINTS, value, critical=True)


def key_usage(*purposes: str) -> X509Extension:
    """The key usage, by the names of RFC 5280 (4.2.1.3) with underscores."""
    flags = {name: name in purposes for name in _USAGES}
    return X509Extension(KEY_USAGE, x509.KeyUsage(**flags).public_bytes(), critical=True)


def composite_device_id(device_key: bytes, fwid: bytes) -> X509Extension:
    """The leaf's firmware digest. `device_key`: the chip's public point, uncompressed."""
    parts = {**layout.FWID_CONSTANTS, "device_key": device_key[1:], "fwid": fwid}
    value = b"".join(parts[name] for name in layout.FWID_EXTENSION)
    return X509Extension(layout.FWID_OID, value)


def nvidia_name(common_name: str, *more: tuple[x509.ObjectIdentifier, str]) -> x509.Name:
    """A name with these attributes before the common name."""
    parts = (*more, (NameOID.COMMON_NAME, common_name))
    return x509.Name([x509.NameAttribute(oid, value) for oid, value in parts])


def _leaf_template(
    chip: str, keys: Sequence[ec.EllipticCurvePrivateKey], fwid: bytes
) -> CertificateTemplate:
    return CertificateTemplate(
        subject=_name_with_serial(f"{chip} A01 GSP FMC LF", _serial_number(keys[LEAF], 20)),
        issuer=_name_with_serial(f"{chip} A01 GSP BROM", _serial_number(keys[CHIP], 9)),
        key=pki.public_key_info(keys[LEAF]),
        not_before=_CHIP_START,
        not_after=_END,
        extensions=(key_usage(SIGNS_DATA), composite_device_id(_public_point(keys[CHIP]), fwid)),
        serial=_serial_number(keys[LEAF], 20),
        algorithm=ECDSA_SHA384,
    )


def _chip_template(chip: str, keys: Sequence[ec.EllipticCurvePrivateKey]) -> CertificateTemplate:
    serial = _serial_number(keys[CHIP], 9)
    issuer = f"NVIDIA {chip} Provisioner ICA 1"
    return CertificateTemplate(
        subject=_name_with_serial(f"{chip} A01 GSP BROM", serial),
        issuer=nvidia_name(issuer, OWNER),
        key=pki.public_key_info(keys[CHIP]),
        not_before=_CHIP_START,
        not_after=_END,
        extensions=(basic_constraints(ca=True), key_usage(SIGNS_CERTIFICATES)),
        serial=serial,
        algorithm=ECDSA_SHA384,
    )


def _authority_templates(
    chip: str, keys: Sequence[ec.EllipticCurvePrivateKey]
) -> tuple[CertificateTemplate, ...]:
    names = (
        nvidia_name(f"NVIDIA {chip} Provisioner ICA 1", OWNER),
        nvidia_name(f"NVIDIA {chip} Identity", OWNER),
        nvidia_name("NVIDIA Device Identity CA", (NameOID.ORGANIZATION_NAME, "NVIDIA")),
    )
    return tuple(
        CertificateTemplate(
            subject=subject,
            issuer=issuer,
            key=pki.public_key_info(key),
            not_before=_START,
            not_after=_END,
            extensions=(basic_constraints(ca=True), key_usage(SIGNS_CERTIFICATES, "crl_sign")),
            serial=_serial_number(key, 16),
            algorithm=ECDSA_SHA384,
        )
        for subject, issuer, key in zip(names, (*names[1:], names[-1]), keys, strict=True)
    )


def _name_with_serial(common_name: str, number: int) -> x509.Name:
    return nvidia_name(
        common_name,
        (NameOID.SERIAL_NUMBER, f"{number:X}"),
        (NameOID.COUNTRY_NAME, "US"),
        OWNER,
    )


def _serial_number(key: ec.EllipticCurvePrivateKey, size: int) -> int:
    """A serial number derived from the key, of that size and positive in DER."""
    digest = hashlib.sha256(_public_point(key)).digest()[:size]
    return int.from_bytes(bytes([digest[0] & 0x3F | 0x40]) + digest[1:], "big")


def _public_point(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
