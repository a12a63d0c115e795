"""Times of options and of files of others: in UTC, and near enough to be reckoned with."""

from datetime import UTC, datetime

import pytest
from pydantic import ValidationError
from typer import BadParameter

from ccgpu.cli.durations import moment_of
from ccgpu.cli.verify_options import parse_time
from ccgpu.domain.bundle import EvidenceBundle
from ccgpu.domain.moments import in_utc

FAR = [
    *("9999-12-31T23:59:59Z", "9999-12-31T23:59:59-14:00", "9000-01-01T00:00:00Z"),
    *("0001-01-01T00:00:00+14:00", "1969-12-31T23:59:59Z"),
]


def test_a_time_is_the_same_in_utc():
    moment = datetime.fromisoformat("1970-01-01T01:00:00+02:00")
    assert (in_utc(moment), in_utc(moment).tzinfo) == (moment, UTC)


@pytest.mark.parametrize("text", FAR)
def test_times_out_of_use_are_refused_wherever_they_come_from(text):
    for parse, refusal in ((moment_of, BadParameter), (parse_time, ValueError)):
        with pytest.raises(refusal):
            parse(text)
    known = {"made_at": "2026-11-22T12:00:00Z", "tool": "ccgpu test"}
    EvidenceBundle.model_validate(known)
    for field in ("made_at", "sent_at"):
        with pytest.raises(ValidationError, match="between 1970 and 9000"):
            EvidenceBundle.model_validate(known | {field: text})
