"""AMD's certificates of chips (VCEK) and revocation lists.

A VCEK is of one chip at one TCB and never changes. It comes from the answer of Azure's certificate
service (THIM) that lies beside the evidence, else from AMD's Key Distribution Service, which soon
says 429: what came once is kept for good, so a mix-up must not get in.
"""

import base64
import binascii
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from cryptography import x509

from ccgpu.collateral.sources import Sources
from ccgpu.collateral.want import Found, Piece, Want, until
from ccgpu.errors import EvidenceUnavailable
from ccgpu.net.fetch import Ask, NoAnswer
from ccgpu.store.evidence.pem import UNREADABLE

VCEK_LIMIT = 16 * 1024  # a real one has 1.4 KB
CRL_LIMIT = 1024 * 1024
THIM_LIMIT = 64 * 1024  # a real answer has 8 KB
# What the two have in common: 64 bytes of chip id, and these four parts of the TCB.
PRODUCTS = ("Genoa", "Milan")
_CHIP_BYTES = 64
# AMD "VCEK Certificate and KDS Interface Specification" (57230), table 8: the extensions of a VCEK.
_AMD = bytes.fromhex("2b060104019c7801")  # 1.3.6.1.4.1.3704.1
_PARTS = {"bootloader": 1, "tee": 2, "snp": 3, "microcode": 8}
_PEM = re.compile(r"-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----")


@dataclass(frozen=True, slots=True)
class Chip:
    """Which VCEK: of a chip at its reported TCB."""

    product: str
    chip_id: bytes
    bootloader: int
    tee: int
    snp: int
    microcode: int

    def __post_init__(self) -> None:
        """`EvidenceUnavailable` for what AMD has no certificates of by this address."""
        tcb = (self.bootloader, self.tee, self.snp, self.microcode)
        known = self.product in PRODUCTS and len(self.chip_id) == _CHIP_BYTES
        if not known or not all(0 <= part <= 255 for part in tcb):
            raise EvidenceUnavailable(
                f"AMD's certificate of a chip {self.product[:20]!a} with a chip id of "
                f"{len(self.chip_id)} bytes cannot be requested"
            )
        if not any(self.chip_id):
            raise EvidenceUnavailable(
                "the report does not say which chip it is of (MASK_CHIP_ID)",
                hint="give the certificate from the VM's host: `--collateral DIR`",
            )

    @property
    def name(self) -> str:
        """Its path in a folder of collateral."""
        tcb = f"{self.bootloader:02x}{self.tee:02x}{self.snp:02x}{self.microcode:02x}"
        return f"amd/vcek-{self.product}-{self.chip_id.hex()}-{tcb}.der"


def vcek(chip: Chip, sources: Sources) -> Want:
    """The certificate of a chip, from AMD. The numbers have two decimal digits or more (57230)."""
    url = (
        f"{sources.kds}/vcek/v1/{chip.product}/{chip.chip_id.hex()}"
        f"?blSPL={chip.bootloader:02}&teeSPL={chip.tee:02}"
        f"&snpSPL={chip.snp:02}&ucodeSPL={chip.microcode:02}"
    )
    ask = Ask(url, VCEK_LIMIT, "application/octet-stream, */*;q=0.5")
    what = f"AMD's certificate of the {chip.product} chip {chip.chip_id.hex()[:16]}…"
    return Want(chip.name, what, VCEK_LIMIT, (ask,), partial(_read_vcek, chip))


def crl(product: str, sources: Sources) -> Want:
    """The revocation list of a product, signed by its ARK."""
    if product not in PRODUCTS:
        raise EvidenceUnavailable(f"AMD's revocation list of {product[:20]!a} is not known")
    url = f"{sources.kds}/vcek/v1/{product}/crl"
    ask = Ask(url, CRL_LIMIT, "application/pkix-crl, */*;q=0.5")
    what = f"AMD's revocation list of {product}"
    return Want(f"amd/crl-{product}.der", what, CRL_LIMIT, (ask,), _read_crl)


def from_thim(answer: bytes, chip: Chip, now: float) -> Piece | None:
    """The certificate of `chip` in the answer of Azure's service; None if it is not in there.

    The answer was taken out of the VM with the evidence, by whoever collected it: it may be
    anything.
    """
    if len(answer) > THIM_LIMIT:
        return None
    try:
        pem = _PEM.fullmatch(json.loads(answer)["vcekCert"].strip())
        der = base64.b64decode(pem[1]) if pem else b""
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, binascii.Error):
        return None
    if not _is_of(der, chip):
        return None
    return Piece(chip.name, der, "Azure's certificate service, as in the evidence", now)


def from_evidence(veks: Sequence[bytes], chip: Chip, now: float) -> Piece | None:
    """The certificate of `chip` among those (DER) that came with the evidence, if it is one."""
    der = next((each for each in veks if _is_of(each, chip)), None)
    return None if der is None else Piece(chip.name, der, "the evidence", now)


def _read_vcek(chip: Chip, body: bytes, _: float) -> Found:
    if not _is_of(body, chip):
        raise NoAnswer("the answer is no certificate of this chip at this TCB")
    return Found(body)


def _is_of(der: bytes, chip: Chip) -> bool:
    """Whether it is one DER SEQUENCE that names the chip and its TCB. No proof of anything."""
    whole = der[:2] == b"\x30\x82" and int.from_bytes(der[2:4]) == len(der) - 4
    hwid = b"\x06\x09" + _AMD + b"\x04"
    named = any(hwid + head + chip.chip_id in der for head in (b"\x04\x40", b"\x04\x42\x04\x40"))
    return (
        whole
        and named
        and all(_spl(number, getattr(chip, part)) in der for part, number in _PARTS.items())
    )


def _spl(number: int, value: int) -> bytes:
    """A part of the TCB as its extension has it: a DER INTEGER in an OCTET STRING."""
    integer = value.to_bytes(1 if value < 0x80 else 2)
    inner = b"\x02" + bytes([len(integer)]) + integer
    return b"\x06\x0a" + _AMD + b"\x03" + bytes([number]) + b"\x04" + bytes([len(inner)]) + inner


def _read_crl(body: bytes, now: float) -> Found:
    try:
        found = x509.load_der_x509_crl(body)
        next_update = found.next_update_utc
    except UNREADABLE as err:
        raise NoAnswer("the answer is no revocation list") from err
    return until(body, now, next_update)
