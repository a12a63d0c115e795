"""The section `guest` from the command line: flags, memory, replacement, warnings."""

import base64
import hashlib
import json

import pytest

from ccgpu.domain.catalog import API_VERSIONS, Kind
from ccgpu.fakearm import FAKE_SUBSCRIPTION, Request
from ccgpu.store import driver_table
from support.cli import Shell
from support.cloud import Machine
from support.slow import mostly_slow

_CREATE = "create demo --region eastus2 --ssh-from 203.0.113.7/32"
_PATH = "/resourceGroups/ccgpu-demo/providers/Microsoft.Compute/virtualMachines/demo"
_CANARY = "hf_canary0123456789abcdefghij"
_PART = "#cloud-config\npackages: [vim]\n"


def _vm(shell):
    return Machine(shell.arm, shell.state).get(_PATH)


def _put(shell, line):
    """The body of the VM's PUT in the plan of a command line."""
    done = shell(f"{line} -o json")
    assert done.code == 0, done.err
    (vm,) = (one for one in done.document["resources"] if one["kind"].endswith("/virtualMachines"))
    return vm["body"]


def _custom_data(body):
    raw = base64.b64decode(body["properties"]["osProfile"]["customData"], validate=True)
    assert body["tags"]["ccgpu-custom-data"] == hashlib.sha256(raw).hexdigest()
    return raw.decode()


def _action(done):
    return {one["kind"].rsplit("/", 1)[1]: one["action"] for one in done.document["resources"]}


@pytest.fixture
def part(shell, tmp_path):
    assert shell.folder == tmp_path
    file = tmp_path / "work" / "extras.yaml"
    file.write_text(_PART)
    return file


@pytest.mark.parametrize(
    ("flag", "tag", "env"),
    [
        ("--driver 595.71.05", "driver=595.71.05", "CCGPU_DRIVER_VERSION=595.71.05"),
        ("--driver 550.144.03", "driver=550.144.03", "CCGPU_DRIVER_BRANCH=550"),
        ("--no-docker", "docker=false", "CCGPU_DOCKER=0"),
        ("--ready at-boot", "ready=at-boot", "CCGPU_READY=at-boot"),
        ("--no-lockdown", "lockdown=false", "CCGPU_LOCKDOWN=0"),
        ("--set guest.openssl=false", "openssl=false", "CCGPU_OPENSSL=0"),
        (
            "--set guest.container_toolkit=false",
            "container_toolkit=false",
            "CCGPU_CONTAINER_TOOLKIT=0",
        ),
        ("--set guest.apt_snapshot=none", "apt_snapshot=none", "CCGPU_APT_SNAPSHOT=\n"),
        ("--set guest.updates=none", "updates=none", "CCGPU_UPDATES=none"),
        ("--set guest.temp_disk=none", "temp_disk=none", "CCGPU_TEMP_DISK=none"),
    ],
)
def test_each_field_reaches_the_body_that_is_put(shell, flag, tag, env):
    body = _put(shell, f"plan demo --ssh-from 203.0.113.7/32 {flag}")
    assert tag in body["tags"]["ccgpu-guest"].split(";")
    assert env in _custom_data(body)


def test_lockdown_closes_extensions_and_the_agent_stays(shell):
    profiles = [
        _put(shell, f"plan demo --ssh-from 203.0.113.7/32 {flag}")["properties"]["osProfile"]
        for flag in ("", "--no-lockdown")
    ]
    assert [one["allowExtensionOperations"] for one in profiles] == [False, True]
    assert all(one["linuxConfiguration"]["provisionVMAgent"] for one in profiles)


def test_extra_parts_reach_the_vm_as_multipart(shell, part):
    text = _custom_data(_put(shell, f"plan demo --ssh-from 203.0.113.7/32 --cloud-init {part}"))
    assert text.startswith("MIME-Version: 1.0\n")
    assert _PART in text


def test_an_image_with_its_own_driver_gets_no_set_up(shell):
    image = "/CommunityGalleries/cgpu-images/Images/ubuntu/Versions/1.0.0"
    done = shell(f"plan demo --ssh-from 203.0.113.7/32 --image {image} --no-docker")
    assert done.code == 3
    assert "guest: asks for what only Canonical's images" in done.err


@pytest.mark.slow
def test_azure_keeps_custom_data_to_itself_and_the_tags_tell(shell):
    put = _put(shell, "plan demo --region eastus2 --ssh-from 203.0.113.7/32")
    assert shell(_CREATE).code == 0
    vm = _vm(shell)
    assert "customData" not in vm["properties"]["osProfile"]
    assert vm["properties"]["osProfile"]["allowExtensionOperations"] is False
    for tag in ("ccgpu-guest", "ccgpu-custom-data"):
        assert vm["tags"][tag] == put["tags"][tag]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("flag", "change"),
    mostly_slow(
        [
            pytest.param("--driver 590.48.01", "guest.driver: 595 → 590.48.01"),
            pytest.param("--no-docker", "guest.docker: true → false"),
            pytest.param("--ready at-boot", "guest.ready: after-attestation → at-boot"),
            pytest.param("--no-lockdown", "guest.lockdown: true → false"),
            pytest.param("--set guest.temp_disk=none", "guest.temp_disk: encrypted → none"),
            pytest.param("--cloud-init extras.yaml", "guest.cloud_init: none → sha256:"),
        ],
        5,
    ),
)
@pytest.mark.usefixtures("part")
def test_a_later_change_names_the_field_that_needs_a_replacement(shell, prepared, flag, change):
    prepared(shell, _CREATE)
    done = shell(f"create demo {flag}")
    assert done.code == 2
    assert f"these changes cannot be made in place:\n  {change}" in done.err
    assert f"`ccgpu create demo {flag} --replace`" in done.err
    assert shell(f"create demo {flag} --replace --yes --no-attest").code == 0
    assert shell("create demo --no-attest").out.endswith("nothing to do\n")


@pytest.mark.slow
def test_text_that_another_version_of_ccgpu_renders_replaces_nothing(shell, prepared):
    """Whatever it renders, only the section counts: the digest of the text is not compared."""
    prepared(shell, _CREATE)
    vm = _vm(shell)
    tags = vm["tags"] | {"ccgpu-custom-data": "0" * 64}
    _patch(shell, {"tags": tags})
    assert shell("create demo").out.endswith("nothing to do\n")
    assert shell("create demo --tag a=b").code == 0
    assert _vm(shell)["tags"]["ccgpu-custom-data"] == "0" * 64


def _patch(shell, body, path=_PATH, version="2026-04-01"):
    subscription = f"https://management.azure.com/subscriptions/{FAKE_SUBSCRIPTION}"
    url = f"{subscription}{path}?api-version={version}"
    headers = {"Authorization": "Bearer me"}
    answer = shell.arm.send(Request("PATCH", url, headers, json.dumps(body).encode()))
    assert answer.status < 300, answer
    shell.arm.advance(60)


def _forget_tags(shell):
    tags = {k: v for k, v in _vm(shell)["tags"].items() if k not in _FIRST_BOOT}
    _patch(shell, {"tags": tags})


_FIRST_BOOT = ("ccgpu-guest", "ccgpu-custom-data")


@pytest.mark.slow
def test_a_vm_that_was_made_before_the_section_is_kept(shell, prepared):
    prepared(shell, _CREATE)
    _forget_tags(shell)
    for line in ("create demo", "create demo --no-docker", "create demo --driver 550.144.03"):
        done = shell(line)
        assert done.out.endswith("nothing to do\n"), str(done)
        assert "550.144.03" not in done.err
        given = {"--no-docker": "guest.docker", "--driver": "guest.driver"}
        said = [f"{field} is not compared" in done.err for field in given.values()]
        assert said == [flag in line for flag in given]
    assert not set(_FIRST_BOOT) & set(_vm(shell)["tags"])


@pytest.mark.slow
def test_the_last_create_is_remembered_with_the_content_of_its_parts(shell, part):
    shell(f"{_CREATE} --cloud-init extras.yaml --no-docker")
    part.unlink()
    again = shell("create demo")
    assert again.out.endswith("nothing to do\n")
    assert "guest.docker false" in again.err
    assert f"guest.cloud_init a text of {len(_PART)} bytes" in again.err
    assert "vim" not in again.err


@pytest.mark.slow
def test_another_machine_keeps_parts_that_it_does_not_know(shell, prepared, part, tmp_path):
    prepared(shell, f"{_CREATE} --cloud-init extras.yaml")
    other = Shell(tmp_path / "other", arm=shell.arm).with_key()
    assert other("create demo").out.endswith("nothing to do\n")
    assert other(f"create demo --cloud-init {part}").out.endswith("nothing to do\n")


@pytest.mark.slow
def test_another_machine_does_not_replace_the_vm_without_its_parts(shell, prepared, part, tmp_path):
    prepared(shell, f"{_CREATE} --cloud-init extras.yaml")
    other = Shell(tmp_path / "other", arm=shell.arm).with_key()
    done = other("create demo --zone 2 --replace --yes")
    assert done.code == 3
    assert "guest.cloud_init: are not known on this machine" in done.err
    assert other(f"create demo --zone 2 --replace --yes --cloud-init {part}").code == 0
    assert _PART in _custom_data(_put(other, "plan demo"))


@pytest.mark.slow
def test_a_driver_that_is_no_longer_offered_is_kept_but_not_made_anew(shell, prepared):
    prepared(shell, _CREATE)
    old = _vm(shell)["tags"]["ccgpu-guest"].replace("driver=595;", "driver=580.173.02;")
    old = old.replace("installed=595.71.05", "installed=580.173.02")
    _patch(shell, {"tags": _vm(shell)["tags"] | {"ccgpu-guest": old}})
    kept = shell("create demo")
    assert kept.code == 0
    assert "the driver cannot be 580.173.02: it does not initialise the GPU" in kept.err
    refused = shell("create demo --zone 2 --replace --yes")
    assert refused.code == 3
    assert "guest.driver: cannot be 580.173.02" in refused.err
    assert shell("create demo --zone 2 --replace --yes --driver 595").code == 0


@pytest.mark.slow
def test_a_remembered_driver_that_is_no_longer_offered_is_kept_too(shell):
    """The last create named it when it was offered: only a new VM is refused it."""
    shell(f"{_CREATE} --driver 550.144.03 --no-attest")
    (journal,) = (shell.state / "journals").rglob("demo.json")
    journal.write_text(journal.read_text().replace("550.144.03", "580.173.02"))
    tags = _vm(shell)["tags"]
    old = tags["ccgpu-guest"].replace("550.144.03", "580.173.02")
    _patch(shell, {"tags": tags | {"ccgpu-guest": old}})
    done = shell("create demo --no-attest")
    assert done.out.endswith("nothing to do\n"), str(done)
    refused = shell("create demo --zone 2 --replace --yes")
    assert (refused.code, "guest.driver: cannot be 580.173.02" in refused.err) == (3, True)


@pytest.mark.slow
def test_a_disk_that_ccgpu_tags_does_not_get_the_tags_of_the_first_boot(shell, prepared):
    prepared(shell, _CREATE)
    path = "/resourceGroups/ccgpu-demo/providers/Microsoft.Compute/disks/demo-osdisk"
    version = API_VERSIONS[Kind.DISK]
    _patch(shell, {"tags": {}}, path, version)
    shell("create demo")
    tags = Machine(shell.arm, shell.state).get(path, version)["tags"]
    assert tags["ccgpu-deployment"] == "demo"
    assert not {*_FIRST_BOOT, "ccgpu-body"} & set(tags)


def test_nothing_in_a_tag_reaches_the_settings_of_a_new_vm_unchecked(shell, prepared):
    prepared(shell, _CREATE)
    evil = (
        "installed=1.2$(evil-word);driver=595$(evil-word);apt_snapshot=none x;cloud_init=#!/bin/sh"
    )
    _patch(shell, {"tags": _vm(shell)["tags"] | {"ccgpu-guest": evil}})
    text = _custom_data(_put(shell, "plan demo --zone 2"))
    assert "evil-word" not in text
    assert "CCGPU_DRIVER_VERSION=595.71.05\n" in text


@pytest.mark.slow
def test_nothing_private_of_this_machine_is_sent_or_shown(tmp_path, monkeypatch):
    """Canary: a key that ccgpu makes for the VM, and what the environment holds, stay here."""
    monkeypatch.setenv("HF_TOKEN", _CANARY)
    shell = Shell(tmp_path)  # without a key of its own, so that one is made
    shell.home.mkdir()
    sent = []
    shell.arm.on_commit = lambda request, _: sent.append(request.body or b"")
    done = shell(f"{_CREATE} -o json")
    assert done.code == 0, done.err
    (private,) = (tmp_path / "state" / "keys").glob("demo")
    secret = "".join(private.read_text().splitlines()[1:-1])
    data = [json.loads(body) for body in sent if b"customData" in body]
    texts = [_custom_data(body) for body in data]
    assert texts
    seen = [*texts, done.out, done.err, *(body.decode() for body in sent)]
    journals = [file.read_text() for file in (tmp_path / "state" / "journals").rglob("*.json*")]
    assert journals
    for text in (*seen, *journals):
        assert _CANARY not in text
        assert "PRIVATE KEY" not in text
        assert not any(secret[at : at + 32] in text for at in range(64, len(secret) - 32, 32))


@pytest.mark.slow
def test_plan_and_create_warn_ahead_of_time(shell):
    commands = ("plan", "create --no-attest")
    line = "demo --region eastus2 --ssh-from 203.0.113.7/32 --driver 550.144.03"
    planned = shell(f"plan {line}")
    words = "driver 550.144.03 lacks NVIDIA's security fixes of May 2026"
    assert f"note: {words}" in planned.err
    documents = [shell(f"{command} {line} -o json").document for command in commands]
    assert all(any(words in text for text in one["warnings"]) for one in documents)
    assert words in shell("create demo --no-attest").err, (
        "of the VM's own driver, whatever the default is"
    )


@pytest.mark.slow
def test_an_expiring_signer_is_warned_of_by_azures_clock(shell):
    line = "plan demo --ssh-from 203.0.113.7/32 --driver 550.144.03"
    said = [""]
    while "expired on 2026-12-30" not in said[-1] and len(said) < 50:
        (*_, text) = ["", *(one for one in shell(line).err.splitlines() if "signer" in one)]
        said.append(text)
        shell.arm.advance(30 * 24 * 3600)
    assert said[1] == ""
    assert said[-2].startswith("note: the signer of 550.144.03's manifest expires in ")
    assert "expired on 2026-12-30" in said[-1]


def test_the_default_of_the_section_is_the_tables(shell):
    body = _put(shell, "plan demo --ssh-from 203.0.113.7/32")
    default = driver_table.shipped().default
    assert f"driver={default};" in body["tags"]["ccgpu-guest"]
    assert shell("plan demo --ssh-from 203.0.113.7/32").err == ""


def test_drivers_lists_the_table(shell, golden):
    golden("cli/drivers.txt", str(shell("drivers --at 2026-11-29")))
    document = shell("drivers -o json --at 2026-11-29").document
    offered = [one["version"] for one in document["drivers"] if one["offered"]]
    assert offered == [one.version for one in driver_table.shipped().offered()]


def test_the_weekly_check_fails_ahead_of_time(shell, golden):
    assert shell("drivers --check --at 2026-11-29").code == 0
    golden("cli/drivers-check.txt", str(shell("drivers --check --within 31d --at 2027-03-01")))
    assert shell("drivers --check --at 2027-03-31T00:00:00Z -o json").error["exit_code"] == 3
    assert shell("drivers --at tomorrow").code == 2


def test_the_signer_of_another_driver_is_a_warning_until_it_has_expired(shell):
    """The table's 550.144.03 must not fail everybody's weekly job for a month."""
    words = "the signer of 550.144.03's manifest expires in 30 days"
    done = shell("drivers --check --at 2026-11-30")
    assert (done.code, words in done.out) == (0, True), done
    document = shell("drivers --check --at 2026-11-30 -o json").document
    assert document["warnings"] == [words]
    assert shell("drivers --check --at 2026-11-29 -o json").document["warnings"] == []
    early = shell("drivers --check --within 90d --at 2026-10-02")
    assert (early.code, "warning: the signer of 550.144.03's" in early.out) == (0, True)
    late = shell("drivers --check --at 2026-12-30")
    assert (late.code, "550.144.03's manifest expired on 2026-12-30" in late.err) == (3, True)
