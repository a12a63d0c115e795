"""Our request bodies match ARM's own resource types.

The types are those of Azure/bicep-types-az, from the folder of vectors. VM bodies are compared in
the API version that we send. Its network types are of 2025-07-01 and we send a later version: a
field in both has not changed, a new one would be reported as unknown.
"""

import copy
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from ccgpu.domain.catalog import API_VERSIONS, Kind
from ccgpu.domain.desired import desired_resources
from ccgpu.domain.resource import Body, Resource, kind_of
from ccgpu.domain.spec.vm import VmSpec
from ccgpu.render import arm_template
from ccgpu.store import specs
from support.armtypes import ResourceTypes
from support.public_keys import ed25519_line
from support.rendered import of_template, plan_of
from support.specs import STAMP, SUBSCRIPTION, VARIANTS, first_placement, make_spec

_FILES = {
    "Microsoft.Compute": "compute-2026-04-01.json",
    "Microsoft.Network": "network-2025-07-01.json",
}
_UNTYPED = {Kind.GROUP}  # Microsoft.Resources is not among the files; its body is two fields
_TEMPLATES = [template.name for template in specs.templates()]


@cache
def _types(file: Path) -> ResourceTypes:
    return ResourceTypes.read(file)


def _problems(vectors: Path, kind: Kind, body: Body) -> list[str]:
    file = _FILES[kind.partition("/")[0]]
    return _types(vectors / "arm" / "types" / file).problems(kind, body)


def _resources(spec: VmSpec) -> list[Resource]:
    return list(desired_resources(spec, SUBSCRIPTION, first_placement(spec), STAMP).values())


def _from_template(name: str) -> VmSpec:
    flags: dict[str, Any] = {"ssh_keys": [ed25519_line()], "regions": ["eastus2"]}
    if not specs.build("demo", template=name).private:
        flags["ssh_from"] = "203.0.113.7/32"
    return specs.build("demo", template=name, flags=flags)


def _all_problems(vectors: Path, spec: VmSpec) -> list[str]:
    typed = [one for one in _resources(spec) if one.kind not in _UNTYPED]
    return [p for one in typed for p in _problems(vectors, one.kind, one.body)]


@pytest.mark.parametrize("name", _TEMPLATES)
def test_bodies_of_shipped_specs_match_arm_types(name, vectors):
    assert _all_problems(vectors, _from_template(name)) == []


@pytest.mark.parametrize("changes", VARIANTS.values(), ids=VARIANTS)
def test_bodies_of_other_specs_match_arm_types(changes, vectors):
    assert _all_problems(vectors, make_spec(**changes)) == []


def _rendered_problems(vectors: Path, spec: VmSpec) -> list[str]:
    """What is wrong with the resources of the ARM template that the spec is rendered as."""
    plan = plan_of(spec)
    sent = of_template(arm_template.template(plan), plan.subscription, plan.group)
    typed = {id_: kind for id_ in sent if (kind := kind_of(id_)) and kind not in _UNTYPED}
    assert len(typed) == len(sent) - 1
    assert all(sent[id_].api_version == API_VERSIONS[kind] for id_, kind in typed.items())
    return [p for id_, kind in typed.items() for p in _problems(vectors, kind, sent[id_].body)]


@pytest.mark.parametrize("name", _TEMPLATES)
def test_a_rendered_arm_template_of_a_shipped_spec_matches_arm_types(name, vectors):
    assert _rendered_problems(vectors, _from_template(name)) == []


@pytest.mark.parametrize("changes", VARIANTS.values(), ids=VARIANTS)
def test_a_rendered_arm_template_of_another_spec_matches_arm_types(changes, vectors):
    assert _rendered_problems(vectors, make_spec(**({"ttl": "8h"} | changes))) == []


def test_only_the_group_body_is_unchecked():
    made = [one for changes in VARIANTS.values() for one in _resources(make_spec(**changes))]
    assert {one.kind.partition("/")[0] for one in made if one.kind not in _UNTYPED} == {*_FILES}
    assert all({*one.body} == {"location", "tags"} for one in made if one.kind in _UNTYPED)


def test_vm_types_have_the_sent_api_version(vectors):
    vm = next(one for one in _resources(make_spec()) if one.kind is Kind.VM)
    types = _types(vectors / "arm" / "types" / _FILES["Microsoft.Compute"]).types
    named = {one["name"] for one in types if one["$type"] == "ResourceType"}
    assert f"{vm.kind}@{vm.api_version}" in named


_SPOILT = {
    "a typo": ("properties.securityProfile.securitytype", "ConfidentialVM", "is unknown"),
    "a wrong word": (
        "properties.osProfile.linuxConfiguration.patchSettings.patchMode",
        7,
        "is none of",
    ),
    "a wrong type": ("properties.storageProfile.osDisk.diskSizeGB", "256", "is not a integer"),
    "a truth for a number": ("properties.storageProfile.osDisk.diskSizeGB", True, "not a integer"),
    "text for a truth": (
        "properties.securityProfile.uefiSettings.vTpmEnabled",
        "true",
        "is not a boolean",
    ),
    "a list for an object": ("properties.hardwareProfile", [], "is not an object"),
    "a tag that is no text": ("tags.team", 3, "is not a string"),
    "read-only": ("properties.vmId", "b9d1", "is read-only"),
    "read-only at the top": ("id", "/subscriptions/x", "is read-only"),
}


def _spoilt(body: Body, path: str, value: object) -> Body:
    found: Any = copy.deepcopy(body)
    *outer, last = path.split(".")
    at = found
    for name in outer:
        at = at[name]
    at[last] = value
    return dict(found)


@pytest.mark.parametrize(("path", "value", "told"), _SPOILT.values(), ids=_SPOILT)
def test_check_finds_a_broken_body(path, value, told, vectors):
    vm = next(one for one in _resources(make_spec()) if one.kind is Kind.VM)
    body = _spoilt(vm.body, path, value)
    (problem,) = _problems(vectors, Kind.VM, body)
    assert problem.startswith(f"{path}: ")
    assert told in problem


# A resource type of our own, with one of each that the files have.
_OWN: list[dict[str, Any]] = [
    {"$type": "ResourceType", "name": "Some/things@2026-01-01", "body": {"$ref": "#/1"}},
    {
        "$type": "ObjectType",
        "name": "Some/things",
        "properties": {
            "name": {"type": {"$ref": "#/2"}, "flags": 9},
            "location": {"type": {"$ref": "#/2"}, "flags": 1},
            "state": {"type": {"$ref": "#/2"}, "flags": 3},
            "sku": {"type": {"$ref": "#/5"}, "flags": 0},
            "size": {"type": {"$ref": "#/6"}, "flags": 0},
            "maxPrice": {"type": {"$ref": "#/6"}, "flags": 4},
            "short": {"type": {"$ref": "#/7"}, "flags": 0},
            "many": {"type": {"$ref": "#/8"}, "flags": 0},
            "any": {"type": {"$ref": "#/9"}, "flags": 0},
            "tags": {"type": {"$ref": "#/10"}, "flags": 0},
        },
    },
    {"$type": "StringType"},
    {"$type": "StringLiteralType", "value": "Basic"},
    {"$type": "StringLiteralType", "value": "Standard"},
    {"$type": "UnionType", "elements": [{"$ref": "#/3"}, {"$ref": "#/4"}]},
    {"$type": "IntegerType", "minValue": 1, "maxValue": 9},
    {"$type": "StringType", "minLength": 2, "maxLength": 3, "pattern": "^[a-z]+$"},
    {"$type": "ArrayType", "itemType": {"$ref": "#/6"}},
    {"$type": "AnyType"},
    {"$type": "ObjectType", "name": "T", "properties": {}, "additionalProperties": {"$ref": "#/2"}},
]
_GOOD: Body = {
    "location": "here",
    "sku": "Basic",
    "size": 9,
    "maxPrice": 1.5,
    "short": "abc",
    "many": [1, 2],
    "any": {"x": [None]},
    "tags": {"a": "b"},
}


@pytest.mark.parametrize(
    ("change", "problems"),
    [
        ({}, []),
        ({"sku": "basic"}, ["sku: 'basic' is none of Basic, Standard"]),
        ({"size": 0}, ["size: 0 is out of range"]),
        ({"size": 10}, ["size: 10 is out of range"]),
        ({"size": 1.5}, ["size: 1.5 is not a integer"]),
        ({"short": "a"}, ["short: has 1 characters"]),
        ({"short": "abcd"}, ["short: has 4 characters"]),
        ({"short": "AB"}, ["short: does not match ^[a-z]+$"]),
        ({"many": [1, "2"]}, ["many.1: '2' is not a integer"]),
        ({"many": 1}, ["many: 1 is not a array"]),
        ({"tags": {"a": 1}}, ["tags.a: 1 is not a string"]),
        ({"location": None}, ["location: None is not a string"]),
        ({"state": "x"}, ["state: is read-only"]),
        ({"more": 1}, ["more: is unknown"]),
    ],
)
def test_the_check_knows_each_rule(change, problems):
    assert ResourceTypes(_OWN).problems("Some/things", _GOOD | change) == problems


def test_check_reports_missing_required_properties():
    assert ResourceTypes(_OWN).problems("Some/things", {}) == ["location: is missing"]


def test_check_refuses_unknown_resources():
    with pytest.raises(LookupError, match="no resource type Some/other"):
        ResourceTypes(_OWN).problems("Some/other", {})
