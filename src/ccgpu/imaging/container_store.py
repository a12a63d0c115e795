"""The container images in a root file system: a store that podman reads and never writes to.

skopeo writes it (containers/storage, driver overlay). What it takes from the clock or at random is
replaced: the time of creation, the short names of layers, the marks in the lock files.
Source: containers/storage, docs/containers-storage.conf.5.md (additionalimagestores), and
drivers/overlay (the files `link` and `lower`, and the folder `l`).
"""

import base64
import hashlib
import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ccgpu.domain.container_reference import ContainerReference
from ccgpu.domain.image_lock import LockedContainer
from ccgpu.domain.image_manifest import ImageContainer
from ccgpu.imaging.container_cache import ContainerCache
from ccgpu.imaging.programs import run_program
from ccgpu.imaging.tree import RootTree

STORE = "/usr/lib/ccgpu/containers"
TAGS = "/usr/lib/ccgpu/containers.json"  # templates/guest/workload/images.py reads it
# Where the initrd shows the root file system without the layer in memory that is above it: one
# overlay hides from another above it which files a layer has taken away.
LOWER = "/usr/lib/ccgpu/lower"
ENGINE = ("podman", "podman-docker", "crun")  # reads the store, under Docker's name
_IMAGES, _LAYERS = "overlay-images/images.json", "overlay-layers/layers.json"
_LOCKS = ("overlay-images/images.lock", "overlay-layers/layers.lock")
_SHORT = 26  # characters of a layer's short name, A-Z and 2-7
_NAME = re.compile(r"(?P<repository>[^@\s]+)@(?P<digest>sha256:[0-9a-f]{64})")
_SETTINGS = f"""# Workloads find the image's own container images without a registry.
[storage]
driver = "overlay"
runroot = "/run/containers/storage"
graphroot = "/mnt/containers"

[storage.options]
additionalimagestores = ["{LOWER}{STORE}"]
"""


def write_store(
    root: RootTree,
    containers: Sequence[LockedContainer],
    tags: Sequence[ContainerReference],
    cache: ContainerCache,
    work: Path,
    epoch: int,
) -> None:
    """Write the images into the root. tags: their names in the recipe. work: a new folder."""
    store = root.inside(STORE)
    for folder in (store.parent, store):  # skopeo would make them for root alone
        folder.mkdir(exist_ok=True)
        folder.chmod(0o755)
    for number, each in enumerate(containers):
        source = work / str(number)
        cache.lay_out(each, source)
        target = f"[overlay@{store}+{work}/run]{each.repository}@{each.digest}"
        run_program(
            # Of a mount namespace of its own: the store is mounted on itself, and left so.
            *("unshare", "--mount", "skopeo", "--override-os", "linux"),
            *("--override-arch", "amd64", "--tmpdir", str(work)),
            *("copy", "-q", "--preserve-digests", f"dir:{source}", f"containers-storage:{target}"),
        )
    _settle(store, epoch)
    named = {name: each.digest for each in tags if (name := each.by_tag)}
    root.write(TAGS, json.dumps(named, indent=1, sort_keys=True).encode() + b"\n")
    root.write("/etc/containers/storage.conf", _SETTINGS.encode())


def listed(root: RootTree) -> tuple[ImageContainer, ...]:
    """The images that the store of a root lists.

    Raises:
        ValueError: its list is none.
    """
    if not root.exists(f"{STORE}/{_IMAGES}"):
        return ()
    try:
        names = [
            name for each in json.loads(root.read(f"{STORE}/{_IMAGES}")) for name in each["names"]
        ]
    except (KeyError, TypeError) as err:
        raise ValueError("the list of container images is none") from err
    found = [match for name in names if (match := _NAME.fullmatch(str(name)))]
    images = (ImageContainer(reference=each["repository"], digest=each["digest"]) for each in found)
    return tuple(sorted(images, key=lambda each: (each.reference, each.digest)))


def _settle(store: Path, epoch: int) -> None:
    """Replace what differs from one run of skopeo to the next."""
    at = datetime.fromtimestamp(epoch, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    for name in (_IMAGES, _LAYERS):
        file = store / name
        entries: list[dict[str, Any]] = json.loads(file.read_bytes())
        for entry in entries:
            entry["created"] = at
        entries.sort(key=_parents(entries))
        file.write_text(json.dumps(entries, separators=(",", ":")))
    for name in _LOCKS:
        (store / name).write_bytes(b"")
    _rename_layers(store / "overlay")


def _parents(entries: Sequence[dict[str, Any]]) -> Any:
    """A key of order: layers after those that they lie on, else by id."""
    above = {str(each["id"]): str(each.get("parent", "")) for each in entries}

    def depth(name: str) -> int:
        return 1 + depth(above[name]) if name in above else 0

    return lambda entry: (depth(str(entry["id"])), str(entry["id"]))


def _rename_layers(overlay: Path) -> None:
    """Give each layer a short name that follows from its id."""
    layers = [each for each in overlay.iterdir() if (each / "link").is_file()]
    renamed = {(each / "link").read_text(): _short_name(each.name) for each in layers}
    for layer in layers:
        old, lower = (layer / "link").read_text(), layer / "lower"
        (layer / "link").write_text(renamed[old])
        if lower.is_file():
            below = [part.removeprefix("l/") for part in lower.read_text().split(":")]
            lower.write_text(":".join(f"l/{renamed[part]}" for part in below))
        link = overlay / "l" / old
        target = link.readlink()
        link.unlink()
        (overlay / "l" / renamed[old]).symlink_to(target)


def _short_name(layer: str) -> str:
    return base64.b32encode(hashlib.sha256(layer.encode()).digest()).decode()[:_SHORT]
