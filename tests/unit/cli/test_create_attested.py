"""`ccgpu create` ends with a VM that is attested, or says why it is not."""

import pytest

from ccgpu.errors import ConnectionLost
from support.attesting import Attester, WrappedChannel, open_now

_CREATE = "create demo --region eastus2 --ssh-from 203.0.113.7/32"


@pytest.fixture
def demo(shell) -> Attester:
    """Nothing yet."""
    return Attester(shell)


def test_a_create_ends_attested_with_the_gpu_ready(demo):
    done = demo.shell(f"{_CREATE} -o json")
    assert done.code == 0, done.err
    assert done.document["state"] == "attested"
    assert done.document["attestation"]["verdict"] == "accepted"
    assert demo.ready
    assert len(demo.challenges) == 1


def test_a_create_without_attestation_asks_for_nothing(demo):
    done = demo.shell(f"{_CREATE} --no-attest -o json")
    assert (done.code, done.document["state"]) == (0, "ready")
    assert done.document["stage"] is None
    assert demo.challenges == []
    assert not demo.ready
    assert demo.shell("create demo").code == 0
    assert demo.shown["state"] == "attested"


def test_a_verdict_that_counts_is_not_made_again(demo):
    assert demo.shell(_CREATE).code == 0
    assert demo.shell("create demo").out.endswith("nothing to do\n")
    assert len(demo.challenges) == 1
    assert demo.shell("create demo --policy cpu-only").code == 0
    assert len(demo.challenges) == 2


def test_a_create_after_a_restart_attests_again(demo):
    assert demo.shell(_CREATE).code == 0
    assert demo.shell("restart demo").code == 0
    assert demo.shell("create demo").code == 0
    assert demo.shown["state"] == "attested"
    assert len(demo.challenges) == 2


@pytest.mark.parametrize(
    ("scenario", "code", "state"), [("old-paravisor", 9, "rejected"), ("tpm-absent", 8, "ready")]
)
def test_a_vm_that_is_not_attested_stays_and_is_named(demo, scenario, code, state):
    demo.scenario(scenario)
    done = demo.shell(f"{_CREATE} -o json")
    assert done.code == code
    kept = {one["id"].rsplit("/", 1)[-1] for one in done.error["resources"]}
    assert {"demo", "demo-vnet", "demo-osdisk"} <= kept
    assert demo.shown["state"] == state
    assert demo.shown["stage"] == "attest"
    assert not demo.ready
    demo.scenario("usual")
    assert demo.shell("create demo").code == 0
    assert demo.shown["state"] == "attested"
    assert demo.shown["stage"] is None


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


def test_a_stopped_vm_is_attested_later(demo):
    assert demo.shell(f"{_CREATE} --no-attest").code == 0
    assert demo.shell("stop demo").code == 0
    assert demo.shell("create demo").code == 0
    assert demo.challenges == []


def test_a_private_vm_is_attested_once_there_is_a_way_to_it(demo):
    assert demo.shell(f"{_CREATE} --private").code == 0
    assert demo.challenges == []
    done = demo.shell("create demo --reachable")
    assert done.code == 0, done.err
    assert demo.shown["state"] == "attested"
