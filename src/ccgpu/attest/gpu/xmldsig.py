"""XML signatures in the one form that NVIDIA uses: one algorithm, one reference, one place.

The signature is removed from the document, and the rest is returned in canonical form: these bytes
are all that a caller gets, so that nothing unsigned can be read.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes

from ccgpu.attest.check import Checks, Malformed, Rule
from ccgpu.attest.gpu import rim_xml, signatures
from ccgpu.attest.gpu.rim_xml import Element
from ccgpu.domain import canonical_base64

_DSIG = "W3C XML Signature 1.1"
_ALGORITHMS = f"{_DSIG}, 6; RFC 6931, 2; NVIDIA's manifests"

ABSENT = Rule("rim.signature.absent", "the manifest is signed", _DSIG)
PLACE = Rule(
    "rim.signature.place", "one signature stands at the end of the manifest", f"{_DSIG}, 6.6.4"
)
FORM = Rule("rim.signature.form", "the signature has the parts that it must have", f"{_DSIG}, 4")
CANONICALIZATION = Rule(
    "rim.signature.canonicalization", "it is over Canonical XML 1.1", _ALGORITHMS
)
METHOD = Rule("rim.signature.method", "it says ECDSA with SHA-384", _ALGORITHMS)
REFERENCE = Rule(
    "rim.signature.reference", "it covers the whole manifest and nothing else", f"{_DSIG}, 4.4.3"
)
TRANSFORMS = Rule(
    "rim.signature.transforms", "only the signature is left out of what it covers", _ALGORITHMS
)
DIGEST_METHOD = Rule("rim.signature.digest-method", "the digest is SHA-384", _ALGORITHMS)
DIGEST_FORM = Rule("rim.signature.digest-form", "the digest is 48 bytes, in base64", _DSIG)
VALUE_FORM = Rule(
    "rim.signature.value-form", "the signature is r and s: 96 bytes, in base64", f"{_DSIG}, 6.4.3"
)
CERTIFICATES = Rule("rim.signature.certificates", "it brings its certificates along", _DSIG)
DIGEST = Rule("rim.signature.digest", "the manifest is the one that was signed", f"{_DSIG}, 3.2.1")
SIGNED = Rule("rim.signature", "it is signed by the key of its signer", f"{_DSIG}, 3.2.2")

_DS = "{http://www.w3.org/2000/09/xmldsig#}"
_C14N = "http://www.w3.org/2006/12/xml-c14n11"
_ENVELOPED = "http://www.w3.org/2000/09/xmldsig#enveloped-signature"
_ECDSA_SHA384 = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha384"
_SHA384 = "http://www.w3.org/2001/04/xmldsig-more#sha384"

_DIGEST_SIZE, _NUMBER_SIZE = 48, 48
_WHITESPACE = str.maketrans("", "", " \t\r\n")  # XML Schema 2, 3.2.16: base64Binary
_MAX_CERTIFICATES = 8  # that are read at all, to say how many there are


@dataclass(frozen=True, slots=True)
class XmlSignature:
    """A signature and what it covers.

    `content`: the document without the signature, canonical. `digest`: DigestValue (SHA-384, 48
    bytes). `info`: SignedInfo, canonical. `value`: r and s over it. `certificates`: DER, in order.
    """

    content: bytes
    digest: bytes
    info: bytes
    value: tuple[int, int]
    certificates: tuple[bytes, ...]


def parse(root: Element) -> XmlSignature:
    """Parse the signature of a document and remove it from `root`, or raise `Malformed`."""
    signature = _find_signature(root)
    info, value, key_info = _parts(signature, ("SignedInfo", "SignatureValue", "KeyInfo"), FORM)
    digest = _digest(info)
    number = _decode_base64(value, 2 * _NUMBER_SIZE, VALUE_FORM)
    certificates = _certificates(key_info)
    signed = rim_xml.canonical(info)
    root.remove(signature)
    return XmlSignature(
        content=rim_xml.canonical(root),
        digest=digest,
        info=signed,
        value=(
            int.from_bytes(number[:_NUMBER_SIZE], "big"),
            int.from_bytes(number[_NUMBER_SIZE:], "big"),
        ),
        certificates=certificates,
    )


def verify(signature: XmlSignature, key: PublicKeyTypes, signer: str, checks: Checks) -> None:
    """Check digest and signature with this key; `signer`: its name in checks."""
    checks.record_equal(DIGEST, signature.digest, hashlib.sha384(signature.content).digest())
    signed = signatures.is_signed_by(key, signature.value, signature.info)
    checks.record(SIGNED, signed, signer, signer if signed else "another key, or other bytes")


def _find_signature(root: Element) -> Element:
    signatures_found = list(root.iter(f"{_DS}Signature"))
    if not signatures_found:
        raise Malformed(ABSENT, "a signature", None)
    last = root[-1] if len(root) else None
    if signatures_found[0] is not last or last.tail:  # one inside another is refused with the parts
        raise Malformed(
            PLACE, "one, the last of the root's elements", f"{len(signatures_found)} in all"
        )
    return signatures_found[0]


def _digest(info: Element) -> bytes:
    """DigestValue, after checking that all algorithms and transforms are the expected ones."""
    names = ("CanonicalizationMethod", "SignatureMethod", "Reference")
    canonicalization, method, reference = _parts(info, names, REFERENCE)
    _algorithm(canonicalization, _C14N, CANONICALIZATION)
    _algorithm(method, _ECDSA_SHA384, METHOD)
    inner = ("Transforms", "DigestMethod", "DigestValue")
    transforms, digest_method, value = _parts(reference, inner, REFERENCE, {"URI": ""})
    enveloped, again = _parts(transforms, ("Transform", "Transform"), TRANSFORMS)
    _algorithm(enveloped, _ENVELOPED, TRANSFORMS)
    _algorithm(again, _C14N, TRANSFORMS)
    _algorithm(digest_method, _SHA384, DIGEST_METHOD)
    return _decode_base64(value, _DIGEST_SIZE, DIGEST_FORM)


def _certificates(key_info: Element) -> tuple[bytes, ...]:
    (data,) = _parts(key_info, ("X509Data",), CERTIFICATES)
    if not 1 <= len(data) <= _MAX_CERTIFICATES:
        raise Malformed(CERTIFICATES, f"1 to {_MAX_CERTIFICATES}", len(data))
    every = _parts(data, ("X509Certificate",) * len(data), CERTIFICATES)
    return tuple(_decode_base64(each, None, CERTIFICATES) for each in every)


def _parts(
    element: Element, names: Sequence[str], rule: Rule, attributes: Mapping[str, str] | None = None
) -> Sequence[Element]:
    """The children, which must have exactly these names, and the element these attributes."""
    children = list(element)
    tags = [_local(child) for child in children]
    if tags != list(names):
        raise Malformed(rule, list(names), tags)
    expected, actual = dict(attributes or {}), dict(element.items())
    if actual != expected:
        raise Malformed(rule, list(expected.values()), list(actual.values()))
    return children


def _algorithm(element: Element, algorithm: str, rule: Rule) -> None:
    _parts(element, (), rule, {"Algorithm": algorithm})


def _decode_base64(element: Element, size: int | None, rule: Rule) -> bytes:
    """Decode an element that holds base64 and nothing else; `size`: in bytes, if fixed."""
    _parts(element, (), rule)
    text = (element.text or "").translate(_WHITESPACE)
    try:
        decoded = canonical_base64.decode(text)
    except ValueError as error:
        raise Malformed(rule, "base64", f"it {error}") from error
    if size is not None and len(decoded) != size:
        raise Malformed(rule, f"{size} bytes", f"{len(decoded)} bytes")
    return decoded


def _local(element: Element) -> str:
    """The name without the namespace of XML signatures; any other namespace stays."""
    return str(element.tag).removeprefix(_DS)
