"""From a deployment to a target: address, host key, and the key to log in with."""

from dataclasses import replace

import pytest

from ccgpu.azure.run import Run
from ccgpu.domain.access import Access
from ccgpu.domain.desired import Names
from ccgpu.errors import Denied, GuestUnreachable, HostKeyMismatch, StateUnusable
from ccgpu.fakearm import FAKE_SUBSCRIPTION, Response
from ccgpu.store.keys import Keys
from ccgpu.store.known_hosts import KnownHosts
from ccgpu.workflows.access_memory import record_access, remembered_access
from ccgpu.workflows.discovery.search import require_vm
from ccgpu.workflows.guest_access import (
    find_guest,
    guest_target,
    host_key_of,
    wait_until_reachable,
)
from support.cloud import make_spec
from support.faults import NthRequest
from support.slow import mostly_slow

NAMES = Names(FAKE_SUBSCRIPTION, "ccgpu-demo", "demo")


@pytest.fixture
def keys(tmp_path):
    return Keys(tmp_path / "state", "demo", tmp_path)


def _run(machine, timeout=60.0):
    return Run.begin(machine.cloud, timeout, machine.events.append)


def _target(machine, keys, access=Access()):  # noqa: B008  # a value
    run = _run(machine)
    return guest_target(run, NAMES, require_vm(run, NAMES), access, keys)


def test_a_target_is_the_public_address_and_the_key_of_the_console(machine, keys):
    outcome = machine.create()
    target = _target(machine, keys)
    vm = outcome.snapshot.vm
    assert target.vm_id == vm["properties"]["vmId"]
    assert target.user == "azureuser"
    assert target.host.startswith(("198.51.100.", "203.0.113."))
    assert target.host_key is not None
    assert (target.identity, target.jump, target.port) == (None, None, 22)


@pytest.mark.parametrize(
    "access", mostly_slow([Access(reachable=True), Access(jump="me@bastion")], 4)
)
@pytest.mark.parametrize("private", [True, False])
def test_the_private_address_is_used_where_there_is_a_way_to_it(machine, keys, access, private):
    machine.create(make_spec(private=private))
    target = _target(machine, keys, access)
    assert target.host.startswith("10.")
    assert target.jump == access.jump


def test_a_vm_without_a_public_address_needs_a_way(machine, keys):
    machine.create(make_spec(private=True))
    with pytest.raises(GuestUnreachable, match="no public address") as caught:
        _target(machine, keys)
    assert not caught.value.transient
    assert "--jump" in (caught.value.hint or "")


def _is_log(request):
    return ".blob.storage.azure.net/" in request.url


def test_nothing_is_recorded_before_the_key_is_printed(machine, keys):
    machine.create()
    fault = NthRequest(0, _is_log, Response(200, "booting", {}), times=1)
    machine.arm.faults.append(fault)
    assert _target(machine, keys).host_key is None
    known = KnownHosts(machine.cloud.journals.folder)
    vm_id = _target(machine, keys).vm_id
    assert known.find(FAKE_SUBSCRIPTION, "demo", vm_id) is not None


def test_a_recorded_key_is_not_asked_for_again_whatever_the_console_shows(machine, keys):
    machine.create()
    first = _target(machine, keys).host_key
    asked = len(machine.arm.show()["requests"])
    run = _run(machine)
    assert host_key_of(run, NAMES, require_vm(run, NAMES)) == first
    paths = [one["path"].lower() for one in machine.arm.show()["requests"][asked:]]
    assert not any("bootdiagnostics" in path for path in paths)


def test_a_damaged_record_is_not_replaced_by_what_the_console_shows(machine, keys):
    machine.create()
    _target(machine, keys)
    (file,) = machine.state.rglob("*.hostkey")
    file.write_text("{}")
    with pytest.raises(StateUnusable):
        _target(machine, keys)


@pytest.mark.slow
def test_a_vm_made_anew_has_its_own_key(machine, keys):
    machine.create()
    first = _target(machine, keys)
    machine.delete()
    assert list(machine.state.rglob("*.hostkey")) == []
    machine.create()
    second = _target(machine, keys)
    assert first.vm_id != second.vm_id
    assert first.host_key != second.host_key


def test_the_wait_for_the_key_ends_with_the_time_limit(machine, keys):
    machine.create()
    fault = NthRequest(0, _is_log, Response(200, "booting", {}), times=None)
    machine.arm.faults.append(fault)
    with pytest.raises(GuestUnreachable, match="is not known"):
        find_guest(_run(machine, 30.0), NAMES, Access(), keys)
    assert fault.fired == 7  # at once, then every five seconds, and once more at 27 s


def test_a_console_that_may_not_be_read_is_an_error_with_its_cause(machine, keys):
    machine.create()
    machine.arm.settings.set("principal", value=["*/read"])
    with pytest.raises(Denied):
        _target(machine, keys)


@pytest.mark.parametrize("action", ["deallocate", "power_off"])
def test_a_vm_that_does_not_run_is_named(machine, keys, action):
    machine.create()
    _target(machine, keys)
    machine.cloud.arm.act(NAMES.vm, action)
    machine.arm.advance(600)
    with pytest.raises(GuestUnreachable, match=r"is (deallocated|stopped)") as caught:
        _target(machine, keys)
    assert not caught.value.transient


def test_the_generated_key_is_used_for_a_vm_that_has_it(machine, keys):
    machine.create(make_spec(ssh_keys=[keys.default()[0]]))
    assert _target(machine, keys).identity == keys.private
    named = Access(identity=str(keys.public))
    assert _target(machine, keys, named).identity == keys.public
    other = replace(keys, deployment="other")
    other.default()
    assert _target(machine, other).identity is None


def test_access_is_remembered_until_something_else_is_given(machine):
    cloud = machine.cloud

    def say(
        jump: str | None = None, reachable: bool | None = None, identity: str | None = None
    ) -> Access:
        access = remembered_access(cloud, "demo", jump, reachable, identity)
        record_access(cloud, "demo", access)
        return access

    assert say() == Access()
    given = Access("me@bastion", reachable=True, identity="/k")
    assert say("me@bastion", reachable=True, identity="/k") == given
    assert say() == given
    assert say("") == replace(given, jump=None)
    assert say(reachable=False, identity="") == Access()
    assert remembered_access(cloud, "other") == Access()


def test_attempts_go_on_while_the_error_may_pass(machine):
    errors = [GuestUnreachable("not yet", transient=True)] * 3

    def attempt() -> str:
        if errors:
            raise errors.pop()
        return "up"

    run = _run(machine)
    assert wait_until_reachable(run, NAMES, attempt) == "up"
    assert run.deadline.elapsed() == 15
    assert [event.text for event in machine.events] == ["not yet"] * 3


@pytest.mark.parametrize(
    "error", [GuestUnreachable("refused"), HostKeyMismatch("wrong"), ValueError("bug")]
)
def test_any_other_error_ends_the_attempts(machine, error):
    tried: list[int] = []

    def attempt() -> None:
        tried.append(1)
        raise error

    with pytest.raises(type(error)):
        wait_until_reachable(_run(machine), NAMES, attempt)
    assert tried == [1]


def test_the_files_of_a_deployment_are_private(machine, keys):
    machine.create()
    _target(machine, keys)
    record_access(machine.cloud, "demo", Access("bastion"))
    files = [path for path in machine.state.rglob("*") if path.suffix in (".hostkey", ".access")]
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}
    assert len(files) == 2
