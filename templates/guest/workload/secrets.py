"""The secrets that were released to this boot. Only their presence is told, never a value."""

import os
from pathlib import Path

from ccgpu.templates.guest.workload.base import SECRETS, Vm, WorkloadError

LIMIT = 64 * 1024  # bytes of one


def require_secrets(vm: Vm, names: list[str]) -> None:
    """Refuse to go on without one of these."""
    for name in names:
        file_of(vm, name)


def file_of(vm: Vm, name: str) -> Path:
    """The file of a secret, which must be there."""
    path = vm.root / SECRETS / name
    if path.is_symlink() or not path.is_file():
        raise WorkloadError("secret.absent", f"the secret {name} is not in this boot of the VM")
    return path


def read_secret(vm: Vm, name: str) -> str:
    """A secret that is sent as a header: one line of visible ASCII."""
    descriptor = os.open(file_of(vm, name), os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as stream:
        raw = stream.read(LIMIT + 1).strip()
    if not raw or len(raw) > LIMIT or not all(0x21 <= byte <= 0x7E for byte in raw):
        raise WorkloadError("secret.absent", f"the secret {name} is not a token: one word of ASCII")
    return raw.decode("ascii")
