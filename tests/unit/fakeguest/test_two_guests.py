"""Two genuine simulated VMs, one of which answers in the place of the other."""

import pytest

from ccgpu.domain import hostkey
from ccgpu.errors import HostKeyMismatch
from ccgpu.fakeguest.collector import BoundValues
from ccgpu.fakeguest.collector import collect as collect_bound_to
from support.guest_evidence import asked_of, collect, hardware_of, judge
from support.simulated_guests import GuestBench, add_bench
from support.vms import NONCE


@pytest.fixture
def other(bench: GuestBench) -> GuestBench:
    """A second VM of the subscription; in most tests its guest is hostile."""
    return add_bench(bench.az, "other")


def _answer_as(other, host_key, vm_id):
    """The other VM answers, bound to what its guest likes."""
    with hardware_of(other) as hardware:
        return dict(collect_bound_to(hardware, NONCE, BoundValues(host_key, vm_id)))


@pytest.mark.slow
def test_each_is_accepted_as_itself(bench, other):
    for one in (bench, other):
        assert judge(one, collect(one)).verdict == "accepted"


def test_a_relay_bound_to_our_id_is_refused_by_the_vm_id_alone(bench, other):
    """The client has pinned the other VM's key: the man in the middle was there from the start."""
    document = _answer_as(other, other.target.host_key, bench.target.vm_id)
    assert judge(other, document, vm_id=bench.target.vm_id).reasons == ("policy.vm-id",)


def test_a_relay_bound_to_our_id_and_key_is_refused_by_the_vm_id_alone(bench, other):
    document = _answer_as(other, bench.target.host_key, bench.target.vm_id)
    assert judge(bench, document).reasons == ("policy.vm-id",)


def test_an_honest_answer_of_the_other_vm_is_refused(bench, other):
    reasons = judge(bench, collect(other)).reasons
    assert {"identity.vm-id.other", "identity.host-key.other", "policy.vm-id"} <= set(reasons)


def test_the_names_on_an_answer_do_not_make_it_ours(bench, other):
    honest = collect(bench)
    renamed = {**collect(other), "vm_id": honest["vm_id"], "host_key": honest["host_key"]}
    reasons = judge(bench, renamed).reasons
    assert {"hcl.user-data.other", "vtpm.nonce.other", "policy.vm-id"} <= set(reasons)


def test_our_cpu_with_the_gpu_of_the_other_is_refused(bench, other):
    mixed = {**collect(bench), "gpus": collect(other)["gpus"]}
    assert judge(bench, mixed).reasons == (
        *("vtpm.nonce.other", "gpu.nonce.other", "gpu.nonce.claimed"),
    )


@pytest.mark.slow
def test_the_cpu_of_the_other_with_our_gpu_is_refused(bench, other):
    mixed = {**collect(bench), "cpu": collect(other)["cpu"]}
    assert "policy.vm-id" in judge(bench, mixed).reasons


def test_a_connection_to_another_host_key_is_refused_by_the_binding(bench, other):
    """A man in the middle passes our VM's evidence on to a client that sees his key."""
    seen = hostkey.sha256(other.target.host_key)
    reasons = judge(bench, collect(bench), host_key=seen).reasons
    assert {"identity.host-key.other", "hcl.user-data.other"} <= set(reasons)
    silent = {**collect(bench), "host_key": None}
    assert "hcl.user-data.other" in judge(bench, silent, host_key=seen).reasons


def test_a_pinned_key_lets_nobody_else_answer(bench, other):
    with pytest.raises(HostKeyMismatch):
        collect(other.pinned(bench.target.host_key))


def test_an_answer_is_of_use_once(bench):
    document = collect(bench)
    assert judge(bench, document).verdict == "accepted"
    assert asked_of(bench)["nonce"] == NONCE
    reasons = judge(bench, document, nonce=bytes(32)).reasons
    assert {"freshness.nonce.other", "vtpm.nonce.other"} <= set(reasons)
