"""The catalogue agrees with itself; with the SDK's requests it is compared elsewhere."""

import re

from ccgpu.domain import catalog, image
from ccgpu.domain.catalog import API_VERSIONS, Kind
from ccgpu.domain.resource import BODY_HASH, DEPLOYMENT, VOLATILE_TAGS


def test_every_kind_has_a_stable_api_version():
    assert set(API_VERSIONS) == set(Kind)
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\d", version) for version in API_VERSIONS.values())


def test_the_default_size_is_accepted():
    found = re.fullmatch(catalog.NCC_SIZE_PATTERN, catalog.NCC_H100_V5)
    assert found is not None
    assert int(found[1]) == catalog.NCC_VCPUS


def test_the_default_image_is_valid():
    assert str(image.parse(catalog.DEFAULT_IMAGE)) == catalog.DEFAULT_IMAGE


def test_the_tag_limit_leaves_room_for_our_tags():
    ours = {DEPLOYMENT, BODY_HASH, *VOLATILE_TAGS}
    assert len(ours) <= catalog.OWN_TAGS < catalog.MAX_TAGS
    assert all(name.startswith(catalog.OWN_TAG_PREFIX) for name in ours)
    assert all(name == name.casefold() for name in ours)
