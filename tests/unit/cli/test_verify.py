"""`ccgpu verify`: exit codes, both outputs, golden PCR values, bundles, and what is refused."""

import json
from dataclasses import replace

import pytest

from ccgpu.collateral import folder as collateral_folder
from ccgpu.domain import bundle, hostkey
from ccgpu.domain.collateral import CollateralFile
from ccgpu.domain.evidence import Evidence
from support import gpus
from support.cli import Shell
from support.masking import mask_random_text
from support.vms import AT, HOST_KEY, NONCE, bound_evidence, nonce_evidence, vm

_FAKE = "--backend fake --policy cpu-only"
_KEY = hostkey.fingerprint(hostkey.sha256(HOST_KEY))
_ASKED = f"--nonce {NONCE.hex()} --vm-id {vm().vm_id} --host-key {_KEY}"


@pytest.fixture
def shell(tmp_path):
    return Shell(tmp_path)


@pytest.fixture
def write(tmp_path):
    """Write evidence as a bundle."""

    def put(found: Evidence, name="bundle.json"):
        file = tmp_path / name
        made = bundle.from_evidence(
            found,
            made_at=AT,
            tool="ccgpu test",
            notes=bundle.BundleNotes(policy="x", verdict={"verdict": "?"}),
        )
        file.write_text(made.model_dump_json(by_alias=True, exclude_none=True))
        return file

    return put


def test_accepted_evidence_exits_0_and_is_marked_simulated(shell, write):
    file = write(nonce_evidence(vm()))
    text = shell(f"verify {file} {_FAKE} --at bundle")
    document = shell(f"verify {file} {_FAKE} --at bundle -o json").document

    assert text.code == 0
    assert text.out.startswith("ACCEPTED by policy cpu-only at 2026-11-22T12:00:00Z")
    assert "SIMULATED" in text.out
    assert (document["verdict"], document["simulated"]) == ("accepted", True)
    assert document["schema"] == "ccgpu.verdict/1"
    assert {"id", "what", "ok", "expected", "actual", "source"} == set(document["checks"][0])


def test_simulated_evidence_needs_the_flag(shell, write, monkeypatch):
    monkeypatch.setenv("CCGPU_BACKEND", "fake")
    line = f"verify {write(nonce_evidence(vm()))} --policy cpu-only --at bundle"
    done = shell(line)

    assert done.code == 9
    assert done.out.startswith("REJECTED")
    assert "error: evidence rejected:" in done.err
    hint = f"the evidence says that it is of a simulated VM: `ccgpu {line} --backend fake`"
    assert f"hint: {hint} judges it as such\n" in done.err


def test_the_verdict_in_a_bundle_is_never_read_back(shell, write):
    file = write(nonce_evidence(vm(), b"short"))
    document = json.loads(file.read_text())
    document["verdict"] = {"verdict": "accepted", "reasons": []}
    file.write_text(json.dumps(document))

    assert shell(f"verify {file} {_FAKE} --at bundle").code == 9


@pytest.mark.slow
def test_a_refusal_counts_groups_and_shows_what_failed_in_full(shell, write):
    file = write(nonce_evidence(vm(), b"short"))
    done = shell(f"verify {file} {_FAKE} --at bundle")
    whole = shell(f"verify {file} {_FAKE} --at bundle -v")

    assert "NO  Freshness" in done.out
    assert "NO  freshness.nonce.short" in done.out
    assert "ok  snp.signature" not in done.out
    assert "ok  snp.signature" in whole.out


def test_what_to_do_is_a_command_that_can_be_run_as_it_is(shell, write):
    found = nonce_evidence(vm())
    assert found.cpu is not None
    file = write(replace(found, cpu=replace(found.cpu, vek=None)))
    done = shell(f"verify {file} {_FAKE} --at bundle -o json")

    assert done.document["to_do"]["collateral.vek.absent"].endswith(
        f"`ccgpu collateral fetch {file} --out collateral --backend fake`, then `ccgpu verify "
        f"{file} {_FAKE} --at bundle -o json --collateral collateral`"
    )


@pytest.mark.slow
def test_the_trust_basis_names_the_source_of_collateral(shell, write, tmp_path):
    found = gpus.bound_evidence(vm(), gpus.gpu())
    assert found.cpu is not None
    folder = tmp_path / "collateral"
    folder.mkdir()
    (folder / "crl.der").write_bytes(found.cpu.crl or b"")
    brought = write(found)
    without = write(replace(found, cpu=replace(found.cpu, crl=None)), "without.json")

    def whose(line):
        document = shell(f"verify {_FAKE} --at bundle -o json {line}").document
        return {each["what"]: each["whose"] for each in document["rests_on"]}

    assert whose(brought)["AMD's revocation list"] == "maker"
    assert whose(without)["AMD's revocation list"] == "nobody"
    assert whose(f"{without} --collateral {folder}")["AMD's revocation list"] == "caller"
    assert whose(brought)["time"] == "maker"
    assert whose(f"{brought} --at 2026-11-22T12:00:00Z")["time"] == "caller"


@pytest.mark.parametrize("case", ["accepted", "rejected", "no-verdict"])
def test_the_transcript(shell, write, golden, tmp_path, monkeypatch, case):
    monkeypatch.chdir(tmp_path)
    found = nonce_evidence(vm(), b"short" if case == "rejected" else NONCE)
    if case == "no-verdict":
        assert found.cpu is not None
        found = replace(found, cpu=replace(found.cpu, vek=None))
    write(found)
    done = shell(f"verify bundle.json {_FAKE} --at 2026-11-22T12:00:00Z")

    golden(f"cli/verify-{case}.txt", mask_random_text(str(done)))


def test_long_hashes_are_shortened_for_people_and_whole_in_json(shell, write):
    file = write(nonce_evidence(vm()))
    digest = NONCE.hex()

    assert digest not in shell(f"verify {file} {_FAKE} --at bundle").out
    assert digest in shell(f"verify {file} {_FAKE} --at bundle -o json").out


def test_missing_collateral_exits_8(shell, write):
    found = nonce_evidence(vm())
    assert found.cpu is not None
    file = write(replace(found, cpu=replace(found.cpu, vek=None)))
    done = shell(f"verify {file} {_FAKE} --at bundle")

    assert done.code == 8
    assert done.out.startswith("NO VERDICT")
    assert "collateral.vek.absent" in done.err


def test_a_folder_of_collateral_completes_the_evidence(shell, write, tmp_path):
    found = nonce_evidence(vm())
    assert found.cpu is not None
    assert found.cpu.vek is not None
    folder = tmp_path / "collateral"
    folder.mkdir()
    (folder / "vcek.der").write_bytes(found.cpu.vek)
    file = write(replace(found, cpu=replace(found.cpu, vek=None)))

    assert shell(f"verify {file} {_FAKE} --at bundle --collateral {folder}").code == 0


@pytest.fixture
def fetched(tmp_path):
    """A folder as `collateral fetch` writes it, with the certificate of the chip."""
    found = nonce_evidence(vm())
    assert found.cpu is not None
    assert found.cpu.vek is not None
    out = tmp_path / "fetched"
    piece = CollateralFile(
        "amd/vcek-Genoa-00.der", found.cpu.vek, "https://a.example/", AT.timestamp()
    )
    collateral_folder.write(out, [piece], AT.timestamp())
    return out


@pytest.fixture
def lacking(write):
    """A bundle without the certificate of its chip."""
    found = nonce_evidence(vm())
    assert found.cpu is not None
    return write(replace(found, cpu=replace(found.cpu, vek=None)))


def test_unchanged_collateral_is_used_and_saved(shell, lacking, fetched, tmp_path):
    kept = tmp_path / "kept.json"
    line = f"verify {lacking} {_FAKE} --at bundle"
    assert shell(f"{line} --collateral {fetched} --save {kept}").code == 0
    assert shell(f"verify {kept} {_FAKE} --at bundle").code == 0


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda out: (out / "amd/vcek-Genoa-00.der").write_bytes(b"x"), "amd/vcek-Genoa-00.der"),
        (lambda out: (out / "amd/vcek-Genoa-00.der").unlink(), "amd/vcek-Genoa-00.der"),
        (lambda out: (out / "amd/crl.der").write_bytes(b"x"), "amd/crl.der"),
        (lambda out: (out / "manifest.json").write_bytes(b"{"), "manifest.json"),
    ],
)
def test_changed_collateral_exits_3_and_is_named(shell, lacking, fetched, spoil, told):
    spoil(fetched)
    done = shell(f"verify {lacking} {_FAKE} --at bundle --collateral {fetched}")

    assert done.code == 3
    assert told in done.err
    assert "ccgpu collateral fetch" in done.err


def test_a_loosening_flag_is_shown_in_the_verdict(shell, write):
    file = write(nonce_evidence(vm(), b"short"))
    done = shell(f"verify {file} {_FAKE} --at bundle --unsafe-short-nonce")

    assert done.code == 0
    assert "loosened: unsafe_short_nonce" in done.out


def test_golden_values_are_recorded_on_first_use_and_enforced_later(shell, write, tmp_path):
    pins = tmp_path / "pins.json"
    file = write(nonce_evidence(vm()))
    first = shell(f"verify {file} {_FAKE} --at bundle --record {pins}")

    assert first.code == 0
    assert "this first verdict is trusted" in " ".join(first.err.split())
    assert shell(f"verify {file} {_FAKE} --at bundle --pins {pins}").code == 0
    assert shell(f"verify {file} {_FAKE} --at bundle --record {pins}").code == 2
    other = json.loads(pins.read_text())
    other["pcrs"]["7"] = "00" * 32
    pins.write_text(json.dumps(other))
    assert shell(f"verify {file} {_FAKE} --at bundle --pins {pins}").code == 9


def test_golden_values_are_those_that_other_machines_share(shell, write, tmp_path):
    pins = tmp_path / "pins.json"
    shell(f"verify {write(nonce_evidence(vm()))} {_FAKE} --at bundle --record {pins}")
    recorded = json.loads(pins.read_text())
    other = replace(vm(), vm_id="11111111-2222-3333-4444-555555555555")
    held = shell(f"verify {write(nonce_evidence(other))} {_FAKE} --at bundle --pins {pins} -o json")

    assert [*map(int, recorded["pcrs"])] == [0, 1, 2, 3, 4, 5, 7, 8, 9, 11, 12, 14]
    assert recorded["schema"] == "ccgpu.reference-values/2"
    assert (recorded["kernel"], recorded["recorded_at"]) == ("vmlinuz", "2026-11-22T12:00:00Z")
    files = ["kernel", "initrd"]
    assert [one["what"] for one in recorded["events"]["9"]] == files
    assert held.code == 0, held.err
    assert held.document["facts"]["golden PCR values of"].startswith("kernel vmlinuz, ")
    assert [one["what"] for one in held.document["events"] if one["pcr"] == 9] == files
    assert all(one["replayed"] for one in held.document["events"])


def test_a_changed_event_is_named(shell, write, tmp_path):
    pins = tmp_path / "pins.json"
    shell(f"verify {write(nonce_evidence(vm()))} {_FAKE} --at bundle --record {pins}")
    upgraded = replace(vm(), boot={"initrd": b"of a newer kernel"})
    done = shell(f"verify {write(nonce_evidence(upgraded))} {_FAKE} --at bundle --pins {pins}")

    assert done.code == 9
    assert "initrd changed; expected SHA-256" in " ".join(done.out.split())


def test_golden_values_of_an_older_ccgpu_are_read(shell, write, tmp_path):
    pins = tmp_path / "pins.json"
    pins.write_text(json.dumps({"image": "old.json", "pcrs": {"7": vm().pcrs[7].hex()}}))
    file = write(nonce_evidence(vm()))
    assert shell(f"verify {file} {_FAKE} --at bundle --pins {pins}").code == 0


def test_golden_values_that_no_other_machine_has_are_refused_with_what_to_do(
    shell, write, tmp_path
):
    pins = tmp_path / "pins.json"
    values = {str(index): value.hex() for index, value in vm().pcrs.items()}
    pins.write_text(json.dumps({"image": "old.json", "pcrs": values}))
    file = write(nonce_evidence(vm()))
    done = shell(f"verify {file} {_FAKE} --at bundle --pins {pins}")

    assert done.code == 3
    text = " ".join(done.err.split())
    assert "pcrs has PCR 6, 10, 13, 15 to 23" in text
    assert "delete them from the file, or record it anew" in text
    assert "hint: `ccgpu attest NAME --record FILE --backend fake` writes a new file" in text


def test_verbose_lists_the_events_of_the_boot(shell, write):
    done = shell(f"verify {write(nonce_evidence(vm()))} {_FAKE} --at bundle -v")

    assert "the boot, as its event log tells it:" in done.out
    assert "shim: \\EFI\\ubuntu\\shimx64.efi" in " ".join(done.out.split())


def test_rejected_evidence_records_no_golden_values(shell, write, tmp_path):
    pins = tmp_path / "pins.json"

    assert (
        shell(
            f"verify {write(nonce_evidence(vm(), b'x'))} {_FAKE} --at bundle --record {pins}"
        ).code
        == 9
    )
    assert not pins.exists()


def test_a_saved_bundle_gives_the_same_verdict(shell, write, tmp_path):
    saved = tmp_path / "saved.json"
    first = shell(
        f"verify {write(nonce_evidence(vm()))} {_FAKE} --at bundle --save {saved} -o json"
    )
    again = shell(f"verify {saved} {_FAKE} --at bundle -o json")

    assert again.document == first.document
    assert shell(f"verify {saved} {_FAKE} --save {saved}").code == 2


def test_the_nonce_of_the_caller_must_match_the_bundle(shell, write):
    file = write(nonce_evidence(vm()))

    assert shell(f"verify {file} {_FAKE} --at bundle --nonce {NONCE.hex()}").code == 0
    assert shell(f"verify {file} {_FAKE} --at bundle --nonce {'00' * 32}").code == 9


def test_the_default_policy_accepts_bound_evidence_but_requires_a_gpu(shell, write):
    done = shell(
        f"verify {write(bound_evidence(vm()))} {_ASKED} --backend fake --at bundle -o json"
    )

    assert done.document["policy"] == "default"
    assert done.document["reasons"] == ["evidence.gpu.absent"]


@pytest.mark.parametrize(
    "options",
    [
        "--nonce 5",
        "--nonce xx",
        f"--nonce {'00' * 65}",
        "--at yesterday",
        "--at 2026-13-01T00:00:00Z",
        "--at 2026-11-22",
        "--policy nothing-like-it",
        "--pins a --record b",
        "--format zip",
    ],
)
def test_an_invalid_option_exits_2(shell, write, options):
    assert shell(f"verify {write(nonce_evidence(vm()))} {options}").code == 2


def test_a_policy_may_be_a_file_and_an_incomplete_one_exits_3(shell, write, tmp_path):
    own = tmp_path / "own.yaml"
    own.write_text("name: own\nrequires: [cpu]\nbinding: nonce\ntokens: {}\n")
    done = shell(f"verify {write(nonce_evidence(vm()))} --policy {own}")

    assert done.code == 3
    assert "own.yaml" in done.err
    assert "tokens.require_nras" in done.err


def test_unreadable_evidence_exits_3(shell, tmp_path):
    file = tmp_path / "evidence"
    file.write_bytes(b"what?")

    assert shell(f"verify {file}").code == 3
    assert shell(f"verify {tmp_path / 'nothing'}").code == 3


def test_evidence_without_a_time_has_no_bundle_time(shell, tmp_path):
    file = tmp_path / "report.bin"
    file.write_bytes(b"\x03\x00\x00\x00" + bytes(1180))

    assert shell(f"verify {file} --at bundle").code == 2


@pytest.mark.parametrize("name", ["policy", "bundle"])
def test_policy_bundle_and_verdict_have_schemas(shell, name):
    document = shell(f"schema {name}").document

    assert document["$schema"].startswith("https://json-schema.org/")
    assert document["properties"]


@pytest.mark.slow
def test_a_vm_with_its_gpu_is_accepted_by_the_default_policy_from_a_bundle(shell, write, tmp_path):
    file = write(gpus.bound_evidence(vm(), gpus.gpu()))
    line = f"{_ASKED} --backend fake --at bundle -o json"
    done = shell(f"verify {file} {line}")

    assert (done.code, done.document["reasons"]) == (0, [])
    assert done.document["policy"] == "default"
    saved = tmp_path / "saved.json"
    first = shell(f"verify {file} --save {saved} {line}").document
    assert shell(f"verify {saved} {line}").document == first
    assert shell(f"verify {file} {_ASKED} --at bundle").code == 9


@pytest.mark.slow
def test_evidence_without_a_required_part_is_refused(shell, write):
    whole = gpus.bound_evidence(vm(), gpus.gpu())
    without = [replace(whole, gpus=()), replace(whole, cpu=None)]
    found = [
        shell(f"verify {write(half, f'{n}.json')} {_ASKED} --backend fake --at bundle").code
        for n, half in enumerate(without)
    ]

    assert found == [9, 9]
