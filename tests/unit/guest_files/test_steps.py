"""What the steps leave behind in a guest."""

import json
import subprocess

import pytest

from support.gpu_machine import KERNEL
from support.guest_root import FILES
from support.slow import mostly_slow


def test_only_the_exact_driver_is_installed_with_modules_for_the_running_kernel(guest):
    installed = guest.machine["installed"]
    assert installed["nvidia-driver-595-server-open"].startswith("595.71.05-")
    assert f"linux-modules-nvidia-595-server-open-{KERNEL}" in installed
    pins = guest.read("etc/apt/preferences.d/ccgpu-nvidia").split("\n\n")
    driver = "Package: *nvidia*-595-server*\nPin: version 595.71.05-*\nPin-Priority: 1001"
    not_theirs = "Pin: origin developer.download.nvidia.com\nPin-Priority: -10"
    assert pins[:2] == [f"Package: *nvidia*-595-server*\n{not_theirs}", driver]
    assert pins[-1] == f"Package: *\n{not_theirs}\n"


def test_driver_kernel_and_nullboot_are_held_together_and_libraries_are_not(guest):
    held = set(guest.machine["held"])
    assert held == set(guest.read("var/lib/ccgpu/holds").split())
    assert {
        f"linux-image-{KERNEL}",
        f"linux-modules-nvidia-595-server-open-{KERNEL}",
        "linux-azure-fde",
        "nullboot",
        "nvidia-driver-595-server-open",
        "nvidia-compute-utils-595-server",
        "nvidia-container-toolkit",
        "libnvidia-container1",
    } <= held
    assert held & {"linux-libc-dev", "docker.io", "unattended-upgrades", "cryptsetup-bin"} == set()


@pytest.mark.slow
def test_kernel_and_nullboot_are_held_before_anything_is_installed(new_guest):
    new_guest.change(
        broken={"apt-get -s install": [100, "E: no"], "apt-get install": [100, "E: no"]}
    )
    assert new_guest.run("setup").returncode == 1
    assert new_guest.status["step"] == "kernel"
    assert {f"linux-image-{KERNEL}", "linux-azure-fde", "nullboot"} == set(
        new_guest.machine["held"]
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("updates", "on"), [("security", "1"), pytest.param("none", "0", marks=pytest.mark.slow)]
)
def test_security_updates_are_on_or_off_and_never_touch_what_is_proven(guest, updates, on):
    guest.forget("updates")
    guest.settings(CCGPU_UPDATES=updates)
    assert guest.run("setup").returncode == 0
    conf = guest.read("etc/apt/apt.conf.d/52ccgpu-updates")
    assert f'APT::Periodic::Unattended-Upgrade "{on}";' in conf
    assert '"nullboot";' in conf
    assert 'Unattended-Upgrade::Automatic-Reboot "false";' in conf


@pytest.mark.slow
def test_a_day_of_the_archive_is_asked_for_in_every_call_of_apt_and_nowhere_else(new_guest):
    new_guest.settings(CCGPU_APT_SNAPSHOT="20260615T120000Z")
    assert new_guest.run("setup").returncode == 0
    calls = [*new_guest.calls("apt-get"), *new_guest.calls("apt-cache")]
    assert calls
    assert all("-o APT::Snapshot=20260615T120000Z" in line for line in calls)
    files = [file for file in (new_guest.path / "etc/apt").rglob("*") if file.is_file()]
    assert [file for file in files if "20260615T120000Z" in file.read_text()] == []
    assert "snapshot=no " in new_guest.read("etc/apt/sources.list.d/nvidia-cuda.list")


@pytest.mark.slow
def test_sources_of_22_04_are_marked_for_the_snapshot_service(new_guest):
    new_guest.settings(CCGPU_APT_SNAPSHOT="20260615T120000Z")
    new_guest.write("etc/os-release", 'VERSION_ID="22.04"\nVERSION_CODENAME=jammy\n')
    new_guest.write("etc/apt/sources.list", "deb http://a.example/ubuntu jammy main\n# deb x\n")
    new_guest.change(broken={"apt-get update": [100, "E: enough"]})
    new_guest.run("setup")
    marked = "deb [snapshot=yes] http://a.example/ubuntu jammy main\n# deb x\n"
    assert new_guest.read("etc/apt/sources.list") == marked


@pytest.mark.slow
def test_every_call_of_apt_waits_for_its_lock_and_asks_nobody(new_guest):
    assert new_guest.run("setup").returncode == 0
    calls = new_guest.calls("apt-get")
    assert calls
    assert all("-y -q -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3" in line for line in calls)


@pytest.mark.slow
def test_the_settings_of_docker_are_kept_and_ours_added(guest):
    guest.forget("docker")
    mine = {"features": {"buildkit": True}, "log-driver": "journald", "mtu": 1400}
    guest.write("etc/docker/daemon.json", json.dumps(mine))
    assert guest.run("setup").returncode == 0
    assert json.loads(guest.read("etc/docker/daemon.json")) == {
        "features": {"buildkit": True, "cdi": True},
        "default-ulimits": {"core": {"Name": "core", "Hard": 0, "Soft": 0}},
        "log-driver": "journald",
        "live-restore": True,
        "mtu": 1400,
    }
    assert guest.calls("systemctl restart docker.service")


@pytest.mark.slow
@pytest.mark.parametrize(("setting", "step"), [("DOCKER", "docker"), ("LOCKDOWN", "lockdown")])
def test_what_a_setting_turns_off_is_skipped(guest, setting, step):
    guest.forget(step)
    guest.settings(**{f"CCGPU_{setting}": "0"})
    assert guest.run("setup").returncode == 0
    assert guest.record(step)["state"] == "skipped"
    assert guest.record(step)["message"].endswith("is off")


@pytest.mark.slow
def test_the_persistence_daemon_is_never_restarted(guest):
    guest.forget("persistence")
    assert guest.run("setup").returncode == 0
    calls = [line for line in guest.calls("systemctl") if "nvidia-persistenced" in line]
    assert {line.split()[1] for line in calls} == {"enable", "is-active"}


@pytest.mark.slow
def test_an_initramfs_older_than_the_modprobe_line_is_made_again(guest):
    guest.forget("lkca")
    guest.write(f"boot/initrd.img-{KERNEL}", "")
    conf = guest.path / "etc/modprobe.d/nvidia-lkca.conf"
    conf.unlink()
    assert guest.run("setup").returncode == 0
    assert guest.calls("update-initramfs") == [f"update-initramfs -u -k {KERNEL}"]
    assert conf.read_text() == (
        "install nvidia /sbin/modprobe -a ecdsa_generic ecdh_generic; "
        "/sbin/modprobe --ignore-install nvidia\n"
    )


@pytest.mark.slow
def test_openssl_with_another_digest_is_not_built(guest):
    guest.forget("openssl")
    guest.settings(CCGPU_OPENSSL="1")
    assert guest.run("setup").returncode == 1
    record = guest.record("openssl")
    assert record["message"].startswith("openssl-3.5.8.tar.gz is not the one with SHA-256 a8f84a39")
    assert not (guest.path / "opt").exists()


@pytest.mark.slow
def test_openssl_is_built_from_the_release_and_used_as_it_says_its_version(guest):
    guest.forget("openssl")
    guest.settings(CCGPU_OPENSSL="1")
    built = guest.path / "opt/openssl/bin/openssl"
    guest.program(
        "sha256sum", "#!/bin/sh\n[ $1 != --status ] || { cat >$CCGPU_ROOT/sum; exit 0; }\n"
    )
    configure = (
        "mkdir openssl-3.5.8; echo 'echo $* >$CCGPU_ROOT/configured' >openssl-3.5.8/Configure"
    )
    guest.program("tar", f"#!/bin/sh\n{configure}; chmod +x openssl-3.5.8/Configure\n")
    program = f"mkdir -p {built.parent}; echo 'echo OpenSSL 3.5.8 x' >{built}; chmod +x {built}"
    guest.program("make", f'#!/bin/sh\n[ "$2" != install_sw ] || {{ {program}; }}\n')
    assert guest.run("setup").returncode == 0
    assert guest.record("openssl")["state"] == "done"
    assert guest.read("sum").endswith("  openssl.tar.gz\n")
    assert guest.read("configured").startswith("--prefix=/opt/openssl --openssldir=/usr/local/ssl")
    url = "https://github.com/openssl/openssl/releases/download/openssl-3.5.8/openssl-3.5.8.tar.gz"
    assert guest.calls("curl")[0].endswith(f"-o openssl.tar.gz {url}")


@pytest.mark.slow
def test_openssl_that_is_there_is_not_built_again(guest):
    guest.forget("openssl")
    guest.settings(CCGPU_OPENSSL="1")
    guest.write("opt/openssl/bin/openssl", "#!/bin/sh\necho OpenSSL 3.5.8 18 Aug 2026\n")
    (guest.path / "opt/openssl/bin/openssl").chmod(0o755)
    assert guest.run("setup").returncode == 0
    assert guest.record("openssl")["state"] == "done"
    assert guest.calls("curl") == []


def test_lockdown_leaves_no_password_no_agent_that_obeys_and_no_second_first_boot(guest):
    assert guest.machine["passwords"] == {"guest": "*"}
    agent = guest.read("etc/waagent.conf").splitlines()
    assert {"Extensions.Enabled=n", "Provisioning.Agent=disabled", "Logs.Verbose=n"} <= set(agent)
    assert {"AutoUpdate.UpdateToLatestVersion=n", "ResourceDisk.EnableSwap=n"} <= set(agent)
    names = [line.partition("=")[0] for line in agent if not line.startswith("#")]
    assert len(names) == len(set(names))
    assert (guest.path / "etc/cloud/cloud-init.disabled").exists()
    assert "core_pattern = |/bin/false" in guest.read("etc/sysctl.d/99-ccgpu.conf")
    assert "ForwardToConsole=no" in guest.read("etc/systemd/journald.conf.d/99-ccgpu.conf")


_TOLD = {
    "etc/ssh/sshd_config.d/00-ccgpu.conf": "systemctl try-reload-or-restart ssh.service",
    "etc/waagent.conf": "systemctl try-restart walinuxagent.service",
    "etc/systemd/journald.conf.d/99-ccgpu.conf": "systemctl try-restart systemd-journald.service",
}


@pytest.mark.slow
@pytest.mark.parametrize("changed", mostly_slow([[], *([name] for name in _TOLD)], 2), ids=str)
def test_a_service_is_told_if_its_own_file_has_changed(guest, changed):
    guest.forget("lockdown")
    for name in changed:
        guest.write(name, "Logs.Verbose=n\n")
    assert guest.run("setup").returncode == 0
    told = [line for line in guest.calls("systemctl") if line in _TOLD.values()]
    assert told == [_TOLD[name] for name in changed]


@pytest.mark.slow
def test_swap_is_off_at_later_boots_too(guest):
    guest.forget("lockdown")
    fstab = "LABEL=root / ext4 discard 0 1\n/swap.img none swap sw 0 0\n# /old none swap sw 0 0\n"
    guest.write("etc/fstab", fstab)
    assert guest.run("setup").returncode == 0
    assert guest.read("etc/fstab") == fstab.replace("/swap.img", "# ccgpu: /swap.img")
    assert guest.calls("swapoff -a")


def test_the_key_check_reads_real_keys(guest, tmp_path):
    """gpg's own output, of a key with a subkey: the primary key's fingerprint, and only that."""
    home = tmp_path / "gnupg"
    home.mkdir(mode=0o700)
    gpg = ["gpg", "--homedir", str(home), "--batch"]
    try:
        make = [*gpg, "--passphrase", "", "--quick-gen-key", "Test <t@example.com>", "default"]
        subprocess.run(make, check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("needs gpg")
    listed = subprocess.run(
        [*gpg, "-k", "--with-colons"], check=True, capture_output=True, text=True
    )
    fingerprints = [line.split(":")[9] for line in listed.stdout.splitlines() if "fpr:" in line]
    key = subprocess.run([*gpg, "--armor", "--export"], check=True, capture_output=True).stdout
    library = FILES / "usr/local/lib/ccgpu/lib.sh"
    script = f". {library}; primary_keys; cat {library} | primary_keys"
    found = subprocess.run(
        ["bash", "-c", script],
        input=key,
        env={"CCGPU_ROOT": str(guest.path), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        check=True,
    )
    assert len(fingerprints) == 2
    assert found.stdout.decode().split() == fingerprints[:1]
