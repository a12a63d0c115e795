"""The table of models: sizes, what fits, what runs them, and when it is out of date."""

import copy
from datetime import datetime
from typing import Any

import pytest

from ccgpu.domain.model_fit import fit_problems
from ccgpu.domain.model_manifest import ModelFile, ModelManifest
from ccgpu.domain.models import parse_models
from ccgpu.store import model_table, workload_templates

_TABLE = model_table.shipped()
_VALUES: dict[str, Any] = {
    "schema": "ccgpu.models/1",
    "as_of": "2026-01-01",
    "review_by": "2026-12-31",
    "models": [
        {
            "repository": "a/big",
            "family": "F",
            "kind": "text",
            "form": "BF16",
            "billions": "70",
            "licence": "l",
            "gated": "true",
            "workloads": [],
            "knows": "true",
            "use_instead": "a/big-AWQ",
            "sources": ["s"],
        },
        {
            "repository": "a/big-AWQ",
            "family": "F",
            "kind": "text",
            "form": "AWQ",
            "billions": "70",
            "licence": "l",
            "gated": "false",
            "workloads": ["vllm"],
            "knows": "true",
            "sources": ["s"],
        },
        {
            "repository": "a/half",
            "family": "F",
            "kind": "text",
            "form": "BF16",
            "billions": "45",
            "licence": "l",
            "gated": "false",
            "workloads": ["vllm"],
            "knows": "true",
            "sources": ["s"],
        },
    ],
}


def _table(index=None, **changes: Any):
    values = copy.deepcopy(_VALUES)
    target = values if index is None else values["models"][index]
    target |= changes
    return parse_models({k: v for k, v in values.items() if v is not None})


def _at(day: str) -> datetime:
    return datetime.fromisoformat(f"{day}T12:00:00+00:00")


def test_the_families_that_were_promised_are_in_the_shipped_table():
    families = {each.family for each in _TABLE.models}
    assert families >= {
        *("Stable Diffusion 1.5", "SDXL", "SSD-1B", "Zephyr", "Falcon", "GPT-2", "MPT", "Llama 2"),
        *("WizardLM", "Xwin", "Qwen", "gpt-oss", "Gemma", "Llama 3", "FLUX", "Qwen-Image", "SD3"),
    }


@pytest.mark.parametrize("entry", _TABLE.models, ids=lambda one: one.repository)
def test_every_listed_model_fits_with_what_its_workloads_need_or_names_one_that_does(entry):
    for name in entry.workloads:
        template = workload_templates.load(name)
        assert template.gpu_memory_gb is not None
        assert entry.fits(template.gpu_memory_gb)
        wanted = "images" if entry.kind == "image" else "completions"
        assert template.known_answers is not None
        assert template.known_answers.protocol == wanted
    if not entry.workloads:
        other = _TABLE.find(entry.use_instead or "")
        assert other is not None
        assert other.family == entry.family
    assert entry.sources


def test_a_70b_model_fits_in_8_or_4_bits_and_not_in_16():
    big = _TABLE.find("meta-llama/Llama-2-70b-chat-hf")
    awq = _TABLE.find("TheBloke/Llama-2-70B-Chat-AWQ")
    fp8 = _TABLE.find("RedHatAI/Llama-3.3-70B-Instruct-FP8-dynamic")
    assert big is not None
    assert awq is not None
    assert fp8 is not None
    assert (big.fits(), awq.fits(8), fp8.fits(8)) == (False, True, True)
    assert big.weights_gb == 138.0
    assert big.gated


def test_mpt_is_run_by_vllm_alone():
    mpt = _TABLE.find("MosaicML/mpt-7b-instruct")
    assert mpt is not None
    assert mpt.refusal("sglang") == "is not run by sglang: choose vllm"
    assert mpt.refusal("vllm") is None
    assert mpt.refusal("finetune") is None
    assert _TABLE.find("a/unknown") is None


def test_active_weights_of_a_mixture_of_experts():
    qwen = _TABLE.find("Qwen/Qwen3.6-35B-A3B-FP8")
    assert qwen is not None
    assert (qwen.weights_gb, qwen.active_gb) == (35.0, 3.0)


@pytest.mark.parametrize(
    ("day", "words"),
    [
        ("2026-10-31", None),
        ("2026-11-01", "good until 2026-12-31"),
        ("2026-12-31", "too old since 2026-12-31"),
        ("2027-05-01", "too old since"),
    ],
)
def test_it_says_when_it_will_be_out_of_date(day, words):
    found = _table().warnings(_at(day))
    assert (words is None) == (found == ())
    assert words is None or words in found[0]


@pytest.mark.parametrize(
    ("index", "changes", "why"),
    [
        (None, {"schema": "x"}, "is not ccgpu.models/1"),
        (None, {"models": None}, "is not a table of models"),
        (None, {"as_of": "soon"}, "isoformat"),
        (0, {"extra": "x"}, "unknown fields"),
        (0, {"form": "INT3"}, "unknown kind or form"),
        (0, {"kind": "sound"}, "unknown kind or form"),
        (0, {"gated": "maybe"}, "is not a table of models"),
        (0, {"billions": "many"}, "could not convert"),
        (1, {"workloads": ["other"]}, "unknown workload"),
        (1, {"repository": "A/BIG"}, "lists a model twice"),
        (0, {"use_instead": "a/none"}, "names a/none"),
        (0, {"use_instead": "a/big"}, "names a/big"),
        (1, {"workloads": []}, "has no workload for a/big-AWQ"),
        (0, {"workloads": ["vllm"]}, "it does not fit"),
    ],
)
def test_a_table_that_is_wrong_is_refused(index, changes, why):
    with pytest.raises(ValueError, match=why):
        _table(index, **changes)


def _manifest(repository: str, gb: float, other_gb: float = 0.0) -> ModelManifest:
    files = (
        ModelFile("model.safetensors", int(gb * 10**9), "0" * 64),
        ModelFile("tokenizer.json", int(other_gb * 10**9), "0" * 64),
    )
    return ModelManifest(repository, "0" * 40, files)


def test_what_fits_has_no_problem():
    assert list(fit_problems(_manifest("a/x", 80), 8, _table())) == []
    assert list(fit_problems(_manifest("a/x", 140), 8, _table(), quantized=True)) == []
    assert list(fit_problems(_manifest("a/x", 500), None, _table())) == []


@pytest.mark.parametrize(
    ("manifest", "words"),
    [
        (_manifest("a/big", 140), "use a/big-AWQ"),
        (_manifest("a/half", 90), "halve it with the parameter quantization=fp8"),
        (_manifest("b/unknown", 140), "may fit, or for example a/big-AWQ"),
    ],
)
def test_what_does_not_fit_is_refused_with_what_would(manifest, words):
    (problem,) = fit_problems(manifest, 8, _table())
    assert problem.startswith(f"has {manifest.weights / 10**9:.0f} GB of weights")
    assert "the GPU has 94 GB" in problem
    assert words in problem


def test_the_disk_counts_every_file():
    (problem,) = fit_problems(_manifest("a/x", 50, 20), 8, _table(), disk_gb=100)
    assert problem == "has 70 GB of files, and the disk has room for 60 GB"
    assert list(fit_problems(_manifest("a/x", 50, 10), 8, _table(), disk_gb=100)) == []
