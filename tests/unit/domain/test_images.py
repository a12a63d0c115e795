"""What is wrong or missing in what a measured image is made of, and judged by."""

import pytest
from pydantic import ValidationError

from ccgpu.domain.apt_sources import control_fields, of_release
from ccgpu.domain.built_image import DISK, BuiltImage
from ccgpu.domain.given_image import GivenImage
from ccgpu.domain.image_lock import SCHEMA, ImageLock, LockedPackage
from ccgpu.domain.image_manifest import ImageFile
from ccgpu.domain.image_recipe import ImageRecipe
from ccgpu.domain.policy import Policy
from ccgpu.store import policies
from support.measured_vms import manifest

_STANZA = """Types: deb
URIs: http://mirror.example/debian
 ftp://mirror.example/old
Suites: bookworm book/worm
Components: main
"""


def test_a_stanza_with_continued_lines_gives_the_sources_that_can_be_used():
    (found,) = of_release("bookworm", [], [_STANZA])
    assert found.line == "deb http://mirror.example/debian bookworm main"
    assert control_fields(_STANZA + "no field\n")["uris"].split() == [
        "http://mirror.example/debian",
        "ftp://mirror.example/old",
    ]


def test_a_stanza_without_components_and_a_line_that_names_none_give_no_source():
    assert of_release("bookworm", [], [_STANZA.replace("Components: main\n", "")]) == ()
    assert of_release("bookworm", ["deb http://x bookworm a=b\n"], []) == ()


def test_the_files_of_a_built_image_are_in_its_folder():
    assert BuiltImage(manifest(), "/images/tiny", 1.0).path(DISK) == f"/images/tiny/{DISK}"


def test_what_an_image_has_none_of_is_said():
    stated = manifest().model_copy(update={"packages": (), "containers": ()})
    facts = GivenImage(ImageFile("/image.json", "ab" * 32, stated)).facts
    assert (facts["image packages"], facts["image containers"]) == ("none", "none")


def _package(use):
    path = "pool/main/c/curl_2.0-1_amd64.deb"
    values = {"name": "curl", "version": "2.0-1", "architecture": "amd64", "size": 3}
    return LockedPackage(**values, path=path, sha256="ab" * 32, use=use)


def test_a_lock_tells_the_packages_of_the_root_from_those_of_the_boot():
    both = (_package("root"), _package("boot"))
    lock = ImageLock(
        schema_=SCHEMA, suite="bookworm", asked=("curl",), epoch=1, programs={}, packages=both
    )
    assert [lock.of_use(use) for use in ("root", "boot")] == [(both[0],), (both[1],)]


def _recipe(**changes):
    base = {"name": "tiny", "version": "1.0.0", "distribution": {"suite": "bookworm"}}
    return ImageRecipe.model_validate(base | changes)


def test_a_recipe_takes_units_and_the_modes_of_files():
    file = {"path": "/etc/x", "text": "x", "mode": "0600"}
    found = _recipe(units=["demo.service"], files=[file])
    assert (found.units, found.files[0].mode) == (("demo.service",), "0600")


@pytest.mark.parametrize("suite", ["", "Book worm", "../x", "deb://x"])
def test_a_release_of_a_recipe_is_a_name(suite):
    with pytest.raises(ValidationError, match="must be a release's name"):
        _recipe(distribution={"suite": suite})


def test_secure_boot_is_not_required_and_let_off_at_once():
    shown = policies.load("default").model_dump(mode="json", exclude_none=True)
    shown["cpu"] |= {"require_secure_boot": True, "unsafe_allow_no_secure_boot": True}
    with pytest.raises(ValidationError, match="must not have the same value"):
        Policy.model_validate(shown)
