"""The verdict as a document: every member, with what it is made of."""

from dataclasses import replace

from ccgpu.attest.appraisal import Appraisal
from ccgpu.attest.check import Check
from ccgpu.attest.verdict_document import make_document
from ccgpu.attest.vtpm.event_names import NamedEvent
from ccgpu.attest.workload_log import parse
from ccgpu.domain.policy_comparison import PolicyOrigin
from support.vms import AT
from support.workload_events import MODEL, event, log_of

_CHECK = Check("snp.signature", "it is signed", False, "a key", "another", "a document")
_EVENT = NamedEvent(pcr=4, what="shim", detail="a path", digest=b"\x0a" * 32, replayed=True)
_ORIGIN = PolicyOrigin(
    "mine.yaml", "5a" * 32, reserved_name=True, loosened={"cpu.require_crl": "false"}
)


def test_a_document_has_all_of_a_verdict():
    (ran,) = parse(log_of(event())).events
    appraisal = Appraisal(
        "rejected",
        (_CHECK, _CHECK._replace(id="snp.vmpl", ok=True)),
        "mine",
        AT,
        not_proven=("something",),
        unsafe=("unsafe_short_nonce",),
        simulated=True,
        facts={"product": "Genoa"},
        origin=_ORIGIN,
        rests_on=(("time", "caller"), ("nonce", "maker")),
        events=(_EVENT,),
        workloads=(replace(ran, replayed=True),),
    )
    checked = {"what": "it is signed", "expected": "a key", "actual": "another"}
    checked["source"] = "a document"

    assert make_document(appraisal) == {
        "schema": "ccgpu.verdict/1",
        "verdict": "rejected",
        "simulated": True,
        "policy": "mine",
        "policy_file": {
            "path": "mine.yaml",
            "sha256": "5a" * 32,
            "reserved_name": True,
            "loosened": {"cpu.require_crl": "false"},
        },
        "loosened": ["cpu.require_crl"],
        "at": "2026-11-22T12:00:00Z",
        "unsafe": ["unsafe_short_nonce"],
        "reasons": ["snp.signature"],
        "rests_on": [{"what": "time", "whose": "caller"}, {"what": "nonce", "whose": "maker"}],
        "not_proven": ["something"],
        "facts": {"product": "Genoa"},
        "events": [
            {
                "pcr": 4,
                "what": "shim",
                "detail": "a path",
                "sha256": "0a" * 32,
                "replayed": True,
            }
        ],
        "workloads": [
            {
                "name": "chat",
                "image": "registry.example/server:1.2",
                "image_digest": f"sha256:{'d1' * 32}",
                "command": event()["command"],
                "mounts": event()["mounts"],
                "model": MODEL,
                "environment": ["HF_HOME"],
                "sha256": ran.digest.hex(),
                "replayed": True,
            }
        ],
        "checks": [
            {"id": "snp.signature", "ok": False, **checked},
            {"id": "snp.vmpl", "ok": True, **checked},
        ],
    }


def test_a_document_of_a_shipped_policy_names_no_file():
    document = make_document(Appraisal("accepted", (_CHECK._replace(ok=True),), "default", AT))
    assert document["policy_file"] is None
    assert (document["loosened"], document["events"], document["workloads"]) == ([], [], [])
    assert (document["verdict"], document["simulated"]) == ("accepted", False)


def test_a_workload_without_a_model_says_so():
    (ran,) = parse(log_of(event(model=None))).events
    appraisal = Appraisal("accepted", (_CHECK._replace(ok=True),), "default", AT, workloads=(ran,))
    (shown,) = make_document(appraisal)["workloads"]
    assert (shown["model"], shown["replayed"]) == (None, False)
