"""`create` waits for the guest: each way in which it fails, what is kept, what a later one does."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import count

import pytest

from ccgpu.cli.backends import Backend
from ccgpu.domain.resource import CUSTOM_DATA, GUEST
from ccgpu.fakearm import FAKE_SUBSCRIPTION, scenarios
from ccgpu.fakearm.guest_settings import GUEST_SCENARIOS
from ccgpu.guest.channel import Channel, Completed, GuestTarget
from support.arm import Client
from support.cli import CommandResult, Shell
from support.cloud import make_backend
from support.slow import mostly_slow

_CREATE = "create demo --no-attest --region eastus2 --ssh-from 203.0.113.7/32"
# Exit code of `create`, and what its message says: the step above all.
_ENDS = {
    "driver-skew": (10, "step gpu: failed (exit 1): nvidia-smi --query-gpu=driver_version"),
    "cc-off": (10, "step gpu: failed (exit 1): nvidia-smi conf-compute -f: want CC status: ON"),
    "cloud-init-error": (10, "step cloud-init: ended with status error"),
    "devtools": (10, "step gpu: failed (exit 1): nvidia-smi conf-compute -d: want DevTools"),
    "no-sshd": (10, "did not answer for 10 minutes (step ssh)"),
    "setup-fails": (10, "step driver: failed (exit 100): E: Unable to locate package"),
    "gpu-missing": (10, "step driver: failed (exit 1): modprobe: ERROR"),
    "no-host-key": (0, "the serial log does not show the host key of demo"),
    "other-host-key": (9, "WRONG HOST KEY"),
    "drift": (0, "set up"),  # the first boot runs the old kernel
    "disk-full": (10, "step kernel: failed (exit 100): E: You don't have enough free space"),
    "not-held": (10, "step drift: holds: not held"),
    "updates-held": (0, "set up"),
    "never-boots": (10, "demo is not ready: it is still booting after 10 minutes (step boot)"),
}
# What only evidence shows: the guest is ready, and no readiness takes the place of a verdict.
_IN_EVIDENCE = [
    name
    for name, settings in GUEST_SCENARIOS.items()
    if settings.keys() <= {"evidence", "collector", "opener", "workload"}
]
_ENDS |= dict.fromkeys(_IN_EVIDENCE, (0, "set up"))
_FAILING = [name for name, (code, _) in _ENDS.items() if code]
_LOST = "/subscriptions/"  # the begin of each id

_STAGES = ["provision", "boot", "set up", "attest", "release"]


def _journal(shell: Shell) -> list[str] | None:
    """The stages that the journal has as ended; None without a journal."""
    files = list((shell.state / "journals").rglob("demo.json"))
    return list(json.loads(files[0].read_text()).get("stages", [])) if files else None


def _recorded_kinds(shell: Shell) -> list[str]:
    (file,) = (shell.state / "journals").rglob("demo.json")
    return [one["kind"] for one in json.loads(file.read_text())["records"]]


def _in_scenario(shell: Shell, name: str, more: str = "") -> CommandResult:
    scenarios.apply(shell.arm, name)
    return shell(_CREATE + more)


def test_every_scenario_of_guests_is_tried_here():
    assert _ENDS.keys() == {*GUEST_SCENARIOS, "never-boots"}


@pytest.mark.parametrize(
    "name",
    mostly_slow([one for one in _ENDS if one not in _IN_EVIDENCE], 6, 4)
    + mostly_slow(_IN_EVIDENCE, 10, 4),
)
def test_a_create_ends_with_the_step_and_leaves_nothing_that_bills(shell, name):
    """Within an hour of virtual time, the default of `--timeout`."""
    began = shell.arm.now()
    done = _in_scenario(shell, name)
    code, words = _ENDS[name]
    assert (done.code, words in done.err) == (code, True), done
    assert shell.arm.now() - began < 3600
    if code:
        assert (shell.kinds(), shell.arm.show()["billing"], _journal(shell)) == ([], [], None)
        hint = done.err.partition("hint: ")[2]  # it names no VM that is gone, but how to keep one
        # A rollback forgets the spec: without its flags the next VM would have no lease, say.
        assert hint.startswith(f"`ccgpu {_CREATE} --keep-on-failure` keeps the VM, so that")
        assert _LOST not in done.err.partition("error: ")[2]
    else:
        assert _journal(shell) == _STAGES


@pytest.mark.slow
@pytest.mark.parametrize("name", mostly_slow(_FAILING, 20, 4))
def test_a_kept_vm_can_be_looked_into_and_a_later_create_goes_on(shell, name):
    done = _in_scenario(shell, name, " --keep-on-failure")
    code, words = _ENDS[name]
    assert (done.code, words in done.err) == (9 if code == 9 else 7, True), done
    assert "virtualMachines/demo" in done.err
    assert "`ccgpu create demo` continues, `ccgpu delete demo` deletes it" in done.err
    assert _journal(shell) == (["provision"] if name == "never-boots" else ["provision", "boot"])
    assert shell("logs demo --serial").code == 0
    if name not in ("never-boots", "no-sshd", "other-host-key", "cloud-init-error"):
        assert "== driver" in shell("logs demo --setup").out or name == "disk-full"
    looked = shell("doctor demo")
    assert looked.code == code, looked
    again = shell("create --no-attest demo")
    assert (again.code, words in again.err) == (code, True), again
    assert "virtualMachines" in shell.kinds(), "it was not made by that create"


@pytest.mark.parametrize(
    "name",
    mostly_slow([one for one in _FAILING if one not in ("never-boots", "cloud-init-error")], 20),
)
def test_once_the_cause_is_gone_fix_and_create_end_it(shell, name):
    _in_scenario(shell, name, " --keep-on-failure")
    scenarios.apply(shell.arm, "usual")
    fixed = shell("doctor demo --fix")
    assert fixed.code == 0, fixed
    assert shell("create --no-attest demo").code == 0
    assert _journal(shell) == _STAGES


@pytest.mark.slow
def test_a_first_boot_that_failed_is_named_at_later_boots_too(shell):
    """There cloud-init says `done`, and the set-up that it should have begun is missing."""
    _in_scenario(shell, "cloud-init-error", " --keep-on-failure")
    scenarios.apply(shell.arm, "usual")
    words = "step set-up: has not begun, although cloud-init has ended"
    for line in ("restart demo", "create --no-attest demo"):
        began = shell.arm.now()
        done = shell(line)
        assert (done.code, words in done.err) == (10, True), done
        assert "hint: `ccgpu logs demo --serial`" in done.err
        assert shell.arm.now() - began < 600
    assert "set-up" in shell("doctor demo").err


@pytest.mark.slow
def test_an_unknown_host_key_is_said_and_nothing_but_the_probe_is_sent(shell):
    done = _in_scenario(shell, "no-host-key")
    assert "its state is read from whatever answers at its address" in done.err
    assert not list(shell.state.rglob("*.hostkey"))
    assert shell("doctor demo").code == 0
    scenarios.apply(shell.arm, "no-host-key")
    refused = shell("exec demo -- true")
    assert (refused.code, "nothing was sent" in refused.err) == (10, True), refused


@pytest.mark.slow
def test_without_a_host_key_nothing_is_mended_and_that_is_said(shell):
    assert _in_scenario(shell, "no-host-key").code == 0
    shell.arm.configure({"guest": {"key_in_log": False, "disk_full": True}})
    done = shell("doctor demo --fix")
    assert (done.code, "error: nothing is mended: the host key of demo" in done.err) == (10, True)
    assert "fixing" not in done.err
    assert "0.0 GiB free" in shell("doctor demo").out
    shell.arm.configure({"guest": {"disk_full": True}})
    assert shell("doctor demo --fix").code == 0


@pytest.mark.slow
def test_a_private_vm_is_not_looked_into_until_the_way_is_known(shell):
    done = shell(f"{_CREATE} --private")
    assert done.code == 0
    assert "the guest of demo is not checked, because it has no public address" in done.err
    assert _journal(shell) == ["provision", "boot"]
    assert "set up (`ccgpu create demo` continues)" in shell("show demo").out
    again = shell("create --no-attest demo")
    assert (again.code, "`ccgpu create demo --reachable`" in again.err) == (0, True)
    ended = shell("create --no-attest demo --reachable")
    assert (ended.code, _journal(shell)) == (
        0,
        _STAGES,
    )
    assert "continues" not in shell("show demo").out


def test_a_hint_of_a_private_vm_stays_complete_as_a_command(shell):
    done = shell("create --no-attest demo --region eastus2 --private --backend fake")
    assert "`ccgpu create demo --reachable" in done.err


@pytest.mark.slow
def test_a_stopped_vm_is_left_stopped_and_its_stage_open(shell):
    shell(f"{_CREATE} --no-wait")
    shell.arm.advance(3600)
    assert shell("stop demo").code == 0
    done = shell("create --no-attest demo")
    assert (done.code, _journal(shell)) == (0, ["provision", "boot"]), done
    assert "hint: demo is stopped: `ccgpu start demo`" in done.err
    assert shell("start demo").code == 0
    assert shell("create --no-attest demo").code == 0
    assert _journal(shell) == _STAGES


@dataclass
class _Interrupted:
    """A channel that only runs commands; Ctrl-C is pressed during number `after` of all."""

    channel: Channel
    numbers: Iterator[int]
    after: int

    def run(self, argv: Sequence[str], stdin: bytes = b"", *, timeout: float) -> Completed:
        if next(self.numbers) == self.after:
            raise KeyboardInterrupt
        return self.channel.run(argv, stdin, timeout=timeout)


def _interrupted_backend(shell: Shell, after: int) -> Backend:
    usual, numbers = make_backend(shell.arm, shell.state), count(1)

    @contextmanager
    def channels(target: GuestTarget) -> Iterator[_Interrupted]:
        with usual.channels(target) as channel:
            yield _Interrupted(channel, numbers, after)

    return replace(usual, channels=channels)  # type: ignore[arg-type]  # it only runs commands


@pytest.mark.slow
@pytest.mark.parametrize("after", mostly_slow([1, 3], 2))
def test_an_interrupt_while_the_guest_works_keeps_it_and_create_goes_on(shell, after):
    shell.backend = lambda _: _interrupted_backend(shell, after)
    done = shell(_CREATE)
    assert (done.code, "demo is not complete" in done.err) == (130, True), done
    assert "hint: `ccgpu create demo` continues" in done.err
    assert "exists, bills" in done.err
    assert _journal(shell) == ["provision", "boot"]
    assert "set up (`ccgpu create demo` continues)" in shell("show demo").out
    shell.backend = None
    assert shell("create --no-attest demo").code == 0
    assert shell("create --no-attest demo").out.endswith("nothing to do\n")
    assert _journal(shell) == _STAGES


@pytest.mark.slow
def test_a_time_limit_shorter_than_the_set_up_keeps_what_works_on(shell):
    done = shell(f"{_CREATE} --timeout 18m")
    assert done.code == 11
    assert "waiting for the guest of demo (step driver: is running): not done within 18" in done.err
    assert "hint: `ccgpu create demo` continues, `ccgpu delete demo` deletes it" in done.err
    assert "exists, bills" in done.err
    assert _journal(shell) == ["provision", "boot"]
    assert shell("create --no-attest demo").code == 0
    assert _journal(shell) == _STAGES


@pytest.mark.slow
def test_a_create_that_did_not_wait_is_completed_by_the_next(shell):
    assert shell(f"{_CREATE} --no-wait").code == 0
    assert _journal(shell) == []
    early = shell("doctor demo")
    assert (early.code, "demo is still being created" in early.err) == (10, True), early
    assert shell("create --no-attest demo").code == 0
    assert _journal(shell) == _STAGES


@pytest.mark.slow
def test_a_vm_of_an_older_ccgpu_needs_no_set_up_to_be_complete(shell):
    """It has no tag of its first boot, so nothing is known that its guest should be."""
    shell(f"{_CREATE} --no-wait")
    shell.arm.advance(3600)
    vm = "/resourceGroups/ccgpu-demo/providers/Microsoft.Compute/virtualMachines/demo"
    client = Client(shell.arm)
    path = f"/subscriptions/{FAKE_SUBSCRIPTION}{vm}"
    tags = client.get(path)["tags"]
    old = {key: text for key, text in tags.items() if key not in (GUEST, CUSTOM_DATA)}
    assert len(old) == len(tags) - 2
    client.ok("PATCH", path, {"tags": old})
    shell.arm.advance(60)
    scenarios.apply(shell.arm, "cloud-init-error")
    done = shell("create --no-attest demo")
    assert (done.code, _journal(shell)) == (
        0,
        _STAGES,
    ), done
    for line in ("restart demo", "doctor demo"):
        assert shell(line).code == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    "first", mostly_slow([" --timeout 18m", " --no-wait", " --keep-on-failure"], 3)
)
def test_a_create_deletes_no_vm_that_an_earlier_one_made(shell, first):
    _in_scenario(shell, "cc-off", first)
    made = shell.kinds()
    done = shell("create --no-attest demo")
    assert (done.code, "step gpu: failed" in done.err) == (10, True), done
    assert shell.kinds() == made
    assert "hint: `ccgpu logs demo --setup`" in done.err
    assert "rolling back" not in done.err
    kinds = [kind.rpartition("/")[2] for kind in _recorded_kinds(shell)]
    assert {"networkInterfaces", "publicIPAddresses"} < set(kinds), "delete will ask for them"
