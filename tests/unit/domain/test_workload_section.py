"""The section `workloads` of a policy: what it takes, what it refuses, and what is looser."""

from typing import Any

import pytest
from pydantic import ValidationError

from ccgpu.domain.policy import Policy, policy_problems
from ccgpu.domain.policy_comparison import in_words, loosened_fields
from ccgpu.store import policies

_A, _B = f"sha256:{'0a' * 32}", f"sha256:{'0b' * 32}"
_COMMIT = "c0" * 20


def _with(section: object, name: str = "default") -> Policy:
    document = policies.load(name).model_dump(mode="json", exclude_none=True)
    return Policy.model_validate(document | {"workloads": section})


def _section(*allowed: Any, only: bool = True, required: bool = True):
    return {"allowed": list(allowed), "only": only, "required": required}


@pytest.mark.parametrize("name", policies.names())
def test_shipped_policies_ask_about_no_workload(name):
    assert policies.load(name).workloads is None


def test_a_section_is_read():
    entry = {
        "image_digest": _A,
        "command": ["run", "x"],
        "model_manifest": _B,
        "model_commit": _COMMIT,
    }
    section = _with(_section(entry, only=False)).workloads
    assert section is not None
    (allowed,) = section.allowed
    assert allowed.command == ("run", "x")
    assert (allowed.image_digest, allowed.model_manifest) == (_A, _B)
    assert allowed.model_commit == _COMMIT
    assert (section.only, section.required) == (False, True)
    assert str(allowed).startswith(f"image_digest {_A}, command ")


_REFUSED = [
    ({}, ["workloads.allowed", "workloads.only", "workloads.required"]),
    (_section(), ["workloads"]),
    (_section({"image_digest": _A, "name": "x"}), ["workloads.allowed.0.name"]),
    (_section({}), ["workloads.allowed.0.image_digest"]),
    (_section({"image_digest": "0a" * 32}), ["workloads.allowed.0.image_digest"]),
    (_section({"image_digest": _A + "\n"}), ["workloads.allowed.0.image_digest"]),
    (_section({"image_digest": _A.upper()}), ["workloads.allowed.0.image_digest"]),
    (_section({"image_digest": _A, "command": "run"}), ["workloads.allowed.0.command"]),
    (_section({"image_digest": _A, "model_commit": "main"}), ["workloads.allowed.0.model_commit"]),
    (
        _section({"image_digest": _A, "model_manifest": "x"}),
        ["workloads.allowed.0.model_manifest"],
    ),
    (_section(*[{"image_digest": _A}] * 257), ["workloads.allowed"]),
]


@pytest.mark.parametrize(("section", "paths"), _REFUSED)
def test_a_section_that_says_nothing_clear_is_refused(section, paths):
    with pytest.raises(ValidationError) as caught:
        _with(section)
    found = {".".join(map(str, each.path)) for each in policy_problems(caught.value)}
    assert found == set(paths)


def test_a_policy_of_the_gpu_alone_cannot_ask_about_workloads():
    with pytest.raises(ValidationError, match="needs cpu in requires"):
        _with(_section({"image_digest": _A}), "gpu-only")


def test_a_section_asks_for_more_than_default():
    base = policies.load("default")
    assert loosened_fields(_with(_section({"image_digest": _A}, only=False)), base) == {}
    assert loosened_fields(base, _with(_section({"image_digest": _A}))) == {
        "workloads": "none instead of a section"
    }


_SAME = _section({"image_digest": _A}, {"image_digest": _B, "model_commit": _COMMIT})
_COMPARED = [
    (_SAME, None),
    (_section({"image_digest": _A}), None),
    (_section({"image_digest": _A, "command": ["run"]}), None),
    (_section({"image_digest": _B, "model_commit": _COMMIT, "model_manifest": _A}), None),
    (_section(required=False), "workloads.required"),
    (_section({"image_digest": _A}, required=False), "workloads.required"),
    (_section({"image_digest": _A}, only=False), "workloads.only"),
    (_section({"image_digest": _B}), "workloads.allowed"),
    (_section({"image_digest": _B, "model_commit": "d0" * 20}), "workloads.allowed"),
    (_section({"image_digest": f"sha256:{'0c' * 32}"}), "workloads.allowed"),
]


@pytest.mark.parametrize(("section", "looser"), _COMPARED)
def test_a_section_is_looser_if_it_accepts_more(section, looser):
    found = loosened_fields(_with(section), _with(_SAME))
    assert list(found) == ([looser] if looser else [])


def test_a_section_is_shown_in_words():
    words = in_words(_with(_section({"image_digest": _A, "model_commit": _COMMIT})))
    assert words["workloads.allowed"] == f"[image_digest {_A}, model_commit {_COMMIT}]"
    assert (words["workloads.only"], words["workloads.required"]) == ("true", "true")
    assert in_words(policies.load("default"))["workloads"] == "none"
