"""The verdict on a confidential VM: what each part is refused for, and only for that."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from ccgpu.attest import appraisal, bulletins
from ccgpu.attest.appraisal import Appraisal, conclude_verdict
from ccgpu.attest.appraise import AppraisalInputs
from ccgpu.attest.check import Check
from ccgpu.domain.evidence import Evidence, UnverifiedContext
from ccgpu.domain.policy import MinimumTcb
from ccgpu.errors import EvidenceRejected, EvidenceUnavailable
from ccgpu.fakeguest.evidence.amd import SimulatedChip, SimulatedTcb
from support.vms import (
    AT,
    HOST_KEY,
    NONCE,
    Judge,
    bound_evidence,
    caller_question,
    nonce_evidence,
    pins,
    vm,
)

judge = Judge()
_GENOA = SimulatedTcb()


def _with(found, **changes):
    assert found.cpu is not None
    return replace(found, cpu=replace(found.cpu, **changes))


def _claiming(found, **changes):
    return replace(found, claimed=replace(found.claimed, **changes))


def test_a_good_vm_is_accepted_and_marked_simulated():
    found = judge(nonce_evidence(vm()))

    assert found.reasons == ()
    assert found.verdict == "accepted"
    assert found.simulated
    assert found.pcrs == vm().pcrs
    found.require()


def test_identical_copies_of_the_report_are_accepted():
    evidence = nonce_evidence(vm())
    assert evidence.cpu is not None
    assert evidence.cpu.hcl is not None
    found = judge(_with(evidence, report=evidence.cpu.hcl[0x20 : 0x20 + 1184]))

    assert found.verdict == "accepted"
    assert "evidence.report.other" in {check.id for check in found.checks}


def test_simulated_roots_are_trusted_only_on_request():
    found = nonce_evidence(vm())
    without = judge(replace(found, simulated_roots=None))

    assert without.verdict == "rejected"
    assert not without.simulated
    assert any(reason.startswith("snp.") for reason in without.reasons)


@pytest.mark.parametrize("carried", [{}, {"ark": b""}, {"ark": b"0", "ask": b"0"}])
def test_incomplete_simulated_roots_are_not_trusted(carried):
    found = judge(replace(nonce_evidence(vm()), simulated_roots=carried))

    assert (found.verdict, found.simulated) == ("rejected", False)


_OTHER = replace(vm(), vm_id="11111111-2222-3333-4444-555555555555")


@pytest.mark.parametrize(
    ("found", "reasons"),
    [
        (
            _claiming(nonce_evidence(vm()), nonce=None),
            {"freshness.nonce.absent", "vtpm.nonce.unasked"},
        ),
        (
            _claiming(nonce_evidence(vm()), nonce=b""),
            {"freshness.nonce.absent", "vtpm.nonce.unasked"},
        ),
        (nonce_evidence(vm(), NONCE[:31]), {"freshness.nonce.short"}),
        (_with(nonce_evidence(vm()), quote=None), {"freshness.quote.absent"}),
        (_with(nonce_evidence(vm()), signature=None), {"evidence.quote.unsigned"}),
        (
            _with(nonce_evidence(vm()), hcl=None),
            {"evidence.hcl.absent", "evidence.report.absent", "vtpm.ak.absent"},
        ),
        (_with(nonce_evidence(vm()), report=bytes(1184)), {"evidence.report.other"}),
        (_with(nonce_evidence(vm()), vek=None), {"collateral.vek.absent"}),
        (replace(nonce_evidence(vm()), cpu=None), {"evidence.cpu.absent"}),
        (
            nonce_evidence(replace(vm(), configuration={"secure-boot": False})),
            {"policy.secure-boot"},
        ),
        (
            nonce_evidence(replace(vm(), boot={"secure_boot": False})),
            {"policy.secure-boot.measured"},
        ),
        (nonce_evidence(replace(vm(), report={"platform_info": 0x04})), {"policy.alias-check"}),
        (
            nonce_evidence(replace(vm(), report={"id_key_digest": b"\x01" * 48})),
            {"policy.id-key-digest"},
        ),
        (
            nonce_evidence(replace(vm(), chip=SimulatedChip(replace(_GENOA, snp=0x16)))),
            {"policy.tcb.snp"},
        ),
        (
            nonce_evidence(replace(vm(), chip=SimulatedChip(replace(_GENOA, microcode=0x53)))),
            {"policy.tcb.microcode"},
        ),
    ],
    ids=lambda value: ", ".join(sorted(value)) if isinstance(value, set) else "",
)
def test_each_defect_is_rejected_with_its_reason_code(found, reasons):
    assert set(judge(found).reasons) == reasons


@pytest.mark.parametrize("component", ["bootloader", "tee"])
def test_each_component_has_its_floor(component):
    floor = {"bootloader": 0, "tee": 0, "snp": 0, "microcode": 0} | {component: 99}
    found = judge(nonce_evidence(vm()), cpu={"minimum_tcb": MinimumTcb(**floor)})

    assert found.reasons == (
        {"bootloader": "policy.tcb.bootloader", "tee": "policy.tcb.tee"}[component],
    )


def test_the_floor_also_applies_to_the_launch_tcb():
    old = replace(_GENOA, snp=0x16)
    found = judge(nonce_evidence(replace(vm(), report={"launch_tcb": old})))

    assert found.reasons == ("policy.tcb.snp",)
    refused = next(check for check in found.checks if not check.ok)
    assert "launch 22" in refused.actual


def test_an_unlisted_product_is_rejected():
    found = judge(nonce_evidence(vm()), cpu={"products": ("Turin",)})

    assert found.reasons == ("policy.product",)


def test_the_nonce_of_the_caller_must_match():
    other = Judge(inputs=AppraisalInputs(AT, nonce=b"\x01" * 32))

    assert set(other(nonce_evidence(vm())).reasons) == {"freshness.nonce.other", "vtpm.nonce.other"}
    same = Judge(inputs=AppraisalInputs(AT, nonce=NONCE))
    found = same(nonce_evidence(vm()))
    assert found.verdict == "accepted"
    assert not [words for words in found.not_proven if words.startswith("freshness")]


def test_a_short_nonce_needs_the_policy_and_an_empty_one_is_rejected():
    found = judge(nonce_evidence(vm(), b"abc"), unsafe_short_nonce=True)

    assert found.verdict == "accepted"
    assert found.unsafe == ("unsafe_short_nonce",)
    empty = judge(nonce_evidence(vm(), b""), unsafe_short_nonce=True)
    assert "freshness.nonce.absent" in empty.reasons


def test_bound_evidence_is_accepted_where_a_bare_nonce_suffices():
    assert judge(bound_evidence(vm())).verdict == "accepted"


# What the maker of the evidence says of VM, host key and nonce is taken here: test_identity.py has
# the rest.
_BINDING = {
    "binding": "ccgpu-bind-v1",
    "unsafe_trust_bundle_identity": True,
    "unsafe_trust_bundle_nonce": True,
}


def test_bound_evidence_is_accepted_where_binding_is_required():
    found = Judge(inputs=caller_question(vm()))(bound_evidence(vm()), binding="ccgpu-bind-v1")

    assert found.verdict == "accepted"
    assert not [words for words in found.not_proven if words.startswith(("identity", "channel"))]


@pytest.mark.parametrize(
    ("found", "reasons"),
    [
        (nonce_evidence(vm()), {"binding.kind", "binding.host-key.absent", "binding.vm-id.absent"}),
        (bound_evidence(vm(), host_key=None), {"binding.host-key.absent", "vtpm.nonce.other"}),
        (bound_evidence(vm(), vm_id=None), {"binding.vm-id.absent", "vtpm.nonce.other"}),
        (bound_evidence(vm(), nonce=NONCE + b"x"), {"binding.nonce.size", "vtpm.nonce.short"}),
        (
            bound_evidence(vm(), host_key=HOST_KEY + b"x"),
            {"hcl.user-data.other", "vtpm.nonce.other"},
        ),
        (
            bound_evidence(vm(), recipient_key=b"x" * 32),
            {"hcl.user-data.other", "vtpm.nonce.other"},
        ),
        (
            bound_evidence(vm(), vm_id=_OTHER.vm_id),
            {"hcl.user-data.other", "policy.vm-id", "vtpm.nonce.other"},
        ),
    ],
    ids=lambda value: ", ".join(sorted(value)) if isinstance(value, set) else "",
)
def test_a_broken_binding_is_rejected(found, reasons):
    refused = set(judge(found, **_BINDING).reasons)

    # Where the quote is not believed, neither is what rests on it looked at.
    assert refused == reasons


def test_evidence_bound_to_another_vm_id_is_rejected():
    machine = vm()
    pretending = replace(machine, vm_id=_OTHER.vm_id)
    honest = bound_evidence(machine)
    lied = bound_evidence(pretending)

    assert judge(_claiming(honest, vm_id=machine.vm_id.lower()), **_BINDING).verdict == "accepted"
    assert "policy.vm-id" in judge(_claiming(lied, vm_id=machine.vm_id), **_BINDING).reasons


def test_evidence_exchanged_after_the_quote_is_rejected():
    found = _with(bound_evidence(vm()), thim=b"{}")

    assert "vtpm.nonce.other" in judge(found, **_BINDING).reasons


def test_golden_values_are_compared_one_by_one():
    good = Judge(inputs=AppraisalInputs(AT, reference_values=pins(vm())))
    bad = Judge(inputs=AppraisalInputs(AT, reference_values=pins(vm(), pcr4="00" * 32)))

    assert good(nonce_evidence(vm())).verdict == "accepted"
    assert bad(nonce_evidence(vm())).reasons == ("policy.pins.pcr",)
    wrong = [check for check in bad(nonce_evidence(vm())).checks if not check.ok]
    assert [check.actual.split()[1] for check in wrong] == ["4"]


def test_a_golden_pcr_that_was_not_quoted_is_rejected():
    found = _with(nonce_evidence(vm()), quote=None)
    pinned = Judge(inputs=AppraisalInputs(AT, reference_values=pins(vm())))

    assert "policy.pins.unquoted" in pinned(found).reasons


def test_required_golden_values_may_be_missing_only_on_first_use():
    changed = {"cpu": {"require_pins": True}}

    assert judge(nonce_evidence(vm()), **changed).reasons == ("policy.pins.absent",)
    first = Judge(inputs=AppraisalInputs(AT, recording=True))
    assert first(nonce_evidence(vm()), **changed).verdict == "accepted"


def test_a_missing_crl_gives_no_verdict_and_the_policy_is_still_checked():
    found = judge(nonce_evidence(vm()), cpu={"require_crl": True})

    assert found.verdict == "no_verdict"
    assert found.reasons == ("snp.crl.present",)
    assert "policy.product" in {check.id for check in found.checks}
    with pytest.raises(EvidenceUnavailable) as caught:
        found.require()
    assert caught.value.exit_code == 8


def test_a_given_crl_is_always_checked():
    amd = vm().amd
    good = amd.crl().signed_by(amd.ark_key)
    bad = amd.crl(0).signed_by(amd.ark_key)

    assert (
        judge(_with(nonce_evidence(vm()), crl=good), cpu={"require_crl": True}).verdict
        == "accepted"
    )
    assert "snp.crl.vek" in judge(_with(nonce_evidence(vm()), crl=bad)).reasons


def test_a_rejection_outranks_missing_collateral():
    found = judge(_with(nonce_evidence(vm(), b"x"), vek=None))

    assert found.verdict == "rejected"
    with pytest.raises(EvidenceRejected) as caught:
        found.require()
    assert caught.value.exit_code == 9
    assert "freshness.nonce.short" in str(caught.value)


def test_a_rejection_only_by_time_has_a_hint():
    late = Judge(inputs=AppraisalInputs(datetime(2050, 1, 1, tzinfo=UTC)))

    with pytest.raises(EvidenceRejected) as caught:
        late(nonce_evidence(vm())).require()
    assert "--at bundle" in str(caught.value.hint)
    with pytest.raises(EvidenceRejected) as caught:
        late(nonce_evidence(vm(), b"x")).require()
    assert caught.value.hint is None


def test_no_checks_at_all_are_a_rejection():
    assert conclude_verdict(()) == "rejected"
    empty = Appraisal("rejected", (), "p", AT)
    with pytest.raises(EvidenceRejected):
        empty.require()


def test_one_failed_check_rejects():
    good = Check("a", "", True, "", "", "")
    bad = good._replace(id="b", ok=False)
    wanting = bad._replace(id=appraisal.VEK_ABSENT.id)

    assert conclude_verdict((good,)) == "accepted"
    assert conclude_verdict((good, bad)) == "rejected"
    assert conclude_verdict((good, wanting)) == "no_verdict"
    assert conclude_verdict((bad, wanting)) == "rejected"


def test_a_quote_without_an_hcl_blob_is_checked_but_proves_nothing():
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    pem = vm().ak.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    found = judge(_with(nonce_evidence(vm()), hcl=None, ak=pem))

    assert set(found.reasons) == {
        "evidence.hcl.absent",
        "evidence.report.absent",
        "vtpm.ak.unvouched",
    }
    assert {c.id: c.ok for c in found.checks}["vtpm.quote.signature"]


@pytest.mark.parametrize("ak", [b"", b"-----BEGIN PUBLIC KEY-----", HOST_KEY])
def test_an_unreadable_key_is_rejected(ak):
    assert "vtpm.ak" in judge(_with(nonce_evidence(vm()), hcl=None, ak=ak)).reasons


def test_a_key_other_than_rsa_is_rejected():
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    pem = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    assert "vtpm.ak" in judge(_with(nonce_evidence(vm()), hcl=None, ak=pem)).reasons


def test_pcr_values_may_come_in_a_file_of_tpm2_tools():
    raw = b"".join(vm().pcrs[index] for index in range(24))

    assert judge(_with(nonce_evidence(vm()), pcrs=None, pcr_file=raw)).verdict == "accepted"
    assert "vtpm.pcrs.absent" in judge(_with(nonce_evidence(vm()), pcrs=None)).reasons


def test_evidence_without_a_required_part_is_not_accepted():
    both = Judge("default")

    assert "evidence.gpu.absent" in both(bound_evidence(vm())).reasons
    nothing = judge(Evidence("bundle", claimed=UnverifiedContext(NONCE)))
    assert nothing.reasons == ("evidence.cpu.absent",)


def test_bulletins_are_listed_with_their_floor_or_as_not_covered():
    assert bulletins.bulletins_fixed_at("snp", 0x17, "Genoa") == ("AMD-SB-3019",)
    assert bulletins.bulletins_fixed_at("snp", 0, "Genoa") == ()
    open_ = bulletins.open_bulletins("Genoa", snp=0x17, microcode=0x54, alias_check=True)
    assert [each.split()[0] for each in open_] == [
        "AMD-SB-3020",
        "AMD-SB-3027",
        "AMD-SB-3016",
        "AMD-SB-3023",
        "AMD-SB-3034",
        "AMD-SB-3021",
    ]
    assert "AMD-SB-3015 (BadRAM)" in bulletins.open_bulletins(
        "Genoa", snp=255, microcode=255, alias_check=False
    )


def test_facts_describe_the_evidence():
    facts = judge(nonce_evidence(vm())).facts

    assert facts["product"] == "Genoa"
    assert facts["vm id"] == vm().vm_id
    assert facts["secure boot, measured"] == "on"
    assert any(name.startswith("bulletins not covered") for name in facts)


def test_facts_identify_the_vm():
    said = {
        "guest_svn": 0x1000D,
        "family_id": b"\x01" * 16,
        "image_id": b"\x02" * 16,
        "host_data": b"\x03" * 32,
        "platform_info": 0x24,
        "launch_mit_vector": 7,
        "current_mit_vector": 5,
    }
    facts = judge(bound_evidence(replace(vm(), report={"version": 5, **said}))).facts

    assert facts["host key"] == "SHA256:gNSIRW+2Iyiuvsdp/bgjy38bvWHw6wQm3tuoXrl3WjQ"
    assert facts["guest_svn"] == "0x1000d"
    assert (facts["family_id"], facts["image_id"]) == ("01" * 16, "02" * 16)
    assert facts["host_data"] == "03" * 32
    assert facts["platform_info"] == "0x24"
    assert (facts["launch_mit_vector"], facts["current_mit_vector"]) == ("0x7", "0x5")
    older = judge(nonce_evidence(replace(vm(), report={"version": 3}))).facts
    assert (older["launch_mit_vector"], older["current_mit_vector"]) == ("not told", "not told")
    assert "host key" not in older
