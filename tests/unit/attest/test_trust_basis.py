"""Whose word a verdict rests on, in whatever way evidence, caller and policy go together."""

from dataclasses import replace

import pytest

from ccgpu.attest.appraise import AppraisalInputs
from ccgpu.attest.trust_basis import CallerInputs, collateral_sources, trust_basis
from ccgpu.domain.evidence import Evidence, GpuCollateral
from ccgpu.domain.overrides import Overrides
from ccgpu.domain.reference_values import ReferenceValues
from ccgpu.store import policies
from support import gpus, vms
from support.vms import AT, NONCE, Judge, vm

WHOLE = gpus.bound_evidence(vm(), gpus.gpu())


def words(found, policy="default", **brought):
    return dict(trust_basis(found, policies.load(policy), CallerInputs(**brought)))


def test_without_input_of_the_caller_everything_rests_on_the_evidence():
    assert words(WHOLE, time=False, state="maker") == {
        "time": "maker",
        "nonce": "maker",
        "VM id": "maker",
        "SSH host key": "maker",
        "AMD's certificates": "maker",
        "AMD's revocation list": "maker",
        "golden PCR values": "nobody",
        "NVIDIA's manifests": "maker",
        "NVIDIA's OCSP answers": "maker",
        "CC mode and developer tools": "maker",
        "policy": "caller",
    }


@pytest.mark.parametrize(
    ("brought", "row"),
    [
        ("time", "time"),
        ("nonce", "nonce"),
        ("vm_id", "VM id"),
        ("host_key", "SSH host key"),
        ("reference_values", "golden PCR values"),
    ],
)
def test_inputs_of_the_caller_are_attributed_to_the_caller(brought, row):
    nothing = dict.fromkeys(("time", "nonce", "vm_id", "host_key", "reference_values"), False)

    assert words(WHOLE, **(nothing | {brought: True}))[row] == "caller"
    assert words(WHOLE, **nothing)[row] != "caller"


def test_without_a_binding_vm_and_key_rest_on_nothing():
    found = words(vms.bound_evidence(vm()), "cpu-only")

    assert (found["VM id"], found["SSH host key"]) == ("nobody", "nobody")


def test_what_the_evidence_does_not_claim_rests_on_nobody():
    silent = replace(WHOLE, claimed=replace(WHOLE.claimed, vm_id=None, host_key=None))
    found = words(silent)

    assert (found["VM id"], found["SSH host key"], found["nonce"]) == ("nobody", "nobody", "maker")
    assert words(WHOLE)["VM id"] == "maker"


def test_collateral_of_the_caller_is_the_callers_and_the_rest_is_the_makers():
    given = {"certificates": "caller", "OCSP answers": "caller and maker"}
    found = words(WHOLE, collateral=given)

    assert found["AMD's certificates"] == "caller"
    assert found["AMD's revocation list"] == "maker"
    assert found["NVIDIA's manifests"] == "maker"
    assert found["NVIDIA's OCSP answers"] == "caller and maker"


def test_parts_that_are_not_there_rest_on_nothing():
    nothing = words(replace(WHOLE, cpu=None, gpus=()))

    assert set(nothing) == {"time", "nonce", "VM id", "SSH host key", "policy"}
    assert list(nothing)[-1] == "policy"


def test_unchecked_inputs_are_not_listed():
    assert "NVIDIA's manifests" not in words(WHOLE, "cpu-only")
    assert "AMD's certificates" not in words(WHOLE, "gpu-only")
    skipping = policies.load("gpu-only").with_overrides(
        Overrides(skip_ocsp=True, short_nonce=False, known_nonce=False)
    )
    assert "NVIDIA's OCSP answers" not in dict(trust_basis(WHOLE, skipping, CallerInputs()))


def test_a_gpu_nonce_rests_on_the_evidence_and_a_missing_one_on_nothing():
    found = gpus.nonce_evidence(gpus.gpu())
    gpu = replace(found.gpus[0], nonce=NONCE)
    bare = replace(found, claimed=replace(found.claimed, nonce=None))

    assert words(replace(bare, gpus=(gpu,)), "gpu-only")["nonce"] == "maker"
    assert words(replace(bare, gpus=(replace(gpu, nonce=None),)), "gpu-only")["nonce"] == "nobody"


def _with(**collateral):
    return replace(WHOLE, collateral=replace(WHOLE.collateral, **collateral))


def test_collateral_is_attributed_to_its_source():
    more = (*WHOLE.collateral.rims, b"<x/>")
    assert WHOLE.cpu is not None
    bare = replace(WHOLE.cpu, crl=None, vek=None)

    assert collateral_sources(WHOLE, WHOLE)["manifests"] == "maker"
    assert collateral_sources(WHOLE, _with(rims=more))["manifests"] == "caller and maker"
    assert collateral_sources(_with(ocsp=()), WHOLE)["OCSP answers"] == "caller"
    assert collateral_sources(_with(ocsp=()), _with(ocsp=()))["OCSP answers"] == "nobody"
    assert collateral_sources(replace(WHOLE, cpu=bare), WHOLE)["revocation list"] == "caller"
    assert collateral_sources(replace(WHOLE, cpu=bare), WHOLE)["certificates"] == "caller"
    empty = Evidence("folder", collateral=GpuCollateral())
    assert set(collateral_sources(empty, empty).values()) == {"nobody"}


def test_the_verdict_contains_the_trust_basis():
    pins = ReferenceValues(image="few", pcrs={"7": "00" * 32})
    found = dict(
        Judge(inputs=AppraisalInputs(AT, nonce=NONCE, reference_values=pins))(
            vms.nonce_evidence(vm())
        ).rests_on
    )
    of_maker = AppraisalInputs(AT, at_of_maker=True, suppliers={"revocation list": "caller"})
    other = dict(Judge(inputs=of_maker)(vms.nonce_evidence(vm())).rests_on)

    assert (found["time"], found["nonce"], found["golden PCR values"]) == ("caller",) * 3
    assert (other["time"], other["nonce"], other["golden PCR values"]) == (
        "maker",
        "maker",
        "nobody",
    )
    assert other["AMD's revocation list"] == "caller"
    state = dict(Judge("gpu-only")(gpus.nonce_evidence(gpus.gpu())).rests_on)
    assert state["CC mode and developer tools"] == "maker"
