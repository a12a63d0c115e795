"""When a deployment is over, when it is not, and when nobody can know."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccgpu.domain.lease import (
    GRACE,
    YOUNG,
    Lease,
    LeaseStatus,
    assess_lease,
    lease_of,
    merge_tags,
    parse_moment,
    with_run_tags,
)
from ccgpu.domain.resource import CREATED, EXPIRES, tag
from support.specs import VARIANTS, resources_of_spec

NOW = datetime(2026, 10, 1, 12, tzinfo=UTC).timestamp()
VM = {"location": "eastus2", "properties": {"provisioningState": "Succeeded"}}
CREATING = {"location": "eastus2", "properties": {"provisioningState": "Creating"}}
SPARED_YOUNG = "it is young: it may be being created"


def at(seconds: float) -> str:
    return (datetime.fromtimestamp(NOW, UTC) + timedelta(seconds=seconds)).isoformat()


def body(**tags: str) -> dict[str, object]:
    return {"tags": {name.replace("_", "-"): value for name, value in tags.items()}}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("2026-10-01T12:00:00Z", NOW),
        ("2026-10-01T14:00:00+02:00", NOW),
        ("2026-10-01T12:00:00", None),  # whose noon?
        ("tomorrow", None),
        ("9999-12-31T23:59:59-14:00", None),  # in UTC its year has five digits
        ("0001-01-01T00:00:00+14:00", None),
        ("", None),
        (None, None),
    ],
)
def test_times_need_a_zone(text, found):
    assert parse_moment(text) == found


def test_the_lease_is_the_latest_over_the_resources():
    bodies: list[dict[str, Any]] = [
        body(ccgpu_expires=at(60), ccgpu_created=at(-60)),
        body(ccgpu_expires=at(120)),
        body(ccgpu_created=at(-30)),
        {"tags": None},
    ]
    assert lease_of(bodies) == Lease(at(120), at(-30))


def test_times_of_different_zones_compare_as_instants():
    bodies = [body(ccgpu_expires="2026-10-01T23:00:00+12:00"), body(ccgpu_expires=at(0))]
    assert lease_of(bodies).expires == at(0)


@pytest.mark.parametrize("order", [1, -1])
def test_an_unreadable_expiry_outranks_a_readable_one(order):
    bodies = [body(ccgpu_expires="for ever"), body(ccgpu_expires=at(0))][::order]
    assert lease_of(bodies).expires == "for ever"


def test_removing_the_tag_of_the_vm_cancels_the_lease():
    network = body(ccgpu_expires=at(-7200), ccgpu_created=at(-9000))
    assert lease_of([network, VM], VM) == Lease(None, at(-9000))
    assert lease_of([network, network], network).expires == at(-7200)


@pytest.mark.parametrize(
    ("expires", "left"), [(at(90), 90), (at(-90), 0), (None, None), ("for ever", None)]
)
def test_a_lease_has_a_remaining_time(expires, left):
    assert Lease(expires).left(NOW) == left


OLD, LATELY = at(-YOUNG), at(-YOUNG + 1)
OVER, GRACED, LIVE = at(-GRACE - 1), at(-GRACE), at(60)


@pytest.mark.parametrize(
    ("lease", "vm", "verdict"),
    [
        (Lease(OVER, OLD), VM, LeaseStatus("expired")),
        (Lease(OVER, LATELY), VM, LeaseStatus("expired")),
        (Lease(OVER), VM, LeaseStatus("expired")),
        (Lease(OVER, OLD), CREATING, LeaseStatus("expired")),
        (Lease(OVER, OLD), None, LeaseStatus("expired")),
        (Lease(None, OLD), None, LeaseStatus("orphaned")),
        (Lease(GRACED, OLD), VM, LeaseStatus()),
        (Lease(LIVE, OLD), VM, LeaseStatus()),
        (Lease(LIVE, OLD), None, LeaseStatus()),
        (Lease(GRACED, OLD), None, LeaseStatus()),
        (Lease(None, OLD), VM, LeaseStatus()),
        (Lease(OVER, LATELY), CREATING, LeaseStatus(skip_reason=SPARED_YOUNG)),
        (Lease(OVER, LATELY), None, LeaseStatus(skip_reason=SPARED_YOUNG)),
        (Lease(None, LATELY), None, LeaseStatus(skip_reason=SPARED_YOUNG)),
    ],
)
def test_expired_deployments_not_being_created_are_garbage(lease, vm, verdict):
    assert assess_lease(lease, vm, NOW) == verdict


@pytest.mark.parametrize(
    ("lease", "vm", "named"),
    [
        (Lease("for ever", OLD), VM, "ccgpu-expires is 'for ever'"),
        (Lease("for ever", OLD), None, "ccgpu-expires is 'for ever'"),
        (Lease(None, None), None, "ccgpu-created is None"),
        (Lease(OVER, "lately"), CREATING, "ccgpu-created is 'lately'"),
    ],
)
def test_an_unreadable_lease_is_skipped_with_a_reason(lease, vm, named):
    verdict = assess_lease(lease, vm, NOW)
    assert verdict.why is None
    assert named in (verdict.skip_reason or "")


moments = st.none() | st.floats(-1e6, 1e6).map(at) | st.just("for ever")


@given(moments, moments, st.sampled_from([None, VM, CREATING]), st.floats(0, 1e6))
def test_garbage_stays_garbage_as_time_passes(expires, created, vm, later):
    lease = Lease(expires, created)
    before, after = assess_lease(lease, vm, NOW), assess_lease(lease, vm, NOW + later)
    assert before.why in (None, after.why)


@pytest.mark.parametrize("variant", VARIANTS)
def test_run_tags_are_set_wherever_our_tags_are(variant):
    for resource in resources_of_spec(**VARIANTS[variant]).values():
        done = with_run_tags(resource, "now", "then")
        text, old = repr(done.body), repr(resource.body)
        assert text.count("'ccgpu-created': 'now'") == old.count("'ccgpu-deployment'")
        assert text.count("'ccgpu-expires': 'then'") == old.count("'ccgpu-deployment'")
        assert "2026-10-01T12:00:00Z" not in text


def test_setting_run_tags_changes_nothing_else():
    for resource in resources_of_spec(ttl="8h", tags={"team": "a"}).values():
        again = with_run_tags(resource, "2026-10-01T12:00:00Z", None)
        assert again == resource


def test_run_tags_without_an_expiry_remove_the_old_one():
    for resource in resources_of_spec().values():
        ended = with_run_tags(with_run_tags(resource, "now", "then"), "now", None)
        assert tag(ended.body, EXPIRES) is None
        assert tag(ended.body, CREATED) == "now"


def test_other_tags_are_kept_and_names_are_case_insensitive():
    tags = {"team": "a", "CCGPU-Expires": "old"}
    assert merge_tags(tags, {EXPIRES: "new"}) == {"team": "a", "ccgpu-expires": "new"}
    assert merge_tags(tags, {EXPIRES: None}) == {"team": "a"}
