"""The simulated NVIDIA has manifests of the drivers of which the real one has published some."""

from ccgpu.fakeguest.guest import DRIVER, VBIOS
from ccgpu.fakeguest.vendors import DRIVERS
from ccgpu.store import driver_table
from support.cloud import vendors


def test_the_manifests_are_those_of_the_driver_table():
    table = driver_table.shipped()
    assert set(DRIVERS) == {one.version for one in table.drivers if one.manifest == "published"}
    assert DRIVER in DRIVERS


def test_each_manifest_is_of_the_version_in_its_name():
    manifests = vendors().manifests
    assert len(manifests) == len(DRIVERS) + 1
    for version in DRIVERS:
        xml = manifests[f"NV_GPU_DRIVER_GH100_{version}"].decode()
        assert f'colloquialVersion="{version}"' in xml
    (vbios,) = (xml for name, xml in manifests.items() if "VBIOS" in name)
    assert f'colloquialVersion="{VBIOS}"' in vbios.decode()
