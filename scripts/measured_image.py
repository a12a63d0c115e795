"""Builds the image that tests boot: `dev.py measured-image`, from examples/measured/tiny.yaml.

Its packages come from this machine's own sources, and stay beside the image; no test downloads
anything. Needs root and the programs that docs/measured-image-build.md names. The image
lies in `CCGPU_MEASURED_IMAGE`, else in the cache folder, and is thrown away by `rm -r`.
"""

import hashlib
import os
import shutil
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

from commands import ROOT, fail, say
from environment import BIN

RECIPE = ROOT / "examples" / "measured" / "tiny.yaml"
_MADE_OF = ("templates/image", "templates/guest", "src/ccgpu/image", "src/ccgpu/imaging")


def image_folder(environ: Mapping[str, str]) -> Path:
    """Where the image is, whether or not it was built."""
    if given := environ.get("CCGPU_MEASURED_IMAGE"):
        return Path(given)
    cache = environ.get("XDG_CACHE_HOME") or Path(environ.get("HOME", "/var/cache")) / ".cache"
    return Path(cache) / "ccgpu-tests" / "measured-tiny"


def is_built(folder: Path) -> bool:
    """Whether the image was built to its end, by this very code."""
    mark = folder / "made-of"
    return mark.is_file() and mark.read_text() == _code_digest()


def build_environment(folder: Path) -> dict[str, str]:
    """The environment of a build whose packages are kept beside the image."""
    return {**os.environ, "XDG_CACHE_HOME": str(folder.parent / "measured-packages")}


def measured_image(_: list[str]) -> None:
    """Build the image, unless it is there."""
    folder = image_folder(os.environ)
    if is_built(folder):
        say(f"{folder} is ready")
        return
    began = time.monotonic()
    shutil.rmtree(folder, ignore_errors=True)
    command = [str(BIN / "ccgpu"), "image", "build", str(RECIPE), "--out", str(folder)]
    if subprocess.run(command, check=False, env=build_environment(folder)).returncode:
        fail(f"cannot build {folder}", "the message above names what is missing")
    (folder / "made-of").write_text(_code_digest())
    say(f"{folder} is ready ({time.monotonic() - began:.0f} s)")


def _code_digest() -> str:
    files = [RECIPE, *(ROOT / "src/ccgpu/workflows").glob("build_image.py")]
    for name in _MADE_OF:
        files += [each for each in (ROOT / name).rglob("*") if each.is_file()]
    kept = sorted(each for each in files if "__pycache__" not in each.parts)
    hashed = hashlib.sha256()
    for file in kept:
        hashed.update(str(file.relative_to(ROOT)).encode() + b"\0" + file.read_bytes() + b"\0")
    return hashed.hexdigest()
