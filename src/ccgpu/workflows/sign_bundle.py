"""Signs a bundle with a key of the user; the signature is a file beside the bundle."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from ccgpu.guest.ssh_sign import sign_with_ssh
from ccgpu.store.signing_keys import Password, SshKeyFile, read_signing_key, sign_bare

Sign = Callable[[bytes], bytes]


def open_signer(key: Path, password: Password, *, terminal: bool) -> Sign:
    """What signs with the key. A key that ccgpu opens itself is open from now on.

    terminal: whether OpenSSH may ask for a passphrase at the terminal, when it signs.

    Raises:
        InvalidFile: The file holds no key that can sign.
        UsageProblem: The password is wrong, or nobody can be asked for it.
    """
    found = read_signing_key(key, password)
    if isinstance(found, SshKeyFile):
        return partial(sign_with_ssh, found.path, terminal=terminal)
    return partial(sign_bare, found)
