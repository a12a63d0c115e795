"""Reference integrity manifests in NVIDIA's form, with NVIDIA's kind of signature.

The XML is written as text, so that a test can insert what no XML library would write.
"""

import base64
import hashlib
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from xml.sax.saxutils import quoteattr

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from lxml import etree

from ccgpu.fakeguest.evidence.pki import ChainTemplate

DRIVER, VBIOS = "595.71.05", "96.00.9F.00.04"
# The indices that are active in NVIDIA's manifests for GH100, of 64.
DRIVER_INDICES: Sequence[int] = (7, *range(21, 41))
VBIOS_INDICES: Sequence[int] = (*range(7), *range(8, 13))

SWID = "http://standards.iso.org/iso/19770/-2/2015/schema.xsd"
_DSIG = "http://www.w3.org/2000/09/xmldsig#"
_NONE = bytes(48)


@dataclass(frozen=True, slots=True)
class RimMeasurement:
    """A measurement. `changes` replaces attributes, or removes those that are None."""

    index: int
    hashes: Sequence[bytes] = (_NONE,)
    active: bool = True
    changes: Mapping[str, str | None] = field(default_factory=dict)

    @property
    def xml(self) -> str:
        """The Resource element."""
        attributes: dict[str, str | None] = {
            "type": "Measurement",
            "index": str(self.index),
            "active": str(self.active),
            "alternatives": str(len(self.hashes)),
            **{f"ns2:Hash{at}": value.hex() for at, value in enumerate(self.hashes)},
            "name": f"Measurement_{self.index}",
            "size": "48",
        }
        return f"<ns0:Resource {_xml_attributes({**attributes, **self.changes})}/>"


@dataclass(frozen=True, slots=True)
class RimTemplate:
    """A manifest before it is signed. `beside`: further XML before the Meta element."""

    version: str
    resources: Sequence[RimMeasurement]
    product: str = "GH100"
    manufacturer: str = "5703"
    meta: Mapping[str, str | None] = field(default_factory=dict)
    beside: str = '<ns0:Entity name="NVIDIA Corporation" role="softwareCreator tagCreator"/>'
    attributes: str = 'corpus="false" name="GH100" patch="false" supplemental="false" version="1.0"'

    @property
    def body(self) -> str:
        """The document without a signature."""
        meta: dict[str, str | None] = {
            "colloquialVersion": self.version,
            "edition": "GPU",
            "product": self.product,
            "revision": "r1",
            "PayloadType": "direct",
            "ns1:FirmwareManufacturer": "NVIDIA Corporation",
            "ns1:FirmwareManufacturerId": self.manufacturer,
        }
        resources = "\n".join(each.xml for each in self.resources)
        return (
            f'<SoftwareIdentity xmlns="{SWID}" xmlns:ns0="{SWID}" '
            f'xmlns:ns2="http://www.w3.org/2001/04/xmlenc#sha384" {self.attributes}>\n'
            f"{self.beside}\n"
            '<ns0:Meta xmlns:ns1="https://trustedcomputinggroup.org/resource/'
            'tcg-reference-integrity-manifest-rim-information-model/" '
            f"{_xml_attributes({**meta, **self.meta})}/>\n"
            f"<ns0:Payload>\n{resources}\n</ns0:Payload>\n</SoftwareIdentity>"
        )

    def signed_by(self, chain: ChainTemplate) -> bytes:
        """The manifest, signed, with the signer's certificates."""
        return sign_document(self.body, chain.key, chain.ders)


def rim_template(
    version: str, golden: Mapping[int, Sequence[bytes]], size: int = 64
) -> RimTemplate:
    """The manifest of a version. Indices in `golden` are active, all others are not."""
    every = [
        RimMeasurement(index, golden.get(index, (_NONE,)), active=index in golden)
        for index in range(size)
    ]
    return RimTemplate(version, every)


def sign_document(
    body: str,
    key: ec.EllipticCurvePrivateKey,
    certificates: Sequence[bytes],
    *,
    info: Callable[[str], str] = str,
    signature: Callable[[str], str] = str,
) -> bytes:
    """Sign a document and embed the certificates (DER).

    `info` may change SignedInfo before it is signed, `signature` the whole element afterwards.
    """
    digest = hashlib.sha384(_canonicalise(etree.fromstring(body.encode()))).digest()
    changed = info(_signed_info(digest))
    end = body.rindex("</")
    unsigned = body[:end] + _signature_element(changed, b"", certificates) + body[end:]
    found = etree.fromstring(unsigned.encode()).find(f".//{{{_DSIG}}}SignedInfo")
    value = _raw_signature(key.sign(_canonicalise(found), ec.ECDSA(hashes.SHA384())))
    whole = signature(_signature_element(changed, value, certificates))
    return (body[:end] + whole + body[end:]).encode()


def _signed_info(digest: bytes) -> str:
    c14n = "http://www.w3.org/2006/12/xml-c14n11"
    more = "http://www.w3.org/2001/04/xmldsig-more#"
    return (
        f'<ds:SignedInfo><ds:CanonicalizationMethod Algorithm="{c14n}"/>'
        f'<ds:SignatureMethod Algorithm="{more}ecdsa-sha384"/><ds:Reference URI=""><ds:Transforms>'
        f'<ds:Transform Algorithm="{_DSIG}enveloped-signature"/>'
        f'<ds:Transform Algorithm="{c14n}"/></ds:Transforms>'
        f'<ds:DigestMethod Algorithm="{more}sha384"/>'
        f"<ds:DigestValue>{base64.b64encode(digest).decode()}</ds:DigestValue>"
        "</ds:Reference></ds:SignedInfo>"
    )


def _signature_element(info: str, value: bytes, certificates: Sequence[bytes]) -> str:
    every = "".join(
        f"<ds:X509Certificate>{_wrap_base64(der)}\n</ds:X509Certificate>" for der in certificates
    )
    return (
        f'<ds:Signature xmlns:ds="{_DSIG}">{info}'
        f"<ds:SignatureValue>{base64.b64encode(value).decode()}</ds:SignatureValue>"
        f"<ds:KeyInfo><ds:X509Data>{every}</ds:X509Data></ds:KeyInfo></ds:Signature>"
    )


def _canonicalise(element: etree._Element | None) -> bytes:
    if element is None:
        raise ValueError("there is no SignedInfo left")
    return etree.tostring(element, method="c14n")


def _raw_signature(signature: bytes) -> bytes:
    return b"".join(number.to_bytes(48, "big") for number in decode_dss_signature(signature))


def _wrap_base64(der: bytes) -> str:
    return "\n".join(textwrap.wrap(base64.b64encode(der).decode(), 64))


def _xml_attributes(those: Mapping[str, str | None]) -> str:
    return " ".join(
        f"{name}={quoteattr(value)}" for name, value in those.items() if value is not None
    )
