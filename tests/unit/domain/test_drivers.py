"""The table of drivers: what is offered, what is said ahead of time, and when it is out of date."""

import copy
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from ccgpu.attest import driver_bulletins
from ccgpu.attest.driver_bulletins import has_fixes
from ccgpu.domain.drivers import NOTICE, parse_table
from ccgpu.store import driver_table, policies

_TABLE = driver_table.shipped()
_MONTH = timedelta(days=30)
_VALUES: dict[str, Any] = {
    "schema": "ccgpu.drivers/1",
    "as_of": "2026-01-01",
    "review_by": "2026-12-31",
    "default": "7",
    "kernels": [{"release": "24.04", "flavour": "f", "minimum": "1", "source": "s"}],
    "branches": {"7": "7.2"},
    "drivers": [
        {
            "version": version,
            "manifest": manifest,
            "signer_expires": expires,
            "security_fixes": "true",
            "seen": "yes",
            "sources": ["s"],
        }
        for version, manifest, expires in (
            ("7.2", "published", "2026-06-30"),
            ("7.1", "unknown", "unknown"),
            ("6.9", "published", "unknown"),
        )
    ],
}


def _table(**changes: Any):
    return parse_table(copy.deepcopy(_VALUES) | changes)


def _with_driver(index: int, **changes: Any):
    values = copy.deepcopy(_VALUES)
    values["drivers"][index] |= changes
    return parse_table(values)


def _at(day: str) -> datetime:
    return datetime.fromisoformat(f"{day}T12:00:00+00:00")


@pytest.mark.parametrize(("wanted", "version"), [("7", "7.2"), ("7.2", "7.2"), ("6.9", "6.9")])
def test_a_branch_and_a_version_are_resolved(wanted, version):
    assert _table().resolve(wanted).version == version


@pytest.mark.parametrize("wanted", ["7.1", "6", "8", "7.2.0", ""])
def test_a_driver_without_a_published_manifest_is_refused_with_the_alternatives(wanted):
    with pytest.raises(ValueError, match="no published manifest") as caught:
        _table().resolve(wanted)
    assert str(caught.value).endswith("; choose 7 (7.2), 6.9")


def test_a_driver_that_is_known_to_fail_is_refused_although_it_has_a_manifest():
    with pytest.raises(ValueError, match=r"cannot be 6\.9: it burns; choose 7 \(7\.2\)$"):
        _with_driver(2, fails="it burns").resolve("6.9")


@pytest.mark.parametrize(
    ("day", "said"),
    [
        ("2026-04-30", []),
        ("2026-05-01", ["the signer of 7.2's manifest expires in 60 days"]),
        ("2026-05-30", ["the signer of 7.2's manifest expires in 31 days"]),
        ("2026-06-29", ["the signer of 7.2's manifest expires in 1 day"]),
        (
            "2026-06-30",
            [
                "the signer of 7.2's manifest expired on 2026-06-30: `verify` rejects it, unless "
                "NVIDIA has signed the manifest anew"
            ],
        ),
    ],
)
def test_the_expiry_of_a_signer_is_said_sixty_days_ahead(day, said):
    table = _table()
    assert list(table.warnings(table.resolve("7"), _at(day))) == said


def test_what_is_not_known_is_said():
    table = _with_driver(2, seen="unknown", security_fixes="false")
    first, second, third = table.warnings(table.resolve("6.9"), _at("2026-01-02"))
    assert first == "when the signer of 6.9's manifest expires is not known"
    assert "lacks NVIDIA's security fixes" in second
    assert third == "driver 6.9 is not known to run on this VM size"


def test_an_old_table_is_said_and_found():
    late = _at("2026-11-20")
    table = _with_driver(0, signer_expires="2030-01-01")
    words = "ccgpu's table of drivers is of 2026-01-01, and good until 2026-12-31: update ccgpu"
    assert table.warnings(table.resolve("7"), late) == (words,)
    assert table.findings(late, _MONTH) == ()
    assert table.findings(_at("2026-12-01"), _MONTH) == (words,)
    assert "too old since 2026-12-31" in table.findings(_at("2027-01-01"), _MONTH)[0]


def test_a_default_that_cannot_be_attested_is_found():
    for table in (_table(default="7.1"), _with_driver(0, fails="it burns")):
        (found,) = table.findings(_at("2026-01-02"), _MONTH)
        assert found.startswith("the default driver cannot be 7")


def test_an_expiring_signer_is_found_unless_the_driver_is_not_offered():
    assert _table().findings(_at("2026-05-31"), _MONTH) == (
        "the signer of 7.2's manifest expires in 30 days",
    )
    refused = _with_driver(2, fails="it burns", signer_expires="2026-02-01")
    assert refused.findings(_at("2026-03-01"), _MONTH) == ()


def test_a_signer_of_another_driver_than_the_default_is_a_note_until_it_has_expired():
    table = _with_driver(2, signer_expires="2026-03-01")
    for day in ("2026-01-30", "2026-02-28"):
        (note,) = table.notes(_at(day), _MONTH)
        assert note.startswith("the signer of 6.9's manifest expires in ")
        assert table.findings(_at(day), _MONTH) == ()
    (found,) = table.findings(_at("2026-03-01"), _MONTH)
    assert found.startswith("the signer of 6.9's manifest expired on 2026-03-01")
    assert table.notes(_at("2026-03-01"), _MONTH) == ()
    assert table.notes(_at("2026-01-29"), _MONTH) == ()


def test_a_default_by_its_exact_version_is_the_default_too():
    (found,) = _table(default="7.2").findings(_at("2026-06-15"), _MONTH)
    assert "7.2" in found


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"schema": "other/1"}, "is not ccgpu.drivers/1"),
        ({"as_of": "yesterday"}, "yesterday"),
        ({"default": "9"}, "does not list"),
        ({"branches": {"7": "7.3"}}, "does not list"),
        ({"branches": {"7": "6.9"}}, "of another one"),
        ({"kernels": [{"release": "24.04"}]}, "is not a table of drivers"),
        ({"drivers": [*_VALUES["drivers"], _VALUES["drivers"][0]]}, "twice"),
        ({"drivers": [{"version": "7.2"}]}, "is not a table of drivers"),
        ({"drivers": [_VALUES["drivers"][0] | {"manifest": "maybe"}]}, "maybe"),
        ({"drivers": [_VALUES["drivers"][0] | {"security_fixes": "yes"}]}, "security_fixes"),
        ({"drivers": [_VALUES["drivers"][0] | {"colour": "red"}]}, "colour"),
        ({"drivers": [_VALUES["drivers"][0] | {"signer_expires": "soon"}]}, "soon"),
    ],
)
def test_a_table_that_is_not_one_is_refused(changes, words):
    with pytest.raises(ValueError, match=words):
        _table(**changes)


def test_the_shipped_table_is_good_on_the_day_it_was_made():
    day = datetime.combine(_TABLE.as_of, datetime.min.time(), UTC)
    default = _TABLE.resolve(_TABLE.default)
    assert _TABLE.warnings(default, day) == ()
    assert _TABLE.findings(day, _MONTH) == ()
    assert _TABLE.review_by - _TABLE.as_of > NOTICE


def test_the_shipped_default_passes_the_shipped_policies():
    """What a user gets without a choice is what a verdict accepts."""
    version = _TABLE.resolve(_TABLE.default).version
    for name in policies.names():
        gpu = policies.load(name).gpu
        if gpu is not None:
            assert has_fixes(version, gpu.minimum_secure_drivers)
            assert version not in gpu.denied_drivers


@pytest.mark.parametrize("driver", _TABLE.drivers, ids=lambda driver: driver.version)
def test_the_shipped_table_agrees_with_the_verifier(driver):
    assert driver.security_fixes == has_fixes(driver.version, driver_bulletins.FIXED)
    gpu = policies.load("default").gpu
    assert gpu is not None
    assert driver.version not in gpu.denied_drivers or driver.refusal is not None
    assert driver.sources


def test_every_driver_that_a_policy_denies_is_in_the_table_as_failing():
    gpu = policies.load("default").gpu
    assert gpu is not None
    by_version = {driver.version: driver for driver in _TABLE.drivers}
    assert [v for v in gpu.denied_drivers if by_version[v].fails is None] == []


def test_a_table_has_no_time_of_day():
    assert isinstance(_TABLE.as_of, date)
    assert not isinstance(_TABLE.as_of, datetime)
