"""`ccgpu.bundle/1`: what goes in comes out, and what is no bundle is refused."""

import base64
import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from ccgpu.domain import bundle
from ccgpu.domain.bundle import EvidenceBundle
from ccgpu.domain.evidence import (
    AttestationTokens,
    CallerCollateral,
    CpuEvidence,
    Evidence,
    GpuCollateral,
    GpuEvidence,
    ReportedGpuState,
    UnverifiedContext,
)

MADE = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
_some = st.none() | st.binary(max_size=40)


def _document(found):
    made = bundle.from_evidence(
        found,
        made_at=MADE,
        tool="ccgpu test",
        notes=bundle.BundleNotes(policy="default", verdict={"a": 1}),
    )
    return json.loads(made.model_dump_json(by_alias=True, exclude_none=True))


_cpus = st.builds(
    CpuEvidence,
    hcl=_some,
    report=_some,
    vek=_some,
    quote=_some,
    signature=_some,
    pcrs=st.none() | st.dictionaries(st.integers(0, 23), st.binary(min_size=32, max_size=32)),
    event_log=_some,
    workload_log=_some,
)
_states = st.none() | st.builds(
    ReportedGpuState, st.booleans(), st.booleans(), st.none() | st.booleans()
)
_gpus = st.builds(GpuEvidence, st.just("HOPPER"), st.binary(), st.binary(), _some, _states, _some)
_evidence = st.builds(
    Evidence,
    st.just("bundle"),
    claimed=st.builds(
        UnverifiedContext,
        _some,
        st.sampled_from(["nonce", "ccgpu-bind-v1"]),
        _some,
        st.just(b"") | st.binary(min_size=32, max_size=32),
        st.none() | st.just("390cbcf5-6c67-4d9b-98ef-c3f1699cc8fc"),
        st.just(MADE),
        st.none() | st.just("ccgpu-collect/1"),
        st.none() | st.just(MADE),
    ),
    cpu=st.none() | _cpus,
    gpus=st.lists(_gpus, max_size=2).map(tuple),
    collateral=st.builds(
        GpuCollateral,
        st.lists(st.binary(), max_size=2).map(tuple),
        st.lists(st.binary(), max_size=2).map(tuple),
        st.lists(st.binary(), max_size=2).map(tuple),
    ),
    tokens=st.builds(AttestationTokens, _some, _some),
    simulated_roots=st.none() | st.dictionaries(st.sampled_from(["ark", "ask"]), st.binary()),
)


@given(_evidence)
def test_evidence_round_trips_through_a_bundle(found):
    assert EvidenceBundle.model_validate(_document(found)).evidence() == found


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("schema", "ccgpu.bundle/2"),
        ("nonce", "xyz"),
        ("nonce", 5),
        ("nonce", "abc"),
        ("nonce", "AB"),
        ("host_key", "QQ"),
        ("host_key", "QR=="),
        ("host_key", "QQ==\n"),
        ("host_key", "QUJ\nD"),
        ("sent_at", "2026-11-22T12:00:00"),
        ("collector", "x" * 101),
        ("policy_content", []),
        ("verdict", "accepted"),
        ("vm_id", "390CBCF5-6C67-4D9B-98EF-C3F1699CC8FC"),
        ("host_key", "***"),
        ("made_at", "2026-11-22T12:00:00"),
        ("binding", "other"),
        ("recipient_key", "AAAA"),
        ("vm_id", "390cbcf5"),
        ("vm_id", "\ud800"),
        ("gpus", [{"arch": "HOPPER"}]),
        ("cpu", {"pcrs": {"24": "00"}}),
        ("cpu", {"hcl": "A"}),
        ("gpus", [{"arch": "H", "report": "", "chain": "", "state": {"cc_mode": 1}}]),
        ("gpus", [{"arch": "H", "report": "", "chain": "", "state_document": "{}"}]),
        ("colour", "red"),
    ],
)
def test_invalid_bundles_are_refused(field, value):
    document = _document(Evidence("bundle"))

    with pytest.raises(ValidationError):
        EvidenceBundle.model_validate({**document, field: value})


@pytest.mark.parametrize(
    ("verdict", "noted"),
    [
        (None, None),
        ({}, None),
        ({"verdict": "accepted"}, "accepted"),
        ({"verdict": "fine"}, None),
        ({"verdict": ["accepted"]}, None),
    ],
)
def test_the_noted_verdict_is_one_of_three_words(verdict, noted):
    made = bundle.from_evidence(
        Evidence("bundle"), made_at=MADE, tool="x", notes=bundle.BundleNotes(verdict=verdict)
    )
    assert made.evidence().noted == noted


def test_a_certificate_in_der_and_in_pem_stands_once_in_a_bundle():
    der = bytes(range(256)) * 4
    body = base64.encodebytes(der)
    pem = b"-----BEGIN CERTIFICATE-----\n" + body + b"-----END CERTIFICATE-----\n"
    broken = pem.replace(body[:8], b"********")
    for first, others in ((der, (pem, pem + pem, b"x")), (pem, (der, broken, b"x"))):
        found = Evidence(
            "bundle", cpu=CpuEvidence(veks=others), given=CallerCollateral(veks=(first,))
        )
        made = bundle.from_evidence(found, made_at=MADE, tool="x")
        assert made.cpu is not None
        assert (made.cpu.vek, made.cpu.veks) == (first, others[1:])


def test_the_schema_knows_every_field():
    made = bundle.schema()

    wanted = {field.alias or name for name, field in EvidenceBundle.model_fields.items()}
    assert set(made["properties"]) == wanted
