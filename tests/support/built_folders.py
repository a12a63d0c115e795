"""A measured image in a folder, as `image build` writes it, and its publication."""

import base64
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from ccgpu.domain.built_image import DISK, MANIFEST
from ccgpu.domain.image_manifest import ImageManifest, dump
from ccgpu.domain.publication_outcome import PublishOutcome
from ccgpu.fakearm import FAKE_SUBSCRIPTION, FakeArm
from ccgpu.workflows.publish.context import PublishRequest
from ccgpu.workflows.publish.publish import publish_image
from support.cloud import Machine
from support.measured_images import Parts

GALLERY = "/resourceGroups/ccgpu-images/providers/Microsoft.Compute/galleries/images"
DEFINITION = f"{GALLERY}/images/tiny"
VERSION = f"{DEFINITION}/versions/1.2.3"
API = "2026-03-03"
STAYS = ["galleries", "images", "resourceGroups", "versions"]


@cache
def _image() -> tuple[bytes, ImageManifest]:
    parts = Parts()
    return parts.vhd(), parts.manifest()


@dataclass(frozen=True)
class BuiltFolder:
    """The folder of an image."""

    path: Path

    @property
    def vhd(self) -> bytes:
        """The bytes of its disk."""
        return (self.path / DISK).read_bytes()


def build_folder(path: Path, change: Callable[[ImageManifest], Any] | None = None) -> BuiltFolder:
    """Write an image there. change: of the manifest's model, before it is written."""
    vhd, manifest = _image()
    path.mkdir()
    (path / DISK).write_bytes(vhd)
    (path / MANIFEST).write_bytes(dump(manifest if change is None else change(manifest)))
    return BuiltFolder(path)


def with_version(version: str) -> Callable[[ImageManifest], ImageManifest]:
    """The manifest with another version."""
    return lambda manifest: manifest.model_copy(update={"version": version})


def publish(machine: Machine, folder: BuiltFolder, **changes: Any) -> PublishOutcome:
    """`ccgpu image publish FOLDER --gallery images --region eastus2`."""
    request = PublishRequest(folder.path, "images", regions=("eastus2",))
    return publish_image(machine.cloud, replace(request, **changes), machine.events.append)


def md5(data: bytes) -> str:
    """The digest of bytes that are written."""
    return base64.b64encode(hashlib.md5(data).digest()).decode()


def upload_disks(machine: Machine) -> list[str]:
    """The ids of disks that exist."""
    return [id_ for id_ in machine.ids() if "/disks/" in id_]


def version_bytes(arm: FakeArm, id_: str = VERSION) -> bytes:
    """The bytes of a version, as the simulated Azure has copied them."""
    return b"".join(arm.content_of(f"/subscriptions/{FAKE_SUBSCRIPTION}{id_}"))
