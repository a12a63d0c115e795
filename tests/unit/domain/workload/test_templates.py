"""The format of a workload's file, and its parameters."""

import copy
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from ccgpu.domain.workload import parameters, template
from ccgpu.domain.workload.template import ConditionalWords, TemplateParameter, WorkloadTemplate
from ccgpu.store import workload_templates

_EVERY = workload_templates.names()
_SERVER = {
    "schema": "ccgpu.workload-template/1",
    "name": "mine",
    "summary": "A server",
    "kind": "server",
    "image": "docker.io/library/python:3.12-slim",
    "parameters": {"port": {"type": "integer", "description": "Port", "default": "8000"}},
    "command": ["serve", "{port}", {"when": "port", "words": ["--port={port}"]}],
    "ports": [8000],
    "health": {"path": "/health", "deadline_minutes": 5},
    "known_answers": {"protocol": "completions"},
}


def _made(**changes):
    values = copy.deepcopy(_SERVER) | changes
    return WorkloadTemplate.model_validate({k: v for k, v in values.items() if v is not None})


def test_all_that_the_product_promises_ships():
    assert list(_EVERY) == [
        *("diffusers", "finetune", "image", "notebook", "sglang", "sglang-images", "shell"),
        *("train", "vllm"),
    ]


@pytest.mark.parametrize("name", _EVERY)
def test_a_shipped_template_is_good(name):
    one = workload_templates.load(name)
    assert one.name == name
    assert one.image is None or ":" in one.image.rpartition("/")[2]
    assert one.image is None or one.source
    for parameter in one.parameters.values():
        if parameter.default is not None:
            assert list(parameters.complaints(parameter, parameter.default)) == []
    if one.image is not None and one.source is not None:
        assert "digest was not looked up" in one.source
    if one.model == "required":
        assert one.gpu_memory_gb is not None
        assert [each.name for each in one.secrets] == ["hf-token"]


@pytest.mark.parametrize("name", _EVERY)
def test_no_words_ask_for_a_runtime_flag_that_hurts(name):
    one = workload_templates.load(name)
    line = str(one.command) + str(one.environment)
    assert "enforce-eager" not in line
    assert "offload" not in line
    assert "--api-key" not in line
    assert "trust-remote-code" not in line


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"command": ["{prot}"]}, r"uses \{prot\}, which is no parameter"),
        ({"environment": {"A": "{b}"}}, r"uses \{b\}, which is no parameter"),
        ({"command": [{"when": "x", "words": ["y"]}]}, "has words for x"),
        (
            {"parameters": {"model": {"type": "text", "description": "d"}}, "command": []},
            "may not call a parameter model",
        ),
        ({"health": None, "known_answers": None}, "is a server, and has no health check"),
        ({"health": None, "kind": "job"}, "has known answers, and no health check"),
        ({"ports": [], "parameters": {}, "command": []}, "no port to ask at"),
        (
            {"parameters": {"port": {"type": "text", "description": "d"}}},
            "a parameter port that is no integer",
        ),
        ({"schema": "ccgpu.workload-template/2"}, "schema"),
        ({"extra": 1}, "extra"),
        ({"image": "python"}, "with its registry"),
        ({"files": [{"file": "../x.py", "to": "/x.py"}]}, "files"),
        ({"files": [{"file": "x.py", "to": "/etc/x.py"}]}, "system's folders"),
        ({"ports": [80]}, "ports"),
        ({"health": {"path": "/health", "deadline_minutes": 41}}, "deadline_minutes"),
        ({"environment": {"HF_TOKEN": "x"}}, "looks like a secret"),
        (
            {"parameters": {"a": {"type": "text", "description": "d", "pattern": "("}}},
            "is not a regular expression",
        ),
    ],
)
def test_a_template_that_contradicts_itself_is_refused(changes, why):
    with pytest.raises(ValidationError, match=why):
        _made(**changes)


def test_numbers_and_booleans_of_json_are_taken_as_text():
    one = _made(
        parameters={
            "port": {"type": "integer", "description": "d", "default": 8000},
            "on": {"type": "boolean", "description": "d", "default": True},
        }
    )
    assert one.parameters["port"].default == "8000"
    assert one.parameters["on"].default == "true"
    assert isinstance(one.command[2], ConditionalWords)


def test_the_schema_names_every_field():
    schema = template.schema()
    fields = {info.alias or name for name, info in WorkloadTemplate.model_fields.items()}
    assert set(schema["properties"]) == fields | {"$schema"}
    assert {"schema", "name", "summary", "kind"} <= set(schema["required"])


def _parameter(**fields):
    return TemplateParameter.model_validate({"type": "text", "description": "d", **fields})


@pytest.mark.parametrize(
    ("fields", "good", "bad"),
    [
        ({"type": "integer"}, ["0", "-5", "12"], ["", "1.5", "x", "1e3", "1" * 30, "\u0661"]),
        ({"type": "integer", "minimum": 1, "maximum": 3}, ["1", "3"], ["0", "4"]),
        ({"type": "number", "minimum": 0.5}, ["0.5", "7"], ["0.4", "nan", "inf", "1,5"]),
        ({"type": "number", "maximum": 1}, ["1", "-7.25"], ["1.1"]),
        ({"type": "boolean"}, ["true", "false"], ["yes", "True", ""]),
        ({}, ["any text", ""], ["a\nb", "x" * 4097, "\x1b[0m"]),
        ({"pattern": "[a-z]+"}, ["abc"], ["", "ABC", "a b"]),
        ({"choices": ["a", "b"]}, ["a", "b"], ["c", ""]),
    ],
)
def test_values_of_parameters(fields, good, bad):
    one = _parameter(**fields)
    assert [list(parameters.complaints(one, value)) for value in good] == [[] for _ in good]
    assert all(list(parameters.complaints(one, value)) for value in bad)


def test_limits_are_told_in_plain_numbers():
    one = _parameter(type="integer", minimum=16, maximum=4294967295)
    assert list(parameters.complaints(one, "1")) == ["must be at least 16 and at most 4294967295"]


@given(st.text(max_size=30))
def test_a_value_that_is_taken_is_printable_and_goes_into_one_word(value):
    one = _parameter()
    if not list(parameters.complaints(one, value)):
        assert value.isprintable()
        assert re.search(r"[\n\0]", value) is None


@pytest.mark.parametrize(
    ("value", "on"), [("", False), ("false", False), ("true", True), ("0", True)]
)
def test_words_that_depend_on_a_parameter(value, on):
    assert parameters.is_on(value) is on
