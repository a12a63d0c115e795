"""Tokens that expire during a command, claims challenges, and excessive Retry-After values."""

import base64
from collections import Counter
from pathlib import Path

import pytest

from support import faults
from support.cli import Shell
from support.cloud import DEPLOYMENT_KINDS
from support.faults import NthRequest, request_to
from support.slow import mostly_slow

_CREATE = "create demo --region eastus2 --ssh-from 203.0.113.7/32 -o json"
_VM = request_to("PUT", "/virtualMachines/")
_CLAIMS = base64.urlsafe_b64encode(b'{"access_token":{}}').decode().rstrip("=")
CAE = faults.error(
    401,
    "InvalidAuthenticationToken",
    WWW_Authenticate=f'Bearer error="insufficient_claims", claims="{_CLAIMS}"',
)
LATER = faults.error(429, "TooManyRequests", Retry_After="3600")


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path).with_key()


def _statuses(shell: Shell) -> list[int]:
    return [one["status"] for one in shell.arm.show()["requests"]]


@pytest.mark.slow
@pytest.mark.parametrize("lifetime", mostly_slow([20, 300], 2))
def test_commands_outlast_their_tokens(shell: Shell, lifetime: int) -> None:
    """Create and delete of the VM take 45 minutes each on the virtual clock."""
    for what in ("vm.create", "vm.create.encrypted", "vm.delete"):
        shell.arm.settings.set("durations", what, value=2700)
    shell.arm.settings.set("durations", "token", value=lifetime)
    began = shell.arm.now()
    made = shell(_CREATE)
    assert made.code == 0, made
    assert made.document["state"] == "attested"
    assert shell.arm.now() - began > 2700
    assert _statuses(shell).count(401) >= 5
    assert shell.kinds() == DEPLOYMENT_KINDS
    gone = shell("delete demo --yes --timeout 2h")
    assert gone.code == 0, gone
    assert shell.arm.now() - began > 5400
    assert shell.kinds() == []


def test_an_expired_token_error_names_the_clock(shell: Shell) -> None:
    """The fake refuses expired tokens; otherwise the tests above would prove nothing."""
    shell.arm.settings.set("durations", "token", value=0)
    done = shell(f"{_CREATE}")
    assert (done.code, done.error["code"]) == (4, "ExpiredAuthenticationToken")
    assert "is earlier than current UTC time '1/1/2026 12:00:00 AM'" in done.error["message"]
    assert done.error["resources"] == []


@pytest.mark.slow
def test_a_claims_challenge_during_a_create_is_answered(shell: Shell) -> None:
    for kind in (_VM, faults.is_poll, request_to("GET", "/virtualMachines/")):
        shell.arm.faults.append(NthRequest(0, kind, CAE))
    done = shell(_CREATE)
    assert done.code == 0, done
    assert _statuses(shell).count(401) == 3


@pytest.mark.parametrize("kind", [request_to("GET", "/"), _VM], ids=["at once", "for the VM"])
def test_repeated_claims_challenges_are_a_failed_sign_in(
    shell: Shell, kind: faults.RequestFilter
) -> None:
    shell.arm.faults.append(NthRequest(0, kind, CAE, times=None))
    done = shell(_CREATE)
    assert (done.code, done.error["code"]) == (4, "InvalidAuthenticationToken")
    refused = Counter(r["path"] for r in shell.arm.show()["requests"] if r["status"] == 401)
    assert set(refused.values()) == {2}
    assert (done.error["resources"], shell.kinds()) == ([], [])


@pytest.mark.parametrize("keep", mostly_slow([False, True], 2), ids=["undone", "kept"])
@pytest.mark.parametrize(
    "kind",
    [
        pytest.param(request_to("GET", "/"), id="first-read"),
        pytest.param(request_to("PUT", "/resourceGroups/"), id="first-write"),
        pytest.param(_VM, id="vm"),
    ],
)
def test_a_retry_after_beyond_the_timeout_ends_the_command(
    shell: Shell, kind: faults.RequestFilter, keep: bool
) -> None:
    shell.arm.faults.append(fault := NthRequest(0, kind, LATER))
    began = shell.arm.now()
    done = shell(f"{_CREATE} --timeout 30m{' --keep-on-failure' if keep else ''}")
    assert fault.fired
    assert (done.code, done.error["code"]) == (11, "TimedOut"), done
    assert shell.arm.now() - began < 1800
    told = {one["id"] for one in done.error["resources"] if one["state"] == "exists"}
    assert told == {one["id"] for one in shell.arm.show()["resources"]}
    assert not [one for one in done.error["resources"] if one["state"] != "exists"]


def test_when_polls_are_refused_beyond_the_timeout_the_resource_itself_is_asked(
    shell: Shell,
) -> None:
    shell.arm.faults.append(fault := NthRequest(0, faults.is_poll, LATER, times=None))
    done = shell(f"{_CREATE} --timeout 30m")
    assert (done.code, fault.fired > 0) == (0, True), done
