"""How errors reach people and scripts, whatever goes wrong and however the answer was asked for."""

import errno
import os

import pytest
import typer

from ccgpu.errors import Interrupted, LeftBehind, Leftover

_RESOURCES = (
    Leftover("/subscriptions/s/a", "exists", billed=True),
    Leftover("/subscriptions/s/b", "gone", billed=True),
    Leftover("/subscriptions/s/c", "unknown", billed=True),
    Leftover("/subscriptions/s/d", "exists", billed=False),
)


def _raising(error):
    def connect(_):
        raise error

    return connect


@pytest.fixture
def failing(shell):
    """A shell whose Azure raises `error` when it is reached."""

    def make(error):
        shell.backend = _raising(error)
        return shell

    return make


_LEFT = LeftBehind("two are left [Conflict]", hint="`ccgpu delete demo`", resources=_RESOURCES)


def test_text_errors_list_leftovers_and_what_bills(failing):
    done = failing(_LEFT)("list")
    assert (done.code, done.out) == (7, "")
    assert done.err == (
        "error: two are left [Conflict]\n"
        "  exists, bills: /subscriptions/s/a\n"
        "  gone: /subscriptions/s/b\n"
        "  unknown, bills: /subscriptions/s/c\n"
        "  exists: /subscriptions/s/d\n"
        "\n"
        "hint: `ccgpu delete demo`\n"
    )


@pytest.mark.parametrize(
    "words",
    ["-o json", "-ojson", "--output json", "--output=json", "--query x -o json", "--query json"],
)
def test_json_errors_are_one_document(failing, words):
    done = failing(_LEFT)(f"list {words}")
    assert (done.code, done.out, done.err.count("\n")) == (7, "", 1)
    assert done.error == {
        "schema": "ccgpu.error/1",
        "code": "LeftBehind",
        "message": "two are left [Conflict]",
        "hint": "`ccgpu delete demo`",
        "exit_code": 7,
        "resources": [
            {"id": "/subscriptions/s/a", "state": "exists", "billed": True},
            {"id": "/subscriptions/s/b", "state": "gone", "billed": True},
            {"id": "/subscriptions/s/c", "state": "unknown", "billed": True},
            {"id": "/subscriptions/s/d", "state": "exists", "billed": False},
        ],
    }


@pytest.mark.parametrize("words", ["", "-o text", "-- -o json", "-o json -o text"])
def test_errors_are_text_by_default(failing, words):
    assert failing(_LEFT)(f"list {words}").err.startswith("error: ")


@pytest.mark.parametrize("words", ["--events ndjson", "--events=ndjson"])
def test_with_events_the_error_is_a_document(failing, words):
    assert failing(_LEFT)(f"delete demo {words}").error["code"] == "LeftBehind"


def test_control_characters_in_errors_are_escaped(failing):
    done = failing(LeftBehind("a\x1b[31m\x07\r[red]b\nc\td", hint=":smile: [bold]x"))("list")
    assert done.err == "error: a\\x1b[31m\\x07\\x0d[red]b\nc\\x09d\n\nhint: :smile: [bold]x\n"


@pytest.mark.parametrize(
    "error", [KeyboardInterrupt(), typer.Abort(), EOFError(), Interrupted("interrupted")]
)
def test_an_interruption_is_reported_and_exits_130(failing, error):
    done = failing(error)("list -o json")
    assert done.code == 130
    assert (done.error["code"], done.error["exit_code"]) == ("Interrupted", 130)


def test_a_bug_keeps_its_traceback(failing):
    done = failing(ZeroDivisionError("x"))("list")
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("Traceback (most recent call last):\n")
    assert "\nerror: a bug in ccgpu: ZeroDivisionError: x\n" in done.err
    assert "report" in done.err


def test_a_bug_is_a_document_in_json(failing):
    done = failing(ZeroDivisionError("x"))("list -o json")
    assert (done.code, done.out, done.err.count("\n")) == (1, "", 1)
    assert (done.error["code"], done.error["exit_code"]) == ("InternalError", 1)
    assert done.error["traceback"].startswith("Traceback")


@pytest.mark.parametrize(("code", "known"), [(errno.ENOSPC, True), (errno.EBADF, False)])
def test_an_os_error_about_a_file_is_not_a_bug(failing, code, known):
    done = failing(OSError(code, os.strerror(code), "/there/file"))("list")
    assert ("Traceback" in done.err) is not known
    if known:
        assert (done.code, done.err) == (4, "error: /there/file: No space left on device\n")


def test_run_needs_no_words_of_the_process(shell, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["pytest", "--help"])
    assert shell("list").code == 0
    assert capsys.readouterr() == ("", "")
