"""Nothing is destroyed unless somebody says so; who is asked sees what goes."""

import pytest

from support.slow import mostly_slow

_CREATE = "create demo --region eastus2 --ssh-from 203.0.113.7/32"
_REPLACE = f"{_CREATE} --zone 2 --replace"
_LINES = mostly_slow(["delete demo", _REPLACE], 2)


def _answering(asked, *, yes):
    def ask(question):
        asked.append(question)
        return yes

    return ask


@pytest.fixture
def made(shell, prepared):
    return prepared(shell, _CREATE)


@pytest.mark.parametrize("line", _LINES)
@pytest.mark.parametrize(("more", "person"), [("", False), (" --no-input", True)])
def test_without_a_terminal_yes_is_required(made, line, more, person):
    made.ask = (lambda _: pytest.fail("asked")) if person else None
    before = made.kinds()
    done = made(line + more)
    assert (done.code, done.out) == (2, "")
    assert "--yes" in done.err
    assert made.kinds() == before


@pytest.mark.parametrize("line", _LINES)
def test_answering_no_changes_nothing(made, line):
    asked: list[str] = []
    made.ask = _answering(asked, yes=False)
    before = made.kinds()
    done = made(line)
    assert (done.code, len(asked)) == (2, 1)
    assert "- virtualMachines demo\n" in done.err
    assert "not confirmed" in done.err
    assert made.kinds() == before


@pytest.mark.parametrize("terminal", [False, True])
@pytest.mark.parametrize("line", _LINES)
def test_answering_yes_runs_the_command(made, line, terminal):
    asked: list[str] = []
    made.terminal = terminal
    made.ask = _answering(asked, yes=True)
    assert made(line).code == 0
    assert len(asked) == 1
    assert asked[0].startswith("Delete ")


@pytest.mark.slow
@pytest.mark.parametrize("line", mostly_slow([f"{_REPLACE} --yes", "delete demo --yes"], 2))
def test_yes_skips_the_confirmation(made, line):
    made.ask = lambda _: pytest.fail("asked")
    assert made(line).code == 0


@pytest.mark.parametrize("line", ["delete nobody", _CREATE])
def test_without_destructive_changes_there_is_no_confirmation(made, line):
    made.ask = lambda _: pytest.fail("asked")
    assert made(line).code == 0
