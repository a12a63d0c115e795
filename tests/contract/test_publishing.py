"""The pinned SDK publishes an image in the simulated subscription, from the disk to a VM of it."""

import sqlite3
from contextlib import closing

import pytest
from azure.core.exceptions import ResourceNotFoundError

from ccgpu.fakearm import FakeArm
from support.arm import Client
from support.publishing import DISK, MIB, SIZE, VERSION, Publisher, footer


def test_an_image_is_uploaded_published_booted_and_removed(tmp_path):
    sdk = Publisher(FakeArm(tmp_path / "azure"))
    parts = {0: b"a" * 512, 4 * MIB - 512: b"b" * 1024, SIZE: footer()}
    sdk.upload(parts)
    disk = sdk.compute.disks.get("g", "disk")
    assert (disk.disk_state, disk.disk_size_bytes, disk.disk_size_gb) == ("Unattached", SIZE, 1)
    expected = bytearray(SIZE + 512)
    for start, data in parts.items():
        expected[start : start + len(data)] = data
    assert b"".join(sdk.arm.content_of(DISK)) == expected
    sdk.gallery()
    made = sdk.publish("1.0.0", "East US 2", "westeurope")
    assert (made.provisioning_state, made.storage_profile.os_disk_image.size_in_gb) == (
        "Succeeded",
        1,
    )
    shown = sdk.compute.gallery_image_versions.get(
        "g", "gal", "img", "1.0.0", expand="ReplicationStatus"
    )
    status = shown.replication_status
    assert status.aggregated_state == "Completed"
    assert [(one.region, one.progress) for one in status.summary] == [
        ("eastus2", 100),
        ("westeurope", 100),
    ]
    sdk.compute.disks.begin_delete("g", "disk").result()
    assert b"".join(sdk.arm.content_of(VERSION)) == expected
    az = Client(sdk.arm)
    az.network()
    az.machine(image={"id": VERSION})
    sdk.compute.gallery_image_versions.begin_delete("g", "gal", "img", "1.0.0").result()
    with pytest.raises(ResourceNotFoundError):
        sdk.compute.gallery_image_versions.get("g", "gal", "img", "1.0.0")
    sdk.compute.gallery_images.begin_delete("g", "gal", "img").result()
    sdk.compute.galleries.begin_delete("g", "gal").result()
    assert list(sdk.compute.galleries.list()) == []
    with pytest.raises(KeyError):
        sdk.arm.content_of(VERSION)
    sdk.arm.close()
    with closing(sqlite3.connect(tmp_path / "azure")) as state:  # its bytes are not kept
        assert state.execute("SELECT count(*) FROM pages").fetchone() == (0,)
