"""Container images of an image: fetched by digest, stored as the same bytes each time."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from ccgpu.domain.image_recipe import RecipeContainer
from ccgpu.errors import ImageNotBuilt
from ccgpu.imaging import container_store
from ccgpu.imaging.container_cache import ContainerCache
from ccgpu.imaging.tree import RootTree
from support.oci import OciLayout, layer
from support.registry import running_registry

LAYERS = (
    layer({"bin/": b"", "bin/tool": b"#!/bin/sh\n", "gone": b"1", "dir/": b"", "dir/x": b"1"}),
    layer({".wh.gone": b"", "dir/": b"", "dir/.wh..wh..opq": b"", "dir/y": b"2"}),
)


@pytest.fixture
def layout(tmp_path):
    """An image of two layers; the second takes away what the first has."""
    return OciLayout(tmp_path / "layout", LAYERS, ["/bin/tool"])


def _container(digest, layout=None, host="registry.example"):
    return RecipeContainer(image=f"{host}/demo/tool:v1@{digest}", layout=layout)


def _fetch(cache, container, tmp_path):
    return cache.fetch(container, tmp_path, tmp_path / "work")


@pytest.mark.parametrize("which", ["digest", "manifest"])
def test_an_image_is_taken_from_a_folder_by_its_digest(layout, tmp_path, which):
    cache = ContainerCache(tmp_path / "cache")
    named = getattr(layout, which)
    locked = _fetch(cache, _container(named, "layout"), tmp_path)
    assert (locked.repository, locked.digest) == ("registry.example/demo/tool", named)
    assert locked.manifest == layout.manifest
    shutil.rmtree(layout.folder)
    again = _fetch(cache, _container(named), tmp_path)  # the cache has it: nobody is asked
    assert again == locked
    cache.lay_out(locked, tmp_path / "out")
    assert len([*(tmp_path / "out").iterdir()]) == (6 if which == "digest" else 5)


def test_a_blob_with_one_other_bit_is_refused(layout, tmp_path):
    container = _container(layout.digest, "layout")
    for file in layout.folder.glob("blobs/sha256/*"):
        data = file.read_bytes()
        file.write_bytes(bytes([data[0] ^ 1]) + data[1:])
        cache = ContainerCache(tmp_path / file.name)
        with pytest.raises(ImageNotBuilt, match="has not the digest"):
            _fetch(cache, container, tmp_path)
        file.write_bytes(data)


def test_a_blob_of_the_cache_that_has_changed_is_fetched_anew(layout, tmp_path):
    cache = ContainerCache(tmp_path / "cache")
    locked = _fetch(cache, _container(layout.digest, "layout"), tmp_path)
    file = cache.blob(layout.manifest)
    assert file is not None
    file.write_bytes(b"{}")
    with pytest.raises(ImageNotBuilt, match="is gone from"):
        cache.lay_out(locked, tmp_path / "out")
    assert _fetch(cache, _container(layout.digest, "layout"), tmp_path) == locked


def _require_skopeo():
    if os.geteuid() or not shutil.which("skopeo"):
        pytest.skip("needs root and skopeo")


@pytest.mark.slow
def test_a_registry_is_asked_by_digest_and_only_for_what_is_missing(layout, tmp_path):
    _require_skopeo()
    cache = ContainerCache(tmp_path / "cache")
    with running_registry(layout, tmp_path) as (host, asked):
        container = _container(layout.digest, host=host)
        locked = _fetch(cache, container, tmp_path)
        assert f"manifests {layout.digest}" in asked
        before = len(asked)
        assert _fetch(cache, container, tmp_path) == locked
        assert len(asked) == before
    assert locked.manifest == layout.manifest


@pytest.mark.slow
def test_a_registry_that_answers_with_other_bytes_is_refused(layout, tmp_path):
    _require_skopeo()
    layout.blob(layout.digest).write_bytes(b'{"manifests": []}')
    with (
        running_registry(layout, tmp_path) as (host, _),
        pytest.raises(ImageNotBuilt, match=r"skopeo failed|other bytes"),
    ):
        _fetch(ContainerCache(tmp_path / "cache"), _container(layout.digest, host=host), tmp_path)


@pytest.mark.slow
def test_two_stores_are_the_same_bytes_and_what_a_layer_takes_away_is_gone(layout, tmp_path):
    _require_skopeo()
    cache, containers = ContainerCache(tmp_path / "cache"), _container(layout.digest, "layout")
    locked = _fetch(cache, containers, tmp_path)
    stores = []
    for name in ("one", "other"):
        root = RootTree(tmp_path / name)
        root.inside("/usr/lib").mkdir(parents=True)
        work = tmp_path / f"work-{name}"
        tags = [containers.reference]
        container_store.write_store(root, [locked], tags, cache, work, 1_700_000_000)
        (found,) = container_store.listed(root)
        assert (found.reference, found.digest) == ("registry.example/demo/tool", layout.digest)
        assert b'"registry.example/demo/tool:v1"' in root.read(container_store.TAGS)
        stores.append(root.folder)
    done = subprocess.run(
        ["diff", "-r", "--no-dereference", *stores], capture_output=True, text=True, check=False
    )
    differing = [line for line in done.stdout.splitlines() if "character special" not in line]
    assert differing == []  # diff compares no devices
    overlay = Path(stores[0], container_store.STORE.lstrip("/"), "overlay")
    assert [each.is_char_device() for each in overlay.glob("*/diff/gone")].count(True) == 1
    assert not subprocess.run(["findmnt", "-R", stores[0]], capture_output=True, check=False).stdout


def test_a_list_of_a_store_that_is_none_is_refused(tmp_path):
    root = RootTree(tmp_path)
    assert container_store.listed(root) == ()
    file = tmp_path / container_store.STORE.lstrip("/") / "overlay-images" / "images.json"
    file.parent.mkdir(parents=True)
    for text in ("[{}]", "{", "[1]", '[{"names": 1}]'):
        file.write_text(text)
        with pytest.raises(ValueError, match=r"list|JSON|Expecting"):
            container_store.listed(root)
