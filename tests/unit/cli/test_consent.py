"""Nothing is destroyed unless somebody says so; who is asked sees what goes."""

import pytest

_CREATE = "create demo --region eastus2 --ssh-from 203.0.113.7/32"
_REPLACE = f"{_CREATE} --zone 2 --replace"


def _answering(asked, *, yes):
    def ask(question):
        asked.append(question)
        return yes

    return ask


@pytest.fixture
def made(shell):
    assert shell(_CREATE).code == 0
    return shell


@pytest.mark.parametrize("line", ["delete demo", _REPLACE])
@pytest.mark.parametrize(("more", "person"), [("", False), (" --no-input", True)])
def test_where_nobody_can_be_asked_a_yes_is_needed(made, line, more, person):
    made.ask = (lambda _: pytest.fail("asked")) if person else None
    before = made.kinds()
    done = made(line + more)
    assert (done.code, done.out) == (2, "")
    assert "--yes" in done.err
    assert made.kinds() == before


@pytest.mark.parametrize("line", ["delete demo", _REPLACE])
def test_who_says_no_keeps_everything(made, line):
    asked: list[str] = []
    made.ask = _answering(asked, yes=False)
    before = made.kinds()
    done = made(line)
    assert (done.code, len(asked)) == (2, 1)
    assert "- virtualMachines demo\n" in done.err
    assert "not confirmed" in done.err
    assert made.kinds() == before


@pytest.mark.parametrize("terminal", [False, True])
@pytest.mark.parametrize("line", ["delete demo", _REPLACE])
def test_who_says_yes_gets_what_was_asked_for(made, line, terminal):
    asked: list[str] = []
    made.terminal = terminal
    made.ask = _answering(asked, yes=True)
    assert made(line).code == 0
    assert len(asked) == 1
    assert asked[0].startswith("Delete ")


@pytest.mark.parametrize("line", ["delete demo --yes", f"{_REPLACE} --yes"])
def test_with_a_yes_nobody_is_asked(made, line):
    made.ask = lambda _: pytest.fail("asked")
    assert made(line).code == 0


@pytest.mark.parametrize("line", ["delete nobody", _CREATE])
def test_where_nothing_is_destroyed_nobody_is_asked(made, line):
    made.ask = lambda _: pytest.fail("asked")
    assert made(line).code == 0
