"""Base64 with one spelling for the same bytes: padded, without white space, unused bits zero.

A lenient decoder lets a signed or hashed file be changed without a change of what it says.
"""

import base64


def decode(text: str | bytes) -> bytes:
    """The bytes that a text stands for (RFC 4648, §4).

    Raises:
        ValueError: It is not base64, or another spelling of the same bytes (RFC 4648, §3.5).
    """
    raw = text.encode() if isinstance(text, str) else text
    try:
        data = base64.b64decode(raw, validate=True)
    except ValueError as err:
        raise ValueError(f"is not base64: {err}") from err
    if base64.b64encode(data) != raw:
        raise ValueError("is base64 in another than its one spelling (RFC 4648, §3.5)")
    return data
