"""What cloud-init gets: right for each setting, the same each time, within Azure's limit."""

import email
import os
import re
import subprocess
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from ccgpu.domain.catalog import MAX_CUSTOM_DATA
from ccgpu.domain.spec.guest import Guest
from ccgpu.errors import InvalidFile
from ccgpu.guest.cloud_init import ENV_PATH, UNITS, guest_env, prebuilt_image, set_up_image
from ccgpu.guest.files import GuestFile, shipped_files

_FILES = (
    GuestFile("/etc/systemd/system/ccgpu-drift.service", "[Service]\nExecStart=true\n"),
    GuestFile("/etc/systemd/system/ccgpu-setup.service", "[Service]\n\n[Install]\nWantedBy=x\n"),
    GuestFile("/usr/local/lib/ccgpu/lib.sh", "# a library\n"),
    GuestFile("/usr/local/lib/ccgpu/setup", "#!/bin/bash\nif true; then\n\techo '{{ x }}'\nfi\n"),
)
# Every top-level key that ccgpu itself writes. cloud-init's own check lets unknown ones pass.
_KEYS = {
    *("locale", "ssh_pwauth", "disable_root", "ssh_deletekeys", "ssh_genkeytypes", "ssh"),
    *("mounts", "write_files", "runcmd"),
}
_SETTINGS: list[dict[str, Any]] = [
    {},
    {"docker": False},
    {"container_toolkit": False},
    {"openssl": False},
    {"apt_snapshot": "none"},
    {"updates": "none"},
    {"temp_disk": "none"},
    {"ready": "at-boot"},
    {"lockdown": False},
]


def _guest(**changes: Any) -> Guest:
    return Guest.model_validate(changes)


def _render(files=_FILES, **changes: Any) -> str:
    return set_up_image(_guest(**changes), "595.71.05", files)


def _written(text: str) -> dict[str, dict[str, str]]:
    return {entry["path"]: entry for entry in yaml.safe_load(text)["write_files"]}


def _env(**changes: Any) -> dict[str, str]:
    lines = _written(_render(**changes))[ENV_PATH]["content"].splitlines()
    return dict(line.split("=", 1) for line in lines)


def test_the_configuration_matches_the_golden_files(golden):
    golden("guest/canonical.yaml", _render())
    golden("guest/prebuilt.yaml", prebuilt_image(_guest()))
    golden("guest/parts.txt", _render(cloud_init=["#cloud-config\na: 1\n", "#!/bin/sh\ntrue\n"]))


@pytest.mark.parametrize("changes", _SETTINGS, ids=str)
def test_every_text_is_a_cloud_config_of_known_keys(changes):
    text = _render(**changes)
    assert text.startswith("#cloud-config\n")
    assert set(yaml.safe_load(text)) == _KEYS
    assert set(yaml.safe_load(prebuilt_image(_guest()))) < _KEYS


def test_the_keys_of_cloud_init_are_from_its_manual():
    """`cloud-init schema` knows them all: a misspelt key would do nothing, silently."""
    assert yaml.safe_load(_render())["ssh"] == {"emit_keys_to_console": True}


@pytest.mark.parametrize("changes", _SETTINGS, ids=str)
def test_nobody_logs_in_by_password_and_the_host_key_is_made_in_the_vm(changes):
    for text in (_render(**changes), prebuilt_image(_guest(**changes))):
        values = yaml.safe_load(text)
        assert values["ssh_pwauth"] is False
        assert values["disable_root"] is True
        assert values["ssh_genkeytypes"] == ["ed25519"]
        assert values["ssh_deletekeys"] is True
        assert not {"ssh_keys", "chpasswd", "password", "users"} & set(values)


def test_files_arrive_exactly_with_their_modes():
    written = _written(_render())
    for file in _FILES:
        assert written[file.path]["content"] == file.text
        assert written[file.path]["owner"] == "root:root"
    modes = {path: entry["permissions"] for path, entry in written.items()}
    assert modes == {
        "/etc/ccgpu/guest.env": "0644",
        "/etc/systemd/system/ccgpu-drift.service": "0644",
        "/etc/systemd/system/ccgpu-setup.service": "0644",
        "/usr/local/lib/ccgpu/lib.sh": "0644",
        "/usr/local/lib/ccgpu/setup": "0755",
    }


def test_the_set_up_is_started_without_waiting_for_it():
    """It waits for the end of cloud-init, so cloud-init must not wait for it."""
    units = ["ccgpu-setup.service", "ccgpu-drift.service"]
    assert yaml.safe_load(_render())["runcmd"] == [
        ["systemctl", "daemon-reload"],
        ["systemctl", "enable", "--now", "--no-block", *units],
    ]


def test_every_unit_that_is_started_ships():
    shipped = {file.path for file in shipped_files()}
    assert not shipped or {f"/etc/systemd/system/{unit}" for unit in UNITS} <= shipped


def test_the_temporary_disk_is_never_mounted_unencrypted():
    for choice in ("encrypted", "none"):
        assert yaml.safe_load(_render(temp_disk=choice))["mounts"] == [["ephemeral0"]]


_DEFAULT_ENV = {
    "CCGPU_DRIVER_BRANCH": "595",
    "CCGPU_DRIVER_VERSION": "595.71.05",
    "CCGPU_CONTAINER_TOOLKIT": "1",
    "CCGPU_DOCKER": "1",
    "CCGPU_OPENSSL": "1",
    "CCGPU_APT_SNAPSHOT": "20260615T120000Z",
    "CCGPU_UPDATES": "security",
    "CCGPU_TEMP_DISK": "encrypted",
    "CCGPU_READY": "after-attestation",
    "CCGPU_LOCKDOWN": "1",
}


def test_the_settings_have_every_variable():
    env = _env()
    assert re.fullmatch("[0-9a-f]{16}", env.pop("CCGPU_SETUP_ID"))
    assert env == _DEFAULT_ENV


@pytest.mark.parametrize(
    ("changes", "variable", "value"),
    [
        ({"docker": False}, "CCGPU_DOCKER", "0"),
        ({"container_toolkit": False}, "CCGPU_CONTAINER_TOOLKIT", "0"),
        ({"openssl": False}, "CCGPU_OPENSSL", "0"),
        ({"apt_snapshot": "none"}, "CCGPU_APT_SNAPSHOT", ""),
        ({"updates": "none"}, "CCGPU_UPDATES", "none"),
        ({"temp_disk": "none"}, "CCGPU_TEMP_DISK", "none"),
        ({"ready": "at-boot"}, "CCGPU_READY", "at-boot"),
        ({"lockdown": False}, "CCGPU_LOCKDOWN", "0"),
    ],
)
def test_each_setting_is_one_variable_and_changes_the_id_of_the_set_up(changes, variable, value):
    env = _env(**changes)
    assert env.pop("CCGPU_SETUP_ID") != _env()["CCGPU_SETUP_ID"]
    assert env == _DEFAULT_ENV | {variable: value}


def test_a_changed_file_changes_the_id_of_the_set_up_and_extra_parts_do_not():
    other = (*_FILES[:-1], GuestFile(_FILES[-1].path, "#!/bin/sh\n"))
    ids = {guest_env(_guest(), "595.71.05", files) for files in (_FILES, other, ())}
    assert len(ids) == 3
    parts = _guest(cloud_init=["#!/bin/sh\n"])
    assert guest_env(parts, "595.71.05", _FILES) == guest_env(_guest(), "595.71.05", _FILES)


def test_a_shell_reads_the_settings_as_they_are():
    env = guest_env(_guest(), "595.71.05", _FILES)
    script = f"set -euo pipefail\n{env}compgen -v | grep ^CCGPU_ | while read n; do"
    script += ' echo "$n=${!n}"; done'
    environment = {"PATH": os.environ["PATH"]}
    done = subprocess.run(
        ["bash", "-c", script], env=environment, capture_output=True, text=True, check=True
    )
    assert sorted(done.stdout.split()) == sorted(env.split())


@pytest.mark.parametrize("driver", ["595; reboot", "$(id)", "595 71", "595\n", "ü"])
def test_nothing_that_a_shell_expands_gets_into_the_settings(driver):
    with pytest.raises(ValueError, match="DRIVER_VERSION"):
        guest_env(_guest(), driver, ())


def test_the_same_input_gives_the_same_text():
    assert _render(cloud_init=["#!/bin/sh\n"]) == _render(cloud_init=["#!/bin/sh\n"])


_TEXTS = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Zl", "Zp"]) | st.just("\n")
)
_PARTS = st.lists(
    st.builds(
        lambda head, text: f"{head}\n{text}",
        st.sampled_from(["#cloud-config", "#!/bin/sh"]),
        _TEXTS.filter(lambda text: not re.search("[\ufffe\uffff]|merge", text)),
    ),
    min_size=1,
    max_size=4,
)


@pytest.mark.slow
@given(_PARTS)
def test_extra_parts_arrive_as_they_are_in_their_order(parts):
    text = _render(files=(), cloud_init=parts)
    message: Any = email.message_from_string(text)
    _, *sections = message.walk()
    own, *extra = [section.get_payload(decode=True).decode() for section in sections]
    assert own == _render(files=())
    assert extra == parts
    kinds = [section.get_content_type() for section in sections[1:]]
    expected = {"#c": "text/cloud-config", "#!": "text/x-shellscript"}
    assert kinds == [expected[part[:2]] for part in parts]


def test_a_text_beyond_azures_limit_names_the_sizes_and_what_to_shorten():
    parts = ["#!/bin/sh\n" + "x" * 31_000, "#!/bin/sh\n" + "y" * 32_700]
    own = len(_render().encode())
    with pytest.raises(InvalidFile) as caught:
        _render(cloud_init=parts)
    (problem,) = caught.value.problems
    assert problem.path == "guest.cloud_init"
    assert "and Azure takes 65,535: shorten the parts by" in problem.message
    assert f"(part 1: 31,010, part 2: 32,710; ccgpu's own: {own:,})" in problem.message
    assert caught.value.exit_code == 3


def test_the_limit_counts_bytes_and_is_exact():
    free = MAX_CUSTOM_DATA - len(_render(files=(), cloud_init=["#!/bin/sh\n"] * 3))
    fill = ["x" * 30_000, "y" * 30_000, "z" * (free - 60_000)]
    fits = ["#!/bin/sh\n" + text for text in fill]
    assert len(_render(files=(), cloud_init=fits).encode()) == MAX_CUSTOM_DATA
    with pytest.raises(InvalidFile, match="65,536 bytes"):
        _render(files=(), cloud_init=[*fits[:2], fits[2] + "z"])


def test_what_ships_leaves_room_for_extra_parts():
    size = len(_render(files=shipped_files()).encode())
    assert size < MAX_CUSTOM_DATA - 8 * 1024


@pytest.mark.parametrize(
    "text", ["", "x", "x\n\n", " x\n", "\nx\n", "a\r\n", "a\x00\n", "a\x85b\n", "a\u2028b\n"]
)
def test_a_file_that_a_yaml_block_would_change_is_refused(text):
    with pytest.raises(ValueError, match="a file"):
        _render(files=[GuestFile("/etc/x", text)])


# What a secret looks like: PEM and PuTTY keys, tokens, SAS signatures, password fields.
_SECRETS = re.compile(
    r"PRIVATE KEY|PuTTY-User-Key|eyJ[A-Za-z0-9_-]{8,}|[?&]sig=|AccountKey=|SharedAccess|"
    r"(?i:\b(?:password|passwd|secret|token|api[_-]?key)\b\s*[:=]\s*[^\s#;)\"']{4,})|"
    r"\b(?:hf|ghp|gho|nvapi|sk)[-_][A-Za-z0-9]{16,}"
)


@pytest.mark.parametrize("changes", _SETTINGS, ids=str)
def test_nothing_in_it_looks_like_a_secret(changes):
    for text in (_render(shipped_files(), **changes), prebuilt_image(_guest(**changes))):
        assert _SECRETS.findall(text) == []


@pytest.mark.parametrize(
    "line",
    [
        "-----BEGIN OPENSSH PRIVATE KEY-----",
        "password: hunter2",
        "HF_TOKEN=hf_abcdefghijklmnopqrst",
        "https://x.blob.core.windows.net/y?sv=1&sig=abc",
        "Authorization: Bearer eyJhbGciOiJSUzI1NiJ9",
    ],
)
def test_the_search_for_secrets_finds_one(line):
    assert _SECRETS.search(f"#!/bin/sh\n{line}\n")
