"""Private keys that ask for a passphrase are refused before a VM is made for them."""

import os
import shutil
import subprocess

import pytest

from ccgpu.errors import UsageProblem
from ccgpu.guest.login_keys import is_encrypted, require_usable


def _key(file, *, passphrase="", form="RFC4716"):
    kind = ["-t", "ed25519"] if form == "RFC4716" else ["-t", "rsa", "-b", "1024"]  # quickly made
    words = ["-q", *kind, "-m", form]
    subprocess.run(["ssh-keygen", *words, "-N", passphrase, "-f", file], check=True)
    return file


@pytest.fixture
def no_agent(monkeypatch):
    """A user without an agent."""
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)


@pytest.mark.parametrize("form", ["RFC4716", "PEM", "PKCS8"])
def test_a_passphrase_is_seen_in_every_form_that_ssh_reads(tmp_path, form):
    assert is_encrypted(_key(tmp_path / "closed", passphrase="secret", form=form))
    assert not is_encrypted(_key(tmp_path / "open", form=form))


def test_what_is_no_key_is_left_to_ssh(tmp_path):
    (tmp_path / "text").write_text("no key")
    assert not is_encrypted(tmp_path / "text")
    assert not is_encrypted(tmp_path / "absent")


@pytest.mark.slow
@pytest.mark.usefixtures("no_agent")
def test_keys_that_all_ask_are_refused_without_an_agent(tmp_path):
    closed = _key(tmp_path / "closed", passphrase="secret")
    with pytest.raises(UsageProblem, match="closed asks for a passphrase") as caught:
        require_usable([closed])
    assert f"ssh-add {closed}" in str(caught.value.hint)
    require_usable([closed, _key(tmp_path / "open")])
    require_usable([])


@pytest.mark.slow
def test_a_key_that_the_agent_holds_is_usable(tmp_path, monkeypatch):
    if shutil.which("ssh-agent") is None:
        pytest.skip("needs ssh-agent")
    socket = tmp_path / "agent"
    with subprocess.Popen(["ssh-agent", "-D", "-a", socket], stdout=subprocess.DEVNULL) as agent:
        try:
            while not socket.exists():
                assert agent.poll() is None
            monkeypatch.setenv("SSH_AUTH_SOCK", str(socket))
            closed = _key(tmp_path / "closed", passphrase="secret")
            with pytest.raises(UsageProblem):
                require_usable([closed])
            held = _key(tmp_path / "held")
            subprocess.run(["ssh-add", "-q", held], check=True, env=os.environ)
            words = ["-q", "-p", "-P", "", "-N", "secret", "-f", held]
            subprocess.run(["ssh-keygen", *words], check=True)
            assert is_encrypted(held)
            require_usable([held])
            with pytest.raises(UsageProblem):
                require_usable([closed])
        finally:
            agent.terminate()
