"""A server that goes silent at any request: the command ends in time, and tells what is left.

The limit is so chosen that thirty seconds are left at the request at which the server goes silent.
"""

import re
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from ccgpu.domain.time_limits import REPORT, UNDO
from support.cli import Shell
from support.prepared import Prepared
from support.silence import WAYS, Silence, silenced, silenced_vendors
from support.slow import mostly_slow

_LEFT = 30.0  # seconds
# Seconds. In virtual time nobody gives up a request between two bytes, of which each takes three;
# in real time (test_silent_socket.py) somebody does.
_BETWEEN_BYTES = 6.0
_CREATE = (
    "create demo --region eastus2 --ssh-from 203.0.113.7/32 --disk-encryption state-only "
    "--no-attest -o json --no-input --yes"
)
_DELETE = "delete demo --yes -o json"
# A case stands for each `_PARTS`-th request.
_PARTS = 24
CASES = [(part, way) for part in range(_PARTS) for way in WAYS]


@pytest.fixture
def fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Shell]:
    """New users, each with a subscription of their own."""
    monkeypatch.chdir(tmp_path)
    folders = (tmp_path / str(number) for number in count())

    def make() -> Shell:
        folder = next(folders)
        folder.mkdir()
        return Shell(folder).with_key()

    return make


@pytest.fixture(scope="module")
def created(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    """`created(shell, _CREATE)`: as if that had run."""
    return Prepared(tmp_path_factory.mktemp("created"))


@pytest.fixture(scope="module")
def times() -> dict[str, list[float]]:
    """When each request of a command is sent, in seconds from its start; filled by the tests."""
    return {}


def _times_of(times: dict[str, list[float]], shell: Shell, line: str) -> list[float]:
    if line not in times:
        silence, began = Silence("silent"), shell.arm.now()
        shell.backend = silenced(shell, silence)
        assert shell(line).code == 0
        times[line] = [at - began for at in silence.at]
        shell.backend = None
    return times[line]


def _strike(shell: Shell, line: str, silence: Silence, limit: float) -> tuple[Any, float]:
    """The result of a command on a server that goes silent, and the seconds that it took."""
    began = shell.arm.now()
    shell.backend = silenced(shell, silence)
    done = shell(f"{line} --timeout {max(1, round(limit))}s")
    shell.backend = None
    assert silence.struck
    return done, shell.arm.now() - began


def _slack(way: str) -> float:
    return _BETWEEN_BYTES if way == "drip" else 1.0


def _assert_told_truly(shell: Shell, done: Any) -> None:
    """Each resource that exists is named, and each that is named as existing exists.

    Azure names what it creates along with a VM, and deletes it with that; it may not be known.
    """
    assert not re.search(r"\b0 (s|min|seconds|minutes)\b", done.err), done
    there = {one["id"].casefold() for one in shell.arm.show()["resources"]}
    told = {one["id"].casefold(): one["state"] for one in done.error["resources"]}
    unnamed = there - told.keys()
    if any("/virtualmachines/" in id_ for id_ in told):
        unnamed = {id_ for id_ in unnamed if "/demo-nic-" not in id_ and "/demo-ip-" not in id_}
    assert not unnamed, done
    assert {id_ for id_, state in told.items() if state == "exists"} <= there, done


@pytest.mark.parametrize("case", mostly_slow(CASES, 49, 5))
def test_a_create_ends_in_time_and_names_what_is_left(
    fresh: Callable[[], Shell], times: dict[str, list[float]], case: tuple[int, str]
) -> None:
    part, way = case
    sent = _times_of(times, fresh(), _CREATE)
    for number in range(part, len(sent), _PARTS):
        shell = fresh()
        limit = sent[number] + _LEFT
        done, took = _strike(shell, _CREATE, Silence(way, number), limit)
        assert done.code in (7, 11), (number, done)
        assert took <= limit + _slack(way) + (UNDO if shell.writes() else REPORT), (number, done)
        _assert_told_truly(shell, done)


def test_a_create_is_undone_once_the_server_answers_again(
    fresh: Callable[[], Shell], times: dict[str, list[float]]
) -> None:
    sent = _times_of(times, fresh(), _CREATE)
    shell = fresh()
    limit = float(round(sent[-1] / 2))
    number = next(n for n, at in enumerate(sent) if at > limit - _LEFT)
    silence = Silence("silent", number, end=shell.arm.now() + limit)
    done, took = _strike(shell, _CREATE, silence, limit)
    assert (done.code, done.error["resources"], shell.kinds()) == (11, [], []), done
    assert limit < took <= limit + UNDO


@pytest.mark.parametrize("case", mostly_slow(CASES, 49, 5))
def test_a_delete_ends_in_time_and_names_what_is_left(
    fresh: Callable[[], Shell],
    times: dict[str, list[float]],
    created: Prepared,
    case: tuple[int, str],
) -> None:
    part, way = case
    sent = _times_of(times, created(fresh(), _CREATE), _DELETE)
    for number in range(part, len(sent), _PARTS):
        shell = created(fresh(), _CREATE)
        limit = sent[number] + _LEFT
        done, took = _strike(shell, _DELETE, Silence(way, number), limit)
        assert done.code in (7, 11), (number, done)
        assert took <= limit + _slack(way) + REPORT, (number, done)
        _assert_told_truly(shell, done)


# Other commands, with what they may take after their limit. The last two have limits of their own.
OTHERS = {
    "extend demo --ttl 9h -o json": REPORT,
    "gc --yes -o json": REPORT,
    "stop demo -o json": REPORT,
    "restart demo -o json": REPORT,
    "wait demo --for ready -o json": REPORT,
    "doctor -o json": 0.0,
    "doctor demo -o json": 0.0,
    "attest demo -o json": 0.0,
    "list -o json": 0.0,
    "show demo -o json": 0.0,
}
_READ_LIMIT = 300.0


@pytest.mark.parametrize("line", mostly_slow(list(OTHERS), 5))
def test_other_commands_end_in_time(
    fresh: Callable[[], Shell], created: Prepared, line: str
) -> None:
    shell = created(fresh(), _CREATE)
    shell.arm.advance(9 * 3600 if line.startswith("gc") else 0)
    limited = not line.startswith(("list", "show"))
    limit = _LEFT if limited else _READ_LIMIT
    silence = Silence("silent")
    for number in range(12):
        silence = Silence(WAYS[number % 4], number)
        shell.backend, began = silenced(shell, silence), shell.arm.now()
        done = shell(f"{line} --timeout 30s" if limited else line)
        took = shell.arm.now() - began
        assert took <= limit + _BETWEEN_BYTES + OTHERS[line], (number, silence.way, done)
        if not silence.struck:
            break
        if not line.startswith("doctor -o"):  # it tells what it could not check
            assert done.code in (7, 8, 10, 11), (number, silence.way, done)
        assert not re.search(r"\b0 (s|min|seconds|minutes)\b", done.err), done
    assert silence.at


@pytest.mark.parametrize("way", mostly_slow(WAYS, 4))
def test_an_attestation_without_collateral_ends_in_time(
    fresh: Callable[[], Shell], created: Prepared, way: str
) -> None:
    shell = created(fresh(), _CREATE)
    silence, began = Silence(way, 2), shell.arm.now()
    shell.backend = silenced_vendors(shell, silence)
    done = shell("attest demo -o json --timeout 30s")
    assert done.code == 8, done
    assert silence.struck
    assert shell.arm.now() - began <= _LEFT + _BETWEEN_BYTES
