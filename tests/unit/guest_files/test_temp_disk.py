"""The temporary disk of a guest: encrypted with a key that is kept nowhere."""

import pytest


@pytest.fixture
def with_disk(guest):
    """A guest that has a temporary disk, which cloud-init has mounted."""
    guest.forget("temp-disk")
    guest.write("dev/sdb", "")
    link = guest.path / "dev/disk/cloud/azure_resource"
    link.parent.mkdir(parents=True)
    link.symlink_to(guest.path / "dev/sdb")
    fstab = (
        "LABEL=root / ext4 discard 0 1\n/dev/disk/cloud/azure_resource-part1 /mnt auto nofail 0 2\n"
    )
    guest.write("etc/fstab", fstab)
    guest.change(mounted="/mnt")
    return guest


@pytest.mark.slow
def test_it_is_encrypted_with_random_bytes_that_are_nowhere_afterwards(with_disk):
    assert with_disk.run("setup").returncode == 0
    assert with_disk.record("temp-disk")["state"] == "done"
    disk = str(with_disk.path / "dev/sdb")
    calls = [line.replace(disk, "/dev/sdb") for line in with_disk.calls()]
    names = ("umount", "wipefs", "cryptsetup", "mkfs", "mount")
    verbs = [line.split()[0] for line in calls if line.startswith(names)]
    assert verbs == ["umount", "wipefs", "cryptsetup", "cryptsetup", "mkfs.ext4", "mount"]
    assert f"mount -o noatime /dev/mapper/ccgpu-temp {with_disk.path}/mnt" in calls
    assert "systemctl enable ccgpu-temp-disk.service" in calls

    (format_, key, mode), (open_, again, _) = with_disk.machine["keys"]
    assert (format_, open_, key == again, len(key), mode) == (
        *("luksFormat", "open"),
        *(True, 128, "0o100600"),
    )
    assert [file.name for file in (with_disk.path / "run").glob("ccgpu-temp.*")] == []
    kept = [f for f in with_disk.path.rglob("*") if f.is_file() and f.name != "machine.json"]
    assert [file for file in kept if bytes.fromhex(key) in file.read_bytes()] == []
    assert key not in "".join(calls)


@pytest.mark.slow
def test_two_boots_have_two_keys(with_disk):
    with_disk.run("temp-disk")
    with_disk.run("temp-disk")
    assert len({key for _, key, _ in with_disk.machine["keys"]}) == 2


@pytest.mark.slow
def test_cloud_init_does_not_mount_it_again(with_disk):
    with_disk.run("temp-disk")
    assert "\n# ccgpu: /dev/disk/cloud/azure_resource-part1 /mnt" in with_disk.read("etc/fstab")
    assert with_disk.calls("systemctl daemon-reload")


def test_once_mounted_it_is_left_alone(with_disk):
    with_disk.change(source="/dev/mapper/ccgpu-temp")
    assert with_disk.run("temp-disk").returncode == 0
    assert with_disk.calls("cryptsetup") == with_disk.calls("wipefs") == []


@pytest.mark.parametrize("mounted", ["/", "/mnt\n/boot/efi", "/var"])
def test_a_disk_that_holds_the_system_is_never_touched(with_disk, mounted):
    with_disk.change(mounted=mounted)
    done = with_disk.run("temp-disk")
    assert (done.returncode, "holds the system" in done.stderr) == (1, True)
    assert with_disk.calls("umount") == with_disk.calls("wipefs") == with_disk.calls("crypt") == []


def test_a_partition_is_not_taken_for_the_disk(with_disk):
    with_disk.change(disk_type="part")
    done = with_disk.run("temp-disk")
    assert (done.returncode, "is not a whole disk" in done.stderr) == (1, True)
    assert with_disk.calls("wipefs") == []


@pytest.mark.slow
def test_a_failed_encryption_fails_the_step_and_leaves_no_key(with_disk):
    message = "Device sdb is in use. Can not proceed with format operation."
    with_disk.change(broken={"cryptsetup luksFormat": [5, message]})
    assert with_disk.run("setup").returncode == 1
    record = with_disk.record("temp-disk")
    assert (record["state"], record["exit_code"], record["message"]) == ("failed", 5, message)
    assert list((with_disk.path / "run").glob("ccgpu-temp.*")) == []


@pytest.mark.slow
def test_left_as_it_is_if_the_settings_say_so(with_disk):
    with_disk.settings(CCGPU_TEMP_DISK="none")
    assert with_disk.run("setup").returncode == 0
    assert with_disk.record("temp-disk")["state"] == "skipped"
    assert with_disk.calls("cryptsetup") == []
