"""The error of a verdict that is not good: what was missing or too new, and the way on."""

import pytest

from ccgpu import __version__
from ccgpu.attest.appraisal import UNAVAILABLE, UNSUPPORTED, Appraisal, conclude_verdict
from ccgpu.attest.check import Check
from ccgpu.domain.policy_comparison import PolicyOrigin
from ccgpu.errors import CcgpuError, EvidenceRejected, EvidenceUnavailable
from support.vms import AT

_GOOD = Check("a.good", "it", True, "a", "a", "the test")
_MANIFEST = "rim.present"
_FETCH = "`ccgpu collateral fetch EVIDENCE --out DIR`"
_SIMULATED = "the evidence says that it is of a simulated VM: `--backend fake` judges it as such"
_NEWER = f"a ccgpu newer than {__version__} is needed"


def _failed(id_: str, expected: str = "it", actual: str = "absent") -> Check:
    return Check(id_, "it", False, expected, actual, "the test")


def _error(*checks: Check, evidence: str | None = None) -> tuple[type[CcgpuError], str, str | None]:
    """The error on these checks, among good ones of the same ids."""
    made = [
        _GOOD,
        *checks,
        *(check._replace(ok=True, expected="x", actual="x") for check in checks),
    ]
    found = Appraisal(conclude_verdict(made), made, "cpu-only", AT)
    with pytest.raises(CcgpuError) as caught:
        found.require() if evidence is None else found.require(evidence)
    return type(caught.value), str(caught.value), caught.value.hint


@pytest.mark.parametrize("id_", sorted(UNAVAILABLE - {_MANIFEST}))
def test_missing_collateral_gives_no_verdict_and_can_be_fetched(id_):
    hint = f"{_FETCH} brings what is published, then `--collateral DIR`"

    assert _error(_failed(id_)) == (EvidenceUnavailable, f"no verdict: {id_}", hint)


def test_missing_manifests_are_named_each():
    _, text, _ = _error(_failed(_MANIFEST, "NV_GPU_DRIVER_1"), _failed(_MANIFEST, "NV_GPU_VBIOS_2"))

    assert text == ("no verdict: rim.present; missing manifests: NV_GPU_DRIVER_1, NV_GPU_VBIOS_2")


@pytest.mark.parametrize("id_", ["gpu.opaque.format", "rim.opaque-values"])
def test_a_format_that_is_too_new_gives_no_verdict_and_needs_a_newer_release(id_):
    found = (
        _failed(id_, actual="version 3"),
        _failed(id_, actual="version 4"),
        _failed(id_, actual="version 3"),
    )

    assert _error(*found) == (
        EvidenceUnavailable,
        f"no verdict: {id_}; this ccgpu cannot read version 3, version 4",
        _NEWER,
    )


def test_what_is_too_new_and_what_is_missing_are_told_together():
    assert _error(_failed("rim.opaque-values", actual="version 9"), _failed(_MANIFEST, "NV_1")) == (
        EvidenceUnavailable,
        "no verdict: rim.opaque-values, rim.present; this ccgpu cannot read version 9; "
        "missing manifests: NV_1",
        _NEWER,
    )


def test_no_collateral_and_no_newer_release_outweigh_a_refusal():
    missing = [_failed(id_) for id_ in sorted(UNAVAILABLE | UNSUPPORTED)]

    assert conclude_verdict([_GOOD, *missing]) == "no_verdict"
    assert conclude_verdict([_GOOD, *missing, _failed("snp.signature")]) == "rejected"


def test_the_evidence_is_named_in_the_command_that_fetches():
    _, _, hint = _error(_failed("ocsp.absent"), evidence="'my evidence.json'")
    assert (hint or "").startswith("`ccgpu collateral fetch 'my evidence.json' --out DIR` brings")
    _, _, hint = _error(_failed("ocsp.stale"), evidence="e.json")
    assert hint == (
        "only the time is against it: fetch manifests and answers anew, "
        "`ccgpu collateral fetch e.json --out DIR`"
    )


def test_each_reason_is_told_once_in_the_order_of_the_checks():
    assert _error(_failed("b.two"), _failed("a.one"), _failed("b.two")) == (
        EvidenceRejected,
        "evidence rejected: b.two, a.one",
        None,
    )


@pytest.mark.parametrize(
    ("ids", "options"),
    [
        (["freshness.nonce.unknown"], "`--nonce HEX`"),
        (["identity.vm-id.unknown"], "`--vm-id ID`"),
        (["identity.host-key.unknown"], "`--host-key FILE`"),
        (["identity.vm-id.unknown", "freshness.nonce.unknown"], "`--nonce HEX --vm-id ID`"),
        (["snp.signature", "freshness.nonce.unknown", "snp.vek.dates"], "`--nonce HEX`"),
    ],
)
def test_the_options_that_say_what_was_asked_are_told(ids, options):
    assert _error(*map(_failed, ids))[2] == f"say what was asked: {options}"


@pytest.mark.parametrize(
    ("ids", "hint"),
    [
        (
            ["snp.vek.dates", "token.exp.future"],
            "only the time is against it: `--at TIME`; `--at bundle`, its maker's word for it, "
            "is unsafe",
        ),
        (
            ["snp.vek.dates", "rim.chain.dates"],
            f"only the time is against it: fetch manifests and answers anew, {_FETCH}",
        ),
        (
            ["snp.vek.dates", "ocsp.stale"],
            f"only the time is against it: fetch manifests and answers anew, {_FETCH}",
        ),
        (["snp.vek.dates", "snp.signature"], None),
        (["ocsp.stale", "snp.signature"], None),
    ],
)
def test_only_the_time_is_blamed_if_nothing_else_is_wrong(ids, hint):
    assert _error(*map(_failed, ids))[2] == hint


@pytest.mark.parametrize(
    ("says_so", "judged_so", "hint"),
    [
        (True, False, _SIMULATED),
        (True, True, "say what was asked: `--nonce HEX`"),
        (False, False, "say what was asked: `--nonce HEX`"),
    ],
)
def test_evidence_of_a_simulation_can_be_judged_as_such_unless_it_was(says_so, judged_so, hint):
    made = [_failed("freshness.nonce.unknown")]
    found = Appraisal("rejected", made, "cpu-only", AT, simulated=judged_so)
    with pytest.raises(EvidenceRejected) as caught:
        found.require(says_simulated=says_so)
    assert caught.value.hint == hint


def test_an_accepted_verdict_is_no_error():
    Appraisal("accepted", [_GOOD], "cpu-only", AT).require()


def test_a_bare_appraisal_says_nothing_of_what_was_not_looked_at():
    bare = Appraisal("rejected", [], "cpu-only", AT)

    assert (bare.not_proven, bare.unsafe, bare.not_read, bare.rests_on) == ((), (), (), ())
    assert (bare.simulated, bare.facts, bare.pcrs, bare.loosened) == (False, {}, {}, {})
    origin = PolicyOrigin("/p.yaml", "00", False, {"count": "2"})
    assert Appraisal("rejected", [], "p", AT, origin=origin).loosened == {"count": "2"}
