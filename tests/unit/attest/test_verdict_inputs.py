"""What a verdict says of its inputs: whose word each is, which policy, what was left out."""

from dataclasses import replace
from itertools import product
from typing import Any

import pytest

from ccgpu.attest.appraise import AppraisalInputs
from ccgpu.attest.attestation_tokens import TokenKeySets
from ccgpu.attest.cpu import CpuResult
from ccgpu.attest.not_proven import gpu_state_source
from ccgpu.domain.evidence import AttestationTokens, Evidence, UnverifiedContext
from ccgpu.domain.policy_comparison import PolicyOrigin
from ccgpu.domain.reference_values import ReferenceValues
from support import gpus, vms
from support.gpus import GOOD, gpu
from support.vms import AT, NONCE, Judge, caller_question, vm

_KEY = b"\x07" * 32
_PINS = ReferenceValues(image="few", pcrs={"7": "00" * 32})
_WHOLE = gpus.bound_evidence(vm(), gpu())
# Inputs that are appraised in no time: the verdict is a refusal, and says the same of its inputs.
_NOTHING = Evidence("bundle", claimed=UnverifiedContext(NONCE))
_BROUGHT: dict[str, tuple[str, Any]] = {
    "nonce": ("nonce", NONCE),
    "vm_id": ("VM id", vm().vm_id),
    "host_key": ("SSH host key", _KEY),
}


def _basis(found, inputs, policy="default"):
    return dict(Judge(policy, inputs)(found).rests_on)


@pytest.mark.parametrize("brought", list(product([True, False], repeat=3)))
def test_each_input_is_the_callers_if_and_only_if_the_caller_gave_it(brought):
    given = dict(zip(_BROUGHT, brought, strict=True))
    inputs = AppraisalInputs(AT, **{name: _BROUGHT[name][1] for name in given if given[name]})
    found = _basis(_NOTHING, inputs)

    assert {name: found[_BROUGHT[name][0]] == "caller" for name in given} == given
    assert found["time"] == "caller"


@pytest.mark.parametrize("of_maker", [True, False])
@pytest.mark.parametrize("pins", [_PINS, None])
def test_time_and_golden_values_are_the_callers_or_not(of_maker, pins):
    inputs = AppraisalInputs(AT, at_of_maker=of_maker, reference_values=pins)
    found = Judge("default", inputs)(_WHOLE)
    basis = dict(found.rests_on)

    assert basis["time"] == ("maker" if of_maker else "caller")
    assert basis["golden PCR values"] == ("caller" if pins else "nobody")
    assert found.unsafe == (("at_bundle",) if of_maker else ())
    assert ("the boot chain: no golden PCR values given" in found.not_proven) == (pins is None)
    assert found.at == AT


def test_unsafe_fields_of_the_policy_come_before_the_time_of_the_maker():
    inputs = AppraisalInputs(AT, at_of_maker=True)

    assert Judge("cpu-only", inputs)(_NOTHING, unsafe_short_nonce=True).unsafe == (
        "unsafe_short_nonce",
        "at_bundle",
    )


def _gpu_with(binding="nonce", **changes):
    found = replace(_NOTHING, claimed=UnverifiedContext(NONCE, binding), gpus=_WHOLE.gpus)
    part = replace(found.gpus[0], report=b"", state=None, state_document=None)
    return replace(found, gpus=(replace(part, **changes),))


@pytest.mark.parametrize(
    ("found", "source", "words"),
    [
        (_gpu_with(), "nobody", "nobody said"),
        (_gpu_with("ccgpu-bind-v1"), "nobody", "nobody said"),
        (_gpu_with(state=GOOD), "maker", "the word of the evidence's maker"),
        (_gpu_with("ccgpu-bind-v1", state=GOOD), "maker", "the word of the evidence's maker"),
        (_gpu_with(state_document=b"{}"), "maker", "the word of the evidence's maker"),
        (
            _gpu_with("ccgpu-bind-v1", state_document=b"{}"),  # no quote was looked at
            "maker",
            "the word of the evidence's maker",
        ),
        (_NOTHING, None, "nobody said"),
    ],
)
def test_the_state_of_a_gpu_is_the_guests_word_only_if_the_quote_covers_it(found, source, words):
    judged = Judge("gpu-only")(found)

    assert dict(judged.rests_on).get("CC mode and developer tools") == source
    assert f"CC mode and developer tools of the GPU: {words}" in judged.not_proven


@pytest.mark.parametrize(
    ("found", "source"),
    [
        (_gpu_with("ccgpu-bind-v1", state_document=b"{}"), "guest"),
        (_gpu_with(state_document=b"{}"), "maker"),
        (_gpu_with("ccgpu-bind-v1", state=GOOD), "maker"),
        (_gpu_with("ccgpu-bind-v1"), "nobody"),
    ],
)
def test_a_verified_quote_covers_the_document_of_bound_evidence_alone(found, source):
    assert gpu_state_source(found, CpuResult(pcrs={7: bytes(32)})) == source


@pytest.mark.parametrize("good", [True, False])
def test_a_quote_covers_the_state_of_a_gpu_only_if_it_is_verified(good):
    cpu = _WHOLE.cpu
    assert cpu is not None
    assert cpu.quote is not None
    quote = cpu.quote if good else cpu.quote[:-1] + bytes([cpu.quote[-1] ^ 1])
    judged = Judge("default", caller_question(vm()))(replace(_WHOLE, cpu=replace(cpu, quote=quote)))

    words = (
        "the guest's word, which the quote covers" if good else "the word of the evidence's maker"
    )
    assert dict(judged.rests_on)["CC mode and developer tools"] == ("guest" if good else "maker")
    assert f"CC mode and developer tools of the GPU: {words}" in judged.not_proven


def test_a_file_of_the_users_is_not_called_by_the_name_of_a_shipped_policy():
    for reserved, name in (
        (True, "cpu-only (a file of yours, not the policy that ships)"),
        (False, "cpu-only"),
    ):
        origin = PolicyOrigin("/p.yaml", "00" * 32, reserved, {"count": "1"})
        found = Judge("cpu-only", AppraisalInputs(AT, policy_origin=origin))(_NOTHING)
        assert (found.policy, found.origin, found.loosened) == (name, origin, {"count": "1"})
    shipped = Judge("cpu-only")(_NOTHING)
    assert (shipped.policy, shipped.origin, shipped.loosened) == ("cpu-only", None, {})


def test_values_that_the_quote_does_not_cover_are_named_as_not_read():
    found = vms.nonce_evidence(vm())
    assert found.cpu is not None
    assert found.cpu.pcrs is not None
    more = replace(found.cpu, pcrs={**found.cpu.pcrs, 77: bytes(32), 99: bytes(32)})

    assert Judge()(replace(found, cpu=more)).not_read == (
        "PCR 77 (the quote does not cover it)",
        "PCR 99 (the quote does not cover it)",
    )
    assert Judge()(found).not_read == ()


def test_pcrs_are_told_only_of_accepted_evidence():
    found = vms.nonce_evidence(vm())
    assert Judge()(found).pcrs == vm().pcrs
    refused = Judge()(found, cpu={"products": ("Turin",)})
    assert (refused.reasons, refused.pcrs) == (("policy.product",), {})


@pytest.mark.parametrize(
    ("policy", "id_"), [("cpu-only", "evidence.cpu.absent"), ("gpu-only", "evidence.gpu.absent")]
)
def test_a_part_that_is_required_and_missing_is_refused_with_both_sides(policy, id_):
    found = Judge(policy)(_NOTHING)
    (made,) = [made for made in found.checks if not made.ok]

    assert (made.id, made.expected, made.actual) == (id_, "evidence", "absent")
    assert found.verdict == "rejected"


def test_a_vm_id_is_refused_by_a_policy_that_does_not_look_at_the_vm():
    found = Judge("gpu-only", AppraisalInputs(AT, vm_id="x"))(_NOTHING)
    made = {made.id: (made.ok, made.expected, made.actual) for made in found.checks}

    assert made["policy.vm-id"] == (False, "x", "not looked at by this policy")


@pytest.mark.parametrize("policy", ["cpu-only", "default"])
@pytest.mark.parametrize("vm_id", ["x", None])
@pytest.mark.parametrize("host_key", [_KEY, None])
def test_what_the_caller_does_not_name_is_not_proven(policy, vm_id, host_key):
    found = Judge(policy, AppraisalInputs(AT, vm_id=vm_id, host_key=host_key))(_NOTHING)
    identity, channel = (
        (
            "identity: vmUniqueId need not be the vmId of the VM that was asked for",
            "channel: no SSH host key need be bound to this evidence",
        )
        if policy == "cpu-only"
        else (
            "identity: the vmId is the word of the evidence's maker; give `--vm-id`",
            "channel: the host key is the word of the evidence's maker; give `--host-key`",
        )
    )
    told = [words for words in found.not_proven if words.startswith(("identity", "channel"))]

    assert told == [*([] if vm_id else [identity]), *([] if host_key else [channel])]


@pytest.mark.parametrize(
    ("evidence", "nonce", "told"),
    [
        (_NOTHING, None, True),
        (_NOTHING, NONCE, False),
        (Evidence("bundle"), None, False),
        (replace(_gpu_with(), claimed=UnverifiedContext()), None, True),
        (replace(_gpu_with(), claimed=UnverifiedContext()), NONCE, False),
    ],
)
def test_a_nonce_of_the_maker_proves_no_freshness(evidence, nonce, told):
    found = Judge("cpu-only", AppraisalInputs(AT, nonce=nonce))(evidence)
    words = "freshness: the nonce is the word of the evidence's maker; give `--nonce`"

    assert (words in found.not_proven) == told


@pytest.mark.parametrize("nras", [b"[]", None])
@pytest.mark.parametrize("maa", [b"x", None])
@pytest.mark.parametrize(
    "keys", [TokenKeySets(), TokenKeySets(nras=b"{}"), TokenKeySets(maa=b"{}")]
)
def test_a_token_without_its_own_key_set_is_told_of(nras, maa, keys):
    found = replace(_NOTHING, tokens=AttestationTokens(nras=nras, maa=maa))
    told = Judge("cpu-only", AppraisalInputs(AT, keys=keys))(found).not_proven

    for token, key_set, words in (
        (
            nras,
            keys.nras,
            "NVIDIA's token: it is there, and was not looked at without `--nras-jwks`",
        ),
        (
            maa,
            keys.maa,
            "Microsoft's token: it is there, and was not looked at without `--maa-jwks`",
        ),
    ):
        assert (words in told) == (token is not None and key_set is None)


def test_parts_that_a_policy_does_not_look_at_are_told_first():
    assert Judge("cpu-only")(_NOTHING).not_proven[0] == "the GPU: this policy does not look at it"
    assert Judge("gpu-only")(_NOTHING).not_proven[0] == (
        "the CPU and the VM: this policy does not look at them"
    )
    outside = [words.split(":")[0] for words in Judge("default")(_NOTHING).not_proven[-5:]]
    assert outside == [
        "the paravisor",
        "the root file system",
        "the first boot",
        "physical attacks",
        "that the GPU is in this VM",
    ]


def test_the_time_of_the_challenge_is_a_fact_only_if_it_was_recorded():
    sent = Judge("cpu-only", caller_question(vm(), challenge_sent=AT))(_NOTHING)
    assert sent.facts == {"challenge sent": "2026-11-22T12:00:00Z"}
    assert Judge("cpu-only")(_NOTHING).facts == {}
