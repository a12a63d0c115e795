"""AMD's chip certificates (VCEK) and certificate revocation lists.

A VCEK belongs to one chip at one TCB and never changes. It is taken from the response of Azure's
certificate service (THIM) in the evidence, else from AMD's Key Distribution Service. AMD's service
soon throttles (429), so a VCEK is cached forever, and a wrong one must not enter the cache.
"""

import base64
import binascii
import json
import re
from collections.abc import Sequence
from functools import partial

from cryptography import x509

from ccgpu.collateral.item import CollateralItem, Payload, payload_until
from ccgpu.collateral.sources import Sources
from ccgpu.domain.collateral import PRODUCTS, Chip, CollateralFile
from ccgpu.errors import EvidenceUnavailable
from ccgpu.net.fetch import HttpRequestSpec, NoAnswer
from ccgpu.store.evidence.pem import UNREADABLE

VCEK_LIMIT = 16 * 1024  # real certificates have 1.4 KB
CRL_LIMIT = 1024 * 1024
THIM_LIMIT = 64 * 1024  # real responses have 8 KB
# AMD "VCEK Certificate and KDS Interface Specification" (57230), table 8: the extensions of a VCEK.
_AMD = bytes.fromhex("2b060104019c7801")  # 1.3.6.1.4.1.3704.1
_PARTS = {"bootloader": 1, "tee": 2, "snp": 3, "microcode": 8}
_PEM = re.compile(r"-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----")


def vcek_item(chip: Chip, sources: Sources) -> CollateralItem:
    """The VCEK of a chip, from AMD. The URL's SPLs have at least two decimal digits (57230)."""
    url = (
        f"{sources.kds}/vcek/v1/{chip.product}/{chip.chip_id.hex()}"
        f"?blSPL={chip.bootloader:02}&teeSPL={chip.tee:02}"
        f"&snpSPL={chip.snp:02}&ucodeSPL={chip.microcode:02}"
    )
    request = HttpRequestSpec(url, VCEK_LIMIT, "application/octet-stream, */*;q=0.5")
    what = f"AMD's certificate of the {chip.product} chip {chip.chip_id.hex()[:16]}…"
    return CollateralItem(chip.name, what, VCEK_LIMIT, (request,), partial(_parse_vcek, chip))


def crl_item(product: str, sources: Sources) -> CollateralItem:
    """The certificate revocation list of a product, signed by its ARK."""
    if product not in PRODUCTS:
        raise EvidenceUnavailable(f"AMD's revocation list of {product[:20]!a} is not known")
    url = f"{sources.kds}/vcek/v1/{product}/crl"
    request = HttpRequestSpec(url, CRL_LIMIT, "application/pkix-crl, */*;q=0.5")
    what = f"AMD's revocation list of {product}"
    return CollateralItem(f"amd/crl-{product}.der", what, CRL_LIMIT, (request,), _parse_crl)


def vcek_from_thim(answer: bytes, chip: Chip, now: float) -> CollateralFile | None:
    """The VCEK of `chip` in a THIM response; None if it does not contain it.

    The response is part of the evidence, so it is not trusted and may contain anything.
    """
    if len(answer) > THIM_LIMIT:
        return None
    try:
        pem = _PEM.fullmatch(json.loads(answer)["vcekCert"].strip())
        der = base64.b64decode(pem[1]) if pem else b""
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, binascii.Error):
        return None
    if not _names_chip(der, chip):
        return None
    return CollateralFile(chip.name, der, "Azure's certificate service, as in the evidence", now)


def vcek_from_evidence(veks: Sequence[bytes], chip: Chip, now: float) -> CollateralFile | None:
    """The VCEK of `chip` among the evidence's DER certificates; None if it is not among them."""
    der = next((each for each in veks if _names_chip(each, chip)), None)
    return None if der is None else CollateralFile(chip.name, der, "the evidence", now)


def _parse_vcek(chip: Chip, body: bytes, _: float) -> Payload:
    if not _names_chip(body, chip):
        raise NoAnswer("the answer is no certificate of this chip at this TCB")
    return Payload(body)


def _names_chip(der: bytes, chip: Chip) -> bool:
    """Whether it is one DER SEQUENCE that contains the chip's id and its TCB; verifies nothing."""
    whole = der[:2] == b"\x30\x82" and int.from_bytes(der[2:4]) == len(der) - 4
    hwid = b"\x06\x09" + _AMD + b"\x04"
    named = any(hwid + head + chip.chip_id in der for head in (b"\x04\x40", b"\x04\x42\x04\x40"))
    return (
        whole
        and named
        and all(_spl(number, getattr(chip, part)) in der for part, number in _PARTS.items())
    )


def _spl(number: int, value: int) -> bytes:
    """The VCEK extension of one SPL of the TCB: a DER INTEGER in an OCTET STRING."""
    integer = value.to_bytes(1 if value < 0x80 else 2)
    inner = b"\x02" + bytes([len(integer)]) + integer
    return b"\x06\x0a" + _AMD + b"\x03" + bytes([number]) + b"\x04" + bytes([len(inner)]) + inner


def _parse_crl(body: bytes, now: float) -> Payload:
    try:
        crl = x509.load_der_x509_crl(body)
        next_update = crl.next_update_utc
    except UNREADABLE as err:
        raise NoAnswer("the answer is no revocation list") from err
    return payload_until(body, now, next_update)
