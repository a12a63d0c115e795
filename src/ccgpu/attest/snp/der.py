"""A second parser of VEK certificates, in case `cryptography` refuses serial number 0.

AMD gives every VCEK the serial number 0, which RFC 5280 (4.1.2.2) forbids; `cryptography` warns
that it will refuse it. This parser takes only what AMD writes: definite lengths in their shortest
form, six attributes of names, dates in UTC, version 3.
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime

from ccgpu.attest.check import Malformed
from ccgpu.attest.snp.certificate import (
    PSS_SHA384,
    READABLE,
    VekCertificate,
    VekExtension,
    other_algorithm,
)

BOOLEAN, INTEGER, BITS, OCTETS, OID = 0x01, 0x02, 0x03, 0x04, 0x06
IA5, UTC_TIME, GENERALIZED_TIME, SEQUENCE, SET = 0x16, 0x17, 0x18, 0x30, 0x31
_STRINGS = (0x0C, 0x13)  # UTF8String, PrintableString
_VERSION, _EXTENSIONS = 0xA0, 0xA3
_VERSION_3 = bytes.fromhex("020102")
_TRUE = b"\xff"

# RFC 4519, 2: the attributes of AMD's names, by the last number of 2.5.4.*.
_ATTRIBUTES = {"3": "CN", "6": "C", "7": "L", "8": "ST", "10": "O", "11": "OU"}
_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 -.()")

# RFC 4055, 3.1: RSASSA-PSS with SHA-384, MGF1 with SHA-384, 48 bytes of salt. Older VCEKs also
# write the trailer field, which has its default value and so should not be there.
_PSS_SHA384 = tuple(
    bytes.fromhex(
        f"06092a864886f70d01010a30{length}a00f300d06096086480165030402020500"
        f"a11c301a06092a864886f70d010108300d06096086480165030402020500a203020130{trailer}"
    )
    for length, trailer in (("34", ""), ("39", "a303020101"))
)


class Cursor:
    """Reads the elements of DER, one after the other."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def next(self, *tags: int) -> tuple[int, bytes, bytes]:
        """Tag, content and whole encoding of the next element, which must have one of `tags`."""
        start, data = self._at, self._data
        if start + 2 > len(data) or data[start] not in tags:
            raise _malformed(f"one of the tags {', '.join(f'{tag:#04x}' for tag in tags)}", start)
        length, head = data[start + 1], start + 2
        if length >= 0x80:
            head += length & 0x7F
            number = data[start + 2 : head]
            length = int.from_bytes(number, "big")
            if not 1 <= len(number) <= 2 or number[0] == 0 or length < 0x80:
                raise _malformed("a length in its shortest form", start)
        self._at = head + length
        if self._at > len(data):
            raise _malformed("an element that ends within its parent", start)
        return data[start], data[head : self._at], data[start : self._at]

    def content(self, *tags: int) -> bytes:
        """The content of the next element."""
        return self.next(*tags)[1]

    @property
    def more(self) -> bool:
        """Whether there is another element."""
        return self._at < len(self._data)

    def end(self) -> None:
        """Raise `Malformed` if data is left."""
        if self.more:
            raise _malformed("nothing more", self._at)


def read(data: bytes) -> VekCertificate:
    """Parse a certificate in DER, or raise `Malformed`."""
    outer = Cursor(data)
    whole = Cursor(outer.content(SEQUENCE))
    outer.end()
    _, content, signed = whole.next(SEQUENCE)
    identifier = whole.content(SEQUENCE)
    signature = _bits(whole.content(BITS))
    whole.end()

    body = Cursor(content)
    if body.content(_VERSION) != _VERSION_3:
        raise _malformed("X.509 version 3", 0)
    serial = integer(body.content(INTEGER))
    if body.content(SEQUENCE) != identifier:
        raise _malformed("one algorithm, within the signed part and outside", 0)
    issuer = _name(body.content(SEQUENCE))
    dates = Cursor(body.content(SEQUENCE))
    not_before, not_after = _time(dates), _time(dates)
    dates.end()
    subject = _name(body.content(SEQUENCE))
    spki = body.next(SEQUENCE)[2]
    extensions = _extensions(body.content(_EXTENSIONS))
    body.end()
    return VekCertificate(
        subject=subject,
        issuer=issuer,
        serial=serial,
        not_before=not_before,
        not_after=not_after,
        spki=spki,
        extensions=extensions,
        algorithm=_algorithm(identifier),
        signed=signed,
        signature=signature,
    )


def integer(content: bytes) -> int:
    """Decode an INTEGER that is not negative and in its shortest form, or raise `Malformed`."""
    padded = len(content) > 1 and content[0] == 0 and content[1] < 0x80
    if not content or content[0] >= 0x80 or padded:
        raise _malformed("an INTEGER in its shortest form, not negative", 0)
    return int.from_bytes(content, "big")


def _algorithm(identifier: bytes) -> str:
    if identifier in _PSS_SHA384:
        return PSS_SHA384
    return other_algorithm(_oid(Cursor(identifier).content(OID)))


def _bits(content: bytes) -> bytes:
    if content[:1] != b"\0":
        raise _malformed("a BIT STRING of whole bytes", 0)
    return content[1:]


def _time(dates: Cursor) -> datetime:
    tag, content, _ = dates.next(UTC_TIME, GENERALIZED_TIME)
    text = content.decode("latin-1")
    if tag == UTC_TIME:  # RFC 5280, 4.1.2.5.1: 50 to 99 are of the last century
        text = ("19" if text >= "5" else "20") + text
    if not re.fullmatch(r"[0-9]{14}Z", text):
        raise _malformed("a date in UTC, to the second", 0)
    try:
        return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)
    except ValueError as error:
        raise _malformed("a date of the calendar", 0) from error


def _name(content: bytes) -> str:
    names = Cursor(content)
    return ",".join(reversed(list(_attributes(names))))  # RFC 4514, 2.1: the last comes first


def _attributes(names: Cursor) -> Iterator[str]:
    while names.more:
        one = Cursor(names.content(SET))
        pair = Cursor(one.content(SEQUENCE))
        one.end()
        family, _, number = _oid(pair.content(OID)).rpartition(".")
        value = pair.content(*_STRINGS).decode("latin-1")
        pair.end()
        if family != "2.5.4" or number not in _ATTRIBUTES or not _PLAIN.issuperset(value):
            raise _malformed("a name of plain words", 0)
        yield f"{_ATTRIBUTES[number]}={value}"


def _extensions(content: bytes) -> tuple[VekExtension, ...]:
    outer = Cursor(content)
    every = Cursor(outer.content(SEQUENCE))
    outer.end()
    extensions: dict[str, VekExtension] = {}
    while every.more:
        one = _extension(Cursor(every.content(SEQUENCE)))
        if one.oid in extensions:
            raise _malformed("each extension once", 0)
        extensions[one.oid] = one
    return tuple(extensions.values())


def _extension(parts: Cursor) -> VekExtension:
    oid, critical = _oid(parts.content(OID)), False
    tag, content, _ = parts.next(BOOLEAN, OCTETS)
    if tag == BOOLEAN:
        critical = content == _TRUE
        if not critical:
            raise _malformed("a BOOLEAN that is not the default", 0)
        content = parts.content(OCTETS)
    parts.end()
    return VekExtension(oid, critical, content)


def _oid(content: bytes) -> str:
    if not content or content[-1] >= 0x80:
        raise _malformed("an object identifier", 0)
    numbers, value = [], 0
    for byte in content:
        if byte == 0x80 and value == 0:
            raise _malformed("an object identifier in its shortest form", 0)
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            numbers.append(value)
            value = 0
    first = min(numbers[0] // 40, 2)
    return ".".join(str(each) for each in (first, numbers[0] - 40 * first, *numbers[1:]))


def _malformed(expected: str, at: int) -> Malformed:
    return Malformed(READABLE, expected, f"something else at byte {at} of the element")
