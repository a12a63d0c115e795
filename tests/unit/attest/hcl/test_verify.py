"""Whether a report vouches for claims: for their exact bytes, and nothing else."""

import pytest

from ccgpu.attest.check import Checks, Malformed, Unverified, Verified
from ccgpu.attest.hcl import blob
from ccgpu.attest.hcl.blob import Blob
from ccgpu.attest.hcl.verify import check_user_data, verify
from ccgpu.fakeguest.evidence import hcl
from support.evidence_vtpm import Report, ak, failed_checks, unverified_value, verified_value

B = bytes(range(64))
DOCUMENT = hcl.runtime_claims(ak().public_key(), user_data=B)
RUNTIME = hcl.encode_claims(DOCUMENT)
DATA = hcl.report_data(RUNTIME)


def judged(runtime=RUNTIME, data=DATA, wrap=verified_value):
    """The outcome, and the ids of what failed."""
    checks = Checks()
    read = blob.parse(hcl.HclBlob(bytes(1184), runtime).raw)
    outcome = verify(read, wrap(Report(data)), checks)
    return outcome, failed_checks(checks)


def test_claims_covered_by_a_verified_report_are_verified():
    outcome, reasons = judged()
    assert isinstance(outcome, Verified)
    assert outcome.value.ak == ak().public_key()
    assert reasons == []


def test_every_check_is_listed():
    checks = Checks()
    verify(blob.parse(hcl.HclBlob(bytes(1184), RUNTIME).raw), verified_value(Report(DATA)), checks)
    told = ["hcl.hash", "hcl.report-data.tail", "hcl.claims", "hcl.tpm-enabled"]
    assert [check.id for check in checks.made] == told


def test_an_unverified_report_verifies_no_claims():
    outcome, reasons = judged(wrap=unverified_value)
    assert isinstance(outcome, Unverified)
    assert reasons == []


def flip(data: bytes, bit: int) -> bytes:
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


@pytest.mark.parametrize(
    ("runtime", "data", "reasons"),
    [
        (RUNTIME, flip(DATA, 0), ["hcl.hash"]),
        (RUNTIME, flip(DATA, 255), ["hcl.hash"]),
        (RUNTIME + b" ", DATA, ["hcl.hash"]),
        (RUNTIME, bytes(64), ["hcl.hash"]),
        (RUNTIME, flip(DATA, 256), ["hcl.report-data.tail"]),
        (RUNTIME, flip(DATA, 511), ["hcl.report-data.tail"]),
        (RUNTIME, DATA[:32] * 2, ["hcl.report-data.tail"]),
    ],
)
def test_a_report_covers_only_the_exact_bytes(runtime, data, reasons):
    outcome, found = judged(runtime, data)
    assert isinstance(outcome, Unverified)
    assert found == reasons


def test_a_vm_without_a_vtpm_is_refused():
    config = DOCUMENT["vm-configuration"] | {"tpm-enabled": False}
    runtime = hcl.encode_claims(DOCUMENT | {"vm-configuration": config})
    outcome, reasons = judged(runtime, hcl.report_data(runtime))
    assert isinstance(outcome, Unverified)
    assert reasons == ["hcl.tpm-enabled"]


def test_secure_boot_is_left_to_the_policy():
    config = DOCUMENT["vm-configuration"] | {"secure-boot": False}
    runtime = hcl.encode_claims(DOCUMENT | {"vm-configuration": config})
    outcome, _ = judged(runtime, hcl.report_data(runtime))
    assert isinstance(outcome, Verified)
    assert outcome.value.secure_boot is False


def test_measured_bytes_that_are_invalid_claims_are_refused():
    twice = RUNTIME.replace(b'"user-data":', b'"user-data":"' + b"00" * 64 + b'","user-data":')
    outcome, reasons = judged(twice, hcl.report_data(twice))
    assert outcome is None
    assert reasons == ["json.duplicate"]


@pytest.mark.parametrize(
    ("user_data", "reasons"),
    [
        (B, []),
        (flip(B, 511), ["hcl.user-data.other"]),
        (B[:32] + bytes(32), ["hcl.user-data.other"]),
        (bytes(64), ["hcl.user-data.other"]),
        (None, ["hcl.user-data.absent"]),
    ],
)
def test_user_data_is_the_binding_in_full(user_data, reasons):
    document = hcl.runtime_claims(ak().public_key(), user_data=user_data or B)
    if user_data is None:
        del document["user-data"]
    runtime = hcl.encode_claims(document)
    outcome, _ = judged(runtime, hcl.report_data(runtime))
    assert isinstance(outcome, Verified)
    checks = Checks()
    assert check_user_data(outcome.value, B, checks) is (not reasons)
    assert failed_checks(checks) == reasons


@pytest.mark.slow
@pytest.mark.parametrize("size", [2048, 2600])
def test_every_flipped_bit_of_a_blob_is_refused_or_changes_the_report(size):
    """A flip in the report's part is its signature's to refuse: here it must change the report."""
    document = hcl.runtime_claims(ak().public_key())
    document["keys"].pop()
    runtime = hcl.encode_claims(document)
    raw = hcl.HclBlob(bytes(1184), runtime, size=size).raw
    report = verified_value(Report(hcl.report_data(runtime)))
    assert isinstance(verify(blob.parse(raw), report, Checks()), Verified)
    for bit in range(8 * size):
        try:
            changed = blob.parse(flip(raw, bit))
        except Malformed:
            continue
        assert _refused(changed, runtime, report), f"bit {bit} makes no difference"


def _refused(changed: Blob, runtime: bytes, report: Verified[Report]) -> bool:
    if changed.runtime == runtime:
        return changed.report != bytes(1184)
    return not isinstance(verify(changed, report, Checks()), Verified)


@pytest.mark.parametrize("case", ["azure-genoa-v3", "azure-milan-v2", "azure-milan-v3"])
def test_real_reports_name_their_runtime_claims(vectors, case):
    read = blob.parse((vectors / "attest" / case / "hcl-report.bin").read_bytes())
    checks = Checks()
    outcome = verify(read, verified_value(Report(read.report[0x50:0x90])), checks)
    assert isinstance(outcome, Verified)
    assert failed_checks(checks) == []


def test_claims_of_a_real_old_paravisor_are_named_by_their_report(vectors):
    folder = vectors / "attest/negative/other-machine-vcek"
    read = blob.parse((folder / "hcl-report-snp.bin").read_bytes())
    outcome = verify(read, verified_value(Report(read.report[0x50:0x90])), Checks())
    assert isinstance(outcome, Verified)
    assert outcome.value.user_data is None
