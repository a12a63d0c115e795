"""The state file: permissions, sharing, and what survives."""

import signal
import sqlite3
import stat
import subprocess
import sys

import pytest

from ccgpu.fakearm import FakeArm
from support.arm import Client, group_path, pip_body, resource_path, vm_body, vm_path


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_state_file_is_private(tmp_path):
    path = tmp_path / "new" / "azure.db"
    arm = FakeArm(path)
    Client(arm).group()
    assert (mode(path), mode(path.parent)) == (0o600, 0o700)
    assert {mode(one) for one in path.parent.iterdir()} == {0o600}
    arm.close()


def test_the_state_outlives_the_process(tmp_path):
    path = tmp_path / "azure.db"
    first = FakeArm(path)
    az = Client(first)
    az.group()
    az.ok("PUT", resource_path("Microsoft.Network/publicIPAddresses", "p"), pip_body())
    first.advance(2)
    first.settings.set("quota", "*", "cores", value=7)
    first.close()
    second = FakeArm(path)
    assert second.settings.get("quota", "*", "cores") == 7
    second.advance(1)
    body = Client(second).get(resource_path("Microsoft.Network/publicIPAddresses", "p"))
    assert body["properties"]["provisioningState"] == "Succeeded"
    second.close()


def test_empty_file_becomes_a_new_state(tmp_path):
    path = tmp_path / "azure.db"
    path.touch()
    arm = FakeArm(path)
    Client(arm).group()
    arm.close()


def test_a_state_of_another_version_is_refused(tmp_path):
    path = tmp_path / "azure.db"
    FakeArm(path).close()
    database = sqlite3.connect(path)
    database.execute("PRAGMA user_version=99")
    database.close()
    with pytest.raises(ValueError, match="state version 99, this ccgpu knows 7: remove the file"):
        FakeArm(path)


@pytest.mark.parametrize("content", [b"not a database at all, just some text" * 9, None])
def test_foreign_file_is_refused(tmp_path, content):
    path = tmp_path / "azure.db"
    if content is None:
        database = sqlite3.connect(path)
        database.execute("CREATE TABLE other (x)")
        database.close()
    else:
        path.write_bytes(content)
    with pytest.raises(ValueError, match=r"azure\.db"):
        FakeArm(path)


def test_processes_see_each_others_changes(tmp_path):
    one, other = FakeArm(tmp_path / "azure.db"), FakeArm(tmp_path / "azure.db")
    Client(one).group()
    assert Client(other).status(group_path()) == 200
    assert other.settings.get("quota", "*", "cores") == 200
    one.settings.set("quota", "*", "cores", value=1)
    assert other.settings.get("quota", "*", "cores") == 1
    one.advance(5)
    assert one.now() == other.now()
    one.close()
    other.close()


_WORKER = """
import sys
from ccgpu.fakearm import FakeArm, Request
arm = FakeArm(sys.argv[1])
for number in range(25):
    url = f"{sys.argv[2]}-{sys.argv[3]}-{number}?api-version=2025-04-01"
    arm.send(Request("PUT", url, {"Authorization": "Bearer x"}, b'{"location": "eastus2"}'))
    arm.clock.sleep(1)
arm.close()
"""


@pytest.mark.slow
def test_processes_that_begin_at_once_share_one_state(tmp_path):
    path = tmp_path / "azure.db"
    url = f"https://management.azure.com{group_path()}"
    workers = [
        subprocess.Popen([sys.executable, "-c", _WORKER, path, url, str(number)])
        for number in range(4)
    ]
    assert [worker.wait(60) for worker in workers] == [0] * 4
    arm = FakeArm(path)
    shown = arm.show()
    assert (len(shown["resources"]), len(shown["requests"])) == (100, 100)
    assert len({one["id"] for one in shown["resources"]}) == 100
    arm.close()


_KILLED = """
import os, signal, sys
from ccgpu.fakearm import FakeArm, Request
arm = FakeArm(sys.argv[1])
arm.on_commit = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
arm.send(Request("PUT", sys.argv[2], {"Authorization": "Bearer x"}, b'{"location": "eastus2"}'))
"""


@pytest.mark.slow
def test_commits_survive_a_killed_process(tmp_path):
    path = tmp_path / "azure.db"
    url = f"https://management.azure.com{group_path()}?api-version=2025-04-01"
    killed = subprocess.run([sys.executable, "-c", _KILLED, path, url], check=False)
    assert killed.returncode == -signal.SIGKILL
    arm = FakeArm(path)
    assert Client(arm).status(group_path()) == 200
    arm.close()


def test_secrets_are_not_in_the_state(tmp_path):
    arm = FakeArm(tmp_path / "azure.db")
    az = Client(arm)
    az.network()
    token, password = "canary-token", "canary-password"
    body = vm_body(os__adminPassword=password)
    az.ok("PUT", vm_path(), body, headers={"Authorization": f"Bearer {token}"})
    arm.close()
    raw = b"".join(one.read_bytes() for one in tmp_path.iterdir())
    assert not [one for one in (token, password) if one.encode() in raw]


def test_slow_reader_does_not_block_a_writer(tmp_path):
    path = tmp_path / "azure.db"
    arm = FakeArm(path)
    reader = sqlite3.connect(path)
    reader.execute("BEGIN")
    reader.execute("SELECT * FROM resources").fetchall()
    Client(arm).group()
    reader.close()
    arm.close()
