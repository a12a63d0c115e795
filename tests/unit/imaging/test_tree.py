"""The tree of a root file system: what is written stays below it."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccgpu.errors import ImageNotBuilt
from ccgpu.imaging.tree import RootTree


@pytest.fixture
def root(tmp_path):
    """A tree with a merged /usr, and links that lead out if they were followed outside."""
    folder = tmp_path / "root"
    (folder / "usr" / "lib").mkdir(parents=True)
    (folder / "lib").symlink_to("usr/lib")
    (folder / "absolute").symlink_to("/usr/lib")
    (folder / "usr" / "share").symlink_to("/usr/lib")
    (folder / "out").symlink_to(tmp_path)
    (folder / "up").symlink_to("../../..")
    (folder / "circle").symlink_to("circle")
    return RootTree(folder)


@pytest.mark.parametrize(
    "path", ["/lib/x", "/absolute/x", "/usr/share/x", "/up/usr/lib/x", "/usr/lib/../lib/x"]
)
def test_links_are_followed_as_inside_the_image(root, path):
    if os.geteuid():
        pytest.skip("only as root, who owns an image's files")
    root.write(path, b"1", 0o640)
    file = root.folder / "usr" / "lib" / "x"
    assert file.read_bytes() == root.read(path) == b"1"
    assert file.stat().st_mode & 0o7777 == 0o640


@given(st.lists(st.sampled_from(["lib", "absolute", "out", "up", "..", "usr", "x"]), min_size=1))
def test_no_path_leads_outside(parts):
    from pathlib import Path
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as name:
        folder = Path(name) / "root"
        (folder / "usr" / "lib").mkdir(parents=True)
        (folder / "absolute").symlink_to("/usr/lib")
        (folder / "out").symlink_to(name)
        (folder / "up").symlink_to("../../..")
        found = RootTree(folder).inside("/" + "/".join(parts))
        assert os.path.normpath(found.parent).startswith(str(folder))


def test_links_without_an_end_are_refused(root):
    with pytest.raises(ImageNotBuilt, match="without an end"):
        root.inside("/circle/x")


def test_a_folder_is_not_replaced_by_a_file(root):
    with pytest.raises(ImageNotBuilt, match="is a folder"):
        root.write("/usr/lib", b"")


def test_emptying_a_folder_leaves_the_folder_and_what_links_lead_to(root, tmp_path):
    (tmp_path / "kept").write_text("x")
    root.empty("/out")
    root.empty("/usr")
    assert (tmp_path / "kept").exists()
    assert (root.folder / "usr").is_dir()
    assert not (root.folder / "usr" / "lib").exists()
