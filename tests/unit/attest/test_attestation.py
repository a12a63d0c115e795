"""What became of a VM that was asked: only one that was accepted and can be used is good."""

from dataclasses import replace

import pytest

from ccgpu.attest.appraisal import Appraisal
from ccgpu.attest.attestation import Attestation, StepTimes
from ccgpu.attest.check import Check
from ccgpu.domain.challenge import ChallengeRecord
from ccgpu.domain.collateral import MissingCollateral
from ccgpu.domain.evidence import Evidence
from ccgpu.domain.host_address import HostAddress
from ccgpu.errors import EvidenceRejected, EvidenceUnavailable, GuestNotReady
from support.vms import AT, HOST_KEY, NONCE

_GOOD = Check("snp.signature", "it is signed", True, "a", "a", "the test")
_BAD = _GOOD._replace(ok=False)
_MISSING = Check("ocsp.absent", "an answer is there", False, "a", "absent", "the test")
_PROBLEM = GuestNotReady("the GPU is not ready")


def _attestation(*checks: Check, **more: object) -> Attestation:
    verdicts = {_GOOD: "accepted", _BAD: "rejected", _MISSING: "no_verdict"}
    appraisal = Appraisal(verdicts[checks[0]], checks, "default", AT)  # type: ignore[arg-type]
    made = Attestation(
        "demo",
        ChallengeRecord(NONCE, None, HOST_KEY, AT),
        "boot",
        Evidence("bundle"),
        appraisal,
        StepTimes(1, 2, 3),
    )
    return replace(made, **more)  # type: ignore[arg-type]


def _refusal(found: Attestation) -> tuple[str, str | None]:
    with pytest.raises((EvidenceRejected, EvidenceUnavailable)) as caught:
        found.require_good()
    return str(caught.value), caught.value.hint


def test_an_accepted_vm_without_a_problem_is_good():
    found = _attestation(_GOOD)
    assert found.is_good
    found.require_good()
    assert (found.gpu_ready, found.missing, found.bundle, found.until) == (False, (), None, None)


def test_a_vm_with_a_problem_is_not_good():
    found = _attestation(_GOOD, problem=_PROBLEM)
    assert not found.is_good
    with pytest.raises(GuestNotReady) as caught:
        found.require_good()
    assert caught.value is _PROBLEM


@pytest.mark.parametrize("problem", [None, _PROBLEM])
def test_a_rejected_vm_is_not_good_and_gets_no_secret(problem):
    found = _attestation(_BAD, problem=problem)
    assert not found.is_good
    assert _refusal(found) == (
        "evidence rejected: snp.signature",
        "send it nothing secret; the VM stays, and bills until `ccgpu delete demo` removes it",
    )


def test_a_rejected_machine_of_no_deployment_cannot_be_deleted():
    found = _attestation(_BAD, host=HostAddress("azureuser", "192.0.2.1"))
    assert _refusal(found)[1] == "send it nothing secret"


def _missing(count: int) -> tuple[MissingCollateral, ...]:
    return tuple(MissingCollateral(f"piece {number}", ("no answer",)) for number in range(count))


@pytest.mark.parametrize(
    ("count", "shown", "rest"), [(0, 0, ""), (1, 1, ""), (3, 3, ""), (4, 3, "; and 1 more")]
)
def test_without_a_verdict_the_first_pieces_that_are_missing_are_named(count, shown, rest):
    missing = _missing(count)
    found = _attestation(_MISSING, missing=missing)
    assert not found.is_good
    text, hint = _refusal(found)
    assert text == "; ".join(("no verdict: ocsp.absent", *map(str, missing[:shown]))) + rest
    assert hint == "`ccgpu attest demo` tries again"


def test_without_a_verdict_a_machine_of_no_deployment_is_asked_by_the_same_command():
    found = _attestation(_MISSING, host=HostAddress("azureuser", "192.0.2.1"))
    text, hint = _refusal(found)
    assert text == "no verdict: ocsp.absent"
    assert hint == "run the same command again"
