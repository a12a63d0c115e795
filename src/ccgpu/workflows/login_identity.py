"""The private key that a VM is logged in to with."""

from collections.abc import Iterable
from pathlib import Path

from ccgpu.domain import sshkey
from ccgpu.domain.access import Access
from ccgpu.domain.deployment import Deployment
from ccgpu.domain.resource import Body
from ccgpu.domain.vm_view import ssh_public_keys
from ccgpu.errors import UsageProblem
from ccgpu.store.keys import Keys

_DEFAULTS = ("id_ed25519", "id_rsa")  # that ssh tries (ssh_config(5), IdentityFile) and Azure takes


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
    return keys.private if generated in _blobs(ssh_public_keys(vm)) else None


def login_key(deployment: Deployment, access: Access, keys: Keys) -> Path | None:
    """The private key on this machine that logs in to the VM; None if none is known."""
    if access.identity is not None:
        return Path(access.identity)
    blobs = _blobs(deployment.ssh_keys)
    if _public_blob(keys.public) in blobs:
        return keys.private
    return next(iter(_own_keys(blobs, keys)), None)


def login_candidates(vm: Body, access: Access, keys: Keys) -> tuple[Path, ...]:
    """The private keys by which this machine can log in, as far as that is known.

    Those that an agent alone holds are not known.
    """
    chosen = login_identity(vm, access, keys)
    if chosen is not None:
        return (chosen,)
    return _own_keys(_blobs(ssh_public_keys(vm)), keys)


def _own_keys(wanted: set[bytes], keys: Keys) -> tuple[Path, ...]:
    """The user's own private keys whose public keys are among `wanted`."""
    folder = keys.home / ".ssh"
    return tuple(
        folder / name for name in _DEFAULTS if _public_blob(folder / f"{name}.pub") in wanted
    )


def _public_blob(public: Path) -> bytes | None:
    try:
        return sshkey.parse(public.read_text(encoding="utf-8")).blob
    except (OSError, ValueError):
        return None


def _blobs(lines: Iterable[str]) -> set[bytes]:
    """The public keys of these lines, in wire format."""
    found = map(_blob, lines)
    return {blob for blob in found if blob is not None}


def _blob(line: str) -> bytes | None:
    """A public key in wire format; None for one that `create` only plans to generate."""
    try:
        return sshkey.parse(line).blob
    except ValueError:
        return None
