"""Text from anywhere as plain text: nothing that a terminal obeys is left, and nothing is lost."""

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from ccgpu.domain import plain_text

_OBEYED = {"Cc", "Cf", "Cs", "Zl", "Zp"}


def test_control_characters_are_escaped():
    text = "a\x1b[2Jb\u202ec\u2066d\x9be\r\n\u200bf\U000e0041g\ud800"

    assert plain_text.one_line(text) == (
        "a\\x1b[2Jb\\u202ec\\u2066d\\x9be\\x0d\\x0a\\u200bf\\U000e0041g\\ud800"
    )


def test_line_breaks_are_kept_where_allowed():
    assert plain_text.lines("a\nb\x1b\r\n") == "a\nb\\x1b\\x0d\n"


def test_letters_of_every_script_are_kept():
    text = "é ß 漢字 עברית العربية 🙂 …"

    assert plain_text.one_line(text) == text


@given(st.text(st.characters()))
def test_no_control_character_remains(text):
    left = {unicodedata.category(sign) for sign in plain_text.one_line(text)}

    # What remains of Cf has a shape: signs of scripts, and of music.
    assert not left & (_OBEYED - {"Cf"})
    assert not set(plain_text.one_line(text)) & set("\u200e\u200f\u202a\u202b\u202c\u202d\u202e")
    assert plain_text.one_line(plain_text.one_line(text)) == plain_text.one_line(text)
