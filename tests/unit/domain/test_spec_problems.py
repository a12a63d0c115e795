"""The words for what is wrong."""

from typing import Literal

import pytest
from pydantic import BaseModel, ValidationError

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
    value: Literal["a"]


def test_an_error_without_our_message_keeps_pydantics():
    with pytest.raises(ValidationError) as caught:
        _Odd.model_validate({"value": "b"})
    found = problems.from_pydantic(caught.value, _Odd)
    assert found == ((("value",), "Input should be 'a'"),)
