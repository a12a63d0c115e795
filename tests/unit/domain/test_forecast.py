"""The forecast: dates from tables alone, in order, and what is not known at the end."""

from datetime import UTC, date, datetime, timedelta, timezone

from ccgpu.domain.forecast import (
    NOTICE,
    ExpectedEnd,
    ImageEnd,
    by_date,
    driver_endings,
    image_ending,
)
from ccgpu.store import driver_table

_AT = datetime(2027, 1, 1, tzinfo=UTC)


def _end(what: str, on: date | None) -> ExpectedEnd:
    return ExpectedEnd(what, on, "then", "source", "remedy")


def test_ends_are_in_order_and_an_unknown_date_comes_last():
    ends = [_end("c", None), _end("b", date(2028, 1, 1)), _end("a", date(2027, 1, 1))]
    assert [one.what for one in by_date(ends)] == ["a", "b", "c"]


def test_the_day_itself_counts_as_over_and_the_notice_is_before_it():
    end = _end("x", _AT.date())
    assert not end.is_over(_AT - timedelta(seconds=1))
    assert end.is_over(_AT)
    assert end.is_soon(_AT - NOTICE)
    assert not end.is_soon(_AT - NOTICE - timedelta(seconds=1))
    assert end.text(_AT) == "x ended on 2027-01-01: then"
    assert end.text(_AT - NOTICE) == "x ends on 2027-01-01: then"


def test_what_has_no_date_is_never_soon_and_says_so():
    end = _end("x", None)
    assert not end.is_soon(datetime(2999, 1, 1, tzinfo=UTC))
    assert end.text(_AT) == "x has an end that is not known: then"


def test_every_driver_of_the_table_has_its_own_date_or_none():
    table = driver_table.shipped()
    for driver in table.drivers:
        whole, signer = driver_endings(table, driver, "drivers.yaml")
        assert (whole.on, signer.on) == (table.review_by, driver.signer_expires)
        assert driver.version in signer.what
        assert all(source in signer.source for source in driver.sources)
    assert len(driver_endings(table, None, "drivers.yaml")) == 1


def test_an_image_ends_on_the_day_in_utc():
    moment = datetime(2027, 6, 30, 1, tzinfo=timezone(timedelta(hours=2)))
    end = image_ending(ImageEnd("a:b:c:1.0.0", moment, "imageDeprecationStatus"))
    assert end.on == date(2027, 6, 29)
    assert end.source == "Azure, imageDeprecationStatus"
