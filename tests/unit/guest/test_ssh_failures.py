"""What ssh's messages mean. The messages are those of OpenSSH 9.2, and some of macOS."""

import pytest

from ccgpu.errors import GuestUnreachable, HostKeyMismatch
from ccgpu.guest.ssh_failures import connection_error
from support.sshd import target_at

_TARGET = target_at(22)
_CHANGED = (
    "@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@\n"
    "@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @\n"
    "Host key for ccgpu-demo has changed and you have requested strict checking.\n"
    "Host key verification failed.\n"
)
_UNKNOWN = (
    "No ED25519 host key is known for ccgpu-demo and you have requested strict checking.\n"
    "Host key verification failed.\n"
)
_OFFER = (
    "Unable to negotiate with 1.2.3.4 port 22: no matching host key type found. "
    "Their offer: ssh-rsa\n"
)


@pytest.mark.parametrize("log", [_CHANGED, _UNKNOWN, _OFFER])
def test_another_host_key_is_a_mismatch(log):
    error = connection_error(_TARGET, log)
    assert isinstance(error, HostKeyMismatch)
    assert "WRONG HOST KEY" in str(error)
    unpinned = connection_error(target_at(22, host_key=None), log)
    assert isinstance(unpinned, GuestUnreachable)
    assert not unpinned.transient


@pytest.mark.parametrize(
    "log",
    [
        "ssh: connect to host 1.2.3.4 port 22: Connection refused\n",
        "ssh: connect to host 1.2.3.4 port 22: Connection timed out\n",
        "ssh: connect to host 1.2.3.4 port 22: Operation timed out\n",
        "ssh: connect to host 1.2.3.4 port 22: No route to host\n",
        "ssh: connect to host 1.2.3.4 port 22: Network is unreachable\n",
        "kex_exchange_identification: Connection closed by remote host\n"
        "Connection closed by 1.2.3.4 port 22\n",
        "kex_exchange_identification: read: Connection reset by peer\n",
        "Connection timed out during banner exchange\nConnection to 1.2.3.4 port 22 timed out\n",
        "Connection reset by 1.2.3.4 port 22\n",
        "ssh_dispatch_run_fatal: Connection to 1.2.3.4 port 22: Broken pipe\n",
    ],
)
def test_a_vm_that_is_not_up_yet_is_worth_another_try(log):
    error = connection_error(_TARGET, log)
    assert isinstance(error, GuestUnreachable)
    assert error.transient
    assert error.hint


@pytest.mark.parametrize(
    "log",
    [
        _CHANGED,
        "ssh: connect to host 1.2.3.4 port 22: Connection refused\n",
        "ssh: connect to host 1.2.3.4 port 22: Connection timed out\n",
        "azureuser@1.2.3.4: Permission denied (publickey).\n",
    ],
)
def test_of_a_machine_of_no_deployment_no_hint_names_one(log):
    error = connection_error(target_at(22, deployment=None, vm_id=None), log)
    assert error.hint
    assert "ccgpu" not in error.hint
    assert str(error).count("127.0.0.1") == 1


def test_a_time_out_points_at_the_firewall():
    timed_out = "ssh: connect to host 1.2.3.4 port 22: Connection timed out\n"
    assert "--ssh-from" in (connection_error(_TARGET, timed_out).hint or "")
    refused = "ssh: connect to host 1.2.3.4 port 22: Connection refused\n"
    assert "--ssh-from" not in (connection_error(_TARGET, refused).hint or "")


@pytest.mark.parametrize(
    "log",
    [
        "azureuser@1.2.3.4: Permission denied (publickey).\n",
        "Received disconnect from 1.2.3.4 port 22:2: Too many authentication failures\n"
        "Disconnected from 1.2.3.4 port 22\n",
        "Bad configuration option: x\n",
        "",
    ],
)
def test_what_another_try_does_not_change_is_final(log):
    error = connection_error(_TARGET, log)
    assert isinstance(error, GuestUnreachable)
    assert not error.transient


def test_the_jump_hosts_messages_are_not_taken_for_the_vms():
    through = target_at(22, jump="bastion")
    own = "Connection closed by UNKNOWN port 65535\n"
    error = connection_error(through, own, _CHANGED)
    assert isinstance(error, GuestUnreachable)
    assert "jump host bastion" in str(error)
    assert isinstance(connection_error(through, _CHANGED, ""), HostKeyMismatch)
    direct = connection_error(_TARGET, own, "Welcome\n")
    assert "jump" not in str(direct)
