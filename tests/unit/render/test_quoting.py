"""No value gets out of its quotes: what a tool reads is the value, whatever is in it."""

import json
import subprocess

import hcl2
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ccgpu.render import hcl
from ccgpu.render.arm_template import literal
from ccgpu.render.az_script import body_text
from support.rendered import HOSTILE, decoded, evaluated, json_value

_LETTERS = st.sampled_from(sorted({letter for one in HOSTILE for letter in one}))
_TEXTS = st.sampled_from(HOSTILE) | st.text(_LETTERS) | st.text()
_PLAIN = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | _TEXTS
_VALUES = st.recursive(
    _PLAIN, lambda inner: st.lists(inner) | st.dictionaries(_TEXTS, inner), max_leaves=8
)


def in_terraform(value):
    """The value that an HCL parser reads."""
    return json_value(hcl2.loads(f"locals {{\n  x = {hcl.value(value)}\n}}\n"), {})["locals"][0][
        "x"
    ]


def in_shell(value):
    """The JSON that a command gets from the here-document."""
    script = f"cat <<BODY\n{body_text(value)}\nBODY\n"
    done = subprocess.run(["sh"], input=script, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return json.loads(done.stdout)


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_the_same_in_each_format(text):
    assert decoded(hcl.quoted(text)) == text
    assert evaluated(literal(text), {}) == text
    value = {text: [text, {"k": text}]}
    assert in_shell(value) == value
    assert in_terraform(value) == value


@pytest.mark.slow
@given(_VALUES)
@example({"for": 1, "null": None, "a b": [], "c": {}})
def test_terraform_reads_every_value(value):
    assert in_terraform(value) == value


@pytest.mark.slow
@settings(max_examples=10)  # each starts a shell
@given(st.lists(_VALUES, max_size=20))
def test_a_shell_reads_every_value(values):
    assert in_shell(values) == values


@given(_TEXTS)
def test_arm_reads_every_text(text):
    assert evaluated(literal(text), {}) == text
