"""NVIDIA's versioned opaque data (NVDAOD): read where it is documented, else nobody's to judge."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccgpu.attest.appraise import AppraisalInputs
from ccgpu.attest.check import Malformed
from ccgpu.attest.gpu import layout, opaque
from ccgpu.errors import EvidenceUnavailable
from ccgpu.fakeguest.evidence import rim, spdm
from ccgpu.fakeguest.evidence.spdm import OpaqueField, VersionedOpaqueData
from support import gpus
from support.vms import AT, NONCE, Judge

_FIELDS = spdm.opaque_fields(b"\xf1" * 48)
_JUDGE = Judge("gpu-only", AppraisalInputs(AT, NONCE))


def _raw(form: VersionedOpaqueData | None = None, *more: OpaqueField) -> bytes:
    return (form or VersionedOpaqueData()).encoded((*_FIELDS, *more))


def _refusal(raw: bytes) -> Malformed:
    with pytest.raises(Malformed) as caught:
        opaque.parse(raw)
    return caught.value


def test_both_formats_give_the_same_fields():
    versioned = opaque.parse(_raw(None, OpaqueField(layout.FSP_UCODE_SVN, b"\x05\x00")))
    older = opaque.parse(b"".join(each.raw for each in _FIELDS))

    assert replace(versioned, fields={}, data_version=None) == replace(
        older, fields={}, data_version=None
    )
    assert versioned.data_version == 2  # the header's, whatever a field says
    assert versioned.fields == {**older.fields, layout.FSP_UCODE_SVN: b"\x05\x00"}


@pytest.mark.parametrize(
    ("form", "said"),
    [
        (VersionedOpaqueData(profile=1), "profile 1"),
        (VersionedOpaqueData(version=(3, 1, 4)), "version 3.1.4"),
        (VersionedOpaqueData(version=(1, 0, 0)), "version 1.0.0"),
        (VersionedOpaqueData(version=(2, 1, 0)), "version 2.1.0"),
        (VersionedOpaqueData(value_types={layout.FWID: 0x99}), "value type 0x99"),
    ],
)
def test_undocumented_versions_give_no_verdict(form, said):
    refusal = _refusal(_raw(form))

    assert refusal.rule.id == "gpu.opaque.format"
    assert said in str(refusal)
    assert "NVDAOD" in str(refusal)


def test_an_entry_of_an_unknown_type_is_not_judged():
    assert _refusal(_raw(None, OpaqueField(38, b"\xaa"))).rule.id == "gpu.opaque.format"


@pytest.mark.parametrize("version", [(2, 0, 1), (2, 0, 255)])
def test_a_patch_of_the_format_changes_nothing(version):
    assert opaque.parse(_raw(VersionedOpaqueData(version=version))).driver_version == "595.71.05"


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"NVDAOD\x00\x00\x02", "gpu.opaque.entry.overrun"),
        (
            _raw(None, OpaqueField(layout.FSP_UCODE_SVN, b"\x05", size=9)),
            "gpu.opaque.entry.overrun",
        ),
        (_raw(None, OpaqueField(layout.FSP_UCODE_SVN, b"")), "gpu.opaque.entry.empty"),
        (_raw(None, OpaqueField(layout.FWID, b"\xf1" * 48)), "gpu.opaque.entry.duplicate"),
        (VersionedOpaqueData().encoded(_FIELDS[1:]), "gpu.opaque.missing"),
    ],
)
def test_documented_versions_are_validated(raw, reason):
    assert _refusal(raw).rule.id == reason


@given(st.binary(max_size=300))
def test_junk_behind_the_magic_is_malformed(data):
    assert _refusal(b"NVDAOD" + data).rule.id.startswith("gpu.opaque.")


def test_a_gpu_with_a_documented_format_is_accepted():
    found = gpus.nonce_evidence(replace(gpus.gpu(), versioned=VersionedOpaqueData()))

    assert _JUDGE(found).reasons == ()
    assert _JUDGE(found).verdict == "accepted"


@pytest.mark.parametrize(
    "changes",
    [
        {"versioned": VersionedOpaqueData(version=(3, 0, 0))},
        {"versioned": VersionedOpaqueData(profile=7)},
    ],
)
def test_a_gpu_with_a_newer_format_gets_no_verdict_and_a_reason(changes):
    appraisal = _JUDGE(gpus.nonce_evidence(replace(gpus.gpu(), **changes)))

    assert appraisal.verdict == "no_verdict"
    assert appraisal.reasons == ("gpu.opaque.format",)
    with pytest.raises(EvidenceUnavailable, match="this ccgpu cannot read NVDAOD: version") as told:
        appraisal.require()
    assert told.value.exit_code == 8
    assert "a ccgpu newer than" in str(told.value.hint)


def test_a_newer_format_excuses_no_other_failure():
    newer = gpus.nonce_evidence(
        replace(gpus.gpu(), versioned=VersionedOpaqueData(version=(3, 0, 0)))
    )

    assert _JUDGE(newer, binding="ccgpu-bind-v1").verdict == "rejected"


def test_a_manifest_with_values_of_opaque_data_gets_no_verdict():
    """A least security version that nobody compares would be a golden value left out."""
    one = gpus.gpu()
    found = gpus.nonce_evidence(one)
    namespace = "https://docs.nvidia.com/attestation/specs/latest/opaque-data.html"
    body = rim.rim_template(one.driver, {0: (spdm.measurement(0),)}).body
    changed = body.replace(" index=", f' xmlns:ns3="{namespace}" ns3:x="1" index=', 1)
    manifest = rim.sign_document(changed, one.rims.key, one.rims.ders)
    rims = (manifest, *found.collateral.rims[1:])
    appraisal = _JUDGE(replace(found, collateral=replace(found.collateral, rims=rims)))

    assert appraisal.reasons == ("rim.opaque-values",)
    assert appraisal.verdict == "no_verdict"
    with pytest.raises(EvidenceUnavailable, match="cannot read values of opaque data"):
        appraisal.require()
