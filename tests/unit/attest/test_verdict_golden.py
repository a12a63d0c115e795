"""What a verdict says beside its checks: what it leaves open, its facts, its error and the hint."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from ccgpu.attest.appraisal import Appraisal
from ccgpu.attest.appraise import AppraisalInputs
from ccgpu.attest.attestation_tokens import TokenKeySets
from ccgpu.attest.check import Check
from ccgpu.domain.evidence import AttestationTokens, Evidence, ReportedGpuState
from ccgpu.domain.reference_values import ReferenceValues
from ccgpu.errors import CcgpuError
from ccgpu.fakeguest.evidence import amd as amds
from support import gpus, vms
from support.gpus import gpu
from support.masking import mask_random_text
from support.vms import AT, NONCE, Judge, caller_question, vm

_CPU, _GPU = Judge(), Judge("gpu-only")
_NEW = replace(amds.SimulatedTcb(), snp=0x1B, microcode=0x56)
_FEW_PINS = ReferenceValues(image="few", pcrs={"7": "00" * 32})


def _with_gpu_state(state: ReportedGpuState | None) -> Evidence:
    found = gpus.nonce_evidence(gpu())
    return replace(found, gpus=(replace(found.gpus[0], state=state),))


def _asking(**changes: Any) -> Judge:
    return Judge(inputs=AppraisalInputs(AT, **changes))


CASES: dict[str, Callable[[], Appraisal]] = {
    "cpu-only": lambda: _CPU(vms.nonce_evidence(vm())),
    "cpu-only, nonce given": lambda: _asking(nonce=NONCE)(vms.nonce_evidence(vm())),
    "cpu-only, pinned": lambda: _asking(reference_values=_FEW_PINS)(vms.nonce_evidence(vm())),
    "cpu-only, recording": lambda: _asking(recording=True)(vms.nonce_evidence(vm())),
    "cpu-only, short nonce": lambda: _CPU(
        vms.nonce_evidence(vm(), b"abc"), unsafe_short_nonce=True
    ),
    "cpu-only, no nonce": lambda: _CPU(
        replace(
            vms.nonce_evidence(vm()), claimed=replace(vms.nonce_evidence(vm()).claimed, nonce=None)
        )
    ),
    "cpu-only, bound": lambda: Judge(inputs=caller_question(vm()))(
        vms.bound_evidence(vm()), binding="ccgpu-bind-v1"
    ),
    "cpu-only, not simulated": lambda: _CPU(
        replace(vms.nonce_evidence(vm()), simulated_roots=None)
    ),
    "cpu-only, no certificate": lambda: _CPU(
        replace(
            vms.nonce_evidence(vm()), cpu=replace(vms.cpu_evidence(vm().collect(NONCE)), vek=None)
        )
    ),
    "cpu-only, no secure boot": lambda: _CPU(
        vms.nonce_evidence(
            replace(vm(), configuration={"secure-boot": False}, boot={"secure_boot": False})
        )
    ),
    "cpu-only, no event log": lambda: _CPU(
        replace(
            vms.nonce_evidence(vm()),
            cpu=replace(vms.cpu_evidence(vm().collect(NONCE)), event_log=None),
        )
    ),
    "cpu-only, newer firmware": lambda: _CPU(
        vms.nonce_evidence(replace(vm(), chip=amds.SimulatedChip(_NEW)))
    ),
    "cpu-only, tokens not looked at": lambda: _CPU(
        replace(vms.nonce_evidence(vm()), tokens=AttestationTokens(nras=b"[]", maa=b"x"))
    ),
    "cpu-only, tokens of nobody": lambda: _asking(keys=TokenKeySets(nras=b"{}", maa=b"{}"))(
        replace(vms.nonce_evidence(vm()), tokens=AttestationTokens(nras=b"[]", maa=b"x"))
    ),
    "cpu-only, only a GPU": lambda: _CPU(gpus.nonce_evidence(gpu())),
    "gpu-only": lambda: _GPU(gpus.nonce_evidence(gpu())),
    "gpu-only, state told": lambda: _GPU(
        _with_gpu_state(ReportedGpuState(cc_mode=True, dev_tools=False))
    ),
    "gpu-only, state not told": lambda: _GPU(_with_gpu_state(None)),
    "gpu-only, only a CPU": lambda: _GPU(vms.nonce_evidence(vm())),
    "default": lambda: Judge("default", caller_question(vm()))(gpus.bound_evidence(vm(), gpu())),
    "default, nothing known": lambda: Judge("default")(gpus.bound_evidence(vm(), gpu())),
    "default, maker trusted": lambda: Judge("default")(
        gpus.bound_evidence(vm(), gpu()),
        unsafe_trust_bundle_identity=True,
        unsafe_trust_bundle_nonce=True,
    ),
    "default, recorded, time of the maker": lambda: Judge(
        "default", caller_question(vm(), challenge_sent=AT, at_of_maker=True)
    )(gpus.bound_evidence(vm(), gpu())),
    "strict": lambda: Judge("strict", caller_question(vm()))(gpus.bound_evidence(vm(), gpu())),
}


def told(found: Appraisal) -> dict[str, Any]:
    """All that a user reads of a verdict, but for its checks."""
    return {
        "verdict": found.verdict,
        "reasons": list(found.reasons),
        "policy": found.policy,
        "at": found.at.isoformat(),
        "not proven": list(found.not_proven),
        "unsafe": list(found.unsafe),
        "simulated": found.simulated,
        "facts": {name: mask_random_text(fact) for name, fact in found.facts.items()},
        "PCRs": sorted(found.pcrs),
        "error": _error(found),
    }


def _error(found: Appraisal) -> list[str | None]:
    try:
        found.require()
    except CcgpuError as error:
        return [type(error).__name__, str(error), error.hint]
    return []


@pytest.mark.parametrize("case", CASES)
def test_verdicts_match_their_golden_files(case, golden):
    name = case.replace(", ", "-").replace(" ", "-")
    golden(f"attest/verdicts/{name}.json", told(CASES[case]()))


@pytest.mark.parametrize(
    ("id_", "hint"),
    [
        *[
            (f"snp.vek.{end}", "only the time is against it: `--at TIME`; `--at bundle`, its")
            for end in ("dates", "validity", "expired", "not-yet", "stale", "future", "window")
        ],
        ("rim.dates", "only the time is against it: fetch manifests and answers anew"),
        ("ocsp.stale", "only the time is against it: fetch manifests and answers anew"),
        ("snp.vek.key", None),
    ],
)
def test_rejections_only_by_time_have_a_hint(id_, hint):
    failed = Check(id_, "it", False, "a", "b", "the test")
    _, text, said = _error(Appraisal("rejected", [failed], "cpu-only", AT))
    assert text == f"evidence rejected: {id_}"
    assert (said or "").startswith(hint) if hint else said is None
