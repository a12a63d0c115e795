"""Sections in sections: their structure, their rules, and their problems, all at once."""

from typing import Annotated, Any, ClassVar, Self

import pytest
from pydantic import Field, ModelWrapValidatorHandler, ValidationError, model_validator

from ccgpu.cli.spec_flags import SpecFlags
from ccgpu.domain.spec import problems, structure
from ccgpu.domain.spec.flags import Flag
from ccgpu.domain.spec.rules import FieldRule, validate
from ccgpu.domain.spec.section import Section
from ccgpu.domain.spec.vm import VmSpec
from ccgpu.domain.spec.workload import Workload


class _Lamp(Section):
    watts: Annotated[int, Field(ge=1), Flag()]
    tint: str | None = None
    labels: dict[str, str] = {}  # noqa: RUF012


class _Room(Section):
    lamp: _Lamp | None = None
    door: bool = True
    spares: tuple[_Lamp, ...] = ()

    rules: ClassVar["tuple[FieldRule[_Room], ...]"] = (
        FieldRule(
            ("lamp",),
            (("lamp", "tint"), ("door",)),
            lambda room: not room.door and room.lamp is not None,
            "needs a door",
        ),
    )


class _House(Section):
    name: str
    room: _Room = _Room()

    rules: ClassVar["tuple[FieldRule[_House], ...]"] = (
        FieldRule(
            ("name",),
            (("name",), ("room", "door")),
            lambda house: not house.room.door and house.name == "open",
            "cannot be open without a door",
        ),
    )

    @model_validator(mode="wrap")
    @classmethod
    def _all_at_once(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        return validate(cls, data, handler, stand_ins={"name": "open"})


def _problems(**values: Any) -> list[tuple[problems.Path, str]]:
    with pytest.raises(ValidationError) as caught:
        _House.model_validate(values)
    return [(path, message) for path, message in problems.problems_in(caught.value)]


@pytest.mark.parametrize(
    ("room", "found"),
    [
        ({"door": False, "lamp": {"watts": 1}}, [("lamp",)]),
        # What is wrong elsewhere does not silence the rule.
        ({"door": False, "lamp": {"watts": 1}, "dor": 1}, [("dor",), ("lamp",)]),
        (
            {"door": False, "lamp": {"watts": 1, "labels": {"a": 1}}},
            [("lamp", "labels", "a"), ("lamp",)],
        ),
        # Without a field that it requires the whole lamp is left out, and rules about it too.
        ({"door": False, "lamp": {}}, [("lamp", "watts")]),
        ({"door": False, "lamp": {"watts": 0, "tint": "red"}}, [("lamp", "watts")]),
        ({"door": "?", "lamp": {"watts": 1}}, [("door",)]),
        ({"door": False, "lamp": 5}, [("lamp",)]),
    ],
)
def test_rules_of_a_section_are_checked_beside_the_problems_of_values(room, found):
    assert [path for path, _ in _problems(name="a", room=room)] == [("room", *one) for one in found]


def test_rules_may_concern_fields_of_nested_sections():
    assert _problems(name="open", room={"door": False}) == [
        (("name",), "cannot be open without a door")
    ]
    assert [path for path, _ in _problems(room={"door": False})] == [("name",)]


def test_suggestions_for_an_unknown_field_come_from_its_section():
    wrong = {"lamp": {"watts": 1, "tnt": 1}, "spares": [{"watts": 1, "wats": 1}]}
    assert _problems(name="a", room=wrong) == [
        (("room", "lamp", "tnt"), "is not a field here, did you mean tint?"),
        (("room", "spares", 0, "wats"), "is not a field here, did you mean watts?"),
    ]


def test_the_name_of_an_entry_of_a_mapping_is_the_end_of_its_path():
    wrong = {"spares": [{"watts": 1, "labels": {"[key]": 1}}]}
    assert _problems(name="a", room=wrong) == [
        (("room", "spares", 0, "labels", "[key]"), "must be text, put it in quotes")
    ]


def test_fields_are_found_at_any_depth():
    found = [".".join(field.path) for field in structure.fields_of(_House)]
    assert found == [
        *("name", "room", "room.lamp", "room.lamp.watts", "room.lamp.tint", "room.lamp.labels"),
        *("room.door", "room.spares"),
    ]
    assert set(structure.known_fields(_House)) == {
        *((), ("room",), ("room", "lamp"), ("room", "spares")),
    }


@pytest.mark.parametrize(
    ("path", "depth"),
    [
        (("room", "lamp", "labels", "a.b"), 3),
        (("room", "spares", 0, "labels"), 4),
        (("room", "spares", 0, "watts"), 0),
        (("room", "nothing", "labels"), 0),
        (("name", "labels"), 0),
        ((), 0),
    ],
)
def test_mappings_with_free_keys_are_found_at_any_depth(path, depth):
    assert structure.map_depth(_House, path) == depth


@pytest.mark.parametrize(
    ("path", "field", "flag"),
    [
        (("room", "lamp", "labels", "a"), ("room", "lamp", "labels"), "--room-lamp-labels"),
        (("room", "spares", 0, "watts"), ("room", "spares"), "--room-spares"),
        (("room", "door"), ("room", "door"), "--no-room-door"),
        (("room",), ("room",), "--room"),
    ],
)
def test_a_place_belongs_to_a_field_and_its_flag(path, field, flag):
    assert structure.field_at(_House, path) == field
    assert structure.flag_at(_House, path) == flag


def test_list_sections_are_set_by_their_required_field():
    fields = {field.path[-1]: field for field in structure.fields_of(_House)}
    spares = fields["spares"].entry_field
    assert spares is not None
    assert (spares.path, spares.kind) == (("room", "spares", "watts"), int)
    assert fields["watts"].entry_field is None
    assert (fields["watts"].panel, fields["name"].panel) == ("Room", "Machine")


@pytest.mark.parametrize("of_run", [False, True])
def test_flags_of_a_spec_have_unique_names(of_run):
    fields = [field for field in structure.fields_of(VmSpec) if field.flag is not None]
    flags = [field for field in fields if field.flag and field.flag.of_run == of_run]
    names = [name for field in flags for name in field.flag_names]
    assert len(names) == len(set(names)) > 1


def test_flags_of_run_are_not_those_of_a_create():
    made = {one.name for one in SpecFlags(VmSpec).parameters()}
    assert not any(name.startswith("workload") for name in made)
    running = SpecFlags(Workload, of_run=True)
    assert [one.name for one in running.parameters()] == [
        *("use", "name", "model", "parameters", "image"),
    ]
    given = dict.fromkeys(("use", "name", "model", "parameters", "image"))
    values = running.values(given | {"use": "vllm", "parameters": ["port=8001"]})
    assert values == {"use": "vllm", "parameters": {"port": "8001"}}
