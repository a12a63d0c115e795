"""What a spec with a measured image may not ask for, and what its defaults become.

Such an image is used as it is: nothing is set up in it, it is not signed, and no key of the vTPM
seals its disk, which is public anyway (docs/measured-image.md).
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ccgpu.domain.guest_config import CONFIG_LIMIT, MOST_KEYS, config_bytes
from ccgpu.domain.image import is_measured
from ccgpu.domain.spec.guest import Guest
from ccgpu.domain.spec.os_disk import DiskEncryption
from ccgpu.domain.spec.rules import FieldRule

if TYPE_CHECKING:
    from ccgpu.domain.spec.vm import VmSpec

_NOT_SET_UP = (
    "is for an image that is set up at its first boot: a measured image is used as it is, leave it "
    "out"
)
_UNSIGNED = (
    "must be false with a measured image: no one signs it, and the verdict names every byte that "
    "boots; leave it out"
)
_PUBLIC = (
    "must be state-only with a measured image: its root is public and checked by its hash, and "
    "full needs secure boot; leave it out"
)


def with_measured_defaults(data: Any) -> Any:
    """The values of a spec; with a measured image, two fields have other defaults."""
    if not isinstance(data, Mapping) or not is_measured(data.get("image")):
        return data
    disk = data.get("os_disk", {})
    if isinstance(disk, Mapping):
        disk = {"encryption": DiskEncryption.STATE_ONLY.value, **disk}
    return {"secure_boot": False, **data, "os_disk": disk}


def measured_rules() -> "tuple[FieldRule[VmSpec], ...]":
    """The rules of a spec with a measured image, one for each field that is refused."""
    image = ("image",)
    return (
        FieldRule(
            ("secure_boot",),
            (image, ("secure_boot",)),
            lambda spec: is_measured(spec.image) and spec.secure_boot,
            _UNSIGNED,
        ),
        FieldRule(
            ("os_disk", "encryption"),
            (image, ("os_disk", "encryption")),
            lambda spec: (
                is_measured(spec.image) and spec.os_disk.encryption is not DiskEncryption.STATE_ONLY
            ),
            _PUBLIC,
        ),
        FieldRule(
            ("ssh_keys",),
            (image, ("ssh_keys",), ("admin_user",)),
            lambda spec: is_measured(spec.image) and not _fits(spec),
            f"do not fit into the config of a measured image: at most {MOST_KEYS} keys, and "
            f"{CONFIG_LIMIT // 1024} KiB",
        ),
        *(_refused(name) for name in Guest.model_fields),
    )


def _fits(spec: "VmSpec") -> bool:
    config = config_bytes(spec.admin_user, spec.ssh_keys)
    return len(spec.ssh_keys) <= MOST_KEYS and len(config) <= CONFIG_LIMIT


def _refused(name: str) -> "FieldRule[VmSpec]":
    usual = getattr(Guest(), name)
    return FieldRule(
        ("guest", name),
        (("image",), ("guest", name)),
        lambda spec: is_measured(spec.image) and getattr(spec.guest, name) != usual,
        _NOT_SET_UP,
    )
