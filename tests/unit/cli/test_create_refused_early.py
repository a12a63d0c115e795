"""`create` refuses what would only fail once the VM is made and billed."""

from dataclasses import replace

import pytest

from ccgpu.attest.check import Checks
from ccgpu.attest.gpu_policy import check_driver
from ccgpu.errors import UsageProblem
from ccgpu.store import driver_table, policies
from support.cloud import make_backend

_CREATE = "create demo --region eastus2 --ssh-from 203.0.113.7/32"


def test_a_driver_that_the_policy_rejects_is_refused_before_anything_is_made(shell):
    done = shell(f"{_CREATE} --driver 590.48.01 -o json")
    assert done.code == 3
    assert "policy default rejects (policy.gpu.driver.security)" in done.error["message"]
    assert "--no-attest" in done.error["hint"]
    assert "virtualMachines" not in shell.kinds()


@pytest.mark.slow
@pytest.mark.parametrize("words", ["--no-attest", "--no-wait"])
def test_a_create_that_does_not_attest_takes_it(shell, words):
    assert shell(f"{_CREATE} --driver 590.48.01 {words}").code == 0


def test_the_table_says_what_the_shipped_policies_say():
    for driver in driver_table.shipped().offered():
        for name in ("default", "strict"):
            checks, policy = Checks(), policies.load(name).gpu
            assert policy is not None
            check_driver(driver.version, policy, checks)
            rejected = not all(one.ok for one in checks.made)
            assert rejected == (name in driver.rejected_by), (driver.version, name)


def test_a_create_asks_for_usable_keys_before_anything_is_made(shell):
    """The keys by which this machine can log in to that VM: the user's own, not others."""
    asked = []

    def refuse(privates):
        asked.append([file.name for file in privates])
        raise UsageProblem("asks for a passphrase")

    def backend(_):
        return replace(make_backend(shell.arm, shell.state), require_channel=refuse)

    done = replace(shell, backend=backend)(f"{_CREATE} --no-attest")
    assert (done.code, "asks for a passphrase" in done.err) == (2, True), done
    assert asked in ([["id_ed25519"]], [["demo"]])
    assert "virtualMachines" not in shell.kinds()
