"""`ccgpu attest` over connections that fail, or that somebody else answers."""

from collections.abc import Sequence

import pytest

from ccgpu.errors import ConnectionLost, GuestUnreachable, HostKeyMismatch, TimedOut
from ccgpu.guest.channel import Completed
from support.attesting import Attester, WrappedChannel, make_demo, open_now
from support.slow import mostly_slow

_COMMANDS = ("ccgpu-probe", "ccgpu-collect", "-grs", "-srs")


@pytest.fixture
def demo(shell, prepared) -> Attester:
    """A VM that is set up, and that nobody has attested."""
    return Attester(prepared(shell, make_demo))


def _is(argv: Sequence[str], word: str) -> bool:
    return argv[0] == word or word in argv


def _meeting(demo, meet):
    """The machine, if `meet` decides about each command; it may run it."""

    def wrap(channels, target):
        inner = open_now(channels, target)
        return WrappedChannel(inner, lambda a, i, t: meet(a, lambda: inner.run(a, i, timeout=t)))

    return demo.through(wrap)


def _answering(demo, word, answer):
    """The machine, if a command with this word ended otherwise; an error is raised."""

    def meet(argv, run):
        if not _is(argv, word):
            return run()
        if isinstance(answer, Exception):
            raise answer
        return answer(run())

    return _meeting(demo, meet)


_FAULTS = {
    "unreachable": (lambda: GuestUnreachable("no route"), 10),
    "not-up": (lambda: GuestUnreachable("refused", transient=True), 10),
    "lost": (lambda: ConnectionLost("broke off"), 10),
    "slow": (lambda: TimedOut("no end"), 11),
    "foreign": (lambda: HostKeyMismatch("WRONG HOST KEY"), 9),
}


@pytest.mark.parametrize("fault", mostly_slow(_FAULTS, 3))
@pytest.mark.parametrize("word", mostly_slow(_COMMANDS, 3))
def test_a_connection_that_fails_never_makes_a_vm_attested(demo, word, fault):
    """A failure after the verdict, too: it counts once the GPU is ready."""
    make, code = _FAULTS[fault]
    done = _answering(demo, word, make())()
    assert done.code == code
    assert demo.shown["state"] == "ready"
    assert not demo.ready


@pytest.mark.parametrize(
    "answer",
    mostly_slow(
        [
            Completed(0, b"", b""),
            Completed(0, b"{}", b""),
            Completed(0, b"[" * 100_000, b""),
            Completed(0, b'{"schema": "ccgpu.bundle/1"}', b""),
            Completed(0, b"\xff" * 100, b""),
            Completed(1, b"", b"sudo: a password is required"),
            Completed(127, b"", b"python3: command not found"),
            Completed(1, b'{"schema": "ccgpu.collector-error/1"}', b""),
            Completed(0, b" " * (5 * 1024 * 1024), b""),
        ],
        3,
    ),
    ids=["empty", "object", "deep", "bare", "binary", "sudo", "python", "error", "large"],
)
def test_an_answer_that_is_no_evidence_gives_no_verdict(demo, answer):
    done = _answering(demo, "ccgpu-collect", lambda _: answer)()
    assert done.code == 8, done.err
    assert demo.shown["attestation"] is None
    assert not demo.ready


def test_an_answer_that_was_damaged_on_the_way_is_rejected(demo):
    def damage(done):
        return Completed(0, done.stdout.replace(b'"vm_id": "', b'"vm_id": "0', 1), b"")

    assert _answering(demo, "ccgpu-collect", damage)().code in (8, 9)
    assert demo.shown["state"] != "attested"


@pytest.mark.slow
def test_an_old_answer_is_rejected(demo):
    answers = []

    def keep(done):
        answers.append(done)
        return answers[0]

    replaying = _answering(demo, "ccgpu-collect", keep)
    assert replaying().code == 0
    done = replaying()
    assert done.code == 9
    assert {"freshness.nonce.other", "freshness.nonce.earlier"} <= {*done.document["reasons"]}
    assert demo.shown["state"] == "rejected"


@pytest.mark.slow
def test_a_gpu_that_does_not_become_ready_is_an_error_beside_the_verdict(demo):
    def refuse(argv, run):
        return Completed(4, b"", b"Insufficient Permissions") if "-srs" in argv else run()

    judged = _meeting(demo, refuse)()
    assert judged.code == 10
    assert judged.document["verdict"] == "accepted"
    assert judged.document["gpu_ready"] is False
    assert "Insufficient Permissions" in judged.error["message"]
    assert not demo.ready
    assert demo.shown["state"] == "ready"
    demo.shell.backend = None
    assert demo().code == 0
    assert demo.ready


@pytest.mark.slow
def test_the_challenge_is_recorded_before_it_is_sent_and_nothing_else_is_sent(demo):
    sent = []

    def look(argv, run):
        if "ccgpu-collect" in argv:
            sent.append((argv[-1], [one["nonce"] for one in demo.challenges]))
        return run()

    assert _meeting(demo, look)().code == 0
    ((request, recorded),) = sent
    assert request == f'{{"nonce":"{recorded[0]}","release":false}}'


@pytest.mark.slow
def test_a_gpu_is_set_ready_after_the_verdict_alone(demo):
    told = []

    def look(argv, run):
        if "-srs" in argv:
            told.append(demo.known_key().source)
        return run()

    assert _meeting(demo, look)().code == 0
    assert told == ["attested"]


@pytest.mark.slow
def test_a_vm_whose_key_nobody_knows_is_attested_with_its_key(shell):
    demo = Attester(shell).make(guest={"key_in_log": False})
    assert demo.known_key() is None
    done = demo()
    assert done.code == 0, done.err
    known = demo.known_key()
    assert known is not None
    assert known.source == "attested"
    assert shell("exec demo --backend fake -- true").code == 0


@pytest.mark.slow
def test_the_key_of_a_vm_that_is_rejected_is_not_recorded(shell):
    demo = Attester(shell).make(guest={"key_in_log": False, "gpu": "devtools"})
    assert demo().code == 9
    assert demo.known_key() is None


@pytest.mark.slow
def test_a_man_in_the_middle_of_an_unpinned_connection_is_rejected(shell):
    """He shows his own key, and passes on what the VM answers."""
    demo = Attester(shell).make(guest={"key_in_log": False})
    own = bytes.fromhex("0000000b7373682d6564323535313900000020") + b"\x5a" * 32

    def wrap(channels, target):
        inner = open_now(channels, target)
        return WrappedChannel(inner, lambda a, i, t: inner.run(a, i, timeout=t), own)

    done = demo.through(wrap)()
    assert done.code == 9
    assert {"identity.host-key.other", "hcl.user-data.other"} <= {*done.document["reasons"]}
    assert demo.known_key() is None
    assert not demo.ready


def test_another_machine_at_the_address_is_refused_before_anything_is_sent(demo):
    assert demo.shell("exec demo --backend fake -- true").code == 0  # the key is pinned
    demo.scenario("other-host-key")
    done = demo()
    assert done.code == 9
    assert "WRONG HOST KEY" in done.error["message"]
    assert demo.challenges == []


@pytest.mark.slow
def test_the_evidence_of_another_vm_is_rejected(demo):
    """A relay: every command goes to our VM, but another genuine one gives the evidence."""
    demo.make("other")
    targets = {}

    def remember(channels, target):
        targets[target.deployment] = (channels, target)
        return open_now(channels, target)

    assert demo.through(remember)(name="other").code == 0

    def wrap(channels, target):
        inner, relay = open_now(channels, target), open_now(*targets["other"])

        def run(argv, stdin, timeout):
            one = relay if "ccgpu-collect" in argv else inner
            return one.run(argv, stdin, timeout=timeout)

        return WrappedChannel(inner, run)

    done = demo.through(wrap)()
    assert done.code == 9
    assert {"policy.vm-id", "identity.vm-id.other"} <= {*done.document["reasons"]}
    assert demo.shown["state"] == "rejected"
    assert not demo.ready
