"""The parser of VEK certificates: VCEK (one chip's key) and VLEK (one cloud's key).

`chain` verifies them. AMD's extensions must be in strict DER and of the specified size; critical
extensions are refused, since AMD writes none.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_der_public_key

from ccgpu.attest import certificates
from ccgpu.attest.check import Malformed, Rule
from ccgpu.attest.snp import certificate, der
from ccgpu.attest.snp.certificate import READABLE, VekCertificate
from ccgpu.attest.snp.tcb import Tcb

_KDS = "AMD VCEK specification (57230), 3.1"

SUBJECT = Rule("snp.vek.subject", "the certificate is one of a VCEK or of a VLEK", _KDS)
KEY = Rule("snp.vek.key", "the key is of the curve P-384", _KDS)
EXTENSION = Rule("snp.vek.extension", "AMD's extensions are there, each as AMD writes it", _KDS)

# VCEK specification (57230), table of X.509 extensions: object identifiers under AMD's 3704.
AMD = "1.3.6.1.4.1.3704.1"
PRODUCT_NAME, HWID = f"{AMD}.2", f"{AMD}.4"
BOOTLOADER, TEE, SNP, MICROCODE = f"{AMD}.3.1", f"{AMD}.3.2", f"{AMD}.3.3", f"{AMD}.3.8"
RESERVED_SVNS = (f"{AMD}.3.4", f"{AMD}.3.5", f"{AMD}.3.6", f"{AMD}.3.7")
FMC = f"{AMD}.3.9"

_KINDS = {"SEV-VCEK": "VCEK", "SEV-VLEK": "VLEK"}
_TURIN = "Turin"
_HWID_SIZE, _TURIN_HWID_SIZE = 64, 8

Reader = Callable[[bytes], VekCertificate]
READERS: Sequence[Reader] = (certificate.read, der.read)


@dataclass(frozen=True, slots=True)
class Vek:
    """A VCEK or VLEK: the key that signs reports of one TCB.

    `hwid`: the chip's id, 64 bytes (Turin: 8); None for a VLEK. `reserved_svns`: must be zero.
    """

    kind: str
    product: str
    tcb: Tcb
    reserved_svns: tuple[int, ...]
    hwid: bytes | None
    key: ec.EllipticCurvePublicKey
    certificate: VekCertificate


@lru_cache(maxsize=128)
def parse(data: bytes, readers: Sequence[Reader] = READERS) -> Vek:
    """Parse a VEK certificate (DER or PEM) with the first reader that accepts it.

    Raises:
        Malformed: No reader accepts it, or an extension is missing or wrong.
    """
    certificate_read = _read(certificates.read_der(data, READABLE), readers)
    kind = _kind(certificate_read)
    extensions = _extensions(certificate_read)
    product = _product(extensions)
    return Vek(
        kind=kind,
        product=product,
        tcb=_tcb(extensions, product),
        reserved_svns=tuple(_svn(extensions, oid) for oid in RESERVED_SVNS if oid in extensions),
        hwid=_hwid(extensions, product) if kind == "VCEK" else None,
        key=_key(certificate_read),
        certificate=certificate_read,
    )


def _read(data: bytes, readers: Sequence[Reader]) -> VekCertificate:
    refusals = []
    for reader in readers:
        try:
            return reader(data)
        except Malformed as malformed:
            refusals.append(malformed)
    raise refusals[0]


def _kind(vek_certificate: VekCertificate) -> str:
    name = vek_certificate.subject.partition(",")[0].removeprefix("CN=")
    if name not in _KINDS:
        raise Malformed(SUBJECT, _KINDS, vek_certificate.subject)
    return _KINDS[name]


def _key(vek_certificate: VekCertificate) -> ec.EllipticCurvePublicKey:
    try:
        key = load_der_public_key(vek_certificate.spki)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise Malformed(KEY, "EC P-384", str(error)[:100]) from error
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP384R1):
        raise Malformed(KEY, "EC P-384", "another key")
    return key


def _extensions(vek_certificate: VekCertificate) -> Mapping[str, bytes]:
    critical = [each.oid for each in vek_certificate.extensions if each.critical]
    if critical:
        raise Malformed(EXTENSION, "no critical extension", critical)
    return {each.oid: each.value for each in vek_certificate.extensions}


def _extension(extensions: Mapping[str, bytes], oid: str) -> bytes:
    if oid not in extensions:
        raise Malformed(EXTENSION, f"extension {oid}", None)
    return extensions[oid]


def _product(extensions: Mapping[str, bytes]) -> str:
    """The product name without the stepping, which only Milan's has ("Milan-B0")."""
    content = _content(_extension(extensions, PRODUCT_NAME), der.IA5, PRODUCT_NAME)
    name = content.decode("latin-1").partition("-")[0]
    if not (name.isascii() and name.isalpha()):
        raise Malformed(EXTENSION, "a product name", content)
    return name


def _tcb(extensions: Mapping[str, bytes], product: str) -> Tcb:
    return Tcb(
        bootloader=_svn(extensions, BOOTLOADER),
        tee=_svn(extensions, TEE),
        snp=_svn(extensions, SNP),
        microcode=_svn(extensions, MICROCODE),
        fmc=_svn(extensions, FMC) if product == _TURIN or FMC in extensions else None,
    )


def _svn(extensions: Mapping[str, bytes], oid: str) -> int:
    value = _extension(extensions, oid)
    try:
        number = der.integer(_content(value, der.INTEGER, oid))
    except Malformed as malformed:
        raise Malformed(EXTENSION, f"{oid}: {malformed.expected}", value) from malformed
    if number > 0xFF:
        raise Malformed(EXTENSION, f"{oid}: 0 to 255", number)
    return number


def _hwid(extensions: Mapping[str, bytes], product: str) -> bytes:
    """The chip's id: bare, as AMD writes it, or in an OCTET STRING, as some tools do."""
    value = _extension(extensions, HWID)
    size = _TURIN_HWID_SIZE if product == _TURIN else _HWID_SIZE
    if len(value) != size:
        value = _content(value, der.OCTETS, HWID)
    if len(value) != size:
        raise Malformed(EXTENSION, f"{HWID}: {size} bytes", f"{len(value)} bytes")
    return value


def _content(value: bytes, tag: int, oid: str) -> bytes:
    cursor = der.Cursor(value)
    try:
        content = cursor.content(tag)
        cursor.end()
    except Malformed as malformed:
        raise Malformed(EXTENSION, f"{oid}: {malformed.expected}", value) from malformed
    return content
