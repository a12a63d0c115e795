"""What a policy demands of the workloads of a VM, and what a verdict leaves open about them."""

from dataclasses import replace

import pytest

from ccgpu.attest.appraise import AppraisalInputs
from ccgpu.attest.check import Checks, Verified
from ccgpu.attest.workload_log import parse
from ccgpu.attest.workload_policy import check_workloads
from ccgpu.domain.evidence import Evidence
from ccgpu.domain.workload_policy import WorkloadPolicy
from ccgpu.fakeguest.evidence import quote
from support import gpus
from support.gpus import gpu
from support.vms import AT, NONCE, Judge, nonce_evidence, vm
from support.workload_events import MODEL, event, log_of, vm_with

_OTHER = f"sha256:{'0e' * 32}"
_GOOD = {"image_digest": event()["image_digest"]}


def _policy(*allowed: dict[str, object], only: bool = True, required: bool = True):
    document = {"allowed": list(allowed), "only": only, "required": required}
    return WorkloadPolicy.model_validate(document)


def _made(policy: WorkloadPolicy, *events: dict[str, object]):
    checks = Checks()
    check_workloads(Verified(parse(log_of(*events))), policy, checks)
    return [(made.id, made.ok, made.expected, made.actual) for made in checks.made]


def _answers(policy: WorkloadPolicy, *events: dict[str, object]) -> dict[str, bool]:
    return {id_.rpartition(".")[2]: ok for id_, ok, *_ in _made(policy, *events)}


_MATCHERS = [
    ({}, True),
    ({"command": event()["command"]}, True),
    ({"command": event()["command"][:-1]}, False),
    ({"command": [*event()["command"], "--debug"]}, False),
    ({"command": []}, False),
    ({"model_manifest": MODEL["manifest"]}, True),
    ({"model_manifest": _OTHER}, False),
    ({"model_commit": MODEL["commit"]}, True),
    ({"model_commit": "f" * 40}, False),
    ({"model_commit": MODEL["commit"], "model_manifest": MODEL["manifest"]}, True),
    ({"model_commit": MODEL["commit"], "model_manifest": _OTHER}, False),
    ({"image_digest": _OTHER}, False),
    ({"image_digest": _OTHER, "command": event()["command"]}, False),
]


@pytest.mark.parametrize(("matchers", "allowed"), _MATCHERS)
def test_a_workload_is_allowed_if_every_matcher_that_is_given_fits(matchers, allowed):
    policy = _policy(_GOOD | matchers)
    assert _answers(policy, event()) == {"required": allowed, "others": allowed}


@pytest.mark.parametrize("matcher", ["model_manifest", "model_commit"])
def test_a_workload_without_a_model_has_none_of_a_policy(matcher):
    policy = _policy(_GOOD | {matcher: MODEL[matcher.removeprefix("model_")]})
    assert _answers(policy, event(model=None)) == {"required": False, "others": False}


def test_one_of_the_entries_is_enough():
    policy = _policy({"image_digest": _OTHER}, _GOOD)
    assert _answers(policy, event()) == {"required": True, "others": True}


def test_only_is_about_every_workload_and_required_about_one():
    both = [event(), event("other", image_digest=_OTHER)]
    assert _answers(_policy(_GOOD), *both) == {"required": True, "others": False}
    assert _answers(_policy(_GOOD, only=False), *both) == {"required": True}
    assert _answers(_policy(_GOOD, required=False), *both) == {"others": False}
    assert _answers(_policy(_GOOD, only=False, required=False), *both) == {}
    assert _answers(_policy(only=True, required=False), event()) == {"others": False}


def test_checks_name_what_ran():
    events = [event(f"w{number}", image_digest=_OTHER, model=None) for number in range(6)]
    named = ", ".join(f"w{number} {_OTHER}" for number in range(4))

    assert _made(_policy(_GOOD, _GOOD), event("a"), *events) == [
        (
            "policy.workloads.required",
            True,
            f"one of {_GOOD['image_digest']}",
            f"a {_GOOD['image_digest']} with {MODEL['repository']}@{MODEL['commit']}, "
            f"w0 {_OTHER}, w1 {_OTHER}, w2 {_OTHER} and 3 more",
        ),
        ("policy.workloads.others", False, "no other", f"{named} and 2 more"),
    ]
    assert _made(_policy(_GOOD), event())[1] == (
        "policy.workloads.others", True, "no other", "no other",
    )  # fmt: skip
    assert _made(_policy(_GOOD), *events[:4])[1][3] == named


# Verdicts on whole evidence.


def _judged(found: Evidence, policy: WorkloadPolicy | None):
    return Judge()(found, workloads=policy)


def _without_log(found: Evidence) -> Evidence:
    assert found.cpu is not None
    return replace(found, cpu=replace(found.cpu, workload_log=None))


def _quoting(found: Evidence, pcrs: set[int]) -> Evidence:
    """The evidence with a quote of some PCRs."""
    assert found.cpu is not None
    assert found.cpu.pcrs is not None
    values = {index: value for index, value in found.cpu.pcrs.items() if index in pcrs}
    message = quote.QuoteTemplate(values, NONCE).raw
    signature = quote.sign_quote(vm().ak, message)
    cpu = replace(found.cpu, quote=message, signature=signature, pcrs=values)
    return replace(found, cpu=cpu)


_ANY = _policy(only=False, required=False)
_NONE = _policy(only=True, required=False)
_ONE = _policy(_GOOD)
_RAN, _CLEAN = vm_with(event()), vm()
_VERDICTS = {
    "allowed": (lambda: nonce_evidence(_RAN), _ONE, ()),
    "any": (lambda: nonce_evidence(_RAN), _ANY, ()),
    "none may have run": (lambda: nonce_evidence(_RAN), _NONE, ("policy.workloads.others",)),
    "nothing ran": (lambda: nonce_evidence(_CLEAN), _NONE, ()),
    "nothing ran, one must": (
        lambda: nonce_evidence(_CLEAN),
        _ONE,
        ("policy.workloads.required",),
    ),
    "another ran": (
        lambda: nonce_evidence(vm_with(event(image_digest=_OTHER))),
        _ONE,
        ("policy.workloads.required", "policy.workloads.others"),
    ),
    "log left out": (
        lambda: _without_log(nonce_evidence(_RAN)),
        _ANY,
        ("workloads.log.absent",),
    ),
    "PCR not quoted, no log": (
        lambda: _quoting(nonce_evidence(_CLEAN), set(range(13))),
        _ANY,
        ("workloads.pcr.unquoted",),
    ),
    "PCR not quoted": (
        lambda: _quoting(nonce_evidence(_RAN), set(range(13))),
        None,
        ("workloads.pcr.unquoted",),
    ),
}


@pytest.mark.parametrize("case", _VERDICTS)
def test_a_verdict_follows_from_the_log_and_the_policy(case):
    make, policy, reasons = _VERDICTS[case]
    assert tuple(_judged(make(), policy).reasons) == reasons


_WORD = (
    "the workloads: software in the VM measures them, whose root file system is not measured; "
    "what it does not measure, no log shows"
)
_UNLOGGED = "what PCR 13 was extended with: the evidence has no log of workloads"
_UNQUOTED = "which workloads ran: PCR 13 is not quoted"
_OPEN = [
    (lambda: nonce_evidence(_CLEAN), None, set()),
    (lambda: nonce_evidence(_CLEAN), _NONE, {_WORD}),
    (lambda: nonce_evidence(_RAN), None, {_WORD}),
    (lambda: _without_log(nonce_evidence(_RAN)), None, {_UNLOGGED}),
    (lambda: _without_log(nonce_evidence(_RAN)), _ANY, {_WORD, _UNLOGGED}),
    (lambda: _quoting(nonce_evidence(_CLEAN), set(range(13))), None, {_UNQUOTED}),
    (lambda: _quoting(nonce_evidence(_RAN), set(range(13))), None, {_WORD, _UNQUOTED}),
]


@pytest.mark.parametrize(("make", "policy", "lines"), _OPEN)
def test_a_verdict_says_what_it_leaves_open(make, policy, lines):
    found = _judged(make(), policy)
    assert {_WORD, _UNLOGGED, _UNQUOTED} & set(found.not_proven) == lines


def test_without_a_verified_quote_nothing_is_said_of_pcr_13():
    found = nonce_evidence(_RAN)
    assert found.cpu is not None
    unsigned = replace(found, cpu=replace(found.cpu, signature=None, workload_log=None))
    assert not {_UNLOGGED, _UNQUOTED} & set(_judged(unsigned, None).not_proven)


def test_evidence_without_a_cpu_is_refused_for_that():
    found = Judge(inputs=AppraisalInputs(AT))(gpus.nonce_evidence(gpu()), workloads=_ONE)
    assert found.verdict == "rejected"
    assert "evidence.cpu.absent" in found.reasons
