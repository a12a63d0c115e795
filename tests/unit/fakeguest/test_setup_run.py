"""The set-up over its boots, as a function of runs and time: laws for any history."""

from hypothesis import given
from hypothesis import strategies as st

from ccgpu.fakearm.guest_settings import GUEST_DEFAULTS, STEPS
from ccgpu.fakeguest.setup_run import DONE, SetupAttempt, run_setup
from support.simulated_guests import SETTINGS

DURATIONS = {"guest.step": 20.0, "guest.driver": 120.0}
WHOLE = 20.0 * 11 + 120.0
_GOOD = GUEST_DEFAULTS
_BAD = [{"setup_fails": {"step": step, "exit_code": 3, "message": "x"}} for step in STEPS] + [
    {"gpu": "missing"},
    {"gpu": "off"},
    {"disk_full": True},
    {"newer_userspace": True},
]


def _attempt(began, until, boot, changes):
    return SetupAttempt(began, until, _GOOD | changes, boot)


@st.composite
def histories(draw):
    """Some runs one after the other, each in a boot of its own or in the one before."""
    at, boot, made = 0.0, 0, []
    for _ in range(draw(st.integers(1, 5))):
        length = draw(st.floats(1, 500))
        changes = draw(st.sampled_from([{}, *_BAD]))
        made.append(_attempt(at, at + length, boot, changes))
        at += length + draw(st.floats(0, 50))
        boot += draw(st.integers(0, 1))
    return made


@given(histories(), st.floats(0, 2600))
def test_steps_are_done_in_order_and_only_the_gpu_is_looked_at_again(attempts, now):
    run = run_setup(SETTINGS, attempts, now, DURATIONS)
    states = [one.state == DONE for one in run.steps if one.step not in ("gpu", "lockdown")]
    assert states == sorted(states, reverse=True)
    done = [text for _, text in run.lines if ": done" in text]
    assert len([text for text in done if " gpu" not in text]) == len(
        {text for text in done if " gpu" not in text}
    )


@given(histories(), st.floats(0, 2600), st.floats(0, 500))
def test_what_was_printed_stays(attempts, now, later):
    before = run_setup(SETTINGS, attempts, now, DURATIONS).lines
    after = run_setup(SETTINGS, attempts, now + later, DURATIONS).lines
    assert after[: len(before)] == before


@given(histories())
def test_a_good_run_that_is_long_enough_ends_every_history_well(attempts):
    last = attempts[-1]
    assert last.until is not None
    attempts.append(_attempt(last.until, None, last.boot + 1, {}))
    run = run_setup(SETTINGS, attempts, last.until + WHOLE + 20, DURATIONS)
    assert run.state == DONE
    assert run.lines[-1][1] == "done"


@given(histories(), st.floats(0, 2600))
def test_state_and_steps_agree(attempts, now):
    run = run_setup(SETTINGS, attempts, now, DURATIONS)
    states = {one.step: one.state for one in run.steps}
    failed = [step for step, state in states.items() if state == "failed"]
    assert len(failed) <= 1
    assert (run.state == "failed") == (run.current in failed)
    assert all((one.exit_code == 0) == (one.state == DONE) for one in run.steps)


def test_a_new_look_at_the_gpu_runs_although_a_later_step_has_failed_before():
    failing = {"setup_fails": {"step": "lockdown", "exit_code": 3, "message": "x"}}
    attempts = [_attempt(0.0, WHOLE, 0, failing), _attempt(WHOLE, None, 1, {})]
    run = run_setup(SETTINGS, attempts, WHOLE + 1, DURATIONS)
    assert (run.state, run.current) == ("running", "gpu")
    assert run.steps[-1].state == "failed"


def test_the_whole_set_up_takes_its_durations():
    attempts = [_attempt(100.0, None, 0, {})]
    assert run_setup(SETTINGS, attempts, 100 + WHOLE - 0.1, DURATIONS).state == "running"
    assert run_setup(SETTINGS, attempts, 100 + WHOLE, DURATIONS).state == DONE


def test_all_steps_run_again_when_asked_to():
    again = _attempt(1000.0, None, 0, {})._replace(again=True)
    run = run_setup(SETTINGS, [_attempt(0.0, 1000.0, 0, {}), again], 1050, DURATIONS)
    assert (run.state, run.current) == ("running", "kernel")
    assert run.repaired == {"sources", "updates"}
