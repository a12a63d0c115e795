"""Texts without what is random in each run: keys, serial numbers, signatures, their sizes."""

import re
from collections.abc import Callable

_RANDOM_TEXTS = (
    (re.compile(r"(?<=2\.5\.4\.5=)[0-9A-F]+"), "hex"),
    (re.compile(r"(?<=0x)[0-9a-f]{8,}"), "serial number"),
    (re.compile(r"[0-9a-f]{16,}"), "hex"),
    (re.compile(r"[0-9]{7,}"), "digits"),
    (re.compile(r"(?<!at most )(?<![0-9])[0-9]{4,5}(?= bytes)"), "digits"),
    (re.compile(r"(?<=at )[0-9]{3,5}|(?<=at byte )[0-9]{3,5}"), "digits"),
    (re.compile(r"[A-Za-z0-9_+/=-]{24,}"), "characters"),
)


def mask_random_text(text: str) -> str:
    """The text with random parts replaced by their kind and length."""
    for pattern, kind in _RANDOM_TEXTS:
        text = pattern.sub(_placeholder(kind), text)
    return text


def _placeholder(kind: str) -> Callable[[re.Match[str]], str]:
    """Serial numbers have no fixed length, since they may begin with zeros."""
    return lambda found: f"<{kind}>" if " " in kind else f"<{len(found[0])} {kind}>"
