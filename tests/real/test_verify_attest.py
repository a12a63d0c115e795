"""`ccgpu verify` on evidence of real CPUs: each set gets the answer that its description gives."""

import json

import pytest

from ccgpu.attest.vtpm import eventlog
from ccgpu.attest.vtpm.event_names import name_events
from support.cli import Shell

TODAY = "2026-11-22T12:00:00Z"
_HELD = ("snp.signature", "snp.vek.signature", "snp.vek.issuer", "snp.chip-id.hwid")
_QUOTE_HELD = ("hcl.hash", "vtpm.quote.signature", "vtpm.pcrs.digest", "vtpm.pcrs.selection")


@pytest.fixture
def verify(tmp_path, vectors):
    """`verify(case, *options)`: the exit code, the document, and the checks by id."""
    shell = Shell(tmp_path)

    def run(case, *options):
        path = vectors / "attest" / case
        done = shell(" ".join(["verify", str(path), "-o json", f"--at {TODAY}", *options]))
        assert done.out, done.err
        checks = {check["id"]: check for check in done.document["checks"]}
        return done.code, done.document, checks

    return run


def _hold(checks, ids):
    return {id_: checks[id_]["ok"] for id_ in ids} == dict.fromkeys(ids, True)


def test_the_genoa_set_is_accepted_for_the_cpu_alone(verify):
    code, document, checks = verify("azure-genoa-v3", "--policy cpu-only")

    assert (code, document["verdict"]) == (0, "accepted")
    assert document["reasons"] == []
    assert document["unsafe"] == []
    assert _hold(checks, (*_HELD, *_QUOTE_HELD))
    assert document["facts"]["vm id"] == "390CBCF5-6C67-4D9B-98EF-C3F1699CC8FC"
    said = " ".join(document["not_proven"])
    assert all(word in said for word in ("identity", "channel", "GPU", "nonce", "boot chain"))


@pytest.mark.parametrize("case", ["azure-genoa-v3", "azure-milan-v2", "azure-milan-v3"])
def test_pcr_6_of_every_real_machine_follows_from_its_id(verify, case):
    _, document, checks = verify(case, "--policy cpu-only", "--unsafe-short-nonce")

    assert checks["vtpm.pcr6.vm-id"]["ok"]
    assert not [line for line in document["not_proven"] if "PCR 6" in line]


def test_golden_values_of_a_real_machine_leave_out_what_is_its_own(verify, tmp_path):
    pins = tmp_path / "pins.json"
    assert verify("azure-genoa-v3", "--policy cpu-only", f"--record {pins}")[0] == 0
    assert [*map(int, json.loads(pins.read_text())["pcrs"])] == [*range(6), 7, 8, 9, 11, 12, 14]
    assert verify("azure-genoa-v3", "--policy cpu-only", f"--pins {pins}")[0] == 0

    code, document, _ = verify(
        "azure-milan-v3", "--policy cpu-only", "--unsafe-short-nonce", f"--pins {pins}"
    )
    assert code == 9
    assert "policy.pins.pcr" in document["reasons"]


@pytest.mark.parametrize(
    ("case", "images"),
    [
        ("uki252-nosb", ["default boot loader", "EFI application from memory"]),
        ("uki255-nosb", ["default boot loader", "EFI application from memory"]),
        ("uki257-nosb", ["default boot loader", "EFI application from memory"]),
        ("uki255-sb-ownkeys", ["default boot loader"]),
        ("uki257-sb-ownkeys", ["default boot loader"]),
    ],
)
def test_the_events_of_a_booted_image_are_named(vectors, case, images):
    folder = vectors / "measured-image" / case
    log = eventlog.parse((folder / "binary_bios_measurements").read_bytes())
    by_pcr: dict[int, list[str]] = {}
    for event in name_events(log, frozenset(range(24))):
        by_pcr.setdefault(event.pcr, []).append(event.what)

    assert not [what for those in by_pcr.values() for what in those if "cannot be read" in what]
    assert not [what for those in by_pcr.values() for what in those if what.startswith("event of")]
    assert by_pcr[1][:2] == ["boot order", "boot option Boot0001"]
    assert by_pcr[4][2:] == images
    assert "partition table (GPT)" in by_pcr[5]
    assert by_pcr[7][:5] == [
        "secure boot setting",
        "platform key (PK)",
        "key exchange keys (KEK)",
        "allowed signatures (db)",
        "forbidden signatures (dbx)",
    ]
    assert by_pcr[9] == ["kernel command line", "initrd"]
    assert {"kernel", "initrd", "kernel command line"} <= set(by_pcr[11])


def test_the_genoa_set_is_refused_by_strict_with_component_and_bulletin(verify):
    code, document, checks = verify("azure-genoa-v3", "--policy strict")

    assert (code, document["verdict"]) == (9, "rejected")
    assert {"policy.tcb.snp", "policy.tcb.microcode"} <= set(document["reasons"])
    assert "AMD-SB-3020" in checks["policy.tcb.snp"]["expected"]
    assert "27 or more" in checks["policy.tcb.snp"]["expected"]
    assert checks["policy.tcb.snp"]["actual"] == "23"
    assert "AMD-SB-3027" in checks["policy.tcb.microcode"]["expected"]


def test_the_default_policy_wants_a_gpu_and_a_binding(verify):
    code, document, _ = verify("azure-genoa-v3")

    assert code == 9
    assert {"evidence.gpu.absent", "binding.kind"} <= set(document["reasons"])


@pytest.mark.parametrize("case", ["azure-milan-v2", "azure-milan-v3"])
def test_milan_is_refused_by_product_and_its_cryptography_is_good(verify, case):
    code, document, checks = verify(case, "--policy cpu-only", "--unsafe-short-nonce")

    assert code == 9
    assert document["unsafe"] == ["unsafe_short_nonce"]
    assert "policy.product" in document["reasons"]
    assert _hold(checks, (*_HELD, *_QUOTE_HELD, "vtpm.nonce.other"))
    assert all(reason.startswith("policy.") for reason in document["reasons"])


@pytest.mark.parametrize(
    ("case", "svn", "reasons"),
    [
        ("azure-milan-v2", "0x5", {"policy.guest-svn", "policy.id-key-digest"}),
        ("azure-milan-v3", "0xa", {"policy.guest-svn"}),
    ],
)
def test_old_paravisors_are_refused_by_version_and_the_older_key_with_them(
    verify, case, svn, reasons
):
    _, document, checks = verify(case, "--policy cpu-only", "--unsafe-short-nonce")

    named = {"policy.guest-svn", "policy.id-key-digest"}
    assert named & set(document["reasons"]) == reasons
    assert checks["policy.guest-svn"]["actual"] == svn


def test_the_real_report_of_version_5_lacks_the_bit_of_a_bulletin(verify):
    _, document, _ = verify("snp-genoa-v5", "--policy cpu-only")

    (open_,) = [v for k, v in document["facts"].items() if k.startswith("bulletins not covered")]
    assert "AMD-SB-3016" in open_
    assert "AMD-SB-3015" not in open_


def test_a_short_nonce_is_refused_without_the_flag(verify):
    _, document, _ = verify("azure-milan-v3", "--policy cpu-only")

    assert "freshness.nonce.short" in document["reasons"]


def test_the_bare_report_is_refused_for_freshness_with_signature_and_chain_good(verify):
    code, document, checks = verify("snp-genoa-v5", "--policy cpu-only")

    assert code == 9
    assert {"freshness.nonce.absent", "freshness.quote.absent"} <= set(document["reasons"])
    assert not [reason for reason in document["reasons"] if reason.startswith("snp.")]
    assert _hold(checks, _HELD)


def test_debugging_is_refused_although_the_signature_holds(verify):
    code, document, checks = verify("negative/debug-policy", "--policy cpu-only")

    assert code == 9
    assert "snp.policy.debug" in document["reasons"]
    assert _hold(checks, _HELD)


def test_the_certificate_of_another_machine_is_refused_although_its_chain_holds(verify):
    code, document, checks = verify("negative/other-machine-vcek", "--policy cpu-only")

    assert code == 9
    assert {"snp.signature", "snp.chip-id.hwid"} <= set(document["reasons"])
    assert checks["snp.vek.signature"]["ok"]


def test_a_report_of_intel_is_refused_by_type(verify):
    code, document, _ = verify("negative/tdx-as-snp", "--policy cpu-only")

    assert code == 9
    assert "hcl.report-type.tdx" in document["reasons"]


def test_an_empty_nonce_is_refused_although_the_signatures_hold(verify):
    code, document, checks = verify(
        "negative/empty-nonce", "--policy cpu-only", "--unsafe-short-nonce"
    )

    assert code == 9
    assert "freshness.nonce.absent" in document["reasons"]
    assert document["format"] == "attestation-rs"
    assert _hold(checks, (*_HELD, *_QUOTE_HELD))


def test_an_empty_nonce_answers_no_question(verify):
    _, document, _ = verify("negative/empty-nonce", "--policy cpu-only", f"--nonce {'5f' * 32}")

    assert "vtpm.nonce.absent" in document["reasons"]


def test_the_quote_of_another_kind_of_vm_holds_and_proves_nothing(verify):
    code, document, checks = verify("negative/trusted-launch-quote", "--policy cpu-only")

    assert code == 9
    assert {"evidence.hcl.absent", "vtpm.ak.unvouched"} <= set(document["reasons"])
    assert _hold(checks, ("vtpm.quote.signature", "vtpm.pcrs.digest", "vtpm.nonce.other"))


def test_a_vlek_of_a_lower_level_is_refused_by_all_that_is_wrong(verify):
    code, document, _ = verify("negative/vlek-vmpl1", "--policy cpu-only")

    assert code == 9
    wanted = {"snp.key-info.signing-key", "snp.vmpl", "snp.vek.dates"}
    assert wanted <= set(document["reasons"])


def test_another_nonce_than_the_callers_is_refused(verify):
    code, document, _ = verify("azure-genoa-v3", "--policy cpu-only", f"--nonce {'5f' * 32}")

    assert code == 9
    assert {"freshness.nonce.other", "vtpm.nonce.short"} & set(document["reasons"])


@pytest.mark.parametrize("at", ["2025-01-01T00:00:00Z", "2033-01-01T00:00:00Z"])
def test_a_refusal_by_time_alone_says_so(tmp_path, vectors, at):
    path = vectors / "attest" / "azure-genoa-v3"
    done = Shell(tmp_path)(f"verify {path} --policy cpu-only --at {at}")

    assert done.code == 9
    assert "snp.vek.dates" in done.err
    assert "--at bundle" in done.err


def test_maa_claims_are_no_evidence(tmp_path, vectors):
    done = Shell(tmp_path)(f"verify {vectors / 'attest' / 'maa-claims-2022.json'}")

    assert done.code == 3
