"""A copy of the create with which a test begins: it prints and leaves what a real one does."""

import pytest

from faults.sweep.aftermath import what_is_left
from faults.sweep.invariants import InvariantChecker
from support.cli import Shell
from support.cloud import Machine
from support.slow import EVERY_CASE

_CREATE = "create copied --region eastus2 --ssh-from 203.0.113.7/32 --no-attest"


def _left(shell):
    machine = Machine(shell.arm, shell.state)
    return what_is_left(machine, InvariantChecker(machine))


@pytest.fixture
def another(tmp_path_factory, monkeypatch):
    """Makes further users, each in an empty folder of its own."""

    def make():
        folder = tmp_path_factory.mktemp("another")
        (folder / "work").mkdir()
        monkeypatch.chdir(folder / "work")
        return Shell(folder).with_key()

    return make


@pytest.mark.skipif(EVERY_CASE, reason="then each create is carried out")
def test_a_copy_prints_and_leaves_what_the_create_did(shell, another):
    first = shell(_CREATE)
    copied = another()
    found = copied(_CREATE)
    real = another()
    wanted = real._run(_CREATE)
    assert found is first  # so it is a copy
    assert (found.code, found.out, found.err) == (wanted.code, wanted.out, wanted.err)
    assert copied.out.getvalue() == wanted.out
    assert _left(copied) == _left(real)
    assert copied("delete copied --yes").code == 0
    assert (copied.kinds(), shell.kinds()) == ([], real.kinds())


@pytest.mark.parametrize("what", ["environment", "line", "file", "settings"])
def test_where_they_could_differ_the_create_is_carried_out(shell, another, monkeypatch, what):
    first, line = shell(_CREATE), _CREATE
    other = another()
    if what == "environment":
        monkeypatch.setenv("NO_COLOR", "1")
    elif what == "line":
        line += " -o json"
    elif what == "file":
        (other.folder / "work" / "vm.yaml").touch()
    else:
        other.arm.settings.set("tagless_lists", value=True)
    found = other(line)
    assert (found.code, found is first) == (0, False)
