"""A measured image: built again it is the same, and booted it is what its manifest says.

The boots are real: QEMU, OVMF, a software TPM. GPU and SNP report are simulated. Three machines
boot at once, one core each; `CCGPU_EVERY_CASE=1` boots more.
"""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pytest

import measured_image
from ccgpu.domain.bundle import EvidenceBundle
from ccgpu.domain.image_manifest import pcrs_of
from ccgpu.image import gpt
from ccgpu.store import image_files
from support import image_variants, measured_boot
from support.cli import CommandResult, Shell
from support.image_variants import copy_of, put_on_esp
from support.machine_boot import booted
from support.measured_boot import MeasuredMachine, built_image, gpu_at, measured_machine
from support.repository import ROOT
from support.scratch_disk import MARK, ScratchDisk
from support.vms import vm

pytestmark = pytest.mark.slow

RECIPE = ROOT / "examples" / "measured" / "tiny.yaml"
SECRET = b"hf_Canary5Tz"
CREDENTIAL = "loader/credentials/x.cred"
EXTENSION = "EFI/BOOT/BOOTX64.EFI.extra.d/extension.raw"


@dataclass
class Boot:
    """A boot that has ended: its evidence, the words of `ccgpu verify` on it, what was said."""

    folder: Path
    bundle: EvidenceBundle
    words: str
    console: str
    requests: list[dict[str, str]]
    said: dict[str, str] = field(default_factory=dict)

    @property
    def pcrs(self) -> dict[str, str]:
        """The quoted PCRs."""
        assert self.bundle.cpu is not None
        assert self.bundle.cpu.pcrs is not None
        return {at: value.hex() for at, value in self.bundle.cpu.pcrs.items()}

    def held_to(self, manifest: Path, config: Path | None = None) -> CommandResult:
        """The verdict on its evidence by a manifest, and its own config or another one."""
        given = config or self.folder / "user-data"
        held = f"--policy measured --image {manifest} --config {given}"
        return measured_boot.verdict(self.folder, f"{self.words} {held}")

    def differing(self, manifest: Path) -> list[str]:
        """The PCRs that are not what the image of a manifest leads to."""
        stated = image_files.load_manifest(manifest).manifest
        expected = pcrs_of(stated.uki, (self.folder / "user-data").read_bytes())
        return [at for at, value in expected.items() if self.pcrs[at] != value]


def _boot(
    disk: Path,
    folder: Path,
    scratch: ScratchDisk | None = None,
    ask: Callable[[MeasuredMachine], dict[str, str]] = lambda _: {},
    *,
    releasing: bool = False,
) -> Boot:
    more = scratch.words if scratch else ()
    with gpu_at(folder) as (gpu, socket), measured_machine(disk, folder, more=more) as running:
        said = ask(running)
        bundle = running.collect(gpu, socket)
        if releasing:
            said["secret"] = running.released(bundle, SECRET)
        words = measured_boot.save_bundle(folder, running, bundle, gpu)
        return Boot(folder, bundle, words, running.machine.console, running.requests, said)


def _ask_all(running: MeasuredMachine) -> dict[str, str]:
    return {
        "failed": running.text("systemctl --failed --no-legend --plain"),
        "active": running.text("systemctl list-units --no-legend --plain --state=active"),
        "generated": running.text("ls /run/systemd 2>/dev/null | grep generator || true"),
        "below": running.text("findmnt -no FSTYPE,OPTIONS /usr/lib/ccgpu/lower"),
        **ScratchDisk.ask(running),
    }


def _panic(disk: Path, folder: Path) -> str:
    """The console of a machine that does not boot."""
    with booted(disk, folder, user_data=b"") as machine:
        machine.wait_for_end(measured_boot.PATIENCE)
        return machine.console


def _refusals(done: CommandResult) -> dict[str, str]:
    """What the failed checks say, by their ids."""
    assert (done.code, done.document["verdict"]) == (9, "rejected"), done
    return {one["id"]: json.dumps(one) for one in done.document["checks"] if not one["ok"]}


@pytest.fixture(scope="module")
def built() -> Path:
    """The folder of the built image."""
    return built_image()


@pytest.fixture(scope="module")
def manifest(built: Path) -> Path:
    """Its manifest."""
    return built / "image.json"


@dataclass
class Boots:
    """The boots of every CI."""

    plain: Boot
    credential: Boot
    flipped: Path
    panic: str
    scratch: ScratchDisk


@pytest.fixture(scope="module")
def boots(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Boots]:
    """Three machines, at once: the image, with a credential on its ESP, and with a flipped bit."""
    vm()  # made once, before the threads ask for it
    folders = {name: tmp_path_factory.mktemp(name) for name in ("plain", "credential", "flipped")}
    scratch = ScratchDisk(folders["plain"] / "scratch")
    added = copy_of(built / "disk.vhd", folders["credential"])
    put_on_esp(added, CREDENTIAL, b"evil")
    flipped = copy_of(built / "disk.vhd", folders["flipped"])
    root = image_variants.partitions(flipped)[gpt.ROOT]
    image_variants.flip(flipped, root.offset + 1024 + 8)  # in the superblock of the file system
    with ThreadPoolExecutor() as pool:
        disk = built / "disk.vhd"
        plain = pool.submit(_boot, disk, folders["plain"], scratch, _ask_all, releasing=True)
        credential = pool.submit(_boot, added, folders["credential"])
        panic = pool.submit(_panic, flipped, folders["flipped"])
        yield Boots(plain.result(), credential.result(), flipped, panic.result(), scratch)


@pytest.fixture(scope="module")
def other_line(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The image with one word more on its command line, and its manifest beside it."""
    disk = copy_of(built / "disk.vhd", tmp_path_factory.mktemp("line"))
    image_variants.change_command_line(disk, lambda line: f"debug {line}")
    image_variants.write_manifest(disk, built / "image.json")
    return disk


@pytest.fixture(scope="module")
def other_root(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The image with another root file system, and its manifest beside it."""
    disk = copy_of(built / "disk.vhd", tmp_path_factory.mktemp("root"))
    image_variants.change_root(disk, image_variants.rebuild_root)
    image_variants.write_manifest(disk, built / "image.json")
    return disk


def test_an_image_built_again_from_its_lock_is_the_same_without_a_network(built, tmp_path):
    command = [sys.executable, "-m", "ccgpu", "image", "build", RECIPE, "--out", tmp_path / "again"]
    command += ["--lock", built / "image.lock", "-o", "json"]
    environ = measured_image.build_environment(built)
    done = subprocess.run(
        ["unshare", "-n", *command], capture_output=True, text=True, check=False, env=environ
    )
    assert done.returncode == 0, done.stderr
    for name in ("disk.vhd", "image.json", "image.lock"):
        compared = subprocess.run(["cmp", built / name, tmp_path / "again" / name], check=False)
        assert compared.returncode == 0


def test_what_is_inside_a_disk_is_what_its_manifest_says(built, tmp_path):
    shown = Shell(tmp_path)(f"image show {built / 'disk.vhd'} -o json").document
    for each in ("packages", "units", "containers"):
        assert sorted(shown["inside"][each], key=str) == sorted(shown["image"][each], key=str)
    assert len(shown["inside"]["packages"]) > 100
    kept = json.loads((built / "image.json").read_text())
    kept["packages"] = [each for each in kept["packages"] if each["name"] != "sudo"]
    kept["units"] = [*kept["units"], "other.service"]
    (tmp_path / "disk.vhd").symlink_to(built / "disk.vhd")
    (tmp_path / "image.json").write_text(json.dumps(kept))
    refused = Shell(tmp_path)(f"image show {tmp_path / 'disk.vhd'}")
    assert refused.code == 9
    assert "packages.sudo: expected nothing, found " in refused.err
    assert "units.other.service: expected started at boot, found nothing" in refused.err


def test_a_booted_image_is_what_its_manifest_says(boots, manifest):
    plain = boots.plain
    assert plain.differing(manifest) == []
    assert plain.pcrs["14"] == plain.pcrs["15"] == bytes(32).hex()
    assert plain.said["failed"] == plain.said["generated"] == ""
    units = plain.said["active"].splitlines()
    assert not [line for line in units if "getty" in line or "emergency" in line]
    assert plain.said["below"].split()[0] == "erofs"
    assert plain.said["below"].split()[1].startswith("ro,")
    reported = [each for each in plain.requests if each["request"].startswith("POST")]
    assert ["<State>Ready</State>" in each["body"] for each in reported] == [True]
    done = plain.held_to(manifest)
    assert (done.code, done.document["verdict"]) == (0, "accepted"), done


def test_a_secret_that_is_sealed_to_the_evidence_is_opened_in_the_image(boots):
    assert boots.plain.said["secret"] == SECRET.decode()


def test_another_config_is_refused_with_pcr_8(boots, manifest, tmp_path):
    config = (boots.plain.folder / "user-data").read_bytes()
    (tmp_path / "other.json").write_bytes(config.replace(b"owner", b"other"))
    said = _refusals(boots.plain.held_to(manifest, tmp_path / "other.json"))
    assert said.keys() == {"policy.image.config"}
    assert "PCR 8" in said["policy.image.config"]


def test_a_boot_is_not_that_of_one_word_more_on_the_command_line(boots, other_line):
    own = other_line.with_name("image.json")
    assert boots.plain.differing(own) == ["4", "9", "11"]
    _require_command_line(boots.plain.held_to(own))


def test_a_boot_is_not_that_of_another_root(boots, other_root):
    own = other_root.with_name("image.json")
    assert boots.plain.differing(own) == ["4", "9", "11"]
    _require_command_line(boots.plain.held_to(own))


def test_a_credential_on_the_esp_shows_in_pcr_and_event(boots, manifest, tmp_path):
    refused = Shell(tmp_path)(f"image measure {boots.credential.folder / 'disk.vhd'}")
    assert refused.code == 9
    assert "credentials/x.cred (a credential)" in refused.err
    assert boots.credential.differing(manifest) == ["9", "12"]
    said = _refusals(boots.credential.held_to(manifest))
    assert said.keys() == {"policy.image.pcr", "policy.image.added"}
    assert "PCR 12" in said["policy.image.added"]
    assert "credential" in said["policy.image.added"]


def test_a_root_with_one_other_bit_does_not_boot(boots, tmp_path):
    assert "Kernel panic" in boots.panic
    assert "Azure knows" not in boots.panic
    refused = Shell(tmp_path)(f"image measure {boots.flipped}")
    assert refused.code == 9, refused
    assert "the hash tree" in refused.err


def test_the_temporary_disk_is_encrypted_with_a_key_of_this_boot(boots):
    said = boots.plain.said
    assert said["mounted"] == "/dev/mapper/ccgpu-temp ext4"
    assert said["cipher"].startswith("aes-xts-plain64")
    assert said["written"] == said["read"]
    raw = boots.scratch.file.read_bytes()
    assert MARK not in raw
    assert any(raw)
    assert boots.scratch.signatures() == ""


@pytest.mark.every_case
def test_another_boot_cannot_read_what_is_on_the_temporary_disk(boots, built, tmp_path):
    before = boots.scratch.file.read_bytes()
    again = _boot(built / "disk.vhd", tmp_path, boots.scratch, ScratchDisk.ask_before_writing)
    assert again.said["found"] == "0"
    assert again.said["mounted"] == "/dev/mapper/ccgpu-temp ext4"
    kept = sum(a == b for a, b in zip(before, boots.scratch.file.read_bytes(), strict=True))
    assert kept < len(before)  # it was made anew


@pytest.mark.every_case
def test_the_variants_boot_and_show_in_pcr_and_event(
    built, manifest, other_line, other_root, tmp_path
):
    extended = copy_of(built / "disk.vhd", tmp_path / "extended")
    put_on_esp(extended, EXTENSION, b"evil" * 128)
    refused = Shell(tmp_path)(f"image measure {extended}")
    assert "extra.d/extension.raw (a system or configuration extension)" in refused.err
    vm()
    folders = [tmp_path / name for name in ("line", "root", "extension")]
    for folder in folders:
        folder.mkdir()
    with ThreadPoolExecutor() as pool:
        line, root, extension = pool.map(_boot, (other_line, other_root, extended), folders)
    for boot, own in ((line, other_line), (root, other_root)):
        assert boot.differing(manifest) == ["4", "9", "11"]
        _require_command_line(boot.held_to(manifest))
        assert boot.held_to(own.with_name("image.json")).code == 0
    assert extension.differing(manifest) == ["9", "13"]
    said = _refusals(extension.held_to(manifest))
    assert "policy.image.workloads" in said
    assert "PCR 13" in said["policy.image.workloads"]


def _require_command_line(done: CommandResult) -> None:
    """The verdict names the first PCR that differs, and its event: the command line in the UKI."""
    said = _refusals(done)
    assert said.keys() == {"policy.image.pcr"}
    assert "PCR 11" in said["policy.image.pcr"]
    assert "(.cmdline)" in said["policy.image.pcr"]
