"""Run Command's script and answer: an exit code, and all of the output or none."""

import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccgpu.domain.run_command import LIMIT, OutputCut, parse_message, script_of


def _message(out: str, err: str = "") -> str:
    """The agent's answer (`run-command-handler-linux`), which keeps the end of each stream."""
    return f"Enable succeeded: \n[stdout]\n{out[-LIMIT:]}\n[stderr]\n{err[-LIMIT:]}"


def _carried_out(*argv: str) -> str:
    done = subprocess.run(
        ["sh", "-c", "\n".join(script_of(argv))], capture_output=True, text=True, check=True
    )
    return _message(done.stdout, done.stderr)


@pytest.mark.parametrize("code", [0, 1, 7, 127, 255])
def test_the_exit_code_and_the_streams_are_found(code):
    found = parse_message(_carried_out("sh", "-c", f"echo out; echo err >&2; exit {code}"))
    assert found == (code, "out\n", "err\n")


@pytest.mark.parametrize("out", ["", "no line feed", "\n\n", "[stdout]\n", "a\n[stderr]\nb"])
def test_the_output_is_unchanged(out):
    assert parse_message(_carried_out("printf", "%s", out)) == (0, out, "")


@pytest.mark.parametrize("size", [LIMIT - 18, LIMIT, 3 * LIMIT])
def test_output_that_was_or_may_have_been_cut_is_refused(size):
    with pytest.raises(OutputCut):
        parse_message(_carried_out("printf", f"%0{size}d", "0"))
    with pytest.raises(OutputCut):
        parse_message(_carried_out("sh", "-c", f"printf %0{max(size, LIMIT)}d 0 >&2"))


def test_output_just_below_the_limit_is_whole():
    size = LIMIT - 19
    assert parse_message(_carried_out("printf", f"%0{size}d", "0")) == (0, "0" * size, "")


@pytest.mark.parametrize(
    "message",
    [
        "",
        "Enable failed: x",
        _message("out"),
        _message("ccgpu-exit-code=x\n"),
        _message("ccgpu-exit-code=0\n", "ccgpu-exit-code=7\n"),
    ],
)
def test_an_answer_of_another_form_has_no_exit_code(message):
    with pytest.raises(ValueError, match="no exit code"):
        parse_message(message)


@given(st.text(max_size=300))
def test_any_text_is_parsed_or_refused(text):
    try:
        code, _, _ = parse_message(text)
    except ValueError:
        return
    assert 0 <= code <= 999


def test_a_long_answer_without_the_mark_was_cut():
    with pytest.raises(OutputCut):
        parse_message("x" * LIMIT)
