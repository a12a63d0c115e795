"""`create` from a measured image: the VM is held to it by every command, from the first on."""

import base64
import json
from pathlib import Path

import pytest

from ccgpu.domain.guest_config import config_bytes
from ccgpu.domain.published_image import MANIFEST_TAG, VHD_TAG
from support.arm import Client
from support.cli import Shell
from support.cloud import PUBLIC_KEY
from support.measured_deployments import (
    GALLERY,
    IMAGE,
    MANIFEST,
    SHA256,
    TAGS,
    VERSION,
    VHD,
    MeasuredUser,
    gallery,
)
from support.slow import mostly_slow

_VM = (
    "/subscriptions/00000000-0000-4000-8000-000000000001/resourceGroups/ccgpu-demo/providers"
    "/Microsoft.Compute/virtualMachines/demo"
)


def published(shell: Shell) -> MeasuredUser:
    return MeasuredUser(shell).publish()


def created(shell: Shell) -> None:
    """The deed of most tests: a VM from a measured image, not attested yet."""
    done = published(shell).create("--no-attest")
    assert done.code == 0, done


@pytest.fixture
def user(shell: Shell, prepared) -> MeasuredUser:
    """A user whose VM boots a measured image; it was not attested."""
    prepared(shell, created)
    return MeasuredUser(shell)


def host_gives(user: MeasuredUser, config: bytes) -> None:
    """As a host may: another config at the next boot."""
    data = base64.b64encode(config).decode()
    Client(user.shell.arm).complete("PATCH", _VM, {"properties": {"userData": data}})
    assert user("restart demo").code == 0


def records(shell: Shell) -> list[str]:
    (folder,) = (shell.state / "journals").iterdir()
    return sorted(one.name for one in folder.iterdir() if one.suffix in (".image", ".guest-config"))


def test_create_attests_by_the_policy_measured(shell, golden):
    shell.width = 400  # paths are not broken
    done = published(shell).create()
    text = str(done).replace(str(shell.folder), "/home/me")
    golden("cli/create-measured.txt", text)
    assert done.code == 0
    assert "accepted by policy measured" in done.out


def test_secrets_and_workloads_go_to_the_vm_that_runs_the_image(user, tmp_path):
    (tmp_path / "token").write_text("hunter2")
    words = f"--backend fake --from-file {tmp_path}/token -o json"
    done = user.shell(f"secret put demo token {words}")
    assert done.code == 0, done
    assert done.document["policy"] == "measured"
    done = user("run demo --workload shell -o json")
    assert done.code == 0, done
    assert done.document["verdict"]["policy"] == "measured"
    assert user("attest demo -o json").document["facts"]["image manifest (SHA-256)"] == SHA256


def test_nothing_is_sent_before_a_verdict_binds_the_host_key_of_the_boot(user):
    refused = user("exec demo -- true")
    assert refused.code == 10
    assert "only a verdict tells which" in refused.err
    assert user("attest demo").code == 0
    assert user("exec demo -- true").code == 0
    assert user("restart demo").code == 0
    assert user("exec demo -- true").code == 10
    done = user("attest demo -o json")
    assert done.code == 0, done
    assert user("exec demo -- true").code == 0


def test_a_host_that_gives_another_config_is_found_out(user):
    config = json.dumps({"schema": "ccgpu.guest-config/1", "user": "azureuser", "ssh_keys": ["x"]})
    host_gives(user, config.encode())
    done = user("attest demo")
    assert done.code == 9
    assert "PCR 8" in done.out
    assert "the VM was given another config" in done.out
    refused = user("run demo --workload shell")
    assert refused.code == 9


@pytest.mark.slow
def test_a_host_that_boots_another_image_is_found_out(user):
    document = json.loads(MANIFEST)
    document["uki"]["sections"][2]["sha256"] = "5a" * 32
    user.shell.arm.configure({"measured_images": {VHD: document}})
    done = user("attest demo")
    assert done.code == 9
    assert "policy.image.pcr" in done.out


@pytest.mark.slow
def test_a_policy_that_asks_for_less_is_the_users_choice_and_is_shown(user):
    done = user("attest demo --policy cpu-only")
    assert "policy cpu-only does not ask for it" in done.err
    assert "by policy cpu-only" in done.out


@pytest.mark.slow
def test_the_image_and_the_config_are_checked_against_those_of_the_deployment(user, tmp_path):
    own = user.shell.folder / "image.json"
    assert user(f"attest demo --image {own}").code == 0
    own.write_bytes(MANIFEST + b"\n")
    done = user(f"attest demo --image {own}")
    assert done.code == 2
    assert SHA256 in done.err
    own.write_bytes(MANIFEST)
    (tmp_path / "config").write_text("{}")
    done = user(f"attest demo --image {own} --config {tmp_path}/config")
    assert done.code == 2
    assert "instead of" in done.err


def test_a_manifest_that_has_changed_is_refused(shell):
    user = published(shell)
    assert user.create().code == 0
    (shell.folder / "image.json").write_bytes(dump_of_other())
    done = user("attest demo")
    assert done.code == 2
    assert "has changed" in done.err
    assert SHA256 in done.err
    assert user("show demo -o json").document["attestation"] is None
    refused = user.create()
    assert refused.code == 2
    assert "image.measured (SHA-256 of the manifest)" in refused.err
    assert user("delete demo --yes").code == 0


def dump_of_other() -> bytes:
    """The manifest with another name: as valid, and not the one."""
    document = json.loads(MANIFEST)
    return MANIFEST.replace(document["name"].encode(), b"other", 1)


def test_another_machine_has_to_be_told_the_image(user, tmp_path):
    other = Shell(tmp_path / "other", user.shell.arm)
    other.folder.mkdir()
    other.with_key()
    config = next((user.shell.state / "journals").glob("*/demo.guest-config"))
    done = other("attest demo --backend fake")
    assert done.code == 2
    assert "boots a measured image" in done.err
    words = f"--image {user.shell.folder}/image.json --config {config}"
    done = other(f"attest demo --backend fake {words}")
    assert done.code == 0, done
    assert "ACCEPTED by policy measured" in done.out


@pytest.mark.slow
def test_a_machine_with_the_spec_holds_the_vm_to_it_without_making_it(user, tmp_path):
    other = Shell(tmp_path / "other", user.shell.arm)
    other.folder.mkdir()
    done = MeasuredUser(other.with_key()).create()
    assert done.code == 0, done
    assert "nothing to do" in done.out
    assert "accepted by policy measured" in done.out


@pytest.mark.parametrize("form", mostly_slow(["arm", "terraform"], 2))
def test_what_is_rendered_boots_the_same(user, form):
    done = user(f"render -f {user.shell.folder}/spec.yaml --format {form}")
    assert done.code == 0, done
    data = base64.b64encode(config_bytes("azureuser", [PUBLIC_KEY])).decode()
    assert f'"userData": "{data}"' in done.out or f'userData = "{data}"' in done.out
    assert "customData" not in done.out
    assert "holds the VM to its image" in done.err


def test_create_again_changes_nothing_and_another_image_replaces_the_vm(user):
    assert "nothing to do" in user.create("--no-attest").out
    assert "nothing to do" in user("create demo --no-attest").out
    assert "nothing to do" in user("create demo --fresh --no-attest").out
    refused = user("create demo --fresh --replace --yes --admin-user other --no-attest")
    assert refused.code == 3
    assert "its manifest is needed" in refused.err
    plain = user("create demo --image Canonical:ubuntu-24_04-lts:cvm:latest --fresh --no-attest")
    assert plain.code == 2
    assert records(user.shell) == ["demo.guest-config", "demo.image"]


@pytest.mark.slow
def test_a_vm_made_anew_from_an_ordinary_image_is_an_ordinary_vm(user):
    words = "--image Canonical:ubuntu-24_04-lts:cvm:latest --fresh --no-attest --replace --yes"
    done = user(f"create demo --secure-boot --disk-encryption full {words}")
    assert done.code == 0, done
    assert records(user.shell) == []


def test_delete_forgets_what_it_was_held_to(user):
    assert records(user.shell) == ["demo.guest-config", "demo.image"]
    assert user("delete demo --yes").code == 0
    assert records(user.shell) == []


def test_the_newest_version_that_holds_the_image_is_taken(shell):
    other = {**TAGS, MANIFEST_TAG: "0" * 64}
    newer = gallery(other, version=f"{IMAGE}/versions/1.10.0")[2:]
    older = gallery(version=f"{IMAGE}/versions/1.2.0")[2:]
    user = MeasuredUser(shell).publish([*gallery(), *newer, *older])
    user.write(IMAGE)
    assert user.create("--no-attest").code == 0
    vm = Client(shell.arm).get(_VM)
    assert vm["properties"]["storageProfile"]["imageReference"]["id"] == VERSION
    assert "nothing to do" in user.create("--no-attest").out


@pytest.mark.parametrize(
    "case",
    mostly_slow(
        [
            (gallery({**TAGS, MANIFEST_TAG: "0" * 64}), 3, (MANIFEST_TAG, "0" * 64, SHA256)),
            (gallery({**TAGS, VHD_TAG: "1" * 64}), 3, (VHD_TAG, "1" * 64, VHD)),
            (gallery({}), 3, (MANIFEST_TAG, "absent")),
            (gallery(state="Specialized"), 3, ("Specialized",)),
            (gallery(security="TrustedLaunch"), 3, ("its SecurityType is TrustedLaunch",)),
            (gallery(regions=("northeurope",)), 4, ("is not in eastus2", "northeurope")),
            ([{"id": GALLERY, "location": "eastus2", "properties": {}}], 4, ("tiny",)),
        ],
        3,
    ),
)
def test_a_gallery_with_another_image_is_refused_before_the_first_write(shell, case):
    resources, code, words = case
    user = MeasuredUser(shell).publish(resources)
    done = user.create()
    assert done.code == code, done
    said = done.err.replace("\n", " ")
    assert all(word in said for word in words), said
    assert shell.writes() == []
    assert not list(Path(shell.state).glob("journals/*/demo.image"))


def test_a_policy_that_would_reject_every_such_vm_is_refused_before_it_costs(shell):
    done = published(shell).create("--policy cpu-only")
    assert done.code == 2
    assert "policy cpu-only asks for secure boot" in done.err
    assert shell.writes() == []


def test_doctor_has_nothing_to_look_at(user):
    done = user("doctor demo")
    assert done.code == 2
    assert "boots a measured image" in done.err
