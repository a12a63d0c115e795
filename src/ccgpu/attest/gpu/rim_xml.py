"""A restricted XML parser for reference manifests: elements, attributes and text only.

DOCTYPE, entities, comments, CDATA, processing instructions and other encodings than UTF-8 are
refused in the bytes, before parsing; so is input that would take long to parse or canonicalise.
"""

import re

from lxml import etree
from lxml.etree import _Element

from ccgpu.attest.check import Malformed, Rule
from ccgpu.domain.evidence import MAX_MANIFEST

_XML = "W3C XML 1.0 (fifth edition)"
_C14N = "W3C Canonical XML 1.1"

Element = _Element

SIZE = Rule("rim.xml.size", "the manifest is not larger than manifests are", _XML)
DOCTYPE = Rule("rim.xml.doctype", "the manifest has no DOCTYPE and declares no entity", _XML)
PLAIN = Rule("rim.xml.plain", "it has no comment, CDATA section or processing instruction", _XML)
WELL_FORMED = Rule("rim.xml", "the manifest is well-formed XML, in UTF-8", _XML)
CANONICAL = Rule("rim.xml.canonical", "the manifest has one canonical form", _C14N)

# NVIDIA's manifests have some 21 KB, 100 tags (start and end), 500 attributes, 6 namespaces.
# Canonical XML takes time with the square of the last two: 2000 namespaces take a minute.
_LIMITS = ((b"<", 1024), (b"=", 4096), (b"xmlns", 32))
_DECLARATION = re.compile(rb'<\?xml version="1\.0"( encoding="(?:UTF|utf)-8")? ?\?>\s*')
_XML_NAMESPACE = "{http://www.w3.org/XML/1998/namespace}"


def read(data: bytes) -> Element:
    """Parse XML and return the root element, or raise `Malformed`."""
    _require_at_most(len(data), MAX_MANIFEST, "bytes")
    for what, limit in _LIMITS:
        _require_at_most(data.count(what), limit, what.decode())
    declaration = _DECLARATION.match(data)
    body = data[declaration.end() :] if declaration else data
    _refuse(DOCTYPE, (b"<!DOCTYPE", b"<!ENTITY"), body)
    _refuse(PLAIN, (b"<!", b"<?"), body)
    return _parse_element(body)


def canonical(element: Element) -> bytes:
    """The canonical form of an element, without comments (Canonical XML 1.1).

    `lxml` implements version 1.0. The two differ only in inherited attributes of the XML namespace
    (xml:id), so a root that has such attributes is refused.
    """
    root = element.getroottree().getroot()
    if any(str(name).startswith(_XML_NAMESPACE) for name, _ in root.items()):
        raise Malformed(CANONICAL, "a root without attributes of XML's own", "xml:…")
    try:
        return etree.tostring(element, method="c14n", exclusive=False, with_comments=False)
    except etree.LxmlError as error:  # for example a relative namespace
        raise Malformed(CANONICAL, "canonical XML", str(error)[:100]) from error


def _require_at_most(count: int, limit: int, what: str) -> None:
    if count > limit:
        raise Malformed(SIZE, f"at most {limit} {what}", f"{count} {what}")


def _refuse(rule: Rule, forbidden: tuple[bytes, ...], data: bytes) -> None:
    for each in forbidden:
        if each in data:
            raise Malformed(rule, f"no {each.decode()}", f"{each.decode()} at {data.index(each)}")


def _parse_element(data: bytes) -> Element:
    parser = etree.XMLParser(
        encoding="utf-8",  # whatever the declaration states
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
    )
    try:
        return etree.fromstring(data, parser)
    except etree.LxmlError as error:
        raise Malformed(WELL_FORMED, "well-formed XML", str(error)[:100]) from error
