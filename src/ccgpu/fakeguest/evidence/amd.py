"""A simulated AMD: the authorities of one product, and what they sign. AMD issued none of it.

Names, serial numbers and extensions follow AMD's VCEK specification (57230).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from ccgpu.fakeguest.evidence import pki
from ccgpu.fakeguest.evidence.pki import CertificateTemplate, RevocationListTemplate, X509Extension

ARK_SERIAL, ASK_SERIAL, ASVK_SERIAL = 0x20000, 0x20002, 0x20101

_AMD = "1.3.6.1.4.1.3704.1"
_TURIN = "Turin"
_START, _END = datetime(2022, 1, 26, tzinfo=UTC), datetime(2047, 1, 26, tzinfo=UTC)
_CHIP_START, _CHIP_END = datetime(2025, 1, 24, tzinfo=UTC), datetime(2032, 1, 24, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class SimulatedTcb:
    """Security version numbers. The defaults are those of Azure's Genoa in 2025."""

    bootloader: int = 10
    tee: int = 0
    snp: int = 0x17
    microcode: int = 0x54
    fmc: int | None = None

    @property
    def raw(self) -> bytes:
        """The eight bytes in a report. With an FMC they have Turin's layout."""
        if self.fmc is None:
            return bytes((self.bootloader, self.tee, 0, 0, 0, 0, self.snp, self.microcode))
        return bytes((self.fmc, self.bootloader, self.tee, self.snp, 0, 0, 0, self.microcode))


@dataclass(frozen=True, slots=True)
class SimulatedChip:
    """A processor: its id, and its key at one TCB."""

    tcb: SimulatedTcb = SimulatedTcb()
    hwid: bytes = bytes(range(1, 65))
    key: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP384R1())
    )


@dataclass(frozen=True, slots=True)
class AmdAuthorities:
    """The authorities of one product: their keys and certificates (DER)."""

    product: str
    ark_key: rsa.RSAPrivateKey
    ask_key: rsa.RSAPrivateKey
    asvk_key: rsa.RSAPrivateKey
    ark: bytes
    ask: bytes
    asvk: bytes

    @property
    def chain(self) -> bytes:
        """ASK and ARK in PEM, as AMD's KDS serves them."""
        return pki.pem(self.ask) + pki.pem(self.ark)

    def vcek(self, chip: SimulatedChip) -> CertificateTemplate:
        """The certificate of a chip's key. The ASK signs it."""
        name = "Milan-B0" if self.product == "Milan" else self.product
        return CertificateTemplate(
            subject=amd_name("SEV-VCEK"),
            issuer=amd_name(f"SEV-{self.product}"),
            key=pki.public_key_info(chip.key),
            not_before=_CHIP_START,
            not_after=_CHIP_END,
            extensions=(*_chip_extensions(name, chip.tcb), X509Extension(f"{_AMD}.4", chip.hwid)),
        )

    def vlek(self, chip: SimulatedChip) -> CertificateTemplate:
        """The certificate of a cloud provider's key. The ASVK signs it."""
        return replace(
            self.vcek(chip),
            subject=amd_name("SEV-VLEK"),
            issuer=amd_name(f"SEV-VLEK-{self.product}"),
            extensions=(
                *_chip_extensions(self.product, chip.tcb),
                X509Extension(f"{_AMD}.5", pki.element(pki.IA5, b"CN=simulated")),
            ),
        )

    def crl(self, *revoked: int) -> RevocationListTemplate:
        """The list of revoked serial numbers. The ARK signs it."""
        start, end = datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC)
        return RevocationListTemplate(amd_name(f"ARK-{self.product}"), start, end, revoked)


def make_authorities(
    product: str = "Genoa", *, bits: int = 4096, keys: Sequence[rsa.RSAPrivateKey] | None = None
) -> AmdAuthorities:
    """Authorities. AMD's have keys of 4096 bits, which take seconds to generate.

    keys: of ARK, ASK and ASVK; None for new ones of so many `bits`.
    """
    new = (rsa.generate_private_key(65537, bits) for _ in range(3))
    ark, ask, asvk = new if keys is None else keys
    return AmdAuthorities(
        product=product,
        ark_key=ark,
        ask_key=ask,
        asvk_key=asvk,
        ark=authority_certificate(f"ARK-{product}", ark, f"ARK-{product}", ARK_SERIAL).signed_by(
            ark
        ),
        ask=authority_certificate(f"SEV-{product}", ask, f"ARK-{product}", ASK_SERIAL).signed_by(
            ark
        ),
        asvk=authority_certificate(
            f"SEV-VLEK-{product}", asvk, f"ARK-{product}", ASVK_SERIAL
        ).signed_by(ark),
    )


def authority_certificate(
    name: str, key: pki.PrivateKey, issuer: str, serial: int
) -> CertificateTemplate:
    """The certificate of an authority."""
    constraints = x509.BasicConstraints(ca=True, path_length=None).public_bytes()
    return CertificateTemplate(
        subject=amd_name(name),
        issuer=amd_name(issuer),
        key=pki.public_key_info(key),
        not_before=_START,
        not_after=_END,
        extensions=(X509Extension("2.5.29.19", constraints, critical=True),),
        serial=serial,
    )


def amd_name(common_name: str) -> x509.Name:
    """A name with the attributes of AMD's certificates."""
    parts = (
        (NameOID.ORGANIZATIONAL_UNIT_NAME, "Engineering"),
        (NameOID.COUNTRY_NAME, "US"),
        (NameOID.LOCALITY_NAME, "Santa Clara"),
        (NameOID.STATE_OR_PROVINCE_NAME, "CA"),
        (NameOID.ORGANIZATION_NAME, "Advanced Micro Devices"),
        (NameOID.COMMON_NAME, common_name),
    )
    return x509.Name([x509.NameAttribute(oid, value) for oid, value in parts])


def svn_extension(component: int, value: int) -> X509Extension:
    """A security version number: 1 boot loader, 2 TEE, 3 SNP, 4-7 reserved, 8 microcode, 9 FMC."""
    return X509Extension(f"{_AMD}.3.{component}", pki.integer(value))


def _chip_extensions(product: str, tcb: SimulatedTcb) -> Sequence[X509Extension]:
    return (
        X509Extension(f"{_AMD}.1", pki.integer(0 if tcb.fmc is None else 1)),
        X509Extension(f"{_AMD}.2", pki.element(pki.IA5, product.encode())),
        svn_extension(1, tcb.bootloader),
        svn_extension(2, tcb.tee),
        *(svn_extension(reserved, 0) for reserved in (4, 5, 6, 7)),
        svn_extension(3, tcb.snp),
        svn_extension(8, tcb.microcode),
        *([] if tcb.fmc is None else [svn_extension(9, tcb.fmc)]),
    )
