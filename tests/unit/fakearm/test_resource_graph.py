"""Azure Resource Graph: the one query of the VMs, its pages, its lag, its rights and its quota."""

import pytest

from ccgpu.fakearm import FAKE_SUBSCRIPTION, FakeGap
from support.arm import Client, vm_path

_PATH = "/providers/Microsoft.ResourceGraph/resources"
_QUERY = (
    "resources | where type =~ 'microsoft.compute/virtualmachines' "
    "| project id, location, zones, tags, properties | order by id asc"
)
_READ = "Microsoft.ResourceGraph/resources/read"


def ask(az, token=None, **changes):
    options = {"$top": 1000, "resultFormat": "objectArray"}
    if token is not None:
        options["$skipToken"] = token
    body = {"subscriptions": [FAKE_SUBSCRIPTION], "query": _QUERY, "options": options} | changes
    return az.send("POST", _PATH, body, api="2022-10-01")


def names(az):
    return [one["id"].rpartition("/")[2] for one in ask(az).body["data"]]


@pytest.fixture
def vms(az: Client) -> Client:
    """Two VMs, `a` and `b`."""
    az.network()
    for name in ("b", "a"):
        az.machine(name)
    az.arm.advance(9000)
    return az


def test_a_row_has_what_a_get_has_and_the_power_state(vms):
    answer = ask(vms).body
    row, vm = answer["data"][0], vms.get(vm_path("a"))
    power = row["properties"].pop("extended")["instanceView"]["powerState"]
    assert row == {one: vm.get(one) for one in ("id", "location", "zones", "tags", "properties")}
    assert power["code"] == "PowerState/running"
    counted = (answer["totalRecords"], answer["count"], answer["resultTruncated"])
    assert (*counted, "$skipToken" in answer) == (2, 2, "false", False)


def test_pages_follow_by_token(vms):
    vms.arm.settings.set("graph_page_size", value=1)
    first = ask(vms).body
    second = ask(vms, first["$skipToken"]).body
    assert [one["data"][0]["id"] for one in (first, second)] == [vm_path("a"), vm_path("b")]
    assert (second["totalRecords"], "$skipToken" in second) == (2, False)


@pytest.mark.parametrize(
    "changes",
    [
        {"query": "resources"},
        {"subscriptions": ["other"]},
        {"options": {"$top": 5, "resultFormat": "objectArray"}},
        {"options": {"$top": 1000, "resultFormat": "objectArray", "$skipToken": "ü"}},
        {"facets": []},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_another_query_is_a_gap(az, changes):
    with pytest.raises(FakeGap):
        ask(az, **changes)


def test_the_index_shows_what_was_true_before(vms):
    """What is created, changed and deleted is in it after the lag, and not before."""
    vms.arm.settings.set("lag", value={"graph": 3000})
    vms.complete("PATCH", vm_path("a"), {"tags": {"n": "1"}})
    vms.arm.advance(1500)
    vms.complete("PATCH", vm_path("a"), {"tags": {"n": "2"}})
    vms.complete("DELETE", vm_path("b"))
    vms.machine("c")
    seen = []
    for _ in range(3):
        seen.append((names(vms), ask(vms).body["data"][0]["tags"]))
        vms.arm.advance(1500)
    assert seen == [
        (["a", "b"], None),
        (["a", "b"], {"n": "1"}),
        (["a", "c"], {"n": "2"}),
    ]


def test_a_vm_made_anew_is_in_the_index_once(vms):
    before = vms.get(vm_path("b"))["properties"]["vmId"]
    vms.arm.settings.set("lag", value={"graph": 3000})
    vms.complete("DELETE", vm_path("b"))
    vms.machine("b")
    after = vms.get(vm_path("b"))["properties"]["vmId"]
    told = []
    for _ in range(2):
        told.append([one["properties"]["vmId"] for one in ask(vms).body["data"][1:]])
        vms.arm.advance(3000)
    assert told == [[before], [after]]


def test_it_needs_its_right_and_shows_only_what_may_be_read(vms):
    vms.arm.settings.set("principal", value=["Microsoft.Compute/*"])
    assert ask(vms).body["error"]["code"] == "AuthorizationFailed"
    vms.arm.settings.set("principal", value=[_READ])
    assert ask(vms).body["data"] == []
    vms.arm.settings.set("principal", value=["*/read"])
    assert names(vms) == ["a", "b"]


def test_neither_a_lock_nor_a_disabled_subscription_nor_a_policy_concerns_it(vms):
    vms.arm.settings.set("locks", value={f"/subscriptions/{FAKE_SUBSCRIPTION}": "ReadOnly"})
    vms.arm.settings.set("denied", value=[{"kind": "Microsoft.Compute/disks", "message": "no"}])
    vms.arm.settings.set("subscription_state", value="Disabled")
    assert names(vms) == ["a", "b"]


def test_its_quota_is_its_own(vms):
    vms.arm.settings.set("buckets", value=True)
    answers = [ask(vms) for _ in range(16)]
    assert [one.status for one in answers] == [200] * 15 + [429]
    assert answers[0].headers["x-ms-user-quota-remaining"] == "14"
    assert not [one for one in answers[0].headers if "ratelimit" in one]
    refused = answers[-1]
    assert (refused.body["error"]["code"], refused.headers["Retry-After"]) == ("RateLimiting", "1")
    vms.arm.advance(1)
    assert ask(vms).status == 200


def test_the_time_of_a_settled_state_is_that_of_the_last_operation(vms):
    def told():
        return vms.get(f"{vm_path('a')}/instanceView")["statuses"][0]["time"]

    before = told()
    vms.arm.advance(5000)
    assert told() == before
    vms.complete("PATCH", vm_path("a"), {"tags": {"n": "1"}})
    after = told()
    assert after > before
    vms.arm.advance(5000)
    assert told() == after
