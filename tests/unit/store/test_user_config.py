"""The file of the user's defaults: read whole or refused; other lines stay as they are."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccgpu.domain.user_config import NAMES, SPEC_FIELDS, schema
from ccgpu.errors import InvalidFile, StateUnusable
from ccgpu.store import user_config

_VALUES = {
    "regions": ["westeurope", "eastus2"],
    "ssh_from": "203.0.113.0/24",
    "resource_group": "ml",
    "policy": "cpu-only",
    "subscription": "00000000-0000-4000-8000-000000000001",
    "backend": "fake",
}


@pytest.fixture
def path(tmp_path) -> Path:
    """The file, in a folder that does not exist yet."""
    made: Path = tmp_path / "config" / "config.yaml"
    return made


def test_without_a_file_nothing_is_set(path):
    assert user_config.read(path).values == {}
    assert user_config.read(None).values == {}


@pytest.mark.parametrize("name", NAMES)
def test_what_is_set_is_read_again_and_unset(path, name):
    user_config.write(path, name, _VALUES[name])
    assert user_config.read(path).values == {name: _VALUES[name]}
    user_config.write(path, name, None)
    assert not path.exists()


@pytest.mark.slow
@given(st.lists(st.tuples(st.sampled_from(NAMES), st.booleans()), max_size=12))
def test_the_file_is_the_last_word_on_each_setting(tmp_path_factory, changes):
    path = tmp_path_factory.mktemp("config") / "config.yaml"
    expected: dict[str, object] = {}
    for name, is_set in changes:
        user_config.write(path, name, _VALUES[name] if is_set else None)
        expected.pop(name, None)
        expected |= {name: _VALUES[name]} if is_set else {}
    assert user_config.read(path).values == expected


def test_comments_and_other_lines_stay(path):
    path.parent.mkdir()
    path.write_text("# mine\nregions:\n- eastus2  # near\n\n# the test one\nbackend: fake")
    user_config.write(path, "ssh_from", "auto")
    user_config.write(path, "regions", ["westeurope"])
    assert path.read_text() == (
        "# mine\nregions: [westeurope]\n\n# the test one\nbackend: fake\nssh_from: auto\n"
    )
    user_config.write(path, "backend", None)
    assert path.read_text() == "# mine\nregions: [westeurope]\n\n# the test one\nssh_from: auto\n"


def test_several_settings_on_one_line_are_written_anew(path):
    path.parent.mkdir()
    path.write_text("{backend: fake, policy: cpu-only}\n")
    user_config.write(path, "backend", "azure")
    assert user_config.read(path).values == {"policy": "cpu-only", "backend": "azure"}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("regions", []),
        ("regions", ["East US 2!"]),
        ("ssh_from", "anywhere"),
        ("resource_group", "ends."),
        ("subscription", "mine"),
        ("backend", "aws"),
        ("policy", ""),
        ("color", "red"),
    ],
)
def test_what_is_not_valid_is_refused_and_changes_nothing(path, name, value):
    user_config.write(path, "backend", "fake")
    before = path.read_bytes()
    with pytest.raises(InvalidFile, match=name):
        user_config.write(path, name, value)
    assert path.read_bytes() == before


def test_a_subscription_that_is_no_id_is_told_how_to_find_it(path):
    with pytest.raises(InvalidFile, match="az account list"):
        user_config.write(path, "subscription", "mine")


@pytest.mark.parametrize("text", ["color: red\n", "- fake\n", "backend: [fake\n", "\0"])
def test_a_file_that_is_not_valid_is_refused_with_its_place(path, text):
    path.parent.mkdir()
    path.write_text(text)
    with pytest.raises(InvalidFile) as caught:
        user_config.read(path)
    assert caught.value.source == str(path)


def test_the_lowest_layer_of_a_spec_has_the_fields_with_their_lines(path):
    for name, value in _VALUES.items():
        user_config.write(path, name, value)
    layer = user_config.read(path).layer()
    assert layer.values == {name: _VALUES[name] for name in SPEC_FIELDS}
    assert [(place.source, place.line) for place in layer.places.values()] == [
        (str(path), 1),
        (str(path), 2),
        (str(path), 3),
    ]


def test_a_policy_file_is_relative_to_the_file_of_settings(path):
    user_config.write(path, "policy", "mine.yaml")
    assert user_config.read(path).policy() == str(path.parent / "mine.yaml")
    user_config.write(path, "policy", "/etc/mine.yaml")
    assert user_config.read(path).policy() == "/etc/mine.yaml"
    user_config.write(path, "policy", "cpu-only")
    assert user_config.read(path).policy() == "cpu-only"


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StateUnusable):
        user_config.write(tmp_path / "file" / "config.yaml", "backend", "fake")


def test_the_schema_has_every_setting_and_refuses_others():
    body = schema()
    assert set(body["properties"]) == {*NAMES, "$schema"}
    assert body["additionalProperties"] is False
    assert all("description" in body["properties"][name] for name in NAMES)
