"""The files that are put into a guest: their size, and what they may not do."""

import re
import shutil
import subprocess

import pytest

from support.guest_root import FILES

_LIMIT = 40_000  # bytes: customData takes 65,535 in all, with what wraps and indents them
_FILES = {str(file.relative_to(FILES)): file for file in FILES.rglob("*") if file.is_file()}
_UNITS = FILES / "etc/systemd/system"
_BASES = {
    "nvidia-persistenced.service": (
        "[Service]\nType=forking\nExecStart=/usr/bin/nvidia-persistenced --user nvidia-persistenced"
    ),
    "nvidia-cdi-refresh.service": "[Service]\nType=oneshot\nExecStart=/usr/bin/true",
    "docker.service": "[Service]\nExecStart=/usr/bin/true",
}


def verify(folder, *units):
    """What `systemd-analyze verify` says of units in a folder; unknown keys do not fail it."""
    if not shutil.which("systemd-analyze"):
        pytest.skip("needs systemd-analyze")
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *units],
        cwd=folder,
        env={"SYSTEMD_UNIT_PATH": f"{folder}:", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stderr


@pytest.fixture
def units(tmp_path):
    """Our units and drop-ins, around units as the packages bring them; programs that are there."""
    shutil.copytree(_UNITS, tmp_path, dirs_exist_ok=True)
    for name, text in _BASES.items():
        (tmp_path / name).write_text(f"[Unit]\nDescription=x\n{text}\n")
    for file in tmp_path.rglob("*"):
        if file.is_file():
            text = re.sub(
                r"(?m)^(Exec\w+=)[-@]?/usr/(local/lib/ccgpu|bin)/\S+",
                r"\1/bin/true",
                file.read_text(),
            )
            file.write_text(text)
    return tmp_path


def test_all_files_together_fit_into_custom_data():
    assert sum(file.stat().st_size for file in _FILES.values()) < _LIMIT


def test_scripts_can_be_run_in_a_clone_and_start_strictly():
    scripts = {name: file for name, file in _FILES.items() if name.startswith("usr/local/lib/")}
    library = scripts.pop("usr/local/lib/ccgpu/lib.sh")
    assert "set -euo pipefail\n" in library.read_text()
    for name, file in scripts.items():
        head = file.read_text().splitlines()
        assert head[0] == "#!/usr/bin/env bash", name
        assert "set -euo pipefail" in head, name
        assert file.stat().st_mode & 0o111, name


def test_nothing_sets_the_ready_state_but_the_gpu_step():
    texts = {name: file.read_text() for name, file in _FILES.items()}
    assert [name for name, text in texts.items() if "-srs 0" in text] == []
    setting = [
        name
        for name, text in texts.items()
        if re.search(r"conf-compute -srs 1$", text, re.MULTILINE)
    ]
    assert setting == ["usr/local/lib/ccgpu/steps/11-gpu"]


def test_nothing_is_piped_into_a_shell_trusted_blindly_or_slept_for():
    text = "\n".join(file.read_text() for file in _FILES.values())
    assert re.findall(r"curl[^\n]*\|\s*(?:ba)?sh", text) == []
    assert (
        re.findall(r"trusted=yes|--allow-unauthenticated|AllowInsecure|curl -k|http://", text) == []
    )
    assert re.findall(r"sleep (\d+)", text) == ["1"]  # between two looks of `wait_for`


def test_no_file_is_put_where_the_settings_could_not_turn_it_off():
    """What lockdown, docker or the toolkit write, they write themselves."""
    always = ("usr/local/lib/ccgpu/", "etc/systemd/system/", "etc/needrestart/")
    assert [name for name in _FILES if not name.startswith(always)] == []


def test_units_and_drop_ins_have_no_mistake(units):
    ours = [f"./{file.name}" for file in sorted(units.glob("*.service"))]
    assert len(ours) == 6
    assert verify(units, *ours) == (0, "")


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("ccgpu-setup.service", "Restartt=no"),
        ("nvidia-persistenced.service.d/override.conf", "ExecStartPst=/bin/true"),
        ("docker.service.d/ccgpu.conf", "Wants=a b/c.service"),
    ],
)
def test_a_mistake_in_a_unit_would_be_seen(units, file, line):
    path = units / file
    path.write_text(f"{path.read_text()}\n{line}\n")
    assert verify(units, f"./{file.partition('.d/')[0]}") != (0, "")


def test_no_target_waits_for_the_set_up_which_waits_for_cloud_init():
    for name in ("ccgpu-setup.service", "ccgpu-drift.service"):
        text = (_UNITS / name).read_text()
        assert "\nDefaultDependencies=no\n" in text
        assert "\nConflicts=shutdown.target\n" in text
        assert "\nStandardOutput=journal+console\nStandardError=journal\n" in text


def test_the_persistence_daemon_keeps_uvm_and_sets_nothing_ready():
    text = (_UNITS / "nvidia-persistenced.service.d/override.conf").read_text()
    assert "ExecStart=\nExecStart=/usr/bin/nvidia-persistenced" in text
    assert "--uvm-persistence-mode" in text
    assert "nvidia-smi" not in text
    assert "ExecStartPost" not in text


def test_needrestart_reads_its_file_and_leaves_the_gpu_alone():
    if not shutil.which("perl"):
        pytest.skip("needs perl")
    file = FILES / "etc/needrestart/conf.d/99-ccgpu.conf"
    services = [
        "nvidia-persistenced.service",
        "docker.service",
        "ssh.service",
        "ccgpu-setup.service",
    ]
    script = (
        "our %nrconf = (override_rc => {qr(^dbus) => 0});"
        "local $/; open F, shift; eval <F>; die $@ if $@;"
        "for my $s (@ARGV) { my $r = 1; for (keys %{$nrconf{override_rc}})"
        " { $r = $nrconf{override_rc}->{$_} if $s =~ /$_/ } print $r }"
    )
    done = subprocess.run(
        ["perl", "-we", script, str(file), *services], capture_output=True, text=True, check=True
    )
    assert (done.stdout, done.stderr) == ("0010", "")
