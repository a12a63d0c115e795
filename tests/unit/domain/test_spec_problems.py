"""The words for what is wrong."""

from datetime import date
from typing import Annotated, Literal

import pytest
from pydantic import BaseModel, Field, ValidationError

from ccgpu.domain.spec import problems
from ccgpu.domain.spec.structure import known_fields
from ccgpu.domain.spec.vm import VmSpec


@pytest.mark.parametrize(
    ("key", "fragment"),
    [
        ("password", "SSH key only"),
        ("Admin-Password", "SSH key only"),
        ("secureboot", "did you mean secure_boot?"),
        ("data_disk", "did you mean data_disks?"),
        ("zzz", "`ccgpu schema spec`"),
    ],
)
def test_an_unknown_key_gets_a_reason_or_a_likely_field(key, fragment):
    assert fragment in problems.unknown_key(key, known_fields(VmSpec)[()])


@pytest.mark.parametrize("key", problems.REFUSED_KEYS)
def test_a_refused_key_is_no_field(key):
    assert not any(key in fields for fields in known_fields(VmSpec).values())


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"[key]": 1}, ("[key]",)),
        ({"os_disk": {"[key]": 1}}, ("os_disk", "[key]")),
        ({"tags": {"[key]": 1}}, ("tags", "[key]")),
        ({"tags": {"azure": "x"}}, ("tags", "azure")),
        ({"tags": {"a/": "x"}}, ("tags", "a/")),
    ],
)
def test_problem_paths_have_only_keys_of_the_spec(fields, path):
    with pytest.raises(ValidationError) as caught:
        VmSpec.model_validate({"name": "demo"} | fields)
    assert [problem.path for problem in problems.problems_in(caught.value)] == [path]


class _Odd(BaseModel):
    value: date


def test_an_error_without_our_message_keeps_pydantics():
    with pytest.raises(ValidationError) as caught:
        _Odd.model_validate({"value": ()})
    found = problems.from_pydantic(caught.value, _Odd)
    assert found == ((("value",), "Input should be a valid date"),)


class _Plain(BaseModel):
    short: Annotated[str, Field(min_length=2)] = ""
    long: Annotated[str, Field(max_length=2)] = ""
    pattern: Annotated[str, Field(pattern="^a$")] = ""
    few: Annotated[tuple[str, ...], Field(min_length=2)] = ()
    choice: Literal["a", "b"] = "a"


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("short", "", "is too short, the least length is 2"),
        ("long", "abc", "is too long, the greatest length is 2"),
        ("pattern", "b", "is not written as it has to be: ^a$"),
        ("few", ["a"], "has 1 entries, at least 2 are needed"),
        ("choice", "c", "must be 'a' or 'b'"),
    ],
)
def test_a_message_is_not_in_pydantics_words(field, value, message):
    with pytest.raises(ValidationError) as caught:
        _Plain.model_validate({field: value})
    assert problems.from_pydantic(caught.value, _Plain) == (((field,), message),)


@pytest.mark.parametrize(
    ("name", "message"), [("Rank-1", "must be 1 to 63 of a-z, 0-9 and '_'"), (1, "must be text")]
)
def test_the_name_of_a_parameter_is_told_in_words(name, message):
    with pytest.raises(ValidationError, match=message):
        VmSpec.model_validate({"name": "demo", "workload": {"parameters": {name: "1"}}})
