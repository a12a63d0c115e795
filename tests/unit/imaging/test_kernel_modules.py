"""The order in which the initrd loads modules."""

import pytest

from ccgpu.errors import ImageNotBuilt
from ccgpu.imaging.kernel_modules import load_order

_DEPENDENCIES = """kernel/md/dm-verity.ko.xz: kernel/md/dm-bufio.ko kernel/md/dm-mod.ko
kernel/md/dm-bufio.ko: kernel/md/dm-mod.ko
kernel/md/dm-mod.ko:
kernel/fs/erofs/erofs.ko: kernel/lib/libcrc32c.ko
kernel/lib/libcrc32c.ko:
"""


def test_what_a_module_needs_is_loaded_before_it_and_once():
    wanted = ("dm_verity", "dm_bufio", "overlay")
    assert load_order(_DEPENDENCIES, "kernel/fs/overlayfs/overlay.ko\n", wanted) == [
        "kernel/md/dm-mod.ko",
        "kernel/md/dm-bufio.ko",
        "kernel/md/dm-verity.ko.xz",
    ]


def test_a_kernel_without_a_module_is_refused():
    with pytest.raises(ImageNotBuilt, match="the kernel has no overlay"):
        load_order(_DEPENDENCIES, "", ("erofs", "overlay"))
