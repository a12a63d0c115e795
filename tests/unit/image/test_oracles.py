"""Other programs agree: systemd-measure, veritysetup, mkfs.vfat, mkfs.erofs, cvmutils."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from cvmutils.pcr import PCR
from cvmutils.sb import SecureBoot

from ccgpu.domain.image_manifest import pcrs_of
from ccgpu.domain.image_pcrs import BOOT_PROGRAM
from ccgpu.image import fat, uki, verity
from ccgpu.image.blocks import BytesBlocks
from ccgpu.image.measure import measure
from support import measured_images as images

pytestmark = pytest.mark.slow

_STUB = Path("/usr/lib/systemd/boot/efi/linuxx64.efi.stub")
_PLACES = "/usr/lib/systemd:/lib/systemd:/usr/sbin:/sbin:/usr/bin:/bin"


def tool(name: str, package: str) -> str:
    found = shutil.which(name, path=_PLACES)
    if found is None:
        pytest.skip(f"needs {name}: the package {package}")
    return found


def run(*words: object) -> str:
    done = subprocess.run([*map(str, words)], capture_output=True, text=True, check=True)
    return done.stdout


@pytest.fixture
def real_stub() -> bytes:
    if not _STUB.is_file():
        pytest.skip("needs systemd's stub: the package systemd-boot-efi")
    return _STUB.read_bytes()


def test_systemd_measure_predicts_the_same_pcr_11(tmp_path, real_stub):
    program = tool("systemd-measure", "systemd")
    parts = {"linux": images.kernel(), "initrd": b"initrd" * 99, "cmdline": b"quiet roothash=0\0"}
    for name, content in parts.items():
        (tmp_path / name).write_bytes(content)
    made = uki.parse(uki.write(real_stub, "quiet roothash=0", parts["initrd"], parts["linux"]))
    files = [f"--{name}={tmp_path / name}" for name in parts]
    if made.digests.stub != 252:
        (tmp_path / "sbat").write_bytes(made.image.content(".sbat") or b"")
        files.append(f"--sbat={tmp_path / 'sbat'}")
    text = run(program, "calculate", "--bank=sha256", "--phase=", *files)
    parsed = re.search(r"11:sha256=([0-9a-f]{64})", text)
    assert parsed
    assert parsed[1] == pcrs_of(made.digests, None)["11"]


def test_cvmutils_predicts_the_same_pcr_4(tmp_path, real_stub):
    data = uki.write(real_stub, "quiet roothash=0", b"initrd" * 99, images.kernel())
    (tmp_path / "uki.efi").write_bytes(data)
    without = SecureBoot(True)
    without.uefi = {"PK": b"", "KEK": b"", "db": b"", "dbx": b""}
    chain: dict[str, Any] = {
        "shim": None,
        "bootloader": None,
        "uki": str(tmp_path / "uki.efi"),
        "addons": [],
    }
    assert PCR(chain, without).pcr4.hex() == pcrs_of(uki.parse(data).digests, None)["4"]


def test_an_image_of_the_real_tools_is_measured(tmp_path, real_stub):
    root, tree, esp = (tmp_path / name for name in ("root", "tree", "esp"))
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "a").write_bytes(b"a" * 3_000_000)
    run(tool("mkfs.erofs", "erofs-utils"), "-T0", root, tmp_path / "files")
    content = root.read_bytes()
    root.write_bytes(content.ljust(-(-len(content) // 4096) * 4096, b"\0"))
    setup = tool("veritysetup", "cryptsetup-bin")
    text = run(setup, "format", "--hash=sha256", f"--salt={'01' * 32}", root, tree)
    found = re.search(r"Root hash:\s+([0-9a-f]{64})", text)
    assert found
    checked = verity.check(
        BytesBlocks(root.read_bytes()), BytesBlocks(tree.read_bytes()), bytes.fromhex(found[1])
    )
    assert checked.salt == images.SALT
    assert images.verity(root.read_bytes())[1].hex() == found[1]
    program = uki.write(real_stub, f"quiet roothash={found[1]}", b"initrd", images.kernel())
    esp.write_bytes(bytes(40 * images.MIB))
    run(tool("mkfs.vfat", "dosfstools"), "--invariant", "-F", "32", "-n", "ESP", esp)
    (tmp_path / "uki.efi").write_bytes(program)
    for folder in ("::/EFI", "::/EFI/BOOT"):
        run(tool("mmd", "mtools"), "-i", esp, folder)
    run(tool("mcopy", "mtools"), "-i", esp, tmp_path / "uki.efi", f"::/{BOOT_PROGRAM}")
    volume = fat.parse(BytesBlocks(esp.read_bytes()))
    files = [each for each in volume.entries() if not each.is_folder]
    assert [volume.content(each) for each in files] == [program]
    disk = images.disk(esp.read_bytes(), root.read_bytes(), tree.read_bytes())
    assert measure(BytesBlocks(disk)).root.hash == found[1]
