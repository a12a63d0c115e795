"""The inside of a simulated VM over time: host key, boots, first boot, set-up, other processes."""

import base64
import contextlib
import hashlib
import json
import sqlite3

import pytest
from cryptography.hazmat.primitives.serialization import load_ssh_public_key

from ccgpu.errors import ConnectionLost, GuestUnreachable, HostKeyMismatch
from ccgpu.fakearm import FakeArm
from support.arm import Client, group_path, image_reference, vm_path
from support.simulated_guests import SETTINGS, GuestBench, cloud_config, make_bench, open_channel


def test_the_key_in_the_log_is_the_one_that_sshd_shows(bench):
    key = bench.key_in_log()
    assert len(key) == 51
    load_ssh_public_key(b"ssh-ed25519 " + base64.b64encode(key))
    assert bench.channel.run(["true"], timeout=5).exit_code == 0
    shown = bench.channel.run(["cat", "/etc/ssh/ssh_host_ed25519_key.pub"], timeout=5).stdout
    assert base64.b64decode(shown.split()[1]) == key
    with pytest.raises(HostKeyMismatch, match="Nothing was sent"):
        bench.pinned(key[:-1] + bytes([key[-1] ^ 1])).channel.run(["true"], timeout=5)


def test_the_host_key_survives_every_boot_and_is_printed_once(bench):
    key = bench.key_in_log()
    for action in ("restart", "deallocate", "start"):
        bench.az.complete("POST", f"{vm_path()}/{action}")
        bench.az.arm.advance(60)
    assert bench.key_in_log() == key
    assert bench.channel.run(["true"], timeout=5).exit_code == 0


def test_the_serial_log_only_grows_while_the_vm_lives(az):
    bench = make_bench(az, wait=0)
    before: list[str] = []
    for _ in range(30):
        lines = bench.log()
        assert lines[: len(before)] == before
        before = lines
        az.arm.advance(20)
    assert before[-1] == "ccgpu-setup: done"
    bench.reboot()
    assert bench.log()[: len(before)] == before


def test_the_log_costs_no_more_requests_than_before(bench):
    bench.channel.run(["true"], timeout=5)
    requests = len(bench.az.arm.show()["requests"])
    bench.answer()
    assert len(bench.az.arm.show()["requests"]) == requests


def test_sshd_answers_when_the_agent_is_ready(az):
    bench = make_bench(az, wait=0)
    with pytest.raises(GuestUnreachable, match="Connection refused") as caught:
        bench.answer()
    assert caught.value.transient
    view = f"{vm_path()}/instanceView"
    while az.get(view)["vmAgent"]["statuses"][0]["displayStatus"] != "Ready":
        az.arm.advance(1)
    with pytest.raises(HostKeyMismatch):
        bench.pinned(bytes(51)).channel.run(["true"], timeout=5)
    assert bench.answer()["schema"] == "ccgpu.probe/1"


def _states(bench: GuestBench) -> list[tuple[str, str, str]]:
    """Cloud-init, set-up and step, each 10 s as long as the set-up is not done."""
    seen = []
    for _ in range(100):
        answer = bench.answer()
        status = json.loads(answer["commands"]["cloud-init"]["stdout"])["status"]
        text = answer["files"]["/var/lib/ccgpu/setup.json"]
        setup = json.loads(text) if text else {"state": "none", "step": ""}
        seen.append((status, setup["state"], setup["step"]))
        if setup["state"] == "done":
            return seen
        bench.az.arm.advance(10)
    raise AssertionError("the set-up does not end")


def test_first_boot_then_set_up_step_by_step(az):
    bench = make_bench(az, wait=40)
    seen = _states(bench)
    assert seen[:2] == [("running", "none", "")] * 2
    assert seen[2] == ("done", "running", "sources")
    steps = [step for _, state, step in seen if state == "running"]
    assert list(dict.fromkeys(steps)) == [
        *("sources", "updates", "kernel", "lkca", "driver", "persistence", "docker"),
        *("container-toolkit", "openssl", "temp-disk", "gpu", "lockdown"),
    ]
    assert (steps.count("driver"), steps.count("docker")) == (12, 2)


def test_without_custom_data_of_ours_there_is_no_set_up_and_no_driver(az):
    bench = make_bench(az, os__customData=base64.b64encode(b"#cloud-config\n{}\n").decode())
    assert bench.setup() is None
    assert bench.answer()["commands"]["gpus"]["exit"] is None
    assert bench.channel.run(["nvidia-smi"], timeout=5).exit_code == 127


def test_an_image_of_a_gallery_has_driver_and_tools_and_no_set_up(az):
    community = "/CommunityGalleries/cgpuimage-db870bae-5bcf-4120-9415-b841adef61d3"
    image = f"{community}/Images/cgpu-NCC-2404-base-image/Versions/2404.20260928.0"
    bench = make_bench(az, image={"communityGalleryImageId": image}, disk__diskSizeGB=128)
    texts = bench.texts()
    assert bench.setup() is None
    assert texts["cc"] == "CC status: ON"
    assert texts["gpus"].startswith("NVIDIA H100 NVL, 595.71.05, ")


def test_a_vm_without_a_gpu_fails_to_set_one_up(az):
    bench = make_bench(
        az,
        image=image_reference("server"),
        security=...,
        managed__securityProfile=...,
        size="Standard_D4s_v5",
    )
    setup = bench.setup()
    assert (setup["state"], setup["step"]) == ("failed", "driver")


def test_the_guest_reports_the_digest_of_the_custom_data_that_ran(bench):
    digest = bench.answer()["files"]["/var/lib/ccgpu/custom-data.sha256"].strip()
    assert digest == hashlib.sha256(base64.b64decode(cloud_config())).hexdigest()


def test_custom_data_is_never_returned(bench):
    az = bench.az
    for path in (vm_path(), vm_path().rpartition("/")[0]):
        assert "customData" not in json.dumps(az.get(path))


def test_every_boot_has_its_own_boot_id(bench):
    seen = [bench.texts()["boot-id"]]
    bench.reboot()
    seen.append(bench.texts()["boot-id"])
    for action in ("deallocate", "start"):
        bench.az.complete("POST", f"{vm_path()}/{action}")
    bench.az.arm.advance(60)
    seen.append(bench.texts()["boot-id"])
    assert len(set(seen)) == 3
    assert bench.texts()["boot-id"] == seen[-1]


def test_a_connection_that_is_kept_does_not_outlive_the_boot(bench, tmp_path):
    """The next boot shows the same host key: nothing else would tell them apart."""
    (tmp_path / "mine").write_bytes(b"x")
    channel = bench.pinned(bench.key_in_log()).channel
    with channel.keep():
        channel.put(tmp_path / "mine", "/tmp/first")
        bench.reboot()
        with pytest.raises(ConnectionLost, match="started anew"):
            channel.put(tmp_path / "mine", "/tmp/second")
    channel.put(tmp_path / "mine", "/tmp/second")


def test_a_reboot_looks_at_the_gpu_and_repeats_no_other_step(bench):
    before = {one["step"]: one for one in bench.setup()["steps"]}
    bench.reboot(wait=50)
    during = bench.setup()
    assert (during["state"], during["step"]) == ("running", "gpu")
    bench.az.arm.advance(20)
    after = {one["step"]: one for one in bench.setup()["steps"]}
    assert bench.setup()["boot_id"] == bench.texts()["boot-id"]
    assert {step for step in before if before[step] != after[step]} == {"gpu"}


def test_a_reboot_loses_the_ready_state(bench):
    state = "Confidential Compute GPUs Ready state: "
    bench.channel.run(["sudo", "-n", "nvidia-smi", "conf-compute", "-srs", "1"], timeout=5)
    assert bench.texts()["ready"] == f"{state}ready"
    bench.reboot()
    assert bench.texts()["ready"] == f"{state}not-ready"


def test_a_ready_state_that_was_set_off_stays_off_until_the_next_boot(az):
    bench = make_bench(az, os__customData=cloud_config(CCGPU_READY="at-boot"))
    state = "Confidential Compute GPUs Ready state: "
    assert bench.texts()["ready"] == f"{state}ready"
    for value in ("0", "1"):
        bench.channel.run(["sudo", "nvidia-smi", "conf-compute", "-srs", value], timeout=5)
    assert bench.texts()["ready"] == f"{state}not-ready"
    bench.reboot()
    assert bench.texts()["ready"] == f"{state}ready"


def test_a_stopped_vm_answers_nobody(bench):
    bench.az.complete("POST", f"{vm_path()}/deallocate")
    with pytest.raises(GuestUnreachable, match="timed out") as caught:
        bench.channel.run(["true"], timeout=5)
    assert caught.value.transient


def test_a_set_up_that_was_cut_off_goes_on_at_the_next_boot(az):
    bench = make_bench(az, wait=130)
    assert bench.setup()["step"] == "lkca"
    bench.reboot(wait=70)
    setup = bench.setup()
    assert (setup["state"], setup["step"]) == ("running", "driver")
    assert len([line for line in bench.log() if "step kernel: begin" in line]) == 1
    assert len([line for line in bench.log() if "step lkca: begin" in line]) == 2


def test_cloud_init_is_off_after_the_lockdown(bench):
    bench.reboot()
    status = json.loads(bench.answer()["commands"]["cloud-init"]["stdout"])
    assert (status["status"], status["boot_status_code"]) == ("disabled", "disabled-by-marker-file")


def test_guests_of_one_state_file_are_shared_by_processes(tmp_path):
    path = tmp_path / "azure.db"
    first = FakeArm(path)
    bench = make_bench(Client(first))
    (tmp_path / "note").write_text("kept")
    bench.channel.put(tmp_path / "note", "note")
    bench.channel.run(["sudo", "nvidia-smi", "conf-compute", "-srs", "1"], timeout=5)
    seen = bench.answer(), bench.log()
    second = FakeArm(path)  # the first one is still open, as after a kill
    again = GuestBench(Client(second), bench.target)
    assert (again.answer(), again.log()) == seen
    assert again.channel.run(["cat", "note"], timeout=5).stdout == b"kept"
    second.close()
    first.close()


def test_a_deleted_vm_leaves_no_files_and_no_address(bench, tmp_path):
    key = bench.key_in_log()
    (tmp_path / "note").write_text("gone")
    bench.channel.put(tmp_path / "note", "note")
    bench.az.complete("DELETE", vm_path())
    with pytest.raises(GuestUnreachable, match="no VM has this address") as caught:
        open_channel(bench.az.arm, bench.target).run(["true"], timeout=5)
    assert not caught.value.transient
    again = make_bench(bench.az)
    assert again.channel.run(["cat", "note"], timeout=5).exit_code == 1
    assert again.key_in_log() != key


@pytest.mark.parametrize(
    "remove",
    [
        lambda az: az.complete("DELETE", vm_path()),
        lambda az: (az.ok("DELETE", group_path()), az.arm.advance(200), az.arm.show()),
        lambda az: az.arm.reset(),
    ],
    ids=["vm", "group", "reset"],
)
def test_nothing_of_a_guest_stays_in_the_state(tmp_path, remove):
    path = tmp_path / "azure.db"
    bench = make_bench(Client(FakeArm(path)))
    (tmp_path / "note").write_text("gone")
    bench.channel.put(tmp_path / "note", "note")
    bench.channel.run(["sudo", "nvidia-smi", "conf-compute", "-srs", "1"], timeout=5)
    counts = "SELECT (SELECT count(*) FROM guest_files), (SELECT count(*) FROM guest_facts)"
    with contextlib.closing(sqlite3.connect(path)) as database:
        assert database.execute(counts).fetchone() == (1, 1)
        remove(bench.az)
        assert database.execute(counts).fetchone() == (0, 0)
    bench.az.arm.close()


@pytest.mark.parametrize("name", ["CCGPU_DOCKER", "CCGPU_OPENSSL", "CCGPU_CONTAINER_TOOLKIT"])
def test_a_step_that_a_setting_turns_off_is_skipped(az, name):
    bench = make_bench(az, os__customData=cloud_config(**{name: "0"}))
    setup = bench.setup()
    skipped = [one for one in setup["steps"] if one["state"] == "skipped"]
    assert setup["state"] == "done"
    assert [one["exit_code"] for one in skipped] == [None]
    assert name.removeprefix("CCGPU_").lower().replace("_", "-") == skipped[0]["step"]
    assert SETTINGS[name] == "1"
