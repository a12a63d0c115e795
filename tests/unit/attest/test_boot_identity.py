"""PCR 6 ties a boot to the VM of the runtime claims."""

from dataclasses import replace

import pytest

from ccgpu.attest import boot_identity
from ccgpu.attest.appraise import AppraisalInputs
from ccgpu.fakeguest.evidence.quote import QuoteTemplate, sign_quote
from support.vms import AT, NONCE, Judge, nonce_evidence, vm

OTHER_ID = "11111111-2222-3333-4444-555555555555"
judge = Judge(inputs=AppraisalInputs(AT))


@pytest.mark.parametrize(
    ("vm_unique_id", "value"),
    [  # of confidential VMs in Azure, 2023 to 2025
        ("390CBCF5-6C67-4D9B-98EF-C3F1699CC8FC", "8e83187e"),
        ("911B0EF8-9DBA-48B0-B275-4E4DF2D39252", "fb9413fb"),
        ("26F8BC30-774E-4290-8E7A-535F3B672AEE", "560c9491"),
    ],
)
@pytest.mark.parametrize("spelling", [str.upper, str.lower])
def test_the_value_follows_from_the_vms_id(vm_unique_id, value, spelling):
    assert boot_identity.expected_value(spelling(vm_unique_id)).hex().startswith(value)


def test_the_boot_of_another_vm_is_refused_by_a_code_of_its_own():
    foreign = replace(vm(), boot={"vm_unique_id": OTHER_ID})
    found = judge(nonce_evidence(foreign))

    assert found.reasons == ("vtpm.pcr6.vm-id",)
    (check,) = [check for check in found.checks if not check.ok]
    assert check.expected == vm().pcrs[6].hex()
    assert check.actual == foreign.pcrs[6].hex()


def test_a_firmware_that_measures_no_id_is_refused():
    assert judge(nonce_evidence(replace(vm(), boot={"vm_unique_id": None}))).reasons == (
        "vtpm.pcr6.vm-id",
    )


def test_without_pcr_6_the_verdict_says_what_is_not_proven():
    pcrs = {index: value for index, value in vm().pcrs.items() if index != 6}
    message = QuoteTemplate(pcrs, NONCE).raw
    whole = nonce_evidence(vm())
    assert whole.cpu is not None
    part = replace(
        whole.cpu,
        quote=message,
        signature=sign_quote(vm().ak, message),
        pcrs=pcrs,
        event_log=None,
    )
    found = replace(whole, cpu=part)

    refused = judge(found)
    assert refused.reasons == ("vtpm.pcrs.required",)
    few = judge(found, cpu={"required_pcrs": (0, 7)})
    assert few.verdict == "accepted"
    assert [line for line in few.not_proven if "PCR 6" in line] == [
        "that this VM booted so: PCR 6, which has the VM's id, is not quoted"
    ]
