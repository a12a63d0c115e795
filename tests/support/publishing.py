"""Publishing an image by Microsoft's own clients: disk, page blob, gallery, image version."""

import struct
from typing import Any

from azure.mgmt.compute import ComputeManagementClient
from azure.mgmt.resource.resources import ResourceManagementClient
from azure.storage.blob import BlobClient

from ccgpu.fakearm import FAKE_SUBSCRIPTION, FakeArm, FakeCredential, FakeTransport
from support.arm import REGION, resource_path

MIB = 1024 * 1024
SIZE = 20 * MIB  # bytes of the smallest disk that can be uploaded
DISK = resource_path("Microsoft.Compute/disks", "disk")
GALLERY = resource_path("Microsoft.Compute/galleries", "gal")
IMAGE = f"{GALLERY}/images/img"
VERSION = f"{IMAGE}/versions/1.0.0"
_FOOTER = struct.Struct(">8sIIQIIIIQQIIII")


class WaitingTransport(FakeTransport):
    """The SDK's pauses let virtual time pass, so that its pollers see operations end."""

    def __init__(self, arm: FakeArm) -> None:
        super().__init__(arm)
        self._arm = arm

    def sleep(self, duration: float) -> None:
        self._arm.advance(duration)


class Publisher:
    """The clients over one simulated subscription with the group `g`."""

    def __init__(self, arm: FakeArm | None = None) -> None:
        self.arm = arm or FakeArm()
        more: dict[str, Any] = {"transport": WaitingTransport(self.arm), "retry_total": 0}
        account = (FakeCredential(), FAKE_SUBSCRIPTION)
        self.compute: Any = ComputeManagementClient(*account, **more)
        groups = ResourceManagementClient(*account, **more).resource_groups
        groups.create_or_update("g", {"location": REGION})

    def blob(self, url: str) -> BlobClient:
        return BlobClient.from_blob_url(url, transport=FakeTransport(self.arm), retry_total=0)

    def empty_disk(self, name: str = "disk", **changes: Any) -> Any:
        """A disk that waits for its upload."""
        return self.compute.disks.begin_create_or_update("g", name, upload_body(**changes)).result()

    def grant(self, name: str = "disk", seconds: int = 3600, access: str = "Write") -> str:
        """The address with its signature."""
        wanted = {"access": access, "durationInSeconds": seconds}
        found = self.compute.disks.begin_grant_access("g", name, wanted).result()
        return str(found.access_sas)

    def upload(self, parts: dict[int, bytes], name: str = "disk") -> None:
        """Fill a new disk with `parts` by their places, and end the upload."""
        self.empty_disk(name)
        blob = self.blob(self.grant(name))
        for start, data in parts.items():
            blob.upload_page(data, start, len(data))
        self.compute.disks.begin_revoke_access("g", name).result()

    def gallery(self, **changes: Any) -> None:
        """The gallery `gal` with the definition `img`."""
        self.compute.galleries.begin_create_or_update("g", "gal", {"location": REGION}).result()
        self.define(**changes)

    def define(self, name: str = "img", **changes: Any) -> Any:
        begin = self.compute.gallery_images.begin_create_or_update
        return begin("g", "gal", name, definition_body(**changes)).result()

    def publish(self, name: str = "1.0.0", *regions: str, **changes: Any) -> Any:
        """A version of the image, made of the disk, in these regions."""
        begin = self.compute.gallery_image_versions.begin_create_or_update
        return begin("g", "gal", "img", name, version_body(*regions, **changes)).result()


def upload_body(**changes: Any) -> dict[str, Any]:
    properties = {
        "osType": "Linux",
        "hyperVGeneration": "V2",
        "creationData": {"createOption": "Upload", "uploadSizeBytes": SIZE + 512},
    }
    return {
        "location": REGION,
        "sku": {"name": "Standard_LRS"},
        "properties": properties | changes,
    }


def definition_body(**changes: Any) -> dict[str, Any]:
    properties = {
        "osType": "Linux",
        "osState": "Generalized",
        "hyperVGeneration": "V2",
        "architecture": "x64",
        "identifier": {"publisher": "ccgpu", "offer": "measured", "sku": "one"},
        "features": [{"name": "SecurityType", "value": "ConfidentialVMSupported"}],
    }
    return {"location": REGION, "properties": properties | changes}


def version_body(*regions: str, **changes: Any) -> dict[str, Any]:
    properties = {
        "publishingProfile": {"targetRegions": [{"name": one} for one in regions or (REGION,)]},
        "storageProfile": {"osDiskImage": {"source": {"id": DISK}}},
        "safetyProfile": {"blockDeletionBeforeEndOfLife": False},
    }
    return {"location": REGION, "properties": properties | changes}


def footer(size: int = SIZE, *, cookie: bytes = b"conectix", kind: int = 2) -> bytes:
    """The footer of a VHD of `size` bytes; 2 is a fixed one."""
    start = (cookie, 2, 0x10000, 2**64 - 1, 0, 0, 0, 0, size, size, 0, kind, 0, 0)
    raw = bytearray(_FOOTER.pack(*start).ljust(512, b"\0"))
    raw[64:68] = struct.pack(">I", ~sum(raw) & 0xFFFFFFFF)
    return bytes(raw)
