"""NVIDIA's reference integrity manifests (RIM): golden measurements of one driver or VBIOS.

Steps: 1 parse the XML, its signature, and what that covers · 2 the signer's certificates · 3 the
signature · 4 that it is the expected kind of manifest. The caller must still check revocation
(`ocsp`) and compare the values (`measurements`); `manifests` selects one of several.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from itertools import pairwise

from cryptography import x509

from ccgpu.attest import certificates
from ccgpu.attest.check import Checks, Outcome, Rule
from ccgpu.attest.gpu import rim_chain, rim_payload, rim_xml, usage, xmldsig
from ccgpu.attest.gpu.rim_payload import Kind
from ccgpu.attest.gpu.xmldsig import XmlSignature
from ccgpu.attest.roots import Anchor

_NVIDIA = "NVIDIA RIM service; NVIDIA's manifests"

CERTIFICATE = Rule("rim.certificate", "its certificates can be read", "RFC 5280, 4.1")
KIND = Rule("rim.kind", "the manifest is of what was asked for: driver or VBIOS", _NVIDIA)
MANUFACTURER = Rule(
    "rim.manufacturer", "it is of NVIDIA's firmware", "IANA Private Enterprise Numbers: 5703"
)

NVIDIA = "5703"


@dataclass(frozen=True, slots=True)
class Manifest:
    """Golden values of one `version` of a driver or VBIOS, for one `product` ("GH100").

    `golden`: the accepted values (SHA-384, 48 bytes) of each active RIM index. `certificates`: in
    the order of the manifest, the signer's first.
    """

    kind: Kind
    version: str
    product: str
    manufacturer: str
    golden: Mapping[int, tuple[bytes, ...]]
    certificates: tuple[x509.Certificate, ...]

    @property
    def name(self) -> str:
        """The manifest, as checks name it."""
        return f"the {self.kind} manifest {self.version}"

    @property
    def issued(self) -> tuple[tuple[x509.Certificate, x509.Certificate], ...]:
        """Certificate and issuer, of those that NVIDIA's OCSP service knows: all but the root."""
        return tuple(pairwise(self.certificates))


@lru_cache(maxsize=32)  # every machine with this driver brings the same ones
def parse(xml: bytes) -> tuple[Manifest, XmlSignature]:
    """Parse a manifest from the bytes that its signature covers, or raise `Malformed`."""
    signature = xmldsig.parse(rim_xml.read(xml))
    payload = rim_payload.parse(signature.content)
    manifest = Manifest(
        kind=payload.kind,
        version=payload.version,
        product=payload.product,
        manufacturer=payload.manufacturer,
        golden=payload.golden,
        certificates=tuple(certificates.load(each, CERTIFICATE) for each in signature.certificates),
    )
    return manifest, signature


def verify(
    xml: bytes, root: Anchor, at: datetime, checks: Checks, kind: Kind | None = None
) -> Outcome[Manifest] | None:
    """Verify a manifest (XML) up to NVIDIA's root at a time; None if it is unreadable."""
    since = checks.checkpoint()
    parsed = checks.parse(rim_xml.WELL_FORMED, parse, xml, "a signed manifest")  # 1
    if parsed is None:
        return None
    manifest, signature = parsed
    rim_chain.verify(manifest.certificates, root, at, manifest.name, checks)  # 2
    signer = manifest.certificates[0]
    xmldsig.verify(signature, certificates.public_key(signer), usage.describe(signer), checks)  # 3
    if kind is not None:  # 4
        checks.record_equal(KIND, kind, manifest.kind)
    checks.record_equal(MANUFACTURER, NVIDIA, manifest.manufacturer)
    return checks.conclude(manifest, since)
