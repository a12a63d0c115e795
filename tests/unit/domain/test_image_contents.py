"""What an image names and lists: references of container images, packages by dpkg's status file."""

import pytest

from ccgpu.domain.container_reference import parse_reference
from ccgpu.domain.image_lock import SCHEMA, ImageLock, LockedContainer, locks_containers_of
from ccgpu.domain.image_manifest import ImageContainer, ImagePackage
from ccgpu.domain.image_recipe import ImageRecipe
from ccgpu.domain.root_lists import RootLists, installed_packages, list_differences, status_text
from support.measured_vms import manifest

_DIGEST = "sha256:" + "a" * 64


def test_a_reference_has_host_repository_digest_and_perhaps_a_tag():
    tagged = parse_reference(f"registry.example:5000/a/b-c:v1.2@{_DIGEST}")
    assert tagged.by_digest == f"registry.example:5000/a/b-c@{_DIGEST}"
    assert tagged.by_tag == "registry.example:5000/a/b-c:v1.2"
    assert parse_reference(f"registry.example/a@{_DIGEST}").by_tag is None


@pytest.mark.parametrize(
    "text",
    [
        "registry.example/a:v1",
        f"a@{_DIGEST}",
        f"registry.example/A@{_DIGEST}",
        f"registry.example/a@{_DIGEST[:-1]}",
        f"registry.example/../a@{_DIGEST}",
        f"registry.example/a @{_DIGEST}",
        f"registry.example/{'a' * 300}@{_DIGEST}",
    ],
)
def test_what_is_no_reference_is_refused(text):
    with pytest.raises(ValueError, match="must name host, repository and digest"):
        parse_reference(text)


def test_a_lock_is_for_the_container_images_of_its_recipe_alone():
    recipe = ImageRecipe.model_validate(
        {
            "name": "x",
            "version": "1.0.0",
            "distribution": {"suite": "bookworm"},
            "driver": 595,
            "containers": [{"image": f"registry.example/a:v1@{_DIGEST}"}],
        }
    )
    assert recipe.driver == "595"
    locked = LockedContainer(repository="registry.example/a", digest=_DIGEST, manifest=_DIGEST)
    lock = ImageLock(
        schema_=SCHEMA, suite="x", asked=(), epoch=1, programs={}, packages=(), containers=(locked,)
    )
    assert locks_containers_of(lock, recipe)
    assert not locks_containers_of(lock, recipe.model_copy(update={"containers": ()}))


def test_packages_are_those_that_the_status_file_calls_installed():
    package = ImagePackage(name="sudo", version="1:2-3", architecture="amd64")
    removed = "Package: x\nStatus: deinstall ok config-files\nVersion: 1\n"
    assert installed_packages(f"{status_text([package])}\n{removed}") == (package,)
    with pytest.raises(ValueError, match="name"):
        installed_packages("Status: install ok installed\nVersion: 1\nArchitecture: all\n")


def test_each_difference_of_the_lists_is_named_with_both_sides():
    stated = manifest()
    same = RootLists(stated.packages, stated.units, stated.containers)
    assert list_differences(stated, same) == ()
    newer = stated.packages[0].model_copy(update={"version": "9"})
    other = ImageContainer(reference="docker.io/x/y:1", digest="sha256:" + "b" * 64)
    found = RootLists((newer,), ("evil.service",), (other,))
    said = {each.field: (each.stated, each.found) for each in list_differences(stated, found)}
    assert said["packages.busybox-static"] == ("1:1.35.0-4 amd64", "9 amd64")
    assert said["packages.tpm2-tools"][1] == "nothing"
    assert said["units.evil.service"] == ("nothing", "started at boot")
    assert f"containers.docker.io/x/y:1@{other.digest}" in said
    assert len(said) == 6
