"""The GPU driver of an image: which packages are taken, and what the image needs besides them."""

import json
import os
from pathlib import Path

import pytest

from ccgpu.domain.image_driver import (
    NEEDED,
    PROGRAMS,
    TOOLS,
    cdi_document,
    driver_packages,
    fitting_version,
    source_of,
)
from ccgpu.errors import ImageNotBuilt
from ccgpu.imaging import gpu_driver
from ccgpu.imaging.resolve import PrivateApt
from ccgpu.imaging.tree import RootTree
from ccgpu.store import driver_table
from support.debs import Archive

KERNEL = "linux-image-6.8.0-1025-azure"
DRIVER = driver_table.shipped().resolve("595")
PACKAGES = driver_packages(DRIVER, KERNEL)


def test_the_packages_are_of_the_branch_and_the_kernel():
    assert PACKAGES.version == "595.71.05"
    assert PACKAGES.modules == "linux-modules-nvidia-595-server-open-6.8.0-1025-azure"
    assert "nvidia-utils-595-server" in PACKAGES.userspace
    unsigned = driver_packages(DRIVER, "linux-image-unsigned-6.8.0-1025-azure")
    assert unsigned.modules == PACKAGES.modules


@pytest.mark.parametrize(
    ("offered", "expected"),
    [
        (["595.91.07-1", "595.71.05-0ubuntu1"], "595.71.05-0ubuntu1"),
        (["1:595.71.05-1"], "1:595.71.05-1"),
        (["595.71.050-1", "595.71-1"], None),
        ([], None),
    ],
)
def test_only_the_exact_version_fits(offered, expected):
    assert fitting_version("595.71.05-", offered) == expected


def test_each_missing_package_has_a_source_that_has_it():
    assert "restricted" in source_of(PACKAGES.modules)
    assert "container toolkit" in source_of(TOOLS[0])
    assert "multiverse" in source_of("nvidia-utils-595-server")


def test_a_container_gets_each_file_where_the_image_has_it():
    document = cdi_document("595.71.05", ["/usr/lib/a/libcuda.so.595.71.05"], [PROGRAMS[0]])
    mounts = document["containerEdits"]["mounts"]
    assert [each["containerPath"] for each in mounts] == [each["hostPath"] for each in mounts]
    assert all("ro" in each["options"] for each in mounts)
    assert document["containerEdits"]["hooks"][0]["args"][-1] == "/usr/lib/a"


@pytest.fixture
def archive(tmp_path):
    """A source with stand-ins of every package of the driver."""
    found = Archive(tmp_path / "archive")
    found.add(KERNEL, "6.8.0-1025.31", depends="linux-modules-6.8.0-1025-azure, kmod")
    found.add(PACKAGES.modules, "6.8.0-1025.31+1")
    for name in PACKAGES.userspace:
        found.add(name, f"{DRIVER.version}-0ubuntu1")
        found.add(name, "595.91.07-0ubuntu1")
    found.add("nvidia-modprobe", "595.58.03-1")
    found.add(TOOLS[0], "1.20.1-1")
    return found


def _apt(archive, tmp_path):
    apt = PrivateApt(tmp_path / "apt", [archive.publish()])
    apt.update()
    return apt


@pytest.mark.slow
def test_packages_are_taken_in_the_version_that_has_a_manifest(archive, tmp_path):
    apt = _apt(archive, tmp_path)
    assert apt.part_modules(KERNEL) == ["linux-modules-6.8.0-1025-azure"]
    modules, packages = gpu_driver.select_packages(apt, DRIVER, KERNEL)
    assert modules == PACKAGES.modules
    assert "nvidia-utils-595-server=595.71.05-0ubuntu1" in packages
    assert "nvidia-modprobe=595.58.03-1" in packages


@pytest.mark.slow
def test_what_the_sources_lack_is_named_with_a_source_that_has_it(archive, tmp_path):
    archive.remove(TOOLS[0])
    archive.remove(PACKAGES.modules)
    with pytest.raises(ImageNotBuilt) as caught:
        gpu_driver.select_packages(_apt(archive, tmp_path), DRIVER, KERNEL)
    assert PACKAGES.modules in str(caught.value)
    assert "nvidia-container-toolkit-base (NVIDIA's source" in str(caught.value)
    assert "nvidia-utils" not in str(caught.value)


@pytest.mark.slow
def test_a_driver_that_is_there_in_other_versions_is_refused(archive, tmp_path):
    archive.remove("nvidia-utils-595-server", f"{DRIVER.version}-0ubuntu1")
    with pytest.raises(
        ImageNotBuilt, match=r"nvidia-utils-595-server 595\.91\.07-0ubuntu1, not of"
    ):
        gpu_driver.select_packages(_apt(archive, tmp_path), DRIVER, KERNEL)


@pytest.fixture
def root(tmp_path):
    """A tree with the files of a driver; modinfo in it is a stand-in that prints a version."""
    folder = tmp_path / "root"
    libraries = folder / "usr/lib/x86_64-linux-gnu"
    libraries.mkdir(parents=True)
    for name in (*NEEDED, "libnvidia-cfg1.so"):
        (libraries / f"{name}.{DRIVER.version}").write_bytes(b"")
    (libraries / "libother.so.1").write_bytes(b"")
    (folder / "usr/bin").mkdir()
    for name in ("nvidia-cdi-hook", "nvidia-modprobe", "nvidia-smi"):
        (folder / "usr/bin" / name).write_bytes(b"")
    for name in ("busybox", "sh"):
        (folder / "usr/bin" / name).write_bytes(Path("/bin/busybox").read_bytes())
        (folder / "usr/bin" / name).chmod(0o755)
    (folder / "usr/bin/modinfo").write_text(f"#!/usr/bin/sh\necho {DRIVER.version}\n")
    (folder / "usr/bin/modinfo").chmod(0o755)
    return RootTree(folder)


@pytest.fixture(autouse=True)
def _as_root(request):
    """Files of an image are root's, and so is chroot."""
    if "root" in request.fixturenames and (os.geteuid() or not Path("/bin/busybox").exists()):
        pytest.skip("needs root, and busybox-static")


def test_the_image_gets_a_cdi_file_of_the_drivers_own_files(root):
    (root.folder / "usr/lib/systemd/system").mkdir(parents=True)
    (root.folder / "usr/lib/systemd/system/nvidia-persistenced.service").write_text("")
    units = gpu_driver.add_driver(root, DRIVER, "6.8.0-1025-azure")
    assert units == ("ccgpu-gpu.service", "nvidia-persistenced.service")
    document = json.loads(root.read("/etc/cdi/nvidia.json"))
    edits = document["containerEdits"]
    libraries = "/usr/lib/x86_64-linux-gnu"
    assert (document["kind"], document["devices"][0]["name"]) == ("nvidia.com/gpu", "all")
    assert {each["hostPath"] for each in edits["mounts"]} == {
        *(f"{libraries}/{name}.{DRIVER.version}" for name in (*NEEDED, "libnvidia-cfg1.so")),
        "/usr/bin/nvidia-smi",
    }
    assert edits["hooks"][0]["args"] == ["nvidia-cdi-hook", "update-ldcache", "--folder", libraries]
    assert {"path": "/dev/nvidia-uvm"} in edits["deviceNodes"]
    assert b"ecdsa_generic ecdh_generic" in root.read("/etc/modprobe.d/nvidia-lkca.conf")


def test_modules_of_another_driver_are_refused(root):
    (root.folder / "usr/bin/modinfo").write_text("#!/usr/bin/sh\necho 595.91.07\n")
    with pytest.raises(ImageNotBuilt, match=r"are of driver 595\.91\.07, not 595\.71\.05"):
        gpu_driver.add_driver(root, DRIVER, "6.8.0-1025-azure")


@pytest.mark.parametrize(
    "path", [f"usr/lib/x86_64-linux-gnu/{NEEDED[1]}.595.71.05", "usr/bin/nvidia-cdi-hook"]
)
def test_a_driver_without_one_of_its_parts_is_refused(root, path):
    (root.folder / path).unlink()
    with pytest.raises(ImageNotBuilt, match=f"have no .*{Path(path).name.split('.so')[0]}"):
        gpu_driver.add_driver(root, DRIVER, "6.8.0-1025-azure")
    assert not root.exists("/etc/cdi/nvidia.json")
