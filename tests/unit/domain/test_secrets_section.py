"""The section `secrets` of a spec: names and sources, never values."""

import pytest
from pydantic import ValidationError

from ccgpu.domain.secret import MOST_SECRETS
from ccgpu.domain.spec.problems import problems_in
from ccgpu.domain.spec.secrets import SOURCES, SecretSource
from ccgpu.domain.spec.vm import VmSpec

_GIVEN = {"file": "token", "env": "TOKEN", "stdin": True, "command": ["pass", "token"]}
_WORDS = {
    "file": "file token",
    "env": "environment variable TOKEN",
    "stdin": "standard input",
    "command": "command pass",
}


def _problems(*secrets: object) -> list[tuple[tuple[str | int, ...], str]]:
    with pytest.raises(ValidationError) as caught:
        VmSpec.model_validate({"name": "demo", "secrets": list(secrets)})
    return [(path, message) for path, message in problems_in(caught.value)]


@pytest.mark.parametrize("source", SOURCES)
def test_a_secret_has_one_source(source):
    spec = VmSpec.model_validate(
        {"name": "demo", "secrets": [{"name": "token", source: _GIVEN[source]}]}
    )
    (secret,) = spec.secrets
    assert (secret.source, secret.source_text) == (source, _WORDS[source])
    again = VmSpec.model_validate(spec.model_dump(mode="json"))
    assert again.secrets == spec.secrets
    assert set(spec.model_dump(mode="json")["secrets"][0]) == {"name", source, "owner"}


@pytest.mark.parametrize(
    ("given", "field", "text"),
    [
        ({"name": "token"}, None, "needs a source"),
        ({"name": "token", "stdin": False}, None, "needs a source"),
        ({"name": "token", "env": "A", "file": "b"}, None, "2 sources (file, env)"),
        ({"env": "A"}, "name", "is missing"),
        ({"name": "Token", "env": "A"}, "name", "a-z, 0-9"),
        ({"name": "-token", "env": "A"}, "name", "start with"),
        ({"name": "t" * 64, "env": "A"}, "name", "1 to 63"),
        ({"name": "token\n", "env": "A"}, "name", "a-z, 0-9"),
        ({"name": "../token", "env": "A"}, "name", "a-z, 0-9"),
        ({"name": "token", "env": "A=B"}, "env", "environment variable"),
        ({"name": "token", "env": ""}, "env", "environment variable"),
        ({"name": "token", "file": " "}, "file", "path of a file"),
        ({"name": "token", "file": "a\0b"}, "file", "path of a file"),
        ({"name": "token", "command": []}, "command", "program and its arguments"),
        ({"name": "token", "command": [""]}, "command", "program and its arguments"),
        ({"name": "token", "command": ["a", "b\0"]}, "command", "no program can be given"),
        ({"name": "token", "command": "pass token"}, "command", "must be a list"),
        ({"name": "token", "env": "A", "owner": -1}, "owner", "at least 0"),
        ({"name": "token", "env": "A", "owner": 2**32 - 1}, "owner", "at most 4294967294"),
        ({"name": "token", "env": "A", "owner": True}, "owner", "must be a number"),
        ({"name": "token", "env": "A", "owner": "root"}, "owner", "whole number"),
        ({"name": "token", "value": "x"}, "value", "is not a field here"),
    ],
)
def test_what_is_wrong_with_a_secret_is_named_with_its_field(given, field, text):
    problems = _problems({"name": "other", "env": "OTHER"}, given)
    where = ("secrets", 1) if field is None else ("secrets", 1, field)
    (message,) = [message for path, message in problems if path == where]
    assert text in message


def test_names_differ_and_standard_input_is_read_once():
    same = {"name": "token", "env": "A"}
    assert "same secret twice" in _problems(same, same)[0][1]
    one, two = ({"name": name, "stdin": True} for name in ("a", "b"))
    assert "twice" in _problems(one, two)[0][1]


def test_a_release_has_a_most():
    many = [{"name": f"s{number}", "env": "A"} for number in range(MOST_SECRETS + 1)]
    assert "at most 16" in _problems(*many)[0][1]
    assert len(VmSpec.model_validate({"name": "d", "secrets": many[1:]}).secrets) == MOST_SECRETS


def test_no_problem_quotes_what_was_given():
    for given in (
        {"name": "token", "value": "hf_Canary"},
        {"name": "hf_Canary", "env": "A"},
        {"name": "token", "env": "hf_Canary-"},
        "hf_Canary",
    ):
        assert "hf_Canary" not in str(_problems(given))


def test_the_words_of_a_command_are_not_part_of_its_description():
    secret = SecretSource(name="token", command=("curl", "https://user:hf_Canary@host"))
    assert secret.source_text == "command curl"
