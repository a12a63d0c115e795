"""A user's machine with a measured image in a gallery, and deployments that are created from it.

As a program it writes into a home what a page takes for granted: the manifest, the gallery that
holds the image, what the simulated VMs boot, and an SSH key that is the same each time.
"""

import hashlib
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from ccgpu.domain.image_manifest import dump
from ccgpu.domain.published_image import MANIFEST_TAG, VHD_TAG
from ccgpu.fakearm import FAKE_SUBSCRIPTION
from support.cli import CommandResult, Shell
from support.measured_vms import manifest

GALLERY = (
    f"/subscriptions/{FAKE_SUBSCRIPTION}/resourceGroups/images/providers/Microsoft.Compute"
    "/galleries/golden"
)
IMAGE = f"{GALLERY}/images/tiny"
VERSION = f"{IMAGE}/versions/1.2.3"
MANIFEST = dump(manifest())
SHA256 = hashlib.sha256(MANIFEST).hexdigest()
VHD = manifest().disk.vhd_sha256
TAGS = {MANIFEST_TAG: SHA256, VHD_TAG: VHD}


def gallery(
    tags: Mapping[str, str] = TAGS,
    *,
    state: str = "Generalized",
    security: str = "ConfidentialVmSupported",
    regions: tuple[str, ...] = ("eastus2", "westeurope"),
    version: str = VERSION,
) -> list[dict[str, Any]]:
    """The resources of a gallery with one version of the image."""
    definition = {
        "osType": "Linux",
        "osState": state,
        "hyperVGeneration": "V2",
        "identifier": {"publisher": "me", "offer": "tiny", "sku": "measured"},
        "features": [{"name": "SecurityType", "value": security}],
    }
    profile = {"targetRegions": [{"name": one} for one in regions]}
    own = {"location": "eastus2"}
    return [
        {"id": GALLERY, **own, "properties": {}},
        {"id": IMAGE, **own, "properties": definition},
        {"id": version, **own, "tags": dict(tags), "properties": {"publishingProfile": profile}},
    ]


@dataclass
class MeasuredUser:
    """A user with `image.json`, a spec beside it, and the gallery's version of that image."""

    shell: Shell
    spec: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        (self.shell.folder / "image.json").write_bytes(MANIFEST)
        self.write(VERSION)
        self.shell.arm.configure({"measured_images": {VHD: json.loads(MANIFEST)}})

    def write(self, gallery_image: str, **more: Any) -> None:
        """Write the spec: JSON is YAML, too."""
        image = {"measured": "image.json", "gallery": gallery_image}
        document = {"name": "demo", "image": image, **more}
        (self.shell.folder / "spec.yaml").write_text(json.dumps(document))

    def publish(self, resources: list[dict[str, Any]] | None = None) -> "MeasuredUser":
        """Put the image into the gallery."""
        result = self.shell.arm.add(resources or gallery())
        assert not result.problems, result.problems
        return self

    def create(self, words: str = "") -> CommandResult:
        """`ccgpu create -f` with the spec."""
        return self(f"create -f {self.shell.folder}/spec.yaml --yes {words}")

    def __call__(self, line: str) -> CommandResult:
        """`ccgpu LINE` in the simulated subscription."""
        command, _, rest = line.partition(" ")
        return self.shell(f"{command} --backend fake {rest}")


def write_files(folder: Path) -> None:
    """Write `image.json`, and `gallery.json` and `boots.json` for the simulated subscription."""
    (folder / "image.json").write_bytes(MANIFEST)
    (folder / "gallery.json").write_text(json.dumps(gallery()))
    (folder / "boots.json").write_text(json.dumps({"measured_images": {VHD: json.loads(MANIFEST)}}))
    key = Ed25519PrivateKey.from_private_bytes(bytes(32))
    (folder / ".ssh").mkdir(mode=0o700)
    private = folder / ".ssh" / "id_ed25519"
    private.touch(0o600)
    private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()))
    public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    private.with_suffix(".pub").write_bytes(public + b"\n")


if __name__ == "__main__":
    write_files(Path(sys.argv[1]))
