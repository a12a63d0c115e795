"""`logs`: the console from Azure, the set-up's log from the VM."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import pytest

from ccgpu.guest.channel import Completed
from support.cloud import make_backend

_CREATE = "create demo --region eastus2 --ssh-from 203.0.113.7/32"
_LOG = "/var/lib/ccgpu/setup.log"


@dataclass
class _Guest:
    """The inside of a VM, which has one file: what each read adds to it."""

    parts: list[bytes]
    log: bytes = b""
    commands: list[list[str]] = field(default_factory=list)

    @contextmanager
    def opened(self, _: object) -> "Iterator[_Guest]":
        yield self

    def run(self, argv: list[str], stdin: bytes = b"", *, timeout: float) -> Completed:
        assert (stdin, timeout > 0) == (b"", True)
        if argv == ["true"]:
            return Completed(0, b"", b"")
        assert argv[:4] == ["sudo", "-n", "tail", "-c"]
        assert (argv[4][0], argv[5]) == ("+", _LOG)
        if not self.parts and not self.log:
            return Completed(1, b"", f"tail: cannot open '{_LOG}' for reading\n".encode())
        self.log += self.parts.pop(0) if self.parts else b""
        return Completed(0, self.log[int(argv[4]) - 1 :], b"")


@pytest.fixture
def vm(shell, prepared):
    """A VM, and a way to say what is inside."""
    prepared(shell, _CREATE)

    def inside(*parts: bytes) -> _Guest:
        guest = _Guest(list(parts))
        shell.backend = lambda _: replace(
            make_backend(shell.arm, shell.state),
            channels=guest.opened,  # type: ignore[arg-type]  # it can only run commands
        )
        return guest

    return inside


def test_the_set_up_log_is_the_default(vm, shell):
    vm(b"step driver: begin\n\x1b[31mred\x1b[0m\n")
    assert shell("logs demo").out == "step driver: begin\nred\n"
    vm(b"one\n")
    document = shell("logs demo --setup -o json").document
    assert document == {
        "schema": "ccgpu.logs/1",
        "name": "demo",
        "source": "setup",
        "text": "one\n",
    }


def test_a_vm_without_a_set_up_log_is_not_ready(vm, shell):
    vm()
    done = shell("logs demo")
    assert (done.code, done.out) == (10, "")
    assert "cannot open" in done.err
    assert "`ccgpu logs demo --serial`" in done.err


def test_following_prints_each_line_once_it_is_complete_until_an_interrupt(vm, shell):
    vm(b"one\ntw", b"o\n", "drei ü\n".encode(), b"unfinished")
    printed: list[str] = []

    def pause(_: float) -> None:
        printed.append(shell.out.getvalue())
        if len(printed) == 5:
            raise KeyboardInterrupt

    shell.pause = pause
    done = shell("logs demo --follow")
    assert printed == ["one\n", "one\ntwo\n", *["one\ntwo\ndrei ü\n"] * 3]
    assert (done.code, done.out, done.err) == (0, "one\ntwo\ndrei ü\nunfinished\n", "")


@pytest.mark.slow
def test_the_console_needs_no_way_into_the_vm(shell, prepared):
    prepared(shell, _CREATE)
    done = shell("logs demo --serial")
    assert done.code == 0
    assert "-----BEGIN SSH HOST KEY KEYS-----\nssh-ed25519 AAAA" in done.out
    assert "\r" not in done.out
    text = shell("logs demo --serial -o json").document["text"]
    assert "\r\n" in text
    assert shell("stop demo").code == 0
    assert shell("logs demo --serial").code == 0


def test_following_the_console_prints_what_is_added(shell, prepared):
    prepared(shell, _CREATE)
    before = shell("logs demo --serial").out
    pauses: list[float] = []

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 3:
            raise KeyboardInterrupt

    shell.pause = pause
    assert shell("logs demo --serial --follow").out.split() == before.split()


@pytest.mark.parametrize(
    "line", ["logs demo --serial --setup", "logs demo --serial --follow -o json"]
)
def test_what_cannot_be_combined_is_refused(shell, prepared, line):
    prepared(shell, _CREATE)
    assert shell(line).code == 2


def test_a_missing_permission_for_the_console_is_named(shell, prepared):
    prepared(shell, _CREATE)
    shell.arm.settings.set("principal", value=["*/read"])
    done = shell("logs demo --serial")
    assert done.code == 4
    assert "Microsoft.Compute/virtualMachines/retrieveBootDiagnosticsData/action" in done.err
