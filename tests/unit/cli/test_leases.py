"""Leases on the command line: `extend`, `gc`, and what `list` says of the time that is left."""

import pytest

from support.cli import Shell
from support.faults import NthRequest, request_to

_CREATE = "create demo --region eastus2 --ssh-from 203.0.113.7/32"


@pytest.fixture
def other(shell, tmp_path):
    """Another machine on the same subscription."""
    return Shell(tmp_path / "other", shell.arm)


@pytest.mark.slow
def test_an_expired_deployment_is_collected_by_any_machine(shell, prepared, other, golden):
    prepared(shell, f"{_CREATE} --ttl 1h")
    shell("fake advance 2h")
    golden("cli/gc-shown.txt", str(other("gc")))
    golden("cli/gc.txt", str(other("gc --yes")))
    golden("cli/gc-nothing.txt", str(other("gc --yes")))
    assert shell.kinds() == []


def test_extend_shows_the_old_and_the_new_expiry(shell, prepared, other, golden):
    prepared(shell, _CREATE)
    golden("cli/extend-first.txt", str(shell("extend demo --ttl 1h")))
    golden("cli/extend.txt", str(other("extend demo --ttl 4h")))
    assert "3h 59m" in shell("list").out
    shell("fake advance 2h")
    assert "nothing has expired" in other("gc --yes").out


def test_extend_prints_its_json_document(shell, prepared):
    prepared(shell, f"{_CREATE} --ttl 1h")
    told = shell("extend demo --ttl 2h -o json").document
    listed = shell("list -o json").document["deployments"][0]
    assert told["schema"] == "ccgpu.extend/1"
    assert (told["name"], told["resource_group"]) == ("demo", "ccgpu-demo")
    assert told["before"] < told["expires"] == listed["expires"]
    written = {one.casefold() for one in told["resources"]}
    assert {one.rsplit("/", 1)[-1] for one in written} == {"demo", "ccgpu-demo"}
    assert written < {one["id"].casefold() for one in listed["resources"]}
    assert 7000 < listed["seconds_left"] <= 7200


@pytest.mark.slow
def test_without_a_lease_no_expiry_is_shown(shell, prepared):
    prepared(shell, _CREATE)
    (listed,) = shell("list -o json").document["deployments"]
    assert (listed["expires"], listed["seconds_left"]) == (None, None)
    assert shell("extend demo --ttl 1h -o json").document["before"] is None


@pytest.mark.parametrize("yes", [False, True])
def test_gc_prints_its_json_document(shell, prepared, other, yes):
    prepared(shell, f"{_CREATE} --ttl 1h")
    ids = {one.casefold() for one in _ids(shell)}
    shell("fake advance 2h")
    told = other(f"gc {'--yes' if yes else ''} -o json").document
    assert told["schema"] == "ccgpu.gc/1"
    (one,) = told["deployments"]
    assert {id_.casefold() for id_ in one.pop("resources")} == ids
    assert one == {
        "name": "demo",
        "resource_group": "ccgpu-demo",
        "why": "expired",
        "expires": "2026-01-01T01:00:04Z",
        "created": "2026-01-01T00:00:04Z",
        "action": "removed" if yes else "would-remove",
        "reason": None,
        "hint": None,
    }
    assert bool(_ids(shell)) is not yes


def test_a_gc_that_was_interrupted_does_not_say_that_nothing_has_expired(shell):
    shell.arm.faults.append(NthRequest(0, request_to("GET", "/"), KeyboardInterrupt()))
    done = shell("gc --yes")
    assert (done.code, done.out) == (130, "")
    assert "hint: `ccgpu gc --yes` continues" in done.err


@pytest.mark.slow
def test_gc_prints_a_failure_after_its_result(shell, prepared, other):
    prepared(shell, f"{_CREATE} --ttl 1h")
    shell("fake advance 2h")
    refused = {"error": {"code": "AuthorizationFailed", "message": "not allowed"}}
    shell.arm.faults.append(_forbid(refused))
    done = other("gc --yes -o json")
    assert done.code == 4
    assert [one["action"] for one in done.document["deployments"]] == ["failed"]
    assert "grant the action" in done.document["deployments"][0]["hint"]
    assert done.error["code"] == "RemovalDenied"
    assert {one["id"] for one in done.error["resources"]} == set(_ids(shell))
    text = other("gc --yes")
    assert "demo in ccgpu-demo: " in text.out
    assert "; then `ccgpu gc --yes` tries again" in text.err


@pytest.mark.parametrize(
    ("line", "code", "said"),
    [
        ("extend demo", 2, "--ttl"),
        ("extend demo --ttl 4", 2, "is not a time to live"),
        ("extend demo --ttl 9m", 2, "must be from 10m to 30d"),
        ("extend demo --ttl 4h", 4, "there is no deployment demo"),
        ("extend ../x --ttl 4h", 2, "is not a deployment name"),
    ],
)
def test_extend_needs_a_ttl_and_an_existing_deployment(shell, line, code, said):
    done = shell(line)
    assert done.code == code
    assert said in done.err
    assert shell.writes() == []


def _ids(shell):
    return [one["id"] for one in shell.arm.show()["resources"]]


def _forbid(body):
    from ccgpu.fakearm import Response

    return lambda request: Response(403, body) if request.method == "DELETE" else None
