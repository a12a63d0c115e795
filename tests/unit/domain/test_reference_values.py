"""Files of golden PCR values: which PCRs they may name, and where they come from."""

import pytest
from pydantic import ValidationError

from ccgpu.domain.reference_values import (
    NEVER_PINNED,
    PINNED_PCRS,
    RecordedEvent,
    ReferenceValues,
    in_words,
)

VALUE = "ab" * 32
_NEVER = [index for indices in NEVER_PINNED.values() for index in indices]


def test_every_pcr_is_either_pinned_or_never_and_has_a_reason():
    assert sorted([*PINNED_PCRS, *_NEVER]) == list(range(24))
    assert {0, 1, 2, 3, 4, 5, 7, 8, 9, 11, 12, 14} == PINNED_PCRS


@pytest.mark.parametrize("index", sorted(_NEVER))
@pytest.mark.parametrize("schema", [None, "ccgpu.reference-values/2"])
def test_a_pcr_that_other_machines_do_not_share_is_refused_in_either_version(index, schema):
    with pytest.raises(ValidationError, match=rf"pcrs has PCR {index}, which .* record it anew"):
        ReferenceValues(schema_=schema, pcrs={"7": VALUE, str(index): VALUE})


def test_all_of_them_are_named_at_once():
    with pytest.raises(ValidationError, match=r"pcrs has PCR 6, 10, 13, 15 to 23, which"):
        ReferenceValues(pcrs={str(index): VALUE for index in range(24)})


@pytest.mark.parametrize(
    "pcrs",
    [{}, {"24": VALUE}, {"x": VALUE}, {"0": "00"}, {"0": "ZZ" * 32}, {"00": VALUE}],
    ids=str,
)
def test_golden_values_that_are_none_are_refused(pcrs):
    with pytest.raises(ValidationError):
        ReferenceValues(image="a", pcrs=pcrs)


def test_golden_values_are_bytes_by_index():
    assert ReferenceValues(image="a", pcrs={"7": VALUE}).values == {7: b"\xab" * 32}


def test_events_belong_to_a_pcr_of_the_file():
    event = RecordedEvent(what="kernel", sha256=VALUE)

    assert ReferenceValues(pcrs={"4": VALUE}, events={"4": (event,)}).events["4"] == (event,)
    with pytest.raises(ValidationError, match="events has PCR '9', which pcrs has not"):
        ReferenceValues(pcrs={"4": VALUE}, events={"9": (event,)})


@pytest.mark.parametrize(
    "event",
    [
        {"what": "", "sha256": VALUE},
        {"what": "kernel", "sha256": "ab"},
        {"what": "k" * 201, "sha256": VALUE},
        {"what": "kernel", "detail": "d" * 201, "sha256": VALUE},
        {"what": "kernel", "sha256": VALUE, "proven": True},
    ],
)
def test_an_event_of_another_form_is_refused(event):
    with pytest.raises(ValidationError):
        ReferenceValues.model_validate({"pcrs": {"4": VALUE}, "events": {"4": [event]}})


@pytest.mark.parametrize("schema", ["ccgpu.reference-values/1", "ccgpu.reference-values/3", ""])
def test_an_unknown_version_is_refused(schema):
    with pytest.raises(ValidationError):
        ReferenceValues.model_validate({"schema": schema, "pcrs": {"4": VALUE}})


@pytest.mark.parametrize(
    ("told", "origin"),
    [
        ({}, "not told"),
        ({"image": "vm.json"}, "vm.json"),
        (
            {
                "recorded_from": "demo",
                "image": "a:b:c:1",
                "kernel": "vmlinuz-6",
                "recorded_at": "T",
            },
            "a:b:c:1, kernel vmlinuz-6, demo, T",
        ),
    ],
)
def test_the_origin_is_what_the_file_says(told, origin):
    assert ReferenceValues(pcrs={"4": VALUE}, **told).origin == origin


@pytest.mark.parametrize(
    ("pcrs", "words"),
    [
        ((), ""),
        ((4,), "4"),
        ((5, 4), "4, 5"),
        ((4, 5, 6), "4 to 6"),
        ((0, 2, 3, 4, 9, 10), "0, 2 to 4, 9, 10"),
    ],
)
def test_pcrs_are_listed_as_runs(pcrs, words):
    assert in_words(pcrs) == words
