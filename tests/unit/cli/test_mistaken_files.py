"""A file that is given in place of another kind: the hint says what it is, and what reads it."""

import json

import pytest

from ccgpu.domain.image_manifest import dump
from ccgpu.store.example import BUNDLE, example_folder
from support.measured_images import Parts
from support.slow import mostly_slow

_RECIPE = "it is an image's recipe: `ccgpu image build recipe.yaml --out DIR"
_MANIFEST = "it is an image's manifest: `ccgpu image show image.json"
_POLICY = "it is an appraisal policy: `ccgpu verify EVIDENCE --policy policy.yaml"
_SPEC = "it is a spec of a VM: `ccgpu create -f vm.yaml"
_BUNDLE = "it is evidence: `ccgpu verify bundle.json"
_PINS = "it is golden PCR values: `ccgpu verify EVIDENCE --pins pins.json"
_EXAMPLE = "verify --example --backend fake"
_MISTAKEN = [
    ("image show recipe.yaml", _RECIPE),
    ("image measure recipe.yaml", _RECIPE),
    (f"{_EXAMPLE} --image recipe.yaml", _RECIPE),
    (f"{_EXAMPLE} --policy recipe.yaml", _RECIPE),
    ("create demo -f recipe.yaml", _RECIPE),
    ("verify recipe.yaml", _RECIPE),
    ("image build image.json --out folder", _MANIFEST),
    (f"{_EXAMPLE} --pins image.json", _MANIFEST),
    ("verify image.json", _MANIFEST),
    ("plan demo -f policy.yaml", _POLICY),
    ("image show policy.yaml", _POLICY),
    ("image build vm.yaml --out folder", _SPEC),
    (f"{_EXAMPLE} --policy vm.yaml", _SPEC),
    (f"{_EXAMPLE} --policy bundle.json", _BUNDLE),
    (f"{_EXAMPLE} --image bundle.json", _BUNDLE),
    (f"{_EXAMPLE} --policy pins.json", _PINS),
]


_CASES = mostly_slow([pytest.param(*one) for one in _MISTAKEN], 4)


@pytest.mark.parametrize(("line", "hint"), _CASES)
def test_the_hint_says_what_the_file_is_and_what_reads_it(shell, tmp_path, line, hint):
    work = tmp_path / "work"
    (work / "recipe.yaml").write_text("name: x\nversion: 1.0.0\ndistribution: {suite: noble}\n")
    (work / "policy.yaml").write_text("name: x\nrequires: [cpu]\nbinding: nonce\n")
    (work / "vm.yaml").write_text("name: x\nregions: [eastus2]\n")
    (work / "image.json").write_bytes(dump(Parts().manifest()))
    (work / "pins.json").write_text(json.dumps({"pcrs": {}}))
    with example_folder() as folder:
        (work / "bundle.json").write_bytes((folder / BUNDLE).read_bytes())
    done = shell(line)
    assert (done.code, done.out) == (3, "")
    assert f"hint: {hint}" in done.err
    assert shell.arm.show()["requests"] == []


def test_what_is_of_no_known_kind_keeps_its_hint(shell, tmp_path):
    (tmp_path / "work" / "x.yaml").write_text("a: b\n")
    assert "hint: known formats: " in shell("verify x.yaml").err
    assert "hint: docs/measured-image-build.md" in shell("image build x.yaml --out f").err
    assert shell("image show x.yaml").code == 9
