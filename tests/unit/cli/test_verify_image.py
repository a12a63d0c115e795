"""`verify --image` and `attest --image`: a VM is held to a measured image, or nothing is proven."""

import hashlib
import json
from pathlib import Path

import pytest

from ccgpu.domain import bundle
from ccgpu.domain.image_manifest import dump
from support.attesting import Attester
from support.measured_vms import CONFIG, manifest, measured_vm
from support.vms import AT, NONCE, nonce_evidence

_ASKED = f"--backend fake --nonce {NONCE.hex()} --at bundle"
_CPU_ONLY = """
name: measured-cpu
requires: [cpu]
binding: nonce
max_age: 24h
cpu:
  products: [Genoa]
  minimum_tcb: {bootloader: 0, tee: 0, snp: 0, microcode: 0}
  required_mitigations: 0
  require_alias_check: true
  id_key_digests: ["ID_KEY"]
  minimum_guest_svn: 0
  require_secure_boot: false
  require_image: true
  require_event_log: true
  require_crl: false
  required_pcrs: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 14, 15]
  require_pins: false
tokens: {require_nras: false, nras_issuers: [], require_maa: false, maa_issuers: []}
"""


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """Evidence of a VM with a config, a manifest, the config, and what `measured` asks of a CPU."""
    found = nonce_evidence(measured_vm(CONFIG))
    notes = bundle.BundleNotes(policy="x", verdict={"verdict": "?"})
    made = bundle.from_evidence(found, made_at=AT, tool="ccgpu test", notes=notes)
    (tmp_path / "evidence.json").write_text(made.model_dump_json(by_alias=True, exclude_none=True))
    (tmp_path / "image.json").write_bytes(dump(manifest()))
    (tmp_path / "config").write_bytes(CONFIG)
    key = (
        "942fd93ebde6ea7a96efadeafc60f1c6b3d10e703b1dafd7555b92f7f3d32d0e"
        "006767648cba5b102af3d65756af4177"
    )
    (tmp_path / "policy.yaml").write_text(_CPU_ONLY.replace("ID_KEY", key))
    return tmp_path


def line(files: Path, *words: str) -> str:
    return " ".join((f"verify {files}/evidence.json {_ASKED} --policy {files}/policy.yaml", *words))


def test_the_image_is_shown_and_proven(shell, files):
    shell.width = 200
    words = (f"--image {files}/image.json", f"--config {files}/config")
    done = shell(line(files, *words))
    assert done.code == 0, done.out
    sha256 = hashlib.sha256((files / "image.json").read_bytes()).hexdigest()
    assert "tiny 1.2.3" in done.out
    assert f"{sha256[:12]}…{sha256[-4:]}" in done.out
    assert "2: busybox-static 1:1.35.0-4, tpm2-tools 5.4-1" in done.out
    assert "the root file system:" not in done.out
    assert "the image's builder:" in done.out
    document = shell(line(files, *words, "-o json")).document
    assert document["facts"]["image manifest (SHA-256)"] == sha256
    assert {"what": "image manifest", "whose": "caller"} in document["rests_on"]


@pytest.mark.slow
def test_without_the_manifest_or_with_another_config_it_is_9(shell, files):
    done = shell(line(files))
    assert done.code == 9
    assert "policy.image.absent" in done.out
    assert "--image FILE" in done.out
    assert "the root file system:" in done.out
    (files / "config").write_bytes(b"another")
    done = shell(line(files, f"--image {files}/image.json", f"--config {files}/config"))
    assert done.code == 9
    assert "PCR 8" in done.out
    assert "policy.image.config" in done.out
    done = shell(line(files, f"--image {files}/image.json"))
    assert done.code == 9
    assert "another config" in done.out


def test_record_and_pins_do_not_stand_in(shell, files):
    done = shell(line(files, f"--record {files}/pins.json"))
    assert done.code == 9
    assert not (files / "pins.json").exists()
    image = (f"--image {files}/image.json", f"--config {files}/config")
    assert shell(line(files, *image, f"--record {files}/pins.json")).code == 0
    done = shell(line(files, f"--pins {files}/pins.json"))
    assert done.code == 9
    assert "policy.image.absent" in done.out


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        ("--config {}/config", 2, "give --image"),
        ("--image {}/none", 3, "cannot be read"),
        ("--image {}/config", 3, "config: "),
        ("--image {}/image.json --config {}/none", 3, "cannot be read"),
        ("--image {}/image.json --config {}/empty", 3, "if it is given no config"),
        ("--image {}/image.json --config {}/large", 3, "more than 49152 bytes"),
    ],
)
def test_what_is_no_manifest_or_config_is_refused(shell, files, words, code, message):
    (files / "empty").write_bytes(b"")
    (files / "large").write_bytes(bytes(50_000))
    done = shell(line(files, words.replace("{}", str(files))))
    assert done.code == code
    assert message in done.err


def test_a_manifest_that_was_changed_is_refused(shell, files):
    document = json.loads((files / "image.json").read_text())
    document["pcrs"]["11"] = "0" * 64
    (files / "image.json").write_text(json.dumps(document))
    done = shell(line(files, f"--image {files}/image.json"))
    assert done.code == 3
    assert "pcrs.11 must be" in done.err


@pytest.mark.slow
def test_each_of_many_is_held_to_the_image(shell, files):
    words = (f"--image {files}/image.json", f"--config {files}/config", "--each")
    assert shell(line(files, *words)).code == 0
    assert shell(line(files, f"--image {files}/image.json", "--each")).code == 9


def test_a_report_repeats_the_command(shell, files):
    words = (f"--image {files}/image.json", f"--config {files}/config")
    assert shell(line(files, *words, f"--report {files}/report.html")).code == 0
    page = (files / "report.html").read_text()
    assert f"--image {files}/image.json" in page
    assert f"--config {files}/config" in page


@pytest.mark.slow
def test_an_ordinary_vm_is_not_a_measured_image(shell, files):
    demo = Attester(shell).make()
    done = demo("--policy measured")
    assert done.code == 9
    assert "policy.image.absent" in done.document["reasons"]
    done = demo(f"--policy measured --image {files}/image.json")
    assert done.code == 9
    wrong = {check["id"] for check in done.document["checks"] if not check["ok"]}
    assert {"policy.image.pcr", "policy.image.config"} <= wrong


def test_create_by_measured_is_refused_before_anything_is_made(shell):
    done = shell("create demo --backend fake --policy measured --yes")
    assert done.code == 2
    assert "needs a measured image" in done.err
    assert shell.writes() == []
