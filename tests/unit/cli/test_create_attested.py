"""`ccgpu create` ends with a VM that is attested, or says why it is not."""

import json
from pathlib import Path

import pytest

from ccgpu.errors import ConnectionLost
from ccgpu.fakearm import FAKE_SUBSCRIPTION
from ccgpu.store import policies
from support.arm import Client
from support.attesting import Attester, WrappedChannel, another_machine, open_now
from support.counts import printed, sent_by
from support.slow import mostly_slow

_CREATE = "create demo --region eastus2 --ssh-from 203.0.113.7/32"
_VM = "/resourceGroups/ccgpu-demo/providers/Microsoft.Compute/virtualMachines/demo"
_WAYS = ("--jump USER@HOST", "--reachable", "--no-attest")


@pytest.fixture
def demo(shell) -> Attester:
    """Nothing yet."""
    return Attester(shell)


@pytest.mark.slow
def test_a_create_ends_attested_with_the_gpu_ready(demo):
    done = demo.shell(f"{_CREATE} -o json")
    assert done.code == 0, done.err
    assert done.document["state"] == "attested"
    known = done.document["attestation"]
    assert known["verdict"] == "accepted"
    assert (known["policy"], known["reasons"], known["age_seconds"]) == ("default", [], 0)
    assert known["time"] < known["until"]
    assert Path(known["bundle"]).is_file()
    assert demo.ready
    assert len(demo.challenges) == 1


def test_the_way_that_led_to_a_guest_is_known_without_a_verdict(demo):
    assert demo.shell(f"{_CREATE} --private --reachable --no-attest").code == 0
    done = demo.shell("doctor demo --backend fake")
    assert done.code == 0, done
    assert "no public address" not in done.err


@pytest.mark.slow
def test_a_create_without_attestation_asks_for_nothing(demo):
    done = demo.shell(f"{_CREATE} --no-attest -o json")
    assert (done.code, done.document["state"]) == (0, "ready")
    assert done.document["stage"] is None
    assert demo.challenges == []
    assert not demo.ready
    assert demo.shell("create demo").code == 0
    assert demo.shown["state"] == "attested"


@pytest.mark.slow
def test_a_verdict_that_counts_is_not_made_again(demo):
    assert demo.shell(_CREATE).code == 0
    assert demo.shell("create demo").out.endswith("nothing to do\n")
    assert len(demo.challenges) == 1
    assert demo.shell("create demo --policy cpu-only").code == 0
    assert len(demo.challenges) == 2


@pytest.mark.slow
def test_a_create_after_a_restart_attests_again(demo):
    assert demo.shell(_CREATE).code == 0
    assert demo.shell("restart demo").code == 0
    assert demo.shell("create demo").code == 0
    assert demo.shown["state"] == "attested"
    assert len(demo.challenges) == 2


@pytest.mark.slow
@pytest.mark.parametrize(
    ("scenario", "code", "state"),
    [
        ("old-paravisor", 9, "rejected"),
        pytest.param("tpm-absent", 8, "ready", marks=pytest.mark.slow),
    ],
)
def test_a_vm_that_is_not_attested_stays_and_is_named(demo, scenario, code, state):
    demo.scenario(scenario)
    done = demo.shell(f"{_CREATE} -o json")
    assert done.code == code
    if code == 9:
        assert done.error["hint"] == (
            "send it nothing secret; the VM stays, and bills until `ccgpu delete demo` removes it"
        )
    kept = {one["id"].rsplit("/", 1)[-1] for one in done.error["resources"]}
    assert {"demo", "demo-vnet", "demo-osdisk"} <= kept
    assert all(one["billed"] for one in done.error["resources"] if one["id"].endswith("/demo"))
    shown = demo.shown
    assert (shown["state"], shown["stage"]) == (state, "attest")
    assert done.document["attestation"] == shown["attestation"]
    assert (done.document["state"], done.document["schema"]) == (state, "ccgpu.create/1")
    assert not demo.ready
    demo.scenario("usual")
    assert demo.shell("create demo").code == 0
    assert demo.shown["state"] == "attested"
    assert demo.shown["stage"] is None


@pytest.mark.slow
def test_a_new_vm_whose_connection_breaks_off_is_not_rolled_back(demo):
    def wrap(channels, target):
        inner = open_now(channels, target)

        def run(argv, stdin, timeout):
            if "ccgpu-collect" in argv:
                raise ConnectionLost("broke off")
            return inner.run(argv, stdin, timeout=timeout)

        return WrappedChannel(inner, run)

    done = demo.through(wrap).shell(_CREATE)
    assert done.code == 10, done.err
    assert (demo.shown["state"], demo.shown["stage"]) == ("ready", "attest")


@pytest.mark.parametrize("policy", ["gpu-only", "none.yaml"])
def test_a_policy_that_cannot_be_used_is_refused_before_anything_is_made(demo, policy):
    done = demo.shell(f"{_CREATE} --policy {policy}")
    assert done.code == 2
    assert demo.shell.writes() == []


@pytest.mark.slow
def test_a_create_attests_by_golden_values(demo):
    demo.shell(f"{_CREATE} --no-attest")
    assert demo.shell("attest demo --policy strict --record image.json").code == 0
    made = demo.shell(f"{_CREATE} --policy strict --pins image.json -o json".replace("demo", "two"))
    assert made.code == 0, made.err
    assert made.document["attestation"]["policy"] == "strict"
    values = json.loads(Path("image.json").read_text())
    other = json.dumps(values).replace(next(iter(values["pcrs"].values())), "00" * 32)
    Path("image.json").write_text(other)
    done = demo.shell("create two --policy strict --pins image.json")
    assert (done.code, "policy.pins.pcr" in done.err) == (9, True), done.err


def test_golden_values_that_the_policy_needs_are_asked_for_before_anything_is_made(demo):
    done = demo.shell(f"{_CREATE} --policy strict")
    assert (done.code, "--pins FILE" in done.err) == (2, True), done.err
    assert demo.shell.writes() == []


@pytest.mark.slow
def test_a_stopped_vm_is_attested_later(demo):
    assert demo.shell(f"{_CREATE} --no-attest").code == 0
    assert demo.shell("stop demo").code == 0
    assert demo.shell("create demo").code == 0
    assert demo.challenges == []


def test_a_private_vm_without_a_way_is_refused_before_anything_is_sent(demo):
    done = demo.shell(f"{_CREATE} --private")
    assert done.code == 2
    assert all(f" {word}`" in done.err for word in _WAYS), done.err
    assert demo.shell.arm.show()["requests"] == []
    assert list(demo.shell.state.rglob("*.access")) == []


@pytest.mark.slow
@pytest.mark.parametrize("more", mostly_slow(["--reachable", "--no-attest", "--no-wait"], 3))
def test_a_private_vm_is_attested_once_there_is_a_way_to_it(demo, more):
    assert demo.shell(f"{_CREATE} --private {more}").code == 0
    attested = more == "--reachable"
    assert len(demo.challenges) == attested
    if attested:
        assert demo.shell("create demo").out.endswith("nothing to do\n"), "the way is remembered"
        return
    assert demo.shell("create demo").code == 2
    assert demo.shell("create demo --reachable").code == 0
    assert demo.shown["state"] == "attested"


@pytest.mark.slow
def test_a_private_vm_of_another_machine_is_not_changed_without_a_way(demo, tmp_path):
    """Nobody has said here that it is private: Azure does."""
    assert demo.shell(f"{_CREATE} --private --no-attest").code == 0
    other = another_machine(tmp_path, demo.shell.arm).with_key()
    before = other.writes()
    done = other("create demo --tag team=b")
    assert (done.code, "demo is private" in done.err) == (2, True), done
    assert other.writes() == before


@pytest.mark.slow
def test_a_plan_says_that_a_way_is_missing(demo):
    (said,) = demo.shell("plan demo --region eastus2 --private -o json").document["warnings"]
    assert all(word in said for word in ("demo is private", "`--jump", "`--no-attest"))
    for more in ("--reachable", "--no-attest", "--no-wait"):
        done = demo.shell(f"create --dry-run demo --region eastus2 --private {more} -o json")
        assert done.document["warnings"] == []


@pytest.mark.slow
def test_a_verdict_that_is_too_old_is_made_again(demo):
    Path("mine.json").write_text(
        policies.load("default").model_copy(update={"max_age": "30m"}).model_dump_json()
    )
    assert demo.shell(f"{_CREATE} --policy mine.json").code == 0
    demo.shell.arm.advance(31 * 60)
    assert (demo.shown["state"], demo.shown["attestation"]) == ("ready", None)
    assert demo.shell("create demo --policy mine.json").code == 0
    assert len(demo.challenges) == 2
    assert demo.shown["state"] == "attested"


@pytest.mark.slow
def test_a_replaced_vm_is_attested_anew(demo):
    assert demo.shell(_CREATE).code == 0
    done = demo.shell("create demo --set os_disk.size_gib=512 --replace --yes -o json")
    assert (done.code, done.document["state"]) == (0, "attested"), done.err
    assert len({one["vm_id"] for one in demo.challenges}) == 2


@pytest.mark.slow
def test_a_create_without_changes_sends_few_requests(demo):
    assert demo.shell(_CREATE).code == 0
    sent = sent_by(demo.shell.arm, lambda: demo.shell("create demo"))
    assert len(sent) <= 9, printed(sent)  # 8, and the address that is shown


@pytest.mark.slow
def test_a_vm_that_create_starts_again_is_attested_again(demo):
    """Its start has failed at Azure, so that `create` repairs it: the boot is another one."""
    assert demo.shell(_CREATE).code == 0
    arm, client = demo.shell.arm, Client(demo.shell.arm)
    vm = f"/subscriptions/{FAKE_SUBSCRIPTION}{_VM}"
    client.complete("POST", f"{vm}/deallocate")
    arm.settings.set("capacity", "Standard_NCC40ads_H100_v5", "eastus2", "", value=0)
    client.wait_for_end(client.ok("POST", f"{vm}/start").headers["Azure-AsyncOperation"])
    arm.settings.set("capacity", "Standard_NCC40ads_H100_v5", "eastus2", "", value=1)
    done = demo.shell("create demo")
    assert done.code == 0, done.err
    assert len(demo.challenges) == 2
    assert demo.ready
