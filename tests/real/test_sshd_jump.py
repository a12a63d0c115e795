"""A VM that is reached through a jump host: the user's ssh and its settings reach that one."""

import shutil
from dataclasses import replace

import pytest

from ccgpu.errors import ConnectionLost, GuestUnreachable, HostKeyMismatch
from ccgpu.guest.local_ports import free_port
from ccgpu.guest.openssh import open_channel
from support.sshd import make_key

# ssh reads the settings below the home of the password file, which tests must not write. So the
# user's ssh is one that reads this file where it would read that one.
_USERS_SSH = """\
#!/bin/sh
for word; do
  if [ "$word" = -F ]; then exec {ssh} "$@"; fi
done
exec {ssh} -F {config} "$@"
"""
_CONFIG = """\
Host bastion
  HostName 127.0.0.1
  Port {port}
  User {user}
  IdentityFile {folder}/id
  UserKnownHostsFile {folder}/users_known_hosts
  ForwardAgent yes
"""


@pytest.fixture
def jump(sshd, monkeypatch):
    """The server as VM, and as `bastion` in the user's settings."""
    folder = sshd.folder
    key = (folder / "hostkey.pub").read_text()
    (folder / "users_known_hosts").write_text(f"[127.0.0.1]:{sshd.port} {key}")
    config = folder / "users_config"
    config.write_text(_CONFIG.format(port=sshd.port, user=sshd.user, folder=folder))
    (folder / "bin").mkdir()
    users = folder / "bin" / "ssh"
    users.write_text(_USERS_SSH.format(ssh=shutil.which("ssh"), config=config))
    users.chmod(0o755)
    monkeypatch.setenv("PATH", f"{users.parent}:/usr/bin:/bin")
    sshd.start()
    return sshd


def _refusal(target):
    with open_channel(target) as channel, pytest.raises(GuestUnreachable) as caught:
        channel.run(["true"], timeout=20)
    return caught.value


@pytest.mark.slow
def test_a_vm_behind_a_jump_host_is_reached_by_its_own_host_key(jump):
    with open_channel(jump.target(jump="bastion")) as channel:
        done = channel.run(["sh", "-c", "cat; echo ${SSH_AUTH_SOCK-no agent}"], b"in\n", timeout=20)
        assert done.stdout == b"in\nno agent\n"
    assert jump.logins == 2


@pytest.mark.slow
def test_a_jump_host_cannot_take_the_place_of_the_vm(jump, tmp_path):
    make_key(tmp_path / "other")
    pinned = replace(
        jump.target(jump="bastion"), host_key=jump.host_key[:-1] + bytes([jump.host_key[-1] ^ 1])
    )
    with open_channel(pinned) as channel, pytest.raises(HostKeyMismatch):
        channel.run(["cat"], b"secret", timeout=20)
    assert jump.logins == 1  # to the jump host


def test_a_jump_host_that_ssh_does_not_know_is_refused(jump):
    (jump.folder / "users_known_hosts").write_text("")
    refused = _refusal(jump.target(jump="bastion"))
    assert "jump host bastion" in str(refused)
    assert refused.hint == "check it, and connect once with `ssh bastion`"
    assert not refused.transient
    assert jump.logins == 0


@pytest.mark.slow
def test_a_vm_that_the_jump_host_does_not_reach_yet_is_worth_another_try(jump):
    refused = _refusal(jump.target(jump="bastion", port=free_port()))
    assert refused.transient
    assert "from the jump host" in str(refused)
    assert "onnection refused" in str(refused)


def test_a_jump_host_that_refuses_us_is_named(jump):
    make_key(jump.folder / "mine")
    (jump.folder / "id").replace(jump.folder / "hidden")
    (jump.folder / "mine").rename(jump.folder / "id")
    refused = _refusal(jump.target(jump="bastion", identity=jump.folder / "hidden"))
    assert not refused.transient
    assert "the jump host bastion cannot be used" in str(refused)


@pytest.mark.slow
def test_a_jump_host_that_is_down_is_worth_another_try(jump):
    jump.stop()
    refused = _refusal(jump.target(jump="bastion"))
    assert refused.transient
    assert "jump host bastion" in str(refused)


@pytest.mark.slow
def test_user_and_port_of_the_jump_host_are_passed_on(jump):
    text = (jump.folder / "users_config").read_text()
    bare = [line for line in text.splitlines() if "Port" not in line and "User " not in line]
    (jump.folder / "users_config").write_text("\n".join(bare))
    with open_channel(jump.target(jump=f"{jump.user}@bastion:{jump.port}")) as channel:
        assert channel.run(["true"], timeout=20).exit_code == 0


@pytest.mark.slow
def test_a_connection_through_a_jump_host_that_ends_is_lost(jump):
    import threading

    with open_channel(jump.target(jump="bastion")) as channel:
        channel.run(["true"], timeout=20)
        threading.Timer(0.5, jump.drop_connections).start()
        with pytest.raises(ConnectionLost):
            channel.run(["sleep", "20"], timeout=20)
