"""The JSON Schema says of each field what the model says."""

from collections.abc import Iterator
from typing import Any

import pytest

from ccgpu.domain.spec.schema import schema
from ccgpu.domain.spec.structure import known_fields
from ccgpu.domain.spec.vm import VmSpec


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
        for inner in value.values():
            yield from _objects(inner)


def test_every_field_is_in_the_schema_and_no_other():
    assert set(schema()["properties"]) == set(VmSpec.model_fields) | {"$schema"}
    parts = schema()["$defs"]
    assert set(parts["OsDisk"]["properties"]) == known_fields(VmSpec)[("os_disk",)]
    assert set(parts["Guest"]["properties"]) == known_fields(VmSpec)[("guest",)]
    assert set(parts["DataDisk"]["properties"]) == known_fields(VmSpec)[("data_disks",)]
    assert set(parts["Workload"]["properties"]) == known_fields(VmSpec)[("workload",)]
    assert known_fields(VmSpec)[("workload", "inputs")] == {"from", "to"}
    assert set(parts["WorkloadInput"]["properties"]) == {"from", "to"}


def test_the_schema_names_its_dialect_and_refuses_unknown_fields():
    body = schema()
    assert body["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert body["title"] == "ccgpu spec"
    described = [each for each in _objects(body) if each.get("type") == "object"]
    closed = [each for each in described if "properties" in each]
    assert len(closed) == 7
    assert all(each["additionalProperties"] is False for each in closed)


def test_a_file_may_leave_its_name_to_the_command_line():
    assert "required" not in schema()
    assert schema()["$defs"]["DataDisk"]["required"] == ["size_gib"]


@pytest.mark.parametrize("field", VmSpec.model_fields)
def test_every_field_is_described(field):
    description = VmSpec.model_fields[field].description
    assert description
    assert description.endswith(".")
    assert "description" in schema()["properties"][field] or field in ("os_disk", "guest")


def test_a_zone_may_be_a_number_as_files_have_it():
    assert schema()["properties"]["zone"]["anyOf"][0] == {"enum": ["1", "2", "3", 1, 2, 3]}
