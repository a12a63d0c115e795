"""Escapes control and format characters in untrusted text before it reaches a terminal.

Control characters move the cursor or set colours. Format characters hide letters or reverse their
order (Unicode Standard Annex 9; CVE-2021-42574). A line break makes one value look like two.
"""

import re

# C0, DEL and C1; soft hyphen; bidirectional marks, embeddings, overrides and isolates; zero width;
# line and paragraph separators; interlinear, byte order mark, tags; halves of surrogate pairs.
_CONTROLS = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff"
    "\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e007f]"
)


def one_line(text: str) -> str:
    """`text` with line breaks, control and format characters escaped."""
    return _CONTROLS.sub(_escape, text)


def lines(text: str) -> str:
    """As `one_line`, but line feeds stay."""
    return "\n".join(map(one_line, text.split("\n")))


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
