"""Settings change when their time comes; lists may say something else than what holds."""

import pytest

from ccgpu.fakearm import NCC_SIZE, scenarios
from support.arm import vm_body, vm_path

_SKUS = "/subscriptions/00000000-0000-4000-8000-000000000001/providers/Microsoft.Compute/skus"
_USAGES = (
    "/subscriptions/00000000-0000-4000-8000-000000000001/providers/Microsoft.Compute"
    "/locations/eastus2/usages"
)


def _end(az, path):
    url = az.ok("PUT", path, vm_body()).headers["Azure-AsyncOperation"]
    return az.wait_for_end(url).get("error", {}).get("code")


def test_capacity_returns_after_its_time(az):
    az.network()
    scenarios.apply(az.arm, "capacity-returns")
    assert az.arm.settings.get("capacity", NCC_SIZE, "westeurope", "1") == 0
    az.arm.advance(7199)
    assert az.arm.settings.get("capacity", NCC_SIZE, "westeurope", "1") == 0
    az.arm.advance(1)
    assert az.arm.settings.get("capacity", NCC_SIZE, "westeurope", "1") == 1
    assert az.arm.settings.get("capacity", NCC_SIZE, "westeurope", "2") == 0  # merged, not replaced


def test_an_operation_ends_by_the_settings_of_its_own_time(az):
    az.network()
    full = {"capacity": {NCC_SIZE: {"eastus2": {"": 0}}}}
    az.arm.configure({"timeline": [{"after": 7200, "settings": full}]})
    url = az.ok("PUT", vm_path(), vm_body()).headers["Azure-AsyncOperation"]
    az.arm.advance(9000)  # it ended before the capacity was gone, and is only looked at now
    assert az.get_url(url).body["status"] == "Succeeded"
    assert az.arm.settings.get("capacity", NCC_SIZE, "eastus2", "") == 0


def test_entries_apply_in_order_of_time_and_none_after_a_reset(az):
    az.arm.settings.set(
        "timeline",
        value=[
            {"after": 20, "settings": {"page_size": 7}},
            {"after": 10, "settings": {"page_size": 6, "arm_page_size": 5}},
        ],
    )
    told = []
    for seconds in (0, 10, 10):
        az.arm.advance(seconds)
        told.append((az.arm.settings.get("page_size"), az.arm.settings.get("arm_page_size")))
    assert told == [(50, 1000), (6, 5), (7, 5)]
    scenarios.apply(az.arm, "usual")
    assert az.arm.settings.get("page_size") == 50


def test_lists_say_what_is_reported_and_a_put_goes_by_the_truth(az):
    az.network()
    scenarios.apply(az.arm, "misreported")
    limits = {one["name"]["value"]: one["limit"] for one in az.ok("GET", _USAGES).body["value"]}
    assert limits["StandardNCCads2023Family"] == 0
    assert limits["cores"] == 200
    listed = {one["locations"][0]: one for one in _sizes(az) if one["name"] == NCC_SIZE}
    assert listed["eastus2"]["restrictions"][0]["reasonCode"] == "NotAvailableForSubscription"
    assert listed["westeurope"]["restrictions"] == []
    assert _end(az, vm_path()) is None


def test_no_sizes_are_listed(az):
    scenarios.apply(az.arm, "no-sizes-listed")
    assert _sizes(az) == []


def _sizes(az):
    return az.ok("GET", _SKUS).body["value"]


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ([3], ("timeline", "0")),
        ([{"after": "soon", "settings": {}}], ("timeline", "0", "after")),
        ([{"after": 1, "settings": {"timeline": []}}], ("timeline", "0", "settings")),
        ([{"after": 1, "settings": {"quotas": {}}}], ("timeline", "0", "settings", "quotas")),
    ],
)
def test_a_wrong_entry_is_named(value, path):
    found = scenarios.find_problems(scenarios.convert_texts({"timeline": value}))
    assert [one.path for one in found] == [path]


@pytest.mark.parametrize(
    ("value", "path"),
    [({"prices": {}}, ("reported", "prices")), ({"sizes": "no"}, ("reported", "sizes"))],
)
def test_a_wrong_report_is_named(value, path):
    assert [one.path for one in scenarios.find_problems({"reported": value})] == [path]


def test_texts_of_a_timeline_are_converted():
    given = {"timeline": [{"after": "60", "settings": {"buckets": "true"}}]}
    meant = {"timeline": [{"after": 60, "settings": {"buckets": True}}]}
    assert scenarios.convert_texts(given) == meant
    assert scenarios.convert_texts({"reported": {"sizes": "false"}}) == {
        "reported": {"sizes": False}
    }
