"""Routing: hosts, sign-in, subscriptions, gaps, the log, faults."""

import json

import pytest

from ccgpu.fakearm import FAKE_SUBSCRIPTION, FakeArm, FakeGap, Request, Response
from support.arm import HOST, REGION, Client, group_path, nsg_body, resource_path, vm_body, vm_path

NSG = "Microsoft.Network/networkSecurityGroups"
_GROUPS = f"{HOST}/subscriptions/{FAKE_SUBSCRIPTION}/resourcegroups?api-version=2025-04-01"


def test_a_request_without_a_token_is_unauthenticated(arm):
    answer = arm.send(Request("GET", _GROUPS))
    assert (answer.status, answer.body["error"]["code"]) == (401, "AuthenticationFailed")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer ")


def test_headers_are_found_in_any_case(arm):
    assert arm.send(Request("GET", _GROUPS, {"authorization": "Bearer x"})).status == 200


def test_another_subscription_is_not_found(az):
    assert az.refusal("GET", "/subscriptions/other/resourcegroups") == (404, "SubscriptionNotFound")


def test_ids_compare_without_case_and_keep_their_first_spelling(az):
    az.group("Group")
    az.complete("PUT", resource_path(NSG, "Nsg", "Group"), nsg_body())
    found = az.get(
        resource_path(NSG, "NSG", "GROUP").replace("networkSecurityGroups", "NETWORKSECURITYGROUPS")
    )
    assert found["id"] == resource_path(NSG, "Nsg", "Group")
    az.complete("PUT", resource_path(NSG, "NSG", "group"), nsg_body())
    assert az.get(resource_path(NSG, "nsg", "group"))["id"] == resource_path(NSG, "Nsg", "Group")


@pytest.mark.parametrize(
    ("method", "url", "gap"),
    [
        ("GET", "https://example.com/subscriptions/x", "host"),
        ("GET", f"{HOST}/tenants/x?api-version=2022-12-01", "GET tenants/"),
        (
            "GET",
            f"{HOST}{resource_path('Microsoft.Storage/x', 'y')}?api-version=1",
            "microsoft.storage",
        ),
        ("POST", f"{HOST}{vm_path()}/reimage?api-version=2026-04-01", "reimage"),
        ("OPTIONS", f"{HOST}{group_path()}?api-version=2025-04-01", "OPTIONS"),
        ("GET", f"{HOST}{group_path()}?api-version=2021-01-01", "api-version '2021-01-01'"),
        ("GET", f"{HOST}{group_path()}", "api-version None"),
        ("GET", f"{HOST}{group_path()}?api-version=2025-04-01&$expand=x", "query option"),
        ("GET", f"{HOST}{vm_path()}?api-version=2026-04-01&$expand=resilientView", "expand"),
        ("GET", f"{_GROUPS}&$filter=plan eq 'x'", "filter"),
        ("GET", "https://x.blob.storage.azure.net/x", "token"),
    ],
)
def test_unknown_requests_are_gaps(az, method, url, gap):
    az.network()
    az.machine()
    before = az.arm.show()["requests"]
    with pytest.raises(FakeGap, match=gap):
        az.arm.send(Request(method, url, {"Authorization": "Bearer x"}))
    assert az.arm.show()["requests"] == before


def test_other_clouds_have_their_own_host(arm):
    for host in ("management.usgovcloudapi.net", "management.chinacloudapi.cn"):
        url = _GROUPS.replace("management.azure.com", host)
        assert arm.send(Request("GET", url, {"Authorization": "Bearer x"})).status == 200


@pytest.mark.parametrize("body", [b"{", b"[]", b'"x"'])
def test_body_must_be_an_object(arm, body):
    url = f"{HOST}{group_path()}?api-version=2025-04-01"
    answer = arm.send(Request("PUT", url, {"Authorization": "Bearer x"}, body))
    assert (answer.status, answer.body["error"]["code"]) == (400, "InvalidRequestContent")


def test_every_answered_request_is_logged_without_query_or_body(az):
    az.group("secret-free")
    az.send("GET", group_path("absent"), query="", headers={"x": "canary"})
    shown = az.arm.show()["requests"]
    assert shown == [
        {"method": "PUT", "path": group_path("secret-free"), "status": 201},
        {"method": "GET", "path": group_path("absent"), "status": 404},
    ]


def test_refused_write_changes_nothing(az):
    az.network()
    before = az.arm.show()["resources"]
    az.arm.settings.set("quota", "*", "cores", value=1)
    assert az.refusal("PUT", vm_path(), vm_body())[1] == "OperationNotAllowed"
    assert az.arm.show()["resources"] == before


def test_first_responding_fault_wins_and_nothing_is_committed(az):
    az.arm.faults += [lambda _: None, lambda _: Response(429), lambda _: Response(500)]
    assert az.send("PUT", group_path(), {"location": REGION}).status == 429
    az.arm.faults.clear()
    assert az.arm.show()["resources"] == []
    assert [one["status"] for one in az.arm.show()["requests"]] == [429]


def test_a_fault_may_raise_instead(az):
    def reset(_: Request) -> None:
        raise ConnectionResetError

    az.arm.faults.append(reset)
    with pytest.raises(ConnectionResetError):
        az.send("PUT", group_path(), {"location": REGION})
    az.arm.faults.clear()
    assert az.status(group_path()) == 404


def test_on_commit_runs_between_commit_and_response(az):
    def cut(request: Request, answer: Response) -> None:
        assert (request.method, answer.status) == ("PUT", 201)
        raise ConnectionResetError

    az.arm.on_commit = cut
    with pytest.raises(ConnectionResetError):
        az.send("PUT", group_path(), {"location": REGION})
    az.arm.on_commit = None
    assert az.status(group_path()) == 200


def test_each_response_has_its_own_id(az):
    ids = {az.send("GET", group_path()).headers["x-ms-request-id"] for _ in range(3)}
    assert len(ids) == 3


def test_reset_empties_the_subscription_but_not_the_clock(az):
    az.network()
    az.arm.settings.set("quota", "*", "cores", value=1)
    now = az.arm.now()
    az.arm.reset()
    shown = az.arm.show()
    assert (shown["resources"], shown["requests"], shown["billing"]) == ([], [], [])
    assert az.arm.settings.get("quota", "*", "cores") == 200
    assert az.arm.now() == now


def test_the_subscription_and_its_providers_can_be_read(az):
    assert az.get(f"/subscriptions/{FAKE_SUBSCRIPTION}")["state"] == "Enabled"
    path = f"/subscriptions/{FAKE_SUBSCRIPTION}/providers"
    states = {
        one["namespace"]: one["registrationState"]
        for one in az.get(path, api="2025-04-01")["value"]
    }
    assert states["Microsoft.Compute"] == "Registered"
    for name, state in states.items():
        assert az.get(f"{path}/{name}", api="2025-04-01")["registrationState"] == state


def test_the_same_requests_give_the_same_ids_again():
    def play() -> str:
        client = Client(FakeArm())
        client.network()
        client.machine()
        return json.dumps(client.arm.show())

    assert play() == play()
