"""Text from anywhere as one line of plain text: what a terminal would obey is written as escapes.

Control characters move the cursor or set colours; format characters hide letters or reverse their
order (Unicode Standard Annex 9; CVE-2021-42574); a line break makes one value look like two.
"""

import re

# C0, DEL and C1; soft hyphen; bidirectional marks, embeddings, overrides and isolates; zero width;
# line and paragraph separators; interlinear, byte order mark, tags; halves of surrogate pairs.
_OBEYED = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff"
    "\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e007f]"
)


def one_line(text: str) -> str:
    """`text` with every character that a terminal would obey made visible."""
    return _OBEYED.sub(_escaped, text)


def lines(text: str) -> str:
    """The same for text of several lines, which stay lines."""
    return "\n".join(map(one_line, text.split("\n")))


def _escaped(found: re.Match[str]) -> str:
    code = ord(found[0])
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
