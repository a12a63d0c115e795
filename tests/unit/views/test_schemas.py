"""The schemas of documents: valid, closed, and strict about a document that is not as they say."""

import re

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from ccgpu.views.schemas.table import ANSWERS, SCHEMAS, document_name
from ccgpu.views.schemas.words import TIME
from support.output_schemas import FORMATS, require_valid, validator
from support.repository import modules

_OPEN = {  # objects whose members are not ours
    "bundle": ("policy_content", "reference_values", "verdict"),  # of another version, perhaps
    "create": ("body",),
    "plan": ("body",),
    "run": ("body",),
    "keyvault-key": ("release_policy",),
}
_ERROR = {
    "schema": "ccgpu.error/1",
    "code": "X",
    "message": "x",
    "hint": None,
    "exit_code": 2,
    "resources": [{"id": "/subscriptions/s", "state": "unknown", "billed": True}],
}


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_schema_is_valid_and_says_its_name(name):
    schema = SCHEMAS[name]()
    Draft202012Validator.check_schema(schema)
    assert schema["title"] == f"ccgpu.{name}/{2 if name == 'reference-values' else 1}"
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"


def _open_objects(schema, path=()):
    if isinstance(schema, list):
        schema = dict(enumerate(schema))
    if not isinstance(schema, dict):
        return
    kinds = schema.get("type", ())
    is_object = "object" in ([kinds] if isinstance(kinds, str) else kinds)
    is_map = "patternProperties" in schema
    if is_object and not is_map and schema.get("additionalProperties", True) is True:
        yield path
    for key, value in schema.items():
        yield from _open_objects(value, (*path, key))


@pytest.mark.parametrize("name", SCHEMAS)
def test_objects_are_closed_but_for_those_of_others(name):
    allowed = set(_OPEN.get(name, ()))
    assert [path for path in _open_objects(SCHEMAS[name]()) if not allowed & {*path}] == []


_INTERNAL = {  # what users do not read: state and caches, the scripts in the VM, the simulation
    *("access", "attestation", "challenge", "collateral-entry", "host-key", "prices", "skus"),
    *("collector-error", "drift", "probe", "release", "release-error", "secrets", "setup"),
    *("workload", "workload-error", "fake-vendors", "measured-deployment"),
    *("durations", "policy"),  # files that ship
}
_NAMED = re.compile(r'"(ccgpu\.[a-z-]+/\d)"')


def test_every_format_that_the_code_names_is_known():
    named = {name for file in modules() for name in _NAMED.findall(file.read_text("utf-8"))}
    assert len(named) > 50
    assert {document_name(name) for name in named} - _INTERNAL == SCHEMAS.keys()


def test_every_answer_has_a_schema():
    assert {name for names in ANSWERS.values() for name in names} <= SCHEMAS.keys()


@pytest.mark.parametrize(
    ("text", "valid"),
    [
        ("2026-01-02T03:04:05Z", True),
        ("2026-01-02T03:04:05.5Z", True),
        ("2026-01-02T03:04:05+00:00", False),
        ("2026-01-02T03:04:05", False),
        ("2026-01-02", False),
        ("2026-13-02T03:04:05Z", False),
        ("soon, Z", False),
    ],
)
def test_a_time_is_rfc_3339_in_utc(text, valid):
    assert Draft202012Validator(TIME, format_checker=FORMATS).is_valid(text) is valid


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"more": 1}, "'more' was unexpected"),
        ({"message": None}, "None is not of type 'string'"),
        ({"exit_code": "2"}, "'2' is not of type 'integer'"),
        ({"resources": [{"id": "/subscriptions/s", "state": "unknown"}]}, "'billed' is a required"),
        ({"resources": [{"id": "x", "state": "gone", "billed": False}]}, "does not match"),
        ({"schema": "ccgpu.none/1"}, "has no ccgpu.none/1"),
        ({"schema": "ccgpu.gc/1"}, "is not as its schema says"),
        ({"message": "2026-01-02T03:04:05+00:00"}, "is a time without Z"),
    ],
)
def test_the_check_of_every_test_sees_what_is_wrong(change, words):
    require_valid(_ERROR)
    with pytest.raises(AssertionError, match=words):
        require_valid(_ERROR | change)
    with pytest.raises(AssertionError, match="is none of"):
        require_valid(_ERROR, ("gc",))


def test_a_document_without_a_required_member_is_invalid():
    for name in [name for name in _ERROR if name != "schema"]:
        rest = {key: value for key, value in _ERROR.items() if key != name}
        assert not validator("error").is_valid(rest)
