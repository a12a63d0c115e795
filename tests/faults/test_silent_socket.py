"""A server that goes silent, in real time and over real sockets: the command ends in time.

A time-out of a socket begins anew with each byte, so that only the scheduler can hold a deadline.
"""

from pathlib import Path

import pytest

from ccgpu.domain.time_limits import REPORT
from support.cli import CommandResult, Shell
from support.prepared import Prepared
from support.silent_https import WAYS, SilentServer, silent_server
from support.slow import mostly_slow

_CREATE = "create demo --region eastus2 --ssh-from 203.0.113.7/32 --no-attest -o json --yes"
_DELETE = "delete demo --yes -o json"
_LIMIT = 2.0  # seconds
_SLACK = 4.0  # of a busy machine; the time-outs of a request are ten seconds and more


@pytest.fixture(scope="module")
def created(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    """`created(shell, _CREATE)`: as if that had run."""
    return Prepared(tmp_path_factory.mktemp("created"))


@pytest.mark.parametrize("way", mostly_slow(WAYS, 4))
def test_a_create_ends_with_its_limit(tmp_path: Path, way: str) -> None:
    shell = Shell(tmp_path).with_key()
    with silent_server(tmp_path, shell, way, start=3, seconds=_LIMIT) as (server, shell.backend):
        done, took = _timed(shell, f"{_CREATE} --timeout 2s", server)
    assert (done.code, done.error["resources"]) == (11, []), done
    assert "not done within 2 seconds" in done.error["message"], done
    assert _LIMIT * 0.8 < took < _LIMIT + _SLACK


@pytest.mark.slow
def test_a_server_that_stays_silent_costs_the_time_to_name_what_is_left(
    tmp_path: Path, created: Prepared
) -> None:
    shell = created(Shell(tmp_path).with_key(), _CREATE)
    with silent_server(tmp_path, shell, "drip-headers", 4, 60.0) as (server, shell.backend):
        done, took = _timed(shell, f"{_DELETE} --timeout 2s", server)
    assert (done.code, took < _LIMIT + REPORT + _SLACK) == (11, True), done
    assert {one["state"] for one in done.error["resources"]} == {"unknown"}


@pytest.mark.parametrize(("way", "at_once"), [("drip", 8), ("drip-headers", 2)])
def test_a_delete_names_what_is_left_once_the_server_answers_again(
    tmp_path: Path, created: Prepared, way: str, at_once: int
) -> None:
    """Its two threads still wait for headers that drip: what is left is read by others."""
    shell = created(Shell(tmp_path).with_key(), _CREATE)
    there = {one["id"].casefold() for one in shell.arm.show()["resources"]}
    silence = silent_server(tmp_path, shell, way, 4, _LIMIT, at_once)
    with silence as (server, shell.backend):
        done, took = _timed(shell, f"{_DELETE} --timeout 2s", server)
    assert done.code == 11, done
    assert {one["id"].casefold() for one in done.error["resources"]} == there
    assert took < _LIMIT + _SLACK


def _timed(shell: Shell, line: str, server: SilentServer) -> tuple[CommandResult, float]:
    """The result of a command, and the seconds that it took; the server was silent meanwhile."""
    began = server.clock.now()
    done = shell(line)
    took = server.clock.now() - began
    assert server.struck
    return done, took
