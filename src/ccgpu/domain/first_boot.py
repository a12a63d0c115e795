"""What a VM gets at its first boot, as part of the body of its PUT."""

import base64
import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ccgpu.domain.guest_tag import tag_text
from ccgpu.domain.resource import CUSTOM_DATA, GUEST, Body, Resource

if TYPE_CHECKING:
    from ccgpu.domain.spec.vm import VmSpec


@dataclass(frozen=True, slots=True)
class FirstBoot:
    """What a VM gets at its first boot.

    custom_data: what cloud-init reads. driver: the exact version of the driver that it installs;
    None if the image brings one along.
    """

    custom_data: str
    driver: str | None = None


def with_first_boot(vm: Resource, spec: "VmSpec", boot: FirstBoot) -> Resource:
    """The VM with customData, its digest as a tag (no GET returns customData), and the driver."""
    raw = boot.custom_data.encode()
    tags = {CUSTOM_DATA: hashlib.sha256(raw).hexdigest(), GUEST: tag_text(spec, boot.driver)}
    properties: Body = vm.body["properties"]
    profile = properties["osProfile"] | {"customData": base64.b64encode(raw).decode("ascii")}
    body = vm.body | {
        "tags": vm.body["tags"] | tags,
        "properties": properties | {"osProfile": profile},
    }
    return replace(vm, body=body)
