"""`ccgpu verify` on evidence of real GPUs: each set gets the answer that its description gives."""

import shutil

import pytest

from support.cli import Shell

THEN = "2025-09-15T12:00:00Z"
TODAY = "2026-11-22T12:00:00Z"
_HELD = ("gpu.signature", "gpu.chain.signature", "gpu.chain.root", "gpu.fwid", "gpu.nonce.other")
_SAMPLE = ("--unsafe-skip-ocsp", "--unsafe-known-nonce")


@pytest.fixture
def verify(tmp_path, vectors):
    """`verify(case, at, *options)`: the exit code, the document, and the checks by id."""
    shell = Shell(tmp_path)

    def run(case, at, *options):
        path = case if "/" in str(case)[:1] else vectors / "gpu" / case
        line = f"verify {path} -o json --policy gpu-only --at {at}"
        done = shell(" ".join([line, *options]))
        assert done.out, done.err
        checks: dict[str, list[dict[str, object]]] = {}
        for check in done.document["checks"]:
            checks.setdefault(check["id"], []).append(check)
        return done.code, done.document, checks

    return run


def _hold(checks, ids):
    return [id_ for id_ in ids if not all(check["ok"] for check in checks[id_])] == []


def test_the_sample_is_accepted_at_its_time_with_both_loosenings(verify):
    code, document, checks = verify("h100-550.90.07", THEN, *_SAMPLE)

    assert (code, document["verdict"], document["reasons"]) == (0, "accepted", [])
    assert document["unsafe"] == ["gpu.unsafe_skip_ocsp", "gpu.unsafe_known_nonce"]
    assert _hold(checks, (*_HELD, "golden.match", "golden.driver.version", "golden.vbios.version"))
    # 33 are active; index 35 is not compared, since the decoder is off.
    assert checks["golden.match"][0]["actual"].startswith("32 golden values, but for NVDEC's 35")
    assert document["facts"]["GPU driver"] == "550.90.07"
    assert document["facts"]["GPU VBIOS"] == "96.00.9F.00.01"


def test_the_sample_is_refused_for_its_stale_answers(verify):
    code, document, checks = verify("h100-550.90.07", THEN, "--unsafe-known-nonce")

    assert code == 9
    assert set(document["reasons"]) == {"ocsp.stale", "ocsp.future"}
    stale = [check for check in checks["ocsp.stale"] if not check["ok"]]
    assert len(stale) == 3
    assert any("GSP BROM" in check["actual"] for check in stale)


def test_the_sample_is_refused_for_its_published_nonce(verify):
    code, document, _ = verify("h100-550.90.07", THEN, "--unsafe-skip-ocsp")

    assert (code, document["reasons"]) == (9, ["gpu.nonce.known"])


def test_today_the_two_expired_signers_are_named_and_what_to_do(verify):
    code, document, checks = verify("h100-550.90.07", TODAY, *_SAMPLE)

    assert (code, document["reasons"]) == (9, ["rim.signer.expired"])
    told = [check["actual"] for check in checks["rim.signer.expired"] if not check["ok"]]
    assert any("driver manifest" in text and "2026-06-01" in text for text in told)
    assert any("vbios manifest" in text and "2026-02-22" in text for text in told)
    assert all("fetch" in text for text in told)


def test_protected_pcie_is_refused_by_mode_and_its_cryptography_is_good(verify):
    code, document, checks = verify("negative/ppcie", TODAY, "--unsafe-skip-ocsp")

    assert code == 9
    assert {"gpu.mode.protected-pcie", "gpu.pcie.enabled"} <= set(document["reasons"])
    assert document["format"] == "nvattest"
    assert _hold(checks, _HELD)


def test_a_changed_report_is_refused_by_signature_and_fwid(verify):
    code, document, checks = verify("negative/invalid-signature", TODAY)

    assert code == 9
    assert {"gpu.signature", "gpu.fwid"} <= set(document["reasons"])
    assert checks["gpu.chain.signature"][0]["ok"]


@pytest.mark.parametrize(
    ("case", "whole"), [("case1", True), ("case2", False), ("case3", False), ("case4", False)]
)
def test_a_chain_is_good_only_when_it_is_whole(verify, vectors, tmp_path, case, whole):
    source = vectors / "gpu" / "negative" / "chain-cases"
    folder = tmp_path / "evidence"
    folder.mkdir()
    shutil.copy(source / "hopperAttestationReport.txt", folder)
    shutil.copy(source / f"hopper_cert_chain_{case}.txt", folder)
    code, document, checks = verify(str(folder), TODAY)

    assert code == 9  # there are no manifests with it, and no nonce
    failed = [reason for reason in document["reasons"] if reason.startswith("gpu.chain")]
    assert (failed == []) == whole
    if whole:
        assert _hold(checks, ("gpu.signature", "gpu.chain.root"))


def test_a_policy_that_needs_both_refuses_the_gpu_alone(tmp_path, vectors):
    path = vectors / "gpu" / "h100-550.90.07"
    done = Shell(tmp_path)(f"verify {path} --at {THEN} -o json")

    assert done.code == 9
    assert "evidence.cpu.absent" in done.document["reasons"]
