"""A measured image with container images and a GPU driver: built twice, booted, and used.

The driver's packages are stand-ins with the names and files that the builder looks for: there is
no archive of NVIDIA's here, and no GPU.
"""

import json
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import measured_image
from ccgpu.domain.image_driver import NEEDED, TOOLS, driver_packages
from ccgpu.guest import workload
from ccgpu.guest.workload_answers import WorkloadStarted
from ccgpu.guest.workload_requests import StartWorkload
from ccgpu.imaging.resolve import machine_sources
from ccgpu.store import driver_table, image_files
from support.debs import Archive
from support.measured_boot import built_image, measured_machine
from support.oci import OciLayout, layer
from support.registry import running_registry
from support.repository import ROOT
from support.scratch_disk import ScratchDisk

pytestmark = [pytest.mark.slow, pytest.mark.every_case]

_RECIPE = (ROOT / "examples" / "measured" / "tiny.yaml").read_text()
_LIBRARIES = "usr/lib/x86_64-linux-gnu"
_STUB = b"#!/bin/sh\nexit 0\n"


def _module(folder: Path, version: str) -> bytes:
    """What modinfo takes for a module of this version."""
    source = folder / "module.c"
    section = '__attribute__((section(".modinfo"), used))'
    source.write_text(f'static const char version[] {section} = "version={version}";\n')
    subprocess.run(["gcc", "-c", source, "-o", folder / "module.ko"], check=True)
    return (folder / "module.ko").read_bytes()


def _driver_archive(folder: Path, kernel: str) -> Archive:
    driver = driver_table.shipped().resolve("595")
    packages, archive = driver_packages(driver, kernel), Archive(folder / "archive")
    release = kernel.removeprefix("linux-image-")
    path = f"lib/modules/{release}/kernel/nvidia-595srv-open/nvidia.ko"
    archive.add(packages.modules, "1", files={path: _module(folder, driver.version)})
    for name in packages.userspace:
        archive.add(name, f"{driver.version}-0ubuntu1")
    archive.remove("libnvidia-compute-595-server")
    libraries = {f"{_LIBRARIES}/{name}.{driver.version}": b"" for name in NEEDED}
    archive.add("libnvidia-compute-595-server", f"{driver.version}-0ubuntu1", files=libraries)
    archive.add("nvidia-modprobe", "595.58.03-1", files={"usr/bin/nvidia-modprobe": _STUB})
    archive.add(TOOLS[0], "1.20.1-1", files={"usr/bin/nvidia-cdi-hook": _STUB})
    archive.publish()
    return archive


def _build(recipe: Path, out: Path, lock: Path, built: Path, *before: str) -> None:
    build = [sys.executable, "-m", "ccgpu", "image", "build", str(recipe), "--out", str(out)]
    environ = measured_image.build_environment(built)
    done = subprocess.run(
        [*before, *build, "--lock", str(lock)],
        capture_output=True,
        text=True,
        check=False,
        env=environ,
    )
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def built() -> Path:
    """The folder of the built image, whose packages are in the cache."""
    return built_image()


def test_containers_run_without_a_registry_and_the_driver_is_that_of_the_table(built, tmp_path):
    if not shutil.which("skopeo") or not shutil.which("gcc"):
        pytest.skip("needs skopeo and gcc")
    names = [
        each.name for each in image_files.load_manifest(built / "image.json").manifest.packages
    ]
    (kernel,) = (name for name in names if name.startswith("linux-image-"))
    source = _driver_archive(tmp_path, kernel).sign()
    sources = [*(each.line for each in machine_sources("bookworm")), source]
    busybox = {"bin/": b"", "bin/busybox": Path("/bin/busybox").read_bytes()}
    layers = (
        layer({**busybox, "gone": b"1", "dir/": b"", "dir/x": b"1"}),
        layer({".wh.gone": b"", "dir/": b"", "dir/.wh..wh..opq": b"", "dir/y": b"2"}),
    )
    layout = OciLayout(tmp_path / "layout", layers, ["/bin/busybox", "find", "/dir", "/gone"])
    with running_registry(layout, tmp_path) as (host, _):
        image = f"{host}/demo/tool"
        more = {
            "driver": 595,
            "containers": [{"image": f"{image}:v1@{layout.digest}"}],
        }
        text = _RECIPE.replace("suite: bookworm", f"suite: bookworm\n  sources: {sources}\n  #")
        (tmp_path / "image.yaml").write_text(f"{text}\n{json.dumps(more)[1:-1]}\n".replace(
            '"driver": 595, ', "driver: 595\n"))  # fmt: skip
        _build(tmp_path / "image.yaml", tmp_path / "one", tmp_path / "lock", built)
    # The registry is gone, and so is the network: the cache has everything.
    _build(tmp_path / "image.yaml", tmp_path / "two", tmp_path / "lock", built, "unshare", "-n")
    for name in ("disk.vhd", "image.json", "image.lock"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    shown = json.loads((tmp_path / "one" / "image.json").read_text())
    assert shown["containers"] == [{"reference": image, "digest": layout.digest}]

    scratch = ScratchDisk(tmp_path / "scratch")
    with measured_machine(tmp_path / "one" / "disk.vhd", tmp_path, more=scratch.words) as running:
        assert running.text("/usr/sbin/modinfo -F version nvidia") == "595.71.05"
        cdi = json.loads(running.text("cat /etc/cdi/nvidia.json"))
        assert cdi["devices"][0]["name"] == "all"
        words = "sudo docker run --rm --network none --pull never"
        done = running.run(f"{words} {image}@{layout.digest}")
        assert done.stdout.decode().split() == ["/dir", "/dir/y"]
        assert b"/gone: No such file" in done.stderr
        # A workload that names the tag, as templates do: it is measured and run without a pull.
        request = StartWorkload(
            name="a",
            image=f"{image}:v1",
            options=("--rm", "--name", "ccgpu-a", "--pull=never", "--network", "none"),
            arguments=("/bin/busybox", "sleep", "1000"),
        )
        argv = workload.command_line(request)
        done = running.run(shlex.join(argv), given=workload.script())
        started = workload.parse(done, WorkloadStarted)
        assert started.image_digest == layout.digest
        assert "Up" in running.text("sudo docker ps --format '{{.Names}} {{.Status}}'")
