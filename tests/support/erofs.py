"""Root file systems out of nothing, by erofs-utils."""

import json
import shutil
import tempfile
from functools import cache
from pathlib import Path

import pytest

from ccgpu.domain.root_lists import status_text
from ccgpu.imaging import disk_parts
from ccgpu.imaging.container_store import STORE
from ccgpu.imaging.root_contents import BOOT_PACKAGES
from support.measured_images import facts


@cache
def root_that_lists_the_facts() -> bytes:
    """A root file system with what the manifests of tests state, and nothing else.

    The first package is one of the boot, the others are installed.
    """
    if not shutil.which("mkfs.erofs") or not shutil.which("fsck.erofs"):
        pytest.skip("needs erofs-utils")
    stated = facts()
    boot, *installed = stated.packages
    containers = [{"names": [f"{each.reference}@{each.digest}"]} for each in stated.containers]
    removed = "\nPackage: gone\nStatus: deinstall ok config-files\nArchitecture: all\nVersion: 1\n"
    files = {
        "/var/lib/dpkg/status": status_text(installed) + removed,
        BOOT_PACKAGES: status_text([boot]),
        f"{STORE}/overlay-images/images.json": json.dumps(containers),
    }
    files |= {f"/etc/systemd/system/multi-user.target.wants/{unit}": "" for unit in stated.units}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name, "root")
        for path, text in files.items():
            file = folder / path.lstrip("/")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        disk_parts.make_root_image(folder, Path(name, "image"), 1)
        return Path(name, "image").read_bytes()
