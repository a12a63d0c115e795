"""`ccgpu attest --every`: round after round, until one fails; then the user's command, if any."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from ccgpu.fakearm import scenarios
from ccgpu.store import policies
from support.attesting import Attester, WrappedChannel, make_demo, open_now

Event = Callable[[], None]


@pytest.fixture
def demo(shell, prepared) -> Attester:
    """A VM that is set up, and that nobody has attested."""
    return Attester(prepared(shell, make_demo))


def _interrupt() -> None:
    raise KeyboardInterrupt


def _in(scenario: str, demo: Attester) -> Event:
    return lambda: scenarios.apply(demo.shell.arm, scenario)


def _happening(demo: Attester, *events: Event | None) -> Attester:
    """The same machine; before its n-th challenge is sent, the n-th event happens.

    After the last one comes Ctrl-C, so that rounds which go on too long end.
    """
    left = list(events)

    def wrap(channels, target):
        inner = open_now(channels, target)

        def run(argv, stdin, timeout):
            if "ccgpu-collect" in argv and (event := left.pop(0) if left else _interrupt):
                event()
            return inner.run(argv, stdin, timeout=timeout)

        return WrappedChannel(inner, run)

    return demo.through(wrap)


def _rounds(done):
    return [json.loads(line) for line in done.out.splitlines()]


def test_rounds_follow_each_other_until_a_vm_is_rejected(demo):
    done = _happening(demo, None, None, _in("devtools", demo))("--every 2h")
    assert done.code == 9
    rounds = _rounds(done)
    assert [one["verdict"] for one in rounds] == ["accepted", "accepted", "rejected"]
    assert [one["exit_code"] for one in rounds] == [0, 0, 9]
    assert [one["round"] for one in rounds] == [1, 2, 3]
    assert {one["schema"] for one in rounds} == {"ccgpu.attest-round/1"}
    assert all(one["simulated"] for one in rounds)
    assert "policy.gpu.dev-tools" in rounds[2]["reasons"]
    assert rounds[2]["error"]["message"].startswith("evidence rejected: ")
    hours = [int(one["time"][11:13]) for one in rounds]
    assert (hours[1] - hours[0], hours[2] - hours[1]) == (2, 2)
    assert [one["next_at"] is None for one in rounds] == [False, False, True]
    assert len(demo.challenges) == 3
    assert demo.shown["state"] == "rejected"


@pytest.mark.slow
def test_a_round_without_a_verdict_is_a_failure_and_people_read_why(demo):
    there = _happening(demo, None, _in("tpm-absent", demo))
    done = there.shell("attest demo --every 1h")
    assert done.code == 8
    first, second = done.out.splitlines()
    assert "demo SIMULATED accepted by policy default; counts until " in first
    assert "; next at " in first
    assert "demo NO VERDICT: " in second
    assert second.endswith("(exit code 8); this was the last round")
    assert done.err.startswith("error: ")


@pytest.mark.slow
def test_an_interrupt_ends_the_rounds_and_the_last_verdict_counts(demo):
    done = _happening(demo, None, _interrupt)("--every 1h")
    assert done.code == 130
    assert [one["verdict"] for one in _rounds(done)] == ["accepted"]
    assert done.error["code"] == "Interrupted"
    assert demo.shown["state"] == "attested"


@pytest.mark.slow
def test_the_command_is_told_what_has_failed_and_the_rounds_go_on(demo):
    names = ("NAME", "VERDICT", "EXIT_CODE", "REASONS", "POLICY", "TIME", "BUNDLE", "ERROR")
    told = " ".join(f'"$CCGPU_{name}"' for name in names)
    events = (_in("devtools", demo), _in("tpm-absent", demo), _in("usual", demo), _interrupt)
    there = _happening(demo, *events)
    done = there(f"--every 1h --on-failure 'printf \"%s|\" {told} >> told; echo out; exit 3'")
    assert done.code == 130
    rounds = _rounds(done)
    assert [one["verdict"] for one in rounds] == ["rejected", "no_verdict", "accepted"]
    assert all(one["next_at"] for one in rounds)
    values = Path("told").read_text().split("|")[:-1]
    first, second = (dict(zip(names, values[at : at + 8], strict=True)) for at in (0, 8))
    assert (first["NAME"], first["VERDICT"], first["EXIT_CODE"]) == ("demo", "rejected", "9")
    assert first["REASONS"] == ",".join(rounds[0]["reasons"])
    assert (first["POLICY"], first["TIME"]) == ("default", rounds[0]["time"])
    assert first["BUNDLE"] == rounds[0]["bundle"]
    assert first["ERROR"] == rounds[0]["error"]["message"]
    assert (second["VERDICT"], second["EXIT_CODE"]) == ("no_verdict", "8")
    assert second["REASONS"] == ""


@pytest.mark.slow
def test_a_policy_that_becomes_invalid_ends_the_rounds_after_the_command(demo):
    Path("mine.json").write_text(policies.load("default").model_dump_json())

    def spoil() -> None:
        Path("mine.json").write_text("{}")

    done = _happening(demo, spoil)("--every 1h --policy mine.json --on-failure 'touch ran'")
    assert done.code == 3
    assert [one["exit_code"] for one in _rounds(done)] == [0, 3]
    assert Path("ran").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--on-failure true", "--on-failure needs --every"),
        ("--every 59s", "--every is shorter than one minute"),
        ("--every 1h --save b.json", "--save cannot be used with --every"),
        ("--every 1h --verbose", "--verbose cannot be used with --every"),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_is_asked(shell, words, said):
    done = Attester(shell)(words)
    assert done.code == 2
    assert said in done.error["message"]
    assert shell.reached == []
