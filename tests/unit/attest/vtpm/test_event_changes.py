"""The events of two boots are compared by digest, and a change is named."""

import pytest

from ccgpu.attest.vtpm.event_changes import describe_changes, describe_differences
from ccgpu.attest.vtpm.event_names import NamedEvent
from ccgpu.domain.reference_values import RecordedEvent


def _sha(letter: str) -> str:
    return letter * 64


def recorded(*events: str) -> list[RecordedEvent]:
    """Events in the form `what detail digest`."""
    parts = (event.split() for event in events)
    return [RecordedEvent(what=what, detail=d.strip("-"), sha256=_sha(x)) for what, d, x in parts]


def found(*events: str) -> list[NamedEvent]:
    parts = (event.split() for event in events)
    return [
        NamedEvent(9, what, d.strip("-"), bytes.fromhex(_sha(x)), replayed=True)
        for what, d, x in parts
    ]


BEFORE = recorded("kernel /k1 a", "initrd /i1 b", "separator - c")


@pytest.mark.parametrize(
    ("after", "changes"),
    [
        (
            ("kernel /k1 a", "initrd /i2 d", "separator - c"),
            f"initrd changed; expected SHA-256 {_sha('b')} (/i1), found SHA-256 {_sha('d')} (/i2)",
        ),
        (
            ("kernel /k1 a", "separator - c"),
            f"initrd missing; expected SHA-256 {_sha('b')} (/i1)",
        ),
        (
            ("kernel /k1 a", "initrd /i1 b", "separator - c", "separator - c"),
            f"separator added; found SHA-256 {_sha('c')}",
        ),
        (
            ("kernel /k1 a", "GRUB /i1 d", "separator - c"),
            f"initrd missing; expected SHA-256 {_sha('b')} (/i1); "
            f"GRUB added; found SHA-256 {_sha('d')} (/i1)",
        ),
        (("initrd /i1 b", "kernel /k1 a", "separator - c"), "the same events in another order"),
    ],
)
def test_a_change_of_a_boot_that_replays_is_named(after, changes):
    assert describe_changes(BEFORE, found(*after), replayed=True) == changes


def test_events_of_one_name_are_paired_in_order():
    before = recorded("command x a", "command y b")
    words = describe_changes(before, found("command x c", "command y d"), replayed=True)
    places = [words.index(_sha(letter)) for letter in "acbd"]
    assert places == sorted(places)


def test_a_log_that_does_not_replay_is_not_believed():
    changed = found("kernel /k2 d", "initrd /i1 b", "separator - c")
    words = describe_changes(BEFORE, changed, replayed=False)
    assert words.startswith("by a log that does not replay to it, kernel changed; expected")
    same = found("kernel /k1 a", "initrd /i1 b", "separator - c")
    assert describe_changes(BEFORE, same, replayed=False) == (
        "the log has the recorded events: something was measured after its end"
    )


@pytest.mark.parametrize("replayed", [True, False])
def test_without_both_logs_nothing_is_named(replayed):
    assert describe_changes([], found("kernel /k1 a"), replayed=replayed) == ""
    assert describe_changes(BEFORE, [], replayed=replayed) == ""


def test_what_should_be_empty_or_is_empty_is_named():
    assert describe_differences([], found("kernel /k1 a"), replayed=True).startswith("kernel added")
    assert describe_differences(BEFORE, [], replayed=True).count("missing; expected") == len(BEFORE)
    assert "after its end" in describe_differences([], [], replayed=False)


def test_at_most_eight_changes_are_listed():
    many = [f"command x {letter}" for letter in "0123456789"]
    words = describe_changes(recorded("kernel /k1 a"), found(*many), replayed=True)
    assert words.count("SHA-256") == 8
    assert words.endswith("; and 3 more")


def test_eight_changes_are_listed_without_a_rest():
    many = [f"command x {letter}" for letter in "0123456"]
    words = describe_changes(recorded("kernel /k1 a"), found(*many), replayed=True)
    assert words.count("SHA-256") == 8
    assert "more" not in words
    assert words.startswith("kernel missing; expected SHA-256")


def test_the_rest_is_told_after_the_eighth():
    many = [f"command x {letter}" for letter in "01234567"]
    words = describe_changes(recorded("kernel /k1 a"), found(*many), replayed=True)
    assert words.endswith(f"found SHA-256 {_sha('6')} (x); and 1 more")


def test_each_recorded_event_explains_one_of_its_digest():
    twice = found("separator - c", "separator - c", "separator - c")
    words = describe_changes(recorded("separator - c", "separator - c"), twice, replayed=True)
    assert words == f"separator added; found SHA-256 {_sha('c')}"
