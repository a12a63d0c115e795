"""The gate for a machine that ccgpu did not create: the user tells which VM it is."""

from contextlib import contextmanager
from dataclasses import replace

import pytest

from ccgpu.domain.host_address import parse_host_address
from ccgpu.domain.hostkey import HostKeyPin
from ccgpu.errors import EvidenceRejected, HostKeyMismatch, UsageProblem
from ccgpu.workflows.attest_host import WantedHost
from ccgpu.workflows.release import proven_host
from support.gate_refusals import TOKEN

_OTHER_ID = "00000000-1111-2222-3333-444444444444"


@pytest.fixture
def wanted(releaser):
    """The VM `demo`, in the eyes of somebody who knows its address and vmId."""
    shown = releaser.shell("show demo --backend fake -o json").document
    address = parse_host_address(f"azureuser@{shown['public_ip']}")
    return WantedHost(address, shown["vm_id"], None, None, None, 900.0)


@contextmanager
def proven(releaser, wanted):
    backend = releaser.backend()
    means = releaser.attest_means(backend)
    gate = proven_host(backend.scheduler, backend.channels, means, wanted)
    with gate as found:
        yield found


def refuse(releaser, wanted, error, words):
    with pytest.raises(error, match=words), proven(releaser, wanted) as found:
        found.release([TOKEN])
    assert not releaser.has_sealed
    assert releaser.places(TOKEN) == []


def test_secrets_reach_the_machine(releaser, wanted):
    requests = len(releaser.shell.arm.show()["requests"])
    with proven(releaser, wanted) as found:
        assert found.release([TOKEN])[0].name == "hf-token"
    assert len(releaser.shell.arm.show()["requests"]) == requests  # nobody asked Azure
    assert releaser.places(TOKEN) == ["the VM and Azure"]


def test_without_a_vm_id_nobody_says_which_vm_is_meant(releaser, wanted):
    refuse(releaser, replace(wanted, vm_id=None), UsageProblem, "its vmId is not given")


def test_another_vm_than_the_one_that_was_told_gets_nothing(releaser, wanted):
    refuse(releaser, replace(wanted, vm_id=_OTHER_ID), EvidenceRejected, "evidence rejected")


@pytest.mark.slow
def test_another_host_key_than_the_one_that_was_told_gets_nothing(releaser, wanted):
    pin = HostKeyPin(b"\x01" * 32)
    refuse(releaser, replace(wanted, pin=pin), HostKeyMismatch, "WRONG HOST KEY|host key")


def test_a_policy_without_the_gpu_gets_nothing(releaser, wanted):
    releaser.policy = "cpu-only"
    refuse(releaser, wanted, UsageProblem, "asks for less than `default`")
