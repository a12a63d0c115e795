"""The body of a VM that boots a measured image, and what tells such a VM from others.

Every byte of it is named by the verdict, so nothing may reach it from beside: no agent, no
extension, no customData. Its config is `userData`, which the guest measures before use. Sources:
Microsoft Learn, "Creating generalized images without a provisioning agent" (provisionVMAgent);
azure-mgmt-compute, `OSProfile.allowExtensionOperations`; docs/measured-image.md (secure boot).
"""

import base64
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ccgpu.domain.compare import Difference
from ccgpu.domain.guest_config import config_bytes, config_sha256
from ccgpu.domain.published_image import MANIFEST_TAG
from ccgpu.domain.resource import GUEST, GUEST_CONFIG, Body, Resource, tag

if TYPE_CHECKING:
    from ccgpu.domain.spec.vm import VmSpec

_COMPARED = ((MANIFEST_TAG, "image.measured"), (GUEST_CONFIG, "image.config"))


@dataclass(frozen=True, slots=True)
class MeasuredBoot:
    """What a VM boots: the SHA-256 (hex) of the manifest's file, and the config it is given."""

    manifest_sha256: str
    config: bytes

    @property
    def config_sha256(self) -> str:
        """The config's SHA-256 (hex)."""
        return config_sha256(self.config)


def measured_boot(spec: "VmSpec", manifest_sha256: str) -> MeasuredBoot:
    """What the VM of a spec boots; the spec has its SSH keys."""
    return MeasuredBoot(manifest_sha256, config_bytes(spec.admin_user, spec.ssh_keys))


def with_measured_boot(vm: Resource, boot: MeasuredBoot) -> Resource:
    """The VM without agent and extensions, with its config, and tags that say what it boots."""
    properties: Body = vm.body["properties"]
    profile = properties["osProfile"]
    linux = {
        name: value
        for name, value in profile["linuxConfiguration"].items()
        if name != "patchSettings"  # the agent's
    }
    tags = {name: value for name, value in vm.body["tags"].items() if name != GUEST}
    tags |= {MANIFEST_TAG: boot.manifest_sha256, GUEST_CONFIG: boot.config_sha256}
    changed = {
        "osProfile": profile
        | {
            "allowExtensionOperations": False,
            "linuxConfiguration": linux | {"provisionVMAgent": False},
        },
        "userData": base64.b64encode(boot.config).decode("ascii"),
    }
    return replace(vm, body=vm.body | {"tags": tags, "properties": properties | changed})


def given_config(vm: Body) -> bytes | None:
    """The config in the body of a VM's PUT; None if it boots no measured image."""
    data = vm["properties"].get("userData")
    return None if data is None else base64.b64decode(data)


def says_measured(vm: Body | None) -> bool:
    """Whether the VM's tags say that it boots a measured image. They are no proof of it."""
    return tag(vm, MANIFEST_TAG) is not None


def measured_differences(wanted: Body, live: Body) -> tuple[Difference, ...]:
    """The tags of the boot that differ: a VM boots another image or config only when it is new."""
    return tuple(
        Difference(path, tag(wanted, name), tag(live, name))
        for name, path in _COMPARED
        if tag(wanted, name) not in (None, tag(live, name))
    )
