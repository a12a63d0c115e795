"""A measured image: built again it is the same, and booted it is what its manifest says.

The boots are real: QEMU, OVMF, a software TPM. GPU and SNP report are simulated. Those that
`CCGPU_EVERY_CASE=1` asks for differ from one of the others in little.
"""

import json
import subprocess
import sys

import pytest

import measured_image
from ccgpu.domain.image_manifest import pcrs_of
from ccgpu.image import gpt, vhd
from ccgpu.store import image_files
from support import measured_boot
from support.cli import Shell
from support.machine_boot import booted
from support.measured_boot import built_image, copy_of, gpu_at, measured_machine
from support.repository import ROOT

pytestmark = pytest.mark.slow

RECIPE = ROOT / "examples" / "measured" / "tiny.yaml"
_ESP = 1024 * 1024  # where the ESP begins


def _manifest(folder):
    return image_files.load_manifest(folder / "image.json").manifest


def _partitions(disk):
    with image_files.open_disk(disk) as blocks:
        return {each.kind: each for each in gpt.parse(vhd.strip(blocks)).partitions}


def _flip(disk, at):
    with disk.open("r+b") as stream:
        stream.seek(at)
        byte = stream.read(1)[0]
        stream.seek(at)
        stream.write(bytes([byte ^ 1]))


def _evidence(disk, folder):
    """The evidence of a boot, and the words of `ccgpu verify` on it."""
    with gpu_at(folder) as (gpu, socket), measured_machine(disk, folder) as running:
        bundle = running.collect(gpu, socket)
        return bundle, measured_boot.save_bundle(folder, running, bundle, gpu)


def _differing(bundle, built, folder):
    """The PCRs that are not what the built image leads to."""
    expected = pcrs_of(_manifest(built).uki, (folder / "user-data").read_bytes())
    return [at for at, value in expected.items() if bundle.cpu.pcrs[at].hex() != value]


def _held_to(built, folder):
    return f"--policy measured --image {built / 'image.json'} --config {folder / 'user-data'}"


def _refusals(done):
    """What the failed checks say, by their ids."""
    return {one["id"]: json.dumps(one) for one in done.document["checks"] if not one["ok"]}


@pytest.fixture(scope="module")
def built():
    """The folder of the built image."""
    return built_image()


def test_an_image_built_again_from_its_lock_is_the_same_without_a_network(built, tmp_path):
    command = [sys.executable, "-m", "ccgpu", "image", "build", RECIPE, "--out", tmp_path / "again"]
    command += ["--lock", built / "image.lock", "-o", "json"]
    environ = measured_image.build_environment(built)
    done = subprocess.run(
        ["unshare", "-n", *command], capture_output=True, text=True, check=False, env=environ
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["vhd_sha256"] == _manifest(built).disk.vhd_sha256
    for name in ("disk.vhd", "image.json", "image.lock"):
        compared = subprocess.run(["cmp", built / name, tmp_path / "again" / name], check=False)
        assert compared.returncode == 0


def test_a_booted_image_is_what_its_manifest_says(built, tmp_path):
    with (
        gpu_at(tmp_path) as (gpu, socket),
        measured_machine(built / "disk.vhd", tmp_path) as running,
    ):
        config = (tmp_path / "user-data").read_bytes()
        bundle = running.collect(gpu, socket)
        words = measured_boot.save_bundle(tmp_path, running, bundle, gpu)
        failed = running.text("systemctl --failed --no-legend --plain")
        active = running.text("systemctl list-units --no-legend --plain --state=active")
        generated = running.text("ls /run/systemd 2>/dev/null | grep generator || true")

    assert _differing(bundle, built, tmp_path) == []
    assert bundle.cpu is not None
    assert bundle.cpu.pcrs is not None
    assert bundle.cpu.pcrs["14"] == bundle.cpu.pcrs["15"] == bytes(32)
    assert failed == generated == ""
    assert not [line for line in active.splitlines() if "getty" in line or "emergency" in line]
    reported = [each for each in running.requests if each["request"].startswith("POST")]
    assert ["<State>Ready</State>" in each["body"] for each in reported] == [True]

    held = _held_to(built, tmp_path)
    done = measured_boot.verdict(tmp_path, f"{words} {held}")
    assert (done.code, done.document["verdict"]) == (0, "accepted"), done
    (tmp_path / "other.json").write_bytes(config.replace(b"owner", b"other"))
    other = held.replace("user-data", "other.json")
    done = measured_boot.verdict(tmp_path, f"{words} {other}")
    assert done.code == 9
    assert _refusals(done).keys() == {"policy.image.config"}
    assert "PCR 8" in _refusals(done)["policy.image.config"]


def test_a_credential_on_the_esp_shows_in_pcr_and_event(built, tmp_path):
    disk = copy_of(built / "disk.vhd", tmp_path)
    (tmp_path / "x.cred").write_bytes(b"evil")
    for program, *words in (
        ("mmd", "::/loader", "::/loader/credentials"),
        ("mcopy", str(tmp_path / "x.cred"), "::/loader/credentials/x.cred"),
    ):
        command = [program, "-i", f"{disk}@@{_ESP}", *words]
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    refused = Shell(tmp_path)(f"image measure {disk}")
    assert refused.code == 9
    assert "credentials/x.cred (a credential)" in refused.err

    bundle, words = _evidence(disk, tmp_path)
    assert _differing(bundle, built, tmp_path) == ["9", "12"]
    done = measured_boot.verdict(tmp_path, f"{words} {_held_to(built, tmp_path)}")
    assert (done.code, done.document["verdict"]) == (9, "rejected")
    said = _refusals(done)
    assert said.keys() == {"policy.image.pcr", "policy.image.added"}
    assert "PCR 12" in said["policy.image.added"]
    assert "credential" in said["policy.image.added"]


@pytest.mark.every_case
def test_one_word_more_on_the_command_line_shows_in_pcr_and_event(built, tmp_path):
    recipe = tmp_path / "image.yaml"
    recipe.write_text(RECIPE.read_text().replace("no_timer_check", "no_timer_check debug"))
    again = f"image build {recipe} --out {tmp_path / 'other'} --lock {built / 'image.lock'}"
    assert Shell(tmp_path)(again).code == 0
    bundle, words = _evidence(tmp_path / "other" / "disk.vhd", tmp_path)
    assert _differing(bundle, built, tmp_path) == ["4", "9", "11"]
    done = measured_boot.verdict(tmp_path, f"{words} {_held_to(built, tmp_path)}")
    assert done.code == 9
    assert _refusals(done).keys() == {"policy.image.pcr"}
    own = f"--policy measured --image {tmp_path}/other/image.json --config {tmp_path}/user-data"
    assert measured_boot.verdict(tmp_path, f"{words} {own}").code == 0


def test_a_root_with_one_other_bit_does_not_boot(built, tmp_path):
    disk = copy_of(built / "disk.vhd", tmp_path)
    root = _partitions(disk)[gpt.ROOT]
    _flip(disk, root.offset + 1024 + 8)  # in the superblock of the file system
    refused = Shell(tmp_path)(f"image measure {disk}")
    assert refused.code == 9, refused
    with booted(disk, tmp_path, user_data=b"") as machine:
        machine.wait_for_end(measured_boot.PATIENCE)
    assert "Kernel panic" in machine.console
    assert "Azure knows" not in machine.console
