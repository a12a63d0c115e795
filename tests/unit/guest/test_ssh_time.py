"""The channel takes no more time than the request that it is used for. `ssh` hangs here."""

from pathlib import Path

import pytest

from ccgpu.errors import GuestUnreachable
from ccgpu.guest import openssh
from ccgpu.scheduling.clock import RealClock
from ccgpu.scheduling.time_left import ending_at
from support.sshd import target_at

_TARGET = target_at(22)


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine whose ssh writes its arguments to this file, and hangs."""
    for name in ("ssh", "scp"):
        program = tmp_path / name
        program.write_text(f'#!/bin/sh\necho "$@" >>"{tmp_path}/calls"\nexec /bin/sleep 20\n')
        program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path / "calls"


def test_a_connection_is_given_no_more_than_what_is_left(calls: Path) -> None:
    clock = RealClock()
    began = clock.now()
    with (
        ending_at(clock, began + 0.3),
        openssh.open_channel(_TARGET) as channel,
        pytest.raises(GuestUnreachable, match="did not let us log in within 1 s") as caught,
    ):
        channel.run(["true"], timeout=60.0)
    assert caught.value.transient
    assert clock.now() - began < 5.0
    assert "ConnectTimeout=1 " in calls.read_text()
