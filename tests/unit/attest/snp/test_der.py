"""The second reader of certificates takes nothing but what AMD writes, wherever it stands."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from ccgpu.attest.check import Malformed
from ccgpu.attest.snp import der, vek
from ccgpu.fakeguest.evidence import pki
from ccgpu.fakeguest.evidence.pki import X509Extension
from support.evidence_amd import replace_extension

_CONSTRUCTED = {0x30, 0x31, 0xA0, 0xA3}
_SET = 0x31
_UNKNOWN = pki.oid("1.2.3")[2:]


@dataclass
class Node:
    """An element of DER, taken apart so that it can be changed and put together again."""

    tag: int
    content: bytes = b""
    children: list["Node"] = field(default_factory=list)

    @property
    def der(self) -> bytes:
        """The element, with the lengths that it has now."""
        return pki.element(self.tag, self.content, *(child.der for child in self.children))

    @property
    def all(self) -> Iterator["Node"]:
        """The element and all in it."""
        yield self
        for child in self.children:
            yield from child.all


def _nodes(data: bytes) -> Iterator[Node]:
    at = 0
    while at < len(data):
        head, size = at + 2, data[at + 1]
        if size >= 0x80:
            head += size & 0x7F
            size = int.from_bytes(data[at + 2 : head], "big")
        content = data[head : head + size]
        if data[at] in _CONSTRUCTED:
            yield Node(data[at], children=list(_nodes(content)))
        else:
            yield Node(data[at], content)
        at = head + size


@pytest.fixture
def certificate(machine) -> Node:
    """A certificate with one extension that nobody knows."""
    own = replace_extension(machine.vcek, X509Extension("1.2.3", b"\x05\x00"))
    (node,) = _nodes(own.signed_by(machine.amd.ask_key))
    return node


def _refusal(node: Node) -> str:
    with pytest.raises(Malformed) as caught:
        vek.parse(node.der, (der.read,))
    return caught.value.rule.id


def test_parsed_elements_round_trip(certificate):
    assert vek.parse(certificate.der, (der.read,)).kind == "VCEK"


def test_nothing_follows_the_last_element_of_any_other(certificate):
    tried = 0
    for node in certificate.all:
        if node.tag in _CONSTRUCTED:
            node.children.append(Node(pki.NULL))
            assert _refusal(certificate) in {"snp.vek.certificate", "snp.vek.key"}
            node.children.pop()
            tried += 1
    assert tried > 40


def test_no_element_may_be_missing(certificate):
    """But for one extension, or one attribute of a name, in full."""
    for node in certificate.all:
        for at, child in enumerate(node.children):
            if child.tag == 0x31 or (
                (node.tag, child.tag) == (0x30, 0x30) and _is_extension(child)
            ):
                continue
            del node.children[at]
            assert _refusal(certificate).startswith("snp.vek.")
            node.children.insert(at, child)


def _is_extension(node: Node) -> bool:
    return [child.tag for child in node.children] == [pki.OID, pki.OCTETS]


@pytest.mark.parametrize(
    "date",
    [
        b"25012400000Z",
        b"2501240000000Z",
        b"250124000000",
        b"250124000000+",
        b"",
        b"25012400000\xb2Z",
    ],
)
def test_a_date_has_all_its_digits(certificate, date):
    found = next(node for node in certificate.all if node.tag == pki.UTC_TIME)
    found.content = date
    assert _refusal(certificate) == "snp.vek.certificate"


@pytest.mark.parametrize("date", [b"20250124000000Z", b"19990124000000Z"])
def test_a_date_may_have_four_digits_of_the_year(certificate, date):
    found = next(node for node in certificate.all if node.tag == pki.UTC_TIME)
    found.tag, found.content = pki.GENERALIZED_TIME, date
    assert f"{der.read(certificate.der).not_before:%Y%m%d%H%M%SZ}".encode() == date


@pytest.mark.parametrize(("short", "year"), [(b"49", 2049), (b"50", 1950), (b"99", 1999)])
def test_two_digits_of_a_year_are_of_1950_to_2049(certificate, short, year):
    found = next(node for node in certificate.all if node.tag == pki.UTC_TIME)
    found.content = short + found.content[2:]
    assert der.read(certificate.der).not_before.year == year


@pytest.mark.parametrize("oid", [b"", b"\x2a\x83", b"\x80\x2a\x03", b"\x2a\x80\x03", b"\x83"])
def test_an_object_identifier_is_whole_and_in_its_shortest_form(certificate, oid):
    found = next(node for node in certificate.all if node.content == _UNKNOWN)
    found.content = oid
    assert _refusal(certificate) == "snp.vek.certificate"


def test_a_string_of_another_type_is_refused(certificate):
    found = next(node for node in certificate.all if node.tag == 0x0C)
    found.tag = 0x1E
    assert _refusal(certificate) == "snp.vek.certificate"


@pytest.mark.parametrize(
    "oid", ["0.9.1", "1.2.3", "1.39.127.128", "1.2.16385", "2.5.29", "2.100.3"]
)
def test_object_identifiers_round_trip(certificate, oid):
    found = next(node for node in certificate.all if node.content == _UNKNOWN)
    found.content = pki.oid(oid)[2:]
    assert der.read(certificate.der).extensions[-1].oid == oid


@pytest.mark.parametrize("size", [127, 128, 255, 256, 1000])
def test_an_element_of_any_size_is_read(certificate, size):
    found = next(node for node in certificate.all if node.content == b"\x05\x00")
    found.content = bytes(size)
    assert der.read(certificate.der).extensions[-1].value == bytes(size)
