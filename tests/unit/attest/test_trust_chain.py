"""The chain of trust fails closed: no part holds where a check failed or was not made."""

from dataclasses import asdict, replace

import pytest

import checks_page
from ccgpu.attest.chain_parts import PARTS
from ccgpu.attest.trust_chain import is_concerned, judge_chain
from support import gpus, vms
from support.gpus import gpu
from support.reports import accepted, failing, without
from support.vms import NONCE, Judge, vm

RULES = sorted({rule.id for _, rule in checks_page.rules()})
_TOKENS = {"nras", "maa"}
_SETS = ("concerns", "requires")
_BY_KEY = {part.key: part for part in PARTS}


def _states(appraisal, count=1):
    return {each.part.key: each.state for each in judge_chain(appraisal, count)}


def _dependents(keys):
    """The parts that rest on these, at any distance."""
    found = set(keys)
    for part in PARTS:
        if found & {*part.rests_on}:
            found.add(part.key)
    return found


def test_every_part_of_accepted_evidence_holds_but_tokens_that_are_not_there():
    states = _states(accepted())
    assert {key for key, state in states.items() if state != "holds"} == _TOKENS
    assert {states[key] for key in _TOKENS} == {"open"}


def test_the_parts_are_these(golden):
    golden("attest/chain-parts.json", [_as_json(asdict(part)) for part in PARTS])


def _as_json(part):
    return {key: sorted(value) if key in _SETS else value for key, value in part.items()}


def test_every_reason_code_concerns_a_known_part():
    # `is_concerned` takes an unknown code for one that concerns all parts.
    of_all = [id_ for id_ in RULES if all(is_concerned(part, id_) for part in PARTS)]
    assert {id_.rpartition(".")[0] for id_ in of_all} == {"bundle.signature"}


@pytest.mark.slow
def test_what_a_failed_check_concerns_failed_and_what_rests_on_it_does_not_hold():
    wrong = []
    for id_ in RULES:
        states = _states(failing(id_))
        concerned = {part.key for part in PARTS if is_concerned(part, id_)}
        if {states[key] for key in concerned} != {"failed"}:
            wrong.append(id_)
        if any(states[key] == "holds" for key in _dependents(concerned)):
            wrong.append(id_)
    assert wrong == []


@pytest.mark.parametrize(
    ("id_", "parts"),
    [
        ("snp.crl.vek", "amd-crl vcek"),
        ("snp.crl.authorities", "amd-root amd-signer amd-crl vcek"),
        ("snp.vek.signature", "vcek"),
        ("policy.tcb.snp", "snp-report"),
        ("policy.vm-id", "identity"),
        ("hcl.user-data.other", "claims identity"),
        ("vtpm.nonce.other", "quote nonce"),
        ("policy.pins.pcr", "quote"),
        ("workloads.log.replay", "workloads"),
        ("policy.workloads.others", "workloads"),
        ("freshness.nonce.other", "nonce gpu-nonce"),
        ("ocsp.revoked", "nvidia-authorities gpu-leaf ocsp rim-signer"),
        ("gpu.chain.root", "nvidia-root nvidia-authorities gpu-leaf"),
        ("policy.gpu.dev-tools", "gpu-report"),
        ("golden.match", "measurements"),
        ("json.duplicate", "claims gpu-report nras maa"),
        ("token.signature", "nras maa"),
    ],
)
def test_a_failed_check_fails_these_parts_and_no_others(id_, parts):
    assert id_ in RULES
    states = _states(failing(id_))
    assert {key for key, state in states.items() if state == "failed"} == {*parts.split()}


def test_a_failed_check_that_no_part_knows_fails_all():
    assert {*_states(failing("brandnew.thing")).values()} == {"failed"}


@pytest.mark.parametrize(
    "part", [each for each in PARTS if each.key not in _TOKENS], ids=lambda p: p.key
)
def test_a_part_is_open_without_any_of_the_checks_that_it_requires(part):
    for id_ in part.requires:
        assert id_ in {each.id for each in accepted().checks}, "nothing was taken away"
        states = _states(without(id_))
        assert {states[key] for key in _dependents({part.key})} == {"open"}, id_


def test_what_a_part_requires_is_a_rule():
    assert [id_ for part in PARTS for id_ in part.requires if id_ not in RULES] == []


def test_parts_rest_on_earlier_ones():
    seen: set[str] = set()
    for part in PARTS:
        assert {*part.rests_on} <= seen
        seen.add(part.key)


@pytest.mark.parametrize(
    ("word", "parts"),
    [("nonce", {"nonce", "gpu-nonce"}), ("VM id", {"identity"}), ("SSH host key", {"identity"})],
)
@pytest.mark.parametrize("whose", ["maker", "nobody", "caller and maker", "guest"])
def test_what_somebody_else_says_is_answered_by_nothing(word, parts, whose):
    others = tuple(pair for pair in accepted().rests_on if pair[0] != word)
    states = _states(replace(accepted(), rests_on=(*others, (word, whose))))
    assert {key for key, state in states.items() if state == "open"} == parts | _TOKENS


def test_each_of_two_gpus_has_to_be_checked():
    states = _states(accepted(), count=2)
    assert states["snp-report"] == "holds"
    for part in PARTS:
        if part.column in ("gpu", "manifests") and part.key != "ocsp":
            assert states[part.key] == "open", part.key
    assert states["ocsp"] == "open", "it rests on the root of both"


def test_a_policy_that_looks_at_the_cpu_alone_leaves_the_gpu_open():
    found = Judge(inputs=replace(Judge().inputs, nonce=NONCE))(vms.nonce_evidence(vm()))
    assert found.verdict == "accepted"
    states = _states(found, 0)
    assert states["nonce"] == states["quote"] == "holds"
    assert states["identity"] == "open", "nobody gave a vmId"
    assert {states[each.key] for each in PARTS if each.column != "cpu"} == {"open"}


def test_a_policy_that_looks_at_the_gpu_alone_leaves_the_cpu_open():
    found = Judge("gpu-only")(gpus.nonce_evidence(gpu()))
    assert found.verdict == "accepted"
    states = _states(found)
    assert states["gpu-report"] == states["measurements"] == "holds"
    assert states["gpu-nonce"] == "open", "the nonce is the word of the evidence's maker"
    assert {states[each.key] for each in PARTS if each.column == "cpu"} == {"open"}


def test_workloads_are_open_where_there_is_no_log_of_them():
    states = _states(Judge()(vms.nonce_evidence(vm())), 0)
    assert (states["quote"], states["workloads"]) == ("holds", "open")


def test_revocation_that_was_not_looked_at_is_open():
    states = _states(Judge("gpu-only")(gpus.nonce_evidence(gpu()), gpu=_without_ocsp()))
    assert states["ocsp"] == "open"
    assert states["gpu-leaf"] == "holds"


def _without_ocsp():
    from ccgpu.store import policies

    policy = policies.load("gpu-only").gpu
    assert policy is not None
    return policy.model_copy(update={"unsafe_skip_ocsp": True})


def test_evidence_without_any_check_has_no_part_that_holds():
    assert {*_states(replace(accepted(), checks=())).values()} == {"open"}


def test_a_part_says_why_it_is_in_its_state():
    ids = ("snp.vmpl", "snp.policy.debug")
    judged = {each.part.key: each for each in judge_chain(failing(*ids), 1)}
    report = judged["snp-report"]
    assert (report.why, report.failed) == ("snp.vmpl, snp.policy.debug", ids)
    assert (judged["vcek"].why, judged["vcek"].failed) == (_BY_KEY["vcek"].claim, ())
    rests = f"it rests on what does not hold: {_BY_KEY['snp-report'].name}"
    assert judged["claims"].why == rests

    fewer = replace(
        accepted(), checks=[each for each in accepted().checks if each.id not in ids], rests_on=()
    )
    lacking = {each.part.key: each.why for each in judge_chain(fewer, 1)}
    assert lacking["snp-report"] == "no check snp.policy.debug or snp.vmpl was made"
    nobodys = replace(accepted(), rests_on=())
    lacking = {each.part.key: each.why for each in judge_chain(nobodys, 1)}
    assert lacking["identity"] == "VM id or SSH host key: not the verifier's own"


def test_evidence_without_a_gpu_is_judged_as_of_one():
    assert _states(accepted(), 0) == _states(accepted(), 1)
    bare = replace(accepted(), checks=())
    assert {*_states(bare, 0).values()} == {"open"}


def test_of_two_parts_that_do_not_hold_the_first_is_named():
    judged = {each.part.key: each for each in judge_chain(failing("rim.kind", "gpu.fwid"), 1)}
    first = _BY_KEY[_BY_KEY["measurements"].rests_on[0]]
    assert judged["measurements"].why == f"it rests on what does not hold: {first.name}"


def test_the_reason_names_the_checks_that_failed_or_are_missing():
    (failed,) = [each for each in judge_chain(failing("snp.vmpl"), 1) if each.state == "failed"]
    assert failed.why == "snp.vmpl"
    lacking = {each.part.key: each.why for each in judge_chain(without("snp.vmpl"), 1)}
    assert lacking["snp-report"] == "no check snp.vmpl was made"
    assert _BY_KEY["snp-report"].name in lacking["claims"]
