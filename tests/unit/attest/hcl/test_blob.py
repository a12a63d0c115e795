"""The HCL blob: its sizes agree, its spare bytes are zero, it is one of SEV-SNP."""

import contextlib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccgpu.attest.check import Malformed
from ccgpu.attest.hcl import blob, layout
from ccgpu.fakeguest.evidence.hcl import HclBlob

REPORT = bytes(range(256)) * 4 + bytes(range(160))
RUNTIME = b'{"keys":[]}' + b" " * 700
VALID = HclBlob(REPORT, RUNTIME)
OLD = replace(VALID, version=1, size=2048, runtime=RUNTIME[:600])


def refusal(raw: bytes) -> str:
    with pytest.raises(Malformed) as caught:
        blob.parse(raw)
    return caught.value.rule.id


@pytest.mark.parametrize("made", [VALID, OLD, replace(VALID, version=1)])
def test_both_headers_and_both_sizes_are_read(made):
    read = blob.parse(made.raw)
    assert (read.header_version, read.report, read.runtime) == (
        made.version,
        REPORT,
        made.runtime,
    )


@pytest.mark.parametrize("size", [1, 2600 - layout.CLAIMS_START])
def test_the_runtime_data_may_be_one_byte_or_fill_the_blob(size):
    assert blob.parse(replace(VALID, runtime=b"x" * size).raw).runtime == b"x" * size


REFUSED = [
    (replace(VALID, size=2601), "hcl.size"),
    (replace(VALID, size=2599), "hcl.size"),
    (replace(VALID, signature=b"HCLB"), "hcl.signature"),
    (replace(VALID, version=0), "hcl.version"),
    (replace(VALID, version=3), "hcl.version"),
    (replace(VALID, report_size=1184), "hcl.report-size"),
    (replace(VALID, report_size=2600), "hcl.report-size"),
    (replace(VALID, request_type=1), "hcl.request-type"),
    (replace(VALID, status=1), "hcl.status"),
    (replace(VALID, reserved=b"\0" * 11 + b"\1"), "hcl.reserved"),
    (replace(VALID, data_size=len(RUNTIME)), "hcl.data-size"),
    (replace(VALID, data_version=2), "hcl.data-version"),
    (replace(VALID, report_type=4), "hcl.report-type.tdx"),
    (replace(VALID, report_type=3), "hcl.report-type"),
    (replace(VALID, report_type=0), "hcl.report-type"),
    (replace(VALID, hash_type=0), "hcl.hash-type"),
    (replace(VALID, hash_type=2), "hcl.hash-type"),
    (replace(VALID, hash_type=3), "hcl.hash-type"),
    (replace(VALID, runtime=b""), "hcl.claims-size"),
    (replace(VALID, variable_data_size=2600 - 0x4D4 + 1), "hcl.claims-size"),
    (replace(VALID, variable_data_size=0xFFFFFFFF), "hcl.claims-size"),
    (replace(VALID, variable_data_size=len(RUNTIME) - 1), "hcl.data-size"),
    (replace(VALID, padding=b"\1"), "hcl.padding"),
    (replace(VALID, padding=bytes(500) + b"\1"), "hcl.padding"),
]


@pytest.mark.parametrize(("made", "id_"), REFUSED, ids=range(len(REFUSED)))
def test_unmeasured_fields_must_have_their_expected_values(made, id_):
    assert refusal(made.raw) == id_


def test_consistent_sizes_allow_no_extra_bytes():
    short = len(RUNTIME) - 10
    shorter = replace(
        VALID,
        variable_data_size=short,
        data_size=20 + short,
        report_size=layout.CLAIMS_START + short,
        runtime=RUNTIME[:-1] + b"}",
    )
    assert refusal(shorter.raw) == "hcl.padding"


def test_a_blob_of_100_mb_is_refused_unread():
    assert refusal(bytes(100 * 2**20)) == "hcl.size"


@given(st.binary() | st.sampled_from((2048, 2600)).flatmap(lambda n: st.binary(max_size=n)))
def test_any_bytes_are_a_blob_or_malformed(data):
    with contextlib.suppress(Malformed):
        blob.parse(data)


@given(
    st.integers(0, 0x1F) | st.integers(layout.RUNTIME_START, layout.CLAIMS_START - 8),
    st.binary(min_size=1, max_size=8),
)
def test_other_headers_are_malformed_or_say_the_same(at, new):
    raw = VALID.raw
    changed = raw[:at] + new + raw[at + len(new) :]
    with contextlib.suppress(Malformed):
        assert blob.parse(changed).runtime == RUNTIME


@pytest.mark.parametrize("case", ["azure-genoa-v3", "azure-milan-v2", "azure-milan-v3"])
def test_real_blobs_hold_their_report_and_runtime_data(vectors, case):
    folder = vectors / "attest" / case
    read = blob.parse((folder / "hcl-report.bin").read_bytes())
    assert read.report == (folder / "snp-report.bin").read_bytes()
    assert read.runtime == (folder / "runtime-data.json").read_bytes()


def test_a_real_blob_of_an_old_paravisor_is_read(vectors):
    folder = vectors / "attest/negative/other-machine-vcek"
    assert blob.parse((folder / "hcl-report-snp.bin").read_bytes()).header_version == 1


def test_a_real_blob_of_intel_tdx_is_refused_by_name(vectors):
    raw = (vectors / "attest/negative/tdx-as-snp/hcl-report.bin").read_bytes()
    assert refusal(raw) == "hcl.report-type.tdx"
