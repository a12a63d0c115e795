"""An error that sums up others keeps what is to be done about them."""

from ccgpu.domain.advice import FailedPart, fill_name, own_hint, sum_up, then_try_again
from ccgpu.errors import AzureRefused, AzureUnavailable


def test_a_name_is_filled_in_where_a_command_has_the_word_alone():
    hint = "NAME: `ccgpu doctor NAME`, `ccgpu logs NAME --tag NAME=x`, `ccgpu x NAMES`"
    assert fill_name(hint, "demo") == (
        "NAME: `ccgpu doctor demo`, `ccgpu logs demo --tag NAME=x`, `ccgpu x NAMES`"
    )
    assert fill_name("`ccgpu show NAME`", r"\1") == r"`ccgpu show \1`"


def test_a_hint_that_only_says_to_try_again_is_left_out() -> None:
    assert own_hint(AzureUnavailable("gone", code="Busy")) is None
    assert own_hint(AzureRefused("no", code="ScopeLocked", hint="ask")) == "ask"
    assert then_try_again([None], "again") == "again"


def test_one_hint_is_said_once_and_hints_that_differ_stand_beside_their_causes() -> None:
    locked, denied, busy = (
        FailedPart("a", "locked", "ask"),
        FailedPart("b", "denied", "grant"),
        FailedPart("c", "busy"),
    )
    same = [locked, FailedPart("d", "locked", "ask"), busy]
    assert sum_up(same, "again") == (["  a: locked", "  d: locked", "  c: busy"], "ask; then again")
    lines = ["  a: locked; ask", "  b: denied; grant", "  c: busy"]
    assert sum_up([locked, denied, busy], "again") == (lines, "again")
