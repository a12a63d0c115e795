"""What the guest of an existing VM must be, from the VM's GET alone. Pure."""

from ccgpu.domain.guest_tag import live_guest
from ccgpu.domain.resource import CUSTOM_DATA, Body, tag
from ccgpu.domain.spec.guest import Ready, TempDisk
from ccgpu.domain.vm_view import is_secure_boot_enabled
from ccgpu.guest.readiness import GuestExpectations

# The tag holds the fields of the set-up only if ccgpu sets the image up.
_SET_UP_FIELD = "driver"


def expectations_of(vm: Body) -> GuestExpectations | None:
    """The expectations; None if the VM has no tag of its first boot, as one of an older ccgpu."""
    guest = live_guest(vm)
    if not guest:
        return None
    is_set_up = _SET_UP_FIELD in guest
    return GuestExpectations(
        set_up=is_set_up,
        secure_boot=is_secure_boot_enabled(vm),
        ready_at_boot=guest.get("ready") is Ready.AT_BOOT,
        temp_disk_encrypted=is_set_up and guest.get("temp_disk") is TempDisk.ENCRYPTED,
        custom_data_sha256=tag(vm, CUSTOM_DATA),
    )
