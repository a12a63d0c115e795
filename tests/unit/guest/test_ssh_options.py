"""Command lines of OpenSSH: what they always say, and what becomes of words."""

import itertools
import shlex
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccgpu.guest import ssh_options
from ccgpu.guest.ssh_options import JumpHost, SshFiles, parse_jump
from support.sshd import target_at

_FILES = SshFiles(Path("/tmp/ccgpu-x"))
_TARGET = target_at(22)


def _options(words: list[str]) -> dict[str, str]:
    pairs = itertools.pairwise(words)
    return dict(value.split("=", 1) for name, value in pairs if name == "-o")


def _all(target=_TARGET):
    return [
        _options(ssh_options.master_arguments(target, _FILES, interactive=False)),
        _options(ssh_options.master_arguments(target, _FILES, interactive=True)),
        _options(ssh_options.client_arguments(target, _FILES)),
        _options(ssh_options.forwarding_arguments(target, _FILES)),
    ]


@pytest.mark.parametrize("jump", [None, "me@bastion"])
def test_every_command_line_is_strict(jump):
    for options in _all(target_at(22, jump=jump)):
        strict = {
            "StrictHostKeyChecking": "yes",
            "UserKnownHostsFile": "/tmp/ccgpu-x/known_hosts",
            "GlobalKnownHostsFile": "/dev/null",
            "HostKeyAlias": f"ccgpu-demo-{_TARGET.vm_id}",
            "HostKeyAlgorithms": "ssh-ed25519",
            "UpdateHostKeys": "no",
            "ForwardAgent": "no",
            "PasswordAuthentication": "no",
            "KbdInteractiveAuthentication": "no",
            "PermitLocalCommand": "no",
        }
        assert strict.items() <= options.items()
    words = ssh_options.master_arguments(_TARGET, _FILES, interactive=False)
    assert words[:2] == ["-F", "/dev/null"]
    cleared = [options["ClearAllForwardings"] for options in _all()]
    assert cleared == ["yes", "yes", "yes", "no"]
    assert [options["BatchMode"] for options in _all()] == ["yes", "no", "yes", "yes"]


def test_a_session_never_makes_a_connection_of_its_own():
    for options in _all()[2:]:
        assert (options["ControlMaster"], options["ProxyCommand"]) == ("no", "false")


def test_a_key_that_is_named_is_the_only_one():
    named = target_at(22, identity=Path("/keys/50%/id"))
    words = ssh_options.master_arguments(named, _FILES, interactive=False)
    assert words[words.index("-i") + 1] == "/keys/50%%/id"
    assert _options(words)["IdentitiesOnly"] == "yes"
    assert _all()[0]["IdentitiesOnly"] == "no"


def test_without_a_pinned_key_the_first_one_is_kept_in_the_channels_own_file():
    for options in _all(target_at(22, host_key=None)):
        assert options["StrictHostKeyChecking"] == "accept-new"
        assert options["UserKnownHostsFile"] == "/tmp/ccgpu-x/known_hosts"
        assert options["GlobalKnownHostsFile"] == "/dev/null"
    assert ssh_options.known_hosts_line(target_at(22, host_key=None)) == ""


@pytest.mark.parametrize(
    ("text", "jump"),
    [
        ("bastion", JumpHost("bastion")),
        ("me@bastion.example", JumpHost("bastion.example", "me")),
        ("me@10.0.0.4:2222", JumpHost("10.0.0.4", "me", 2222)),
    ],
)
def test_jump_hosts_are_parsed(text, jump):
    assert parse_jump(text) == jump


@pytest.mark.parametrize(
    "text",
    [
        *("", "-oProxyCommand=x", "a b", "me@", "@host", "h:0", "h:65536", "h:x", "a,b", "me@-h"),
        *("h;touch x", "h`id`", "$(id)", "h%h", "h\n", "-l@host", "ssh://h"),
    ],
)
def test_what_is_no_jump_host_is_refused(text):
    with pytest.raises(ValueError, match="is not"):
        parse_jump(text)


def test_the_way_through_a_jump_host_is_strict_too():
    words = ssh_options.master_arguments(
        target_at(22, jump="me@bastion:2222"), _FILES, interactive=False
    )
    command = shlex.split(_options(words)["ProxyCommand"])
    assert command[0] == "ssh"
    assert command[-3:] == ["-W", "[%h]:%p", "bastion"]
    assert "-F" not in command  # the user's settings
    options = _options(command)
    assert options["StrictHostKeyChecking"] == "yes"
    assert options["ForwardAgent"] == "no"
    assert options["ClearAllForwardings"] == "yes"
    assert command[command.index("-l") + 1] == "me"
    assert command[command.index("-p") + 1] == "2222"


_WORD = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)


@pytest.mark.slow
@given(st.lists(_WORD, max_size=4), st.sampled_from([None, 30.0]))
def test_a_shell_gives_each_word_back(words, timeout):
    command = ssh_options.remote_command(["printf", "%s\\0", "x", *words], timeout)
    done = subprocess.run(["sh", "-c", command], capture_output=True, check=True)
    assert done.stdout == b"".join(word.encode() + b"\0" for word in ["x", *words])


def test_the_vm_ends_a_command_soon_after_its_time():
    assert "timeout -k 5 62 " in ssh_options.remote_command(["true"], 60)
    assert ssh_options.remote_command(["a b"]) == "'a b'"


@pytest.mark.parametrize(
    ("path", "pattern"),
    [("plain", "plain"), ("a*b", "a\\*b"), ("[x]?", "\\[x\\]\\?"), ("a\\b", "a\\\\b")],
)
def test_a_source_in_the_vm_is_no_pattern(path, pattern):
    assert ssh_options.remote_source(path) == pattern


def test_the_command_to_log_in_accepts_the_pinned_key_alone():
    words = ssh_options.login_words(target_at(22, identity=Path("/keys/id"), jump="me@bastion"))
    options = _options(words)
    assert words[0] == "ssh"
    assert words[-2:] == ["--", "azureuser@127.0.0.1"]
    assert words[words.index("-i") + 1] == "/keys/id"
    for name, value in _all()[2].items():
        if name not in ("UserKnownHostsFile", "ControlPath", "BatchMode", "ProxyCommand"):
            assert options[name] == ("yes" if name == "IdentitiesOnly" else value)
    assert (options["UserKnownHostsFile"], options["ControlPath"]) == ("/dev/null", "none")
    line = ssh_options.known_hosts_line(target_at(22)).strip()
    assert options["KnownHostsCommand"] == f"/bin/echo {line}"
    assert "BatchMode" not in options
    assert options["ProxyCommand"].endswith("bastion")


def test_without_a_pinned_key_there_is_no_command_to_log_in():
    with pytest.raises(ValueError, match="no host key is pinned"):
        ssh_options.login_words(target_at(22, host_key=None))
    with pytest.raises(ValueError, match="name of a user"):
        ssh_options.login_words(target_at(22, user="-oProxyCommand=x"))
