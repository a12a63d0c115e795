"""`ccgpu verify --each`: each by itself, one table, one document, the worst exit code."""

import base64
import itertools
import json
from dataclasses import replace
from pathlib import Path

import pytest

from ccgpu.attest.appraise import appraise
from ccgpu.attest.evidence_result import EvidenceResult
from ccgpu.domain import bundle
from ccgpu.errors import (
    EvidenceRejected,
    EvidenceUnavailable,
    InternalError,
    InvalidFile,
    UsageProblem,
)
from ccgpu.store import evidence as evidence_files
from ccgpu.workflows import verify, verify_each
from support.masking import mask_random_text
from support.vms import AT, nonce_evidence, vm

_FAKE = "--backend fake --policy cpu-only --at bundle"
pytestmark = pytest.mark.usefixtures("evidence")
_CODES = {"good": 0, "forged": 9, "bare": 8, "junk": 3}


def _write(folder, name, found):
    made = bundle.from_evidence(
        found,
        made_at=AT,
        tool="ccgpu test",
        notes=bundle.BundleNotes(policy="x", verdict={"verdict": "?"}),
    )
    (folder / f"{name}.json").write_text(made.model_dump_json(by_alias=True, exclude_none=True))


@pytest.fixture
def evidence(shell):
    """One of each kind, in the current folder."""
    here = shell.folder / "work"
    good = nonce_evidence(vm())
    assert good.cpu is not None
    _write(here, "good", good)
    _write(here, "forged", nonce_evidence(vm(), b"short"))
    _write(here, "bare", replace(good, cpu=replace(good.cpu, vek=None)))
    (here / "junk.json").write_text("what?")
    return here


@pytest.mark.parametrize(
    "names",
    [
        names
        for count in range(1, 5)
        for names in itertools.combinations(("good", "forged", "bare", "junk"), count)
    ],
)
def test_the_exit_code_is_the_worst_of_all_verdicts(shell, names):
    files = " ".join(f"{name}.json" for name in names)
    codes = [_CODES[name] for name in names]

    assert shell(f"verify {files} --each {_FAKE}").code == max(codes)


def test_exit_codes_rank_9_1_8_3_2():
    errors = (
        EvidenceRejected("x"),
        InternalError("x", traceback=""),
        EvidenceUnavailable("x"),
        InvalidFile("x", []),
        UsageProblem("x"),
    )
    ones = [EvidenceResult("x", error=error) for error in errors]

    for best in range(5):
        results = [EvidenceResult("good"), *reversed(ones[best:])]
        assert verify_each.worst_exit_code(results) == (9, 1, 8, 3, 2)[best]
    assert verify_each.worst_exit_code([EvidenceResult("good")]) == 0


def test_an_unreadable_file_does_not_stop_the_others(shell):
    done = shell(f"verify junk.json nothing.json good.json --each {_FAKE}")

    assert done.code == 3
    assert "ACCEPTED    good.json" in done.out
    assert done.out.count("NOT JUDGED") == 2
    assert "junk.json: is not in a known format" in done.err
    assert "nothing.json: cannot be read" in done.err


def test_the_table_and_verbose(shell, golden):
    files = "good.json forged.json bare.json junk.json"

    golden("cli/verify-each.txt", mask_random_text(str(shell(f"verify {files} --each {_FAKE}"))))
    long = shell(f"verify {files} --each {_FAKE} --verbose").out
    assert long.count(" by policy cpu-only at ") == 3
    assert "what to do" in long


def test_the_document_contains_every_verdict(shell):
    done = shell(f"verify good.json forged.json bare.json junk.json --each {_FAKE} -o json")
    found = done.document

    assert found["schema"] == "ccgpu.verdicts/1"
    assert (found["exit_code"], done.code) == (9, 9)
    assert found["counts"] == {"accepted": 1, "rejected": 1, "no_verdict": 1, "not_judged": 1}
    for one in found["verdicts"][:3]:
        alone = shell(f"verify {one['source']} {_FAKE} -o json")
        assert one["exit_code"] == alone.code
        same = {key: value for key, value in alone.document.items() if key != "to_do"}
        assert {key: one[key] for key in same} == same
        assert one["to_do"].keys() == alone.document["to_do"].keys()
    junk = found["verdicts"][3]
    assert (junk["source"], junk["verdict"], junk["exit_code"]) == ("junk.json", None, 3)
    assert junk["error"]["code"] == "InvalidFile"


def test_a_folder_of_bundles_is_expanded_and_a_folder_of_evidence_is_not(shell, evidence):
    many = evidence / "many"
    raw = evidence / "raw"
    for folder in (many, raw):
        folder.mkdir()
    for name in ("good", "forged"):
        (evidence / f"{name}.json").rename(many / f"{name}.json")
    found = nonce_evidence(vm()).cpu
    assert found is not None
    (raw / "hcl.bin").write_bytes(found.hcl or b"")
    (raw / "quote.msg").write_bytes(found.quote or b"")
    document = shell(f"verify many raw --each {_FAKE} -o json").document

    assert [one["source"] for one in document["verdicts"]] == [
        "many/forged.json",
        "many/good.json",
        "raw",
    ]


def test_several_files_need_each(shell):
    done = shell(f"verify good.json forged.json {_FAKE}")

    assert done.code == 2
    assert "--each" in done.err


@pytest.mark.parametrize("option", ["--save x.json", "--record pins.json"])
def test_options_for_one_file_are_refused_before_any_appraisal(shell, option):
    done = shell(f"verify good.json --each {_FAKE} {option}")

    assert (done.code, done.out) == (2, "")
    assert option.split()[0] in done.err


@pytest.mark.parametrize(
    ("option", "code"),
    [("--pins nothing", 3), ("--collateral nothing", 3), ("--nras-jwks nothing", 3)],
)
def test_an_unreadable_file_of_an_option_is_one_error(shell, option, code):
    done = shell(f"verify good.json good.json --each {_FAKE} {option}")

    assert (done.code, done.out) == (code, "")


def test_an_invalid_policy_is_one_error(shell, evidence):
    (evidence / "own.yaml").write_text("name: own\n")
    done = shell("verify good.json good.json --each --policy own.yaml")

    assert (done.code, done.out) == (3, "")


def test_evidence_without_a_time_is_reported_and_the_rest_appraised(shell, evidence):
    found = nonce_evidence(vm()).cpu
    assert found is not None
    (evidence / "hcl.bin").write_bytes(found.hcl or b"")
    done = shell(f"verify hcl.bin good.json --each {_FAKE} -o json")

    assert done.code == 2
    assert [one["exit_code"] for one in done.document["verdicts"]] == [2, 0]


def test_a_bug_with_one_file_is_reported_and_the_rest_appraised(shell, monkeypatch):
    real = appraise

    def breaking(found, *rest):
        if found.cpu is not None and found.cpu.vek is None:
            raise RecursionError("too deep")
        return real(found, *rest)

    monkeypatch.setattr(verify, "appraise", breaking)
    done = shell(f"verify good.json bare.json junk.json good.json --each {_FAKE} -o json")
    found = done.document["verdicts"]

    assert done.code == done.document["exit_code"] == 1
    assert [one["exit_code"] for one in found] == [0, 1, 3, 0]
    assert found[1]["error"]["message"] == "a bug in ccgpu: RecursionError: too deep"
    assert found[1]["verdict"] is None
    assert shell(f"verify bare.json forged.json --each {_FAKE}").code == 9


def test_the_folder_of_collateral_is_read_once_for_all(shell, evidence, monkeypatch):
    part = nonce_evidence(vm()).cpu
    assert part is not None
    (evidence / "given").mkdir()
    (evidence / "given" / "vek.der").write_bytes(part.vek or b"")
    (evidence / "given" / "notes.txt").write_text("notes")
    read = []
    real = evidence_files.add_collateral

    def counted(found, path):
        read.append(path)
        return real(found, path)

    monkeypatch.setattr(evidence_files, "add_collateral", counted)
    done = shell(f"verify bare.json bare.json --each {_FAKE} --collateral given -o json")

    assert (done.code, len(read)) == (0, 1)
    assert ["notes.txt" in one["ignored"] for one in done.document["verdicts"]] == [True, True]


def test_one_run_keeps_a_bounded_number_of_verdicts():
    with pytest.raises(UsageProblem, match="at most 10000"):
        verify_each.sources([Path("nothing")] * (verify_each.MAX_SOURCES + 1))


def test_verdicts_do_not_affect_each_other(shell, evidence):
    """The same certificate, and one with a bit changed: what is kept is kept by its bytes."""
    document = json.loads((evidence / "good.json").read_text())
    raw = bytearray(base64.b64decode(document["cpu"]["vek"]))
    raw[-1] ^= 1
    document["cpu"]["vek"] = base64.b64encode(raw).decode()
    (evidence / "bent.json").write_text(json.dumps(document))
    done = shell(f"verify good.json bent.json good.json bent.json --each {_FAKE} -o json")
    found = done.document["verdicts"]

    assert [one["verdict"] for one in found] == ["accepted", "rejected"] * 2
    assert found[1]["reasons"] == found[3]["reasons"] == ["snp.vek.signature"]
