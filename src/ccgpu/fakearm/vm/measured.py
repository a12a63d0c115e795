"""VMs that boot a measured image: what Azure knows of them, and what it hands to their guest.

Azure itself knows nothing of measured images. A VM boots from the bytes that were uploaded for its
gallery's version. Of a version without bytes the tag tells its VHD's digest, and the setting
`measured_images` has the manifest of each such VHD. Sources of the rules are in docs/fake-azure.md.
"""

import base64
import binascii
from collections.abc import Callable, Mapping
from typing import Any

from ccgpu.fakearm import errors
from ccgpu.fakearm.images import Image
from ccgpu.fakearm.resources.tracked import PutRequest
from ccgpu.fakearm.storage.pages import StoredDisk
from ccgpu.fakearm.vm.rules import value_at
from ccgpu.fakearm.wire import Body, FakeGap
from ccgpu.fakearm.world import StoredResource, World

Manifest = Mapping[str, Any]
# What a boot measures of a disk, in the form of a manifest; None if it is no measured image.
MeasureDisk = Callable[[StoredDisk], Manifest | None]

_VHD_TAG = "ccgpu-image-vhd"
_USER_DATA = 64 * 1024  # characters of base64: Microsoft Learn, "User Data for Azure VM"


def check_os_profile(wanted: PutRequest, image: Image) -> None:
    """A specialized image has its users already; a generalized one needs an `osProfile`."""
    if not image.specialized:
        return
    if value_at(wanted.properties, "osProfile") is not None:
        raise errors.invalid_parameter("osProfile", "Parameter 'osProfile' is not allowed.")
    raise FakeGap("a VM of a specialized image")


def check_user_data(text: Any) -> None:
    """User data is base64 of a bounded size."""
    valid = isinstance(text, str) and len(text) <= _USER_DATA and _is_base64(text)
    if text is not None and not valid:
        raise errors.invalid_parameter(
            "userData",
            "User data must be in Base64 encoding and with a maximum length of "
            f"{_USER_DATA} characters.",
        )


def _is_base64(text: str) -> bool:
    try:
        base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return False
    return True


def boot_disk(world: World, reference: Body, exact: str) -> Body:
    """What a new VM of a private image boots: `measured`, and the VHD's digest by its tag."""
    definition = str(reference.get("id", "")).lower().partition("/versions/")[0]
    version = world.find(f"{definition}/versions/{exact}") if definition else None
    if version is None:
        return {}
    tags: Mapping[str, str] = version.body.get("tags") or {}
    return {"vhd": tags.get(_VHD_TAG), "measured": _measure(world, version)}


def _measure(world: World, version: StoredResource) -> Manifest | None:
    state = version.internal_state
    if world.measure_disk is None or "content" not in state:
        return None
    return world.measure_disk(StoredDisk(world.store, state["content"], state["contentBytes"]))


def manifest_of(world: World, vm: StoredResource) -> Manifest | None:
    """The manifest of the image that the VM boots; None if it is no measured one."""
    known: Mapping[str, Manifest] = world.settings.value("measured_images")
    measured: Manifest | None = vm.internal_state.get("measured")
    return measured or known.get(str(vm.internal_state.get("vhd")))


def has_agent(vm: StoredResource) -> bool:
    """Whether Azure expects its agent in the guest."""
    return (
        value_at(vm.properties, "osProfile", "linuxConfiguration", "provisionVMAgent") is not False
    )
