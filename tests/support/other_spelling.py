"""A second base64 spelling of the same bytes, which a lenient decoder takes for the first one."""

import base64

_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"  # RFC 4648, §4


def respelled(text: str) -> str:
    """Padded base64 whose last digit has another unused bit (RFC 4648, §3.5)."""
    digits = text.rstrip("=")
    assert digits != text, "without padding there are no unused bits"
    other = (
        digits[:-1] + _ALPHABET[_ALPHABET.index(digits[-1]) ^ 1] + "=" * (len(text) - len(digits))
    )
    assert base64.b64decode(other) == base64.b64decode(text)
    return other
