"""Faults of the channel to the guest: at each command, before it, in its place, and after it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from ccgpu.errors import (
    ConnectionLost,
    GuestNotReady,
    GuestUnreachable,
    HostKeyMismatch,
    TimedOut,
)
from ccgpu.fakearm import FAKE_SUBSCRIPTION, FakeArm, Request
from ccgpu.guest.channel import Channel, Completed, GuestTarget, OpenChannel
from faults.attesting.trial import (
    DONE,
    LIMIT,
    NOT_READY,
    REJECTED,
    TIMED_OUT,
    UNAVAILABLE,
    Case,
)
from support.attesting import Attester, WrappedChannel, open_now

# The commands in the VM, in order. The first one connects; the third one connects again.
STEPS = ("boot-id", "collect", "same-boot", "ready", "set-ready", "ready-again")
_AFTER_THE_VERDICT = STEPS[2:]
_REBOOT = 200.0  # seconds in which a VM ends its boot, and sshd answers in the next one
_VM = "ccgpu-demo/providers/Microsoft.Compute/virtualMachines/demo"


@dataclass(frozen=True)
class Ask:
    """A command that is about to be sent: its words, its time limit, and what carries it out."""

    arm: FakeArm
    argv: Sequence[str]
    timeout: float
    carry_out: Callable[[], Completed]


Meet = Callable[[Ask], Completed]


@dataclass
class GuestFault:
    """Meets one command, or all from it on."""

    step: str
    meet: Meet
    forever: bool = False
    seen: int = field(default=0, init=False)
    fired: bool = field(default=False, init=False)

    def install(self, attester: Attester) -> Attester:
        """The same machine, whose channels have the fault."""
        arm = attester.shell.arm

        def wrap(channels: OpenChannel, target: GuestTarget) -> Channel:
            inner = open_now(channels, target)

            def run(argv: Sequence[str], stdin: bytes, timeout: float) -> Completed:
                ask = Ask(arm, argv, timeout, lambda: inner.run(argv, stdin, timeout=timeout))
                return self._run(ask)

            return WrappedChannel(inner, run)

        self.seen, self.fired = 0, False
        return attester.through(wrap)

    def _run(self, ask: Ask) -> Completed:
        at, self.seen = self.seen, self.seen + 1
        wanted = STEPS.index(self.step)
        if at == wanted or (self.forever and at > wanted):
            self.fired = True
            return self.meet(ask)
        return ask.carry_out()


def raising(make: Callable[[], Exception], *, after: bool = False) -> Meet:
    """The connection fails; `after`: the command was carried out all the same."""

    def meet(ask: Ask) -> Completed:
        if after:
            ask.carry_out()
        raise make()

    return meet


def _hang(ask: Ask) -> Completed:
    """No end; the channel gives up when the time limit has passed."""
    ask.arm.advance(ask.timeout)
    raise TimedOut(f"{ask.argv[0]} in demo did not end within {ask.timeout:g} s")


def answering(change: Callable[[Completed], Completed]) -> Meet:
    """The command is carried out, but its answer changes on the way."""
    return lambda ask: change(ask.carry_out())


def instead(*given: Any) -> Meet:
    """The command is not carried out; it ends like this."""
    return lambda _: Completed(*given)


def slow(seconds: float) -> Meet:
    """The answer comes late, but within the time limit of the command."""

    def meet(ask: Ask) -> Completed:
        ask.arm.advance(seconds)
        return ask.carry_out()

    return meet


def after_event(act: Callable[[FakeArm], object]) -> Meet:
    """Something happens to the VM just before the command."""

    def meet(ask: Ask) -> Completed:
        act(ask.arm)
        return ask.carry_out()

    return meet


def _power(verb: str) -> Callable[[FakeArm], object]:
    """Another client powers the VM."""

    def act(arm: FakeArm) -> None:
        url = f"https://management.azure.com/subscriptions/{FAKE_SUBSCRIPTION}/resourceGroups/{_VM}"
        asked = Request(
            "POST", f"{url}/{verb}?api-version=2026-04-01", {"Authorization": "Bearer somebody"}
        )
        answer = arm.send(asked)
        assert answer.status in (200, 202), answer
        arm.advance(_REBOOT / 2)

    return act


def _scenario(**guest: Any) -> Callable[[FakeArm], object]:
    return lambda arm: arm.configure({"guest": guest})


_CONNECTION: dict[str, tuple[Meet, int, str]] = {
    "no-route": (raising(lambda: GuestUnreachable("no route to demo")), NOT_READY, "no route"),
    "refused": (
        raising(lambda: GuestUnreachable("demo refuses: not up", transient=True)),
        NOT_READY,
        "not up",
    ),
    "lost-before": (raising(lambda: ConnectionLost("it broke off")), NOT_READY, "broke off"),
    "lost-after": (
        raising(lambda: ConnectionLost("it broke off"), after=True),
        NOT_READY,
        "broke off",
    ),
    "other-host-key": (
        raising(lambda: HostKeyMismatch("WRONG HOST KEY: another machine")),
        REJECTED,
        "WRONG HOST KEY",
    ),
    "hung": (_hang, TIMED_OUT, "did not end within"),
    "flood": (
        raising(lambda: GuestNotReady("sudo in demo printed more than 32 MiB")),
        NOT_READY,
        "more than 32 MiB",
    ),
}
_ANSWERS: dict[str, tuple[Meet, str]] = {
    "sudo-refuses": (
        instead(1, b"", b"sudo: a password is required\n"),
        "sudo: a password is required",
    ),
    "no-program": (
        instead(127, b"", b"sudo: python3: command not found\n"),
        "python3: command not found",
    ),
    "killed": (instead(137, b"", b"Killed\n"), "Killed"),
    "nothing": (instead(0, b"", b""), ""),
    "half": (answering(lambda done: Completed(0, done.stdout[: len(done.stdout) // 2], b"")), ""),
    "binary": (instead(0, bytes(range(128, 256)) * 8, b""), ""),
    "deep": (instead(0, b"[" * 200_000, b""), ""),
    "page": (instead(0, b"<html>a captive portal</html>", b""), ""),
    "null": (instead(0, b"null", b""), ""),
    "number": (instead(0, b"1e999", b""), ""),
    "list": (instead(0, b"[]", b""), ""),
    "other-schema": (instead(0, b'{"schema": "ccgpu.other/1"}', b""), ""),
    "banner": (answering(lambda done: Completed(0, b"Welcome!\n" + done.stdout, b"")), ""),
    "failed-in-the-end": (answering(lambda done: Completed(3, done.stdout, b"")), ""),
}
_SAID = {
    "boot-id": (UNAVAILABLE, "the id of its boot"),
    "collect": (UNAVAILABLE, "collector"),
    "same-boot": (NOT_READY, "the id of its boot"),
}
_HARMLESS_NOISE = answering(lambda done: Completed(0, done.stdout, b"a warning on stderr\n"))


def connection_cases() -> Iterator[Case]:
    """The connection fails at each command."""
    for step in STEPS:
        for name, (meet, code, says) in _CONNECTION.items():
            fault = GuestFault(step, meet, forever=True)
            later = step in _AFTER_THE_VERDICT
            yield Case(f"{step}:{name}", fault, code, says, accepted=later)


def answer_cases() -> Iterator[Case]:
    """Each command of ours gets an answer that is none."""
    for step in STEPS[:3]:
        code, says = _SAID[step]
        for name, (meet, cause) in list(_ANSWERS.items())[:: 1 if step == "collect" else 2]:
            said = (cause or says) if step == "collect" else says
            later = step in _AFTER_THE_VERDICT
            yield Case(f"{step}:{name}", GuestFault(step, meet), code, said, accepted=later)


def gpu_cases() -> Iterator[Case]:
    """`nvidia-smi` fails, lies or hangs once the evidence is accepted."""
    said_ready = b"Confidential Compute GPUs Ready state: ready\n"
    said_not = b"Confidential Compute GPUs Ready state: not-ready\n"
    done = b"Successfully set the GPUs Ready State to ready\n"
    refused = (4, b"", b"Insufficient Permissions\n")
    for name, step, given, says in (
        ("set-refused", "set-ready", refused, "Insufficient Permissions"),
        ("set-pretended", "set-ready", (0, done, b""), "not become ready"),
        ("set-no-sudo", "set-ready", (1, b"", b"sudo: a password is required\n"), "sudo: a pass"),
        ("set-no-driver", "set-ready", (127, b"", b"sudo: nvidia-smi: not found\n"), "not found"),
        ("read-nothing", "ready-again", (0, b"", b""), "not become ready"),
        ("read-not-ready", "ready-again", (0, said_not, b""), "not become ready"),
        ("read-twice", "ready-again", (0, said_ready * 2, b""), "not become ready"),
        ("read-failed", "ready-again", (9, said_ready, b"driver not loaded\n"), "not loaded"),
    ):
        yield Case(name, GuestFault(step, instead(*given)), NOT_READY, says, accepted=True)
    # A state that cannot be read is none: it is set, and read again.
    for name, given in (("nothing", (0, b"", b"")), ("failed", (9, said_ready, b"no driver\n"))):
        yield Case(f"read-{name}-at-first", GuestFault("ready", instead(*given)), DONE)
    lost = answering(lambda _: Completed(1, b"", b"lost\n"))
    yield Case("set-without-saying-so", GuestFault("set-ready", lost), DONE)
    # Accepted software says so; nothing else could tell.
    lie = GuestFault("ready", instead(0, said_ready, b""))
    yield Case("read-ready-by-a-lie", lie, DONE, gpu_ready=False)


def event_cases() -> Iterator[Case]:
    """The VM is stopped, started anew or exchanged while it is attested."""
    events: dict[str, tuple[Callable[[FakeArm], object], int, str]] = {
        "stopped": (_power("deallocate"), NOT_READY, "demo"),
        "no-ssh": (_scenario(ssh=False), NOT_READY, "Connection refused"),
        "exchanged": (_scenario(other_key=True), REJECTED, "WRONG HOST KEY"),
    }
    for step in ("boot-id", "collect", "same-boot", "set-ready"):
        later = step in _AFTER_THE_VERDICT
        for name, (act, code, says) in events.items():
            fault = GuestFault(step, after_event(act))
            yield Case(f"{step}:{name}", fault, code, says, accepted=later, limit=_REBOOT)
    restarted = after_event(_power("restart"))
    yield Case("boot-id:restarted", GuestFault("boot-id", restarted), DONE, limit=_REBOOT)
    says = "started anew"
    for step in ("collect", "same-boot"):
        fault = GuestFault(step, restarted)
        yield Case(f"{step}:restarted", fault, NOT_READY, says, accepted=True, limit=_REBOOT)


def ridden_out() -> Iterator[Case]:
    """What passes: a VM that is not up at first, an answer that takes its time, a warning."""
    refused = raising(lambda: GuestUnreachable("not up", transient=True))
    yield Case("boot-id:refused-once", GuestFault("boot-id", refused), DONE)
    for step in STEPS:
        yield Case(f"{step}:slow", GuestFault(step, slow(LIMIT - 5.0)), DONE)
    for step in STEPS[:3]:
        yield Case(f"{step}:warning", GuestFault(step, _HARMLESS_NOISE), DONE)
