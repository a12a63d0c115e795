"""A value that must not be seen, and every form in which a part of it could be."""

import base64
from collections.abc import Iterable, Iterator, Mapping

_PIECE = 9  # bytes; a part of the value that is this long does not occur by chance


def forms_of(value: bytes) -> frozenset[bytes]:
    """Pieces of the value: as it is, backwards, and in base64 and hex."""
    return frozenset(_forms(value))


def _forms(value: bytes) -> Iterator[bytes]:
    for text in (value, value[::-1]):
        for start in range(len(text) - _PIECE + 1):
            piece = text[start : start + _PIECE]
            yield piece
            yield piece.hex().encode()
            yield piece.hex().upper().encode()
            # Three bytes become four letters, wherever they stand: one start in three fits.
            yield base64.b64encode(piece)
            yield base64.urlsafe_b64encode(piece)


def places_of(value: bytes, seen: Mapping[str, bytes] | Iterable[tuple[str, bytes]]) -> list[str]:
    """Where a part of the value is, in any form."""
    forms = forms_of(value)
    return [place for place, data in dict(seen).items() if any(form in data for form in forms)]
