"""The private key that a VM is logged in to with."""

from pathlib import Path

from ccgpu.domain import sshkey
from ccgpu.domain.access import Access
from ccgpu.domain.resource import Body
from ccgpu.domain.vm_view import ssh_public_keys
from ccgpu.errors import UsageProblem
from ccgpu.store.keys import Keys


def login_identity(vm: Body, access: Access, keys: Keys) -> Path | None:
    """The private key to log in with; None for those that ssh tries by itself.

    The key that ccgpu generated is used if the VM was created with it.
    """
    if access.identity is not None:
        path = Path(access.identity)
        if not path.is_file():
            raise UsageProblem(
                f"there is no key file {path}", hint="name one: `-i FILE`, or forget it: `-i none`"
            )
        return path
    if not keys.public.is_file():
        return None
    generated = sshkey.parse(keys.public.read_text(encoding="utf-8")).blob
    return keys.private if generated in _blobs(vm) else None


def _blobs(vm: Body) -> set[bytes]:
    """The public keys that the VM was created with, in wire format."""
    return {sshkey.parse(line).blob for line in ssh_public_keys(vm)}
