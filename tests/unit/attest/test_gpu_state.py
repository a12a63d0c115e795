"""The GPU's state: the guest's document, which the quote covers; a carrier cannot change it."""

import json
from dataclasses import replace

import pytest

from ccgpu.attest.check import Checks, Malformed
from ccgpu.attest.gpu import state
from ccgpu.domain.evidence import GpuEvidence, ReportedGpuState
from support import gpus
from support.gpus import GOOD, gpu
from support.vms import Judge, caller_question, vm

_SAID = {"cc_mode": True, "dev_tools": False, "ready": False}
judge = Judge("default", caller_question(vm()))


def _with(found, **changes):
    return replace(found, gpus=(replace(found.gpus[0], **changes),))


def _document(**changes):
    return json.dumps(_SAID | changes).encode()


def test_unknown_members_of_a_state_document_are_ignored():
    assert state.parse(_document(driver_version="595.71.05")) == GOOD
    assert state.parse(_document(ready=None)).ready is None
    assert state.parse(b'{"cc_mode": false, "dev_tools": true}') == ReportedGpuState(False, True)


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", "json.syntax"),
        (b"[]", "json.object"),
        (b'{"cc_mode": true, "cc_mode": true, "dev_tools": false}', "json.duplicate"),
        (b" " * 5000, "json.size"),
        (b'{"cc_mode": true}', "gpu.state.field"),
        (_document(cc_mode=1), "gpu.state.field"),
        (_document(dev_tools="off"), "gpu.state.field"),
        (_document(dev_tools=None), "gpu.state.field"),
        (_document(ready="no"), "gpu.state.field"),
    ],
)
def test_an_invalid_state_document_is_refused(raw, reason):
    with pytest.raises(Malformed) as caught:
        state.parse(raw)

    assert caught.value.rule.id == reason


@pytest.mark.parametrize(
    "raw",
    [
        _document(dev_tools=True),
        _document(cc_mode=False),
        _document(ready=True),
        _document(),  # the same in other bytes: the document as it was collected is what counts
        b"",
        None,
    ],
)
def test_a_state_changed_after_the_quote_is_rejected(raw):
    found = _with(gpus.bound_evidence(vm(), gpu()), state_document=raw)

    assert "vtpm.nonce.other" in judge(found).reasons


@pytest.mark.parametrize(
    ("said", "reason"),
    [("dev_tools", "policy.gpu.dev-tools"), ("cc_mode", "policy.gpu.cc-mode")],
)
def test_a_bad_gpu_state_is_rejected_even_if_flipped_back(said, reason):
    one = replace(gpu(), state=_SAID | {said: not _SAID[said]})
    honest = gpus.bound_evidence(vm(), one)
    assert honest.gpus[0].state_document is not None
    flipped = json.loads(honest.gpus[0].state_document) | _SAID

    assert judge(honest).reasons == (reason,)
    lied = judge(_with(honest, state_document=json.dumps(flipped).encode()))
    assert lied.reasons == ("vtpm.nonce.other",)


@pytest.mark.parametrize("told", [GOOD, replace(GOOD, dev_tools=True), replace(GOOD, ready=True)])
def test_in_bound_evidence_an_unquoted_state_does_not_count(told):
    found = gpus.bound_evidence(vm(), gpu())
    instead = judge(_with(found, state_document=None, state=told))
    beside = judge(_with(found, state=told))

    assert {"gpu.state.unquoted", "policy.gpu.state.absent"} <= set(instead.reasons)
    assert beside.reasons == (() if told == GOOD else ("gpu.state.other",))


def test_a_required_but_unknown_state_is_rejected():
    one = replace(gpu(), state={})

    assert judge(gpus.bound_evidence(vm(), one)).reasons == (
        "gpu.state.field",
        "policy.gpu.state.absent",
    )


def test_an_unbound_state_document_is_checked():
    part = GpuEvidence("HOPPER", b"", b"", state_document=_document(dev_tools=True))
    checks = Checks()

    assert state.read_state(part, checks, bound=False) == replace(GOOD, dev_tools=True)
    plain = _with(gpus.nonce_evidence(gpu()), state=None, state_document=_document(dev_tools=True))
    found = Judge("gpu-only")(plain)
    assert found.reasons == ("policy.gpu.dev-tools",)
    assert "CC mode and developer tools of the GPU: the word of the evidence's maker" in (
        found.not_proven
    )


def test_the_trust_basis_names_the_source_of_the_state():
    def who(found):
        return next(words for words in found.not_proven if words.startswith("CC mode"))

    assert who(judge(gpus.bound_evidence(vm(), gpu()))).endswith(
        "the guest's word, which the quote covers"
    )
    assert who(Judge("gpu-only")(gpus.nonce_evidence(gpu()))).endswith(
        "the word of the evidence's maker"
    )
    silent = _with(gpus.nonce_evidence(gpu()), state=None)
    assert who(Judge("gpu-only")(silent)).endswith("nobody said")
