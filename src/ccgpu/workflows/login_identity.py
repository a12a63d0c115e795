"""The private key that a VM is logged in to with, and the command of OpenSSH that does it."""

from collections.abc import Iterable
from pathlib import Path

from ccgpu.azure.context import AzureContext
from ccgpu.domain import sshkey
from ccgpu.domain.access import Access
from ccgpu.domain.deployment import Deployment
from ccgpu.domain.resource import Body
from ccgpu.domain.vm_view import ssh_public_keys
from ccgpu.errors import StateUnusable, UsageProblem
from ccgpu.guest.channel import GuestTarget
from ccgpu.guest.ssh_options import login_words
from ccgpu.store.keys import Keys
from ccgpu.store.known_hosts import KnownHosts
from ccgpu.workflows.record_names import record_name

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


def openssh_words(
    cloud: AzureContext, deployment: Deployment, access: Access, identity: Path | None
) -> list[str] | None:
    """The words of OpenSSH's command that logs in to the VM, and accepts its pinned key alone.

    None without an address to connect to from here, or if this machine has recorded no host key of
    this VM: a command that accepts any key is not given.
    """
    address = deployment.private_ip if access.by_private_address else deployment.public_ip
    vm_id = (deployment.vm_id or "").lower()
    if address is None or deployment.admin_user is None:
        return None
    try:
        recorded = record_name(cloud, deployment.name, deployment.resource_group)
        known = KnownHosts(cloud.journals.folder).find(cloud.subscription, recorded, vm_id)
        if known is None:
            return None
        target = GuestTarget(
            deployment=deployment.name,
            vm_id=vm_id,
            host=address,
            user=deployment.admin_user,
            host_key=known.blob,
            identity=identity,
            jump=access.jump,
        )
        return login_words(target)
    except (StateUnusable, ValueError):  # a damaged record, or a name that Azure's rules forbid
        return None


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
