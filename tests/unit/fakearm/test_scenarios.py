"""A scenario resets what it does not set. All problems of a file are reported."""

import pytest

from ccgpu.fakearm import NCC_SIZE, scenarios
from ccgpu.fakearm.settings import DEFAULTS
from support.arm import group_path, pip_body, resource_path, vm_body, vm_path
from support.repository import ROOT

_FAILURE = {"step": "driver", "exit_code": 255, "message": "x"}


@pytest.mark.parametrize("name", scenarios.names())
def test_every_scenario_is_valid_and_documented(name):
    assert scenarios.find_problems(scenarios.SCENARIOS[name]) == []
    assert f"`{name}`" in (ROOT / "docs" / "fake-azure.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("capacity-full", "AllocationFailed"),
        ("first-region-full", "AllocationFailed"),
        ("usual", None),
    ],
)
def test_capacity_scenarios_limit_allocation(az, name, code):
    az.network()
    scenarios.apply(az.arm, name)
    end = az.wait_for_end(az.ok("PUT", vm_path(), vm_body()).headers["Azure-AsyncOperation"])
    assert end.get("error", {}).get("code") == code


@pytest.mark.parametrize(
    ("name", "refused"),
    [
        ("quota-zero", ("PUT", vm_path(), vm_body(), (409, "OperationNotAllowed"))),
        ("read-only", ("PUT", vm_path(), vm_body(), (403, "AuthorizationFailed"))),
        ("locked", ("DELETE", group_path(), None, (409, "ScopeLocked"))),
        (
            "no-public-ip",
            (
                "PUT",
                resource_path("Microsoft.Network/publicIPAddresses", "p"),
                pip_body(),
                (403, "RequestDisallowedByPolicy"),
            ),
        ),
    ],
)
def test_usual_scenario_resets_refusals(az, name, refused):
    method, path, body, refusal = refused
    az.network()
    scenarios.apply(az.arm, name)
    assert az.refusal(method, path, body) == refusal
    scenarios.apply(az.arm, "usual")
    az.ok(method, path, body)


def test_slow_scenario_lengthens_durations(az):
    az.network()
    scenarios.apply(az.arm, "slow")
    address = az.ok("PUT", vm_path(), vm_body()).headers["Azure-AsyncOperation"]
    told = []
    for seconds in (2399, 1):
        az.arm.advance(seconds)
        told.append(az.get_url(address).body["status"])
    assert told == ["InProgress", "Succeeded"]


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ({"lag": {"lists": "1.5", "reads": "2"}}, {"lag": {"lists": 1.5, "reads": 2}}),
        ({"quota": {"*": {"cores": "0"}}}, {"quota": {"*": {"cores": 0}}}),
        ({"buckets": "true"}, {"buckets": True}),
        ({"buckets": "false"}, {"buckets": False}),
        ({"buckets": "yes"}, {"buckets": "yes"}),
        ({"principal": "null"}, {"principal": None}),
        ({"principal": ["null"]}, {"principal": ["null"]}),
        ({"lag": {"reads": "-1", "lists": "1e3"}}, {"lag": {"reads": "-1", "lists": "1e3"}}),
        ({"offers": {"s": {"r": ["1"]}}}, {"offers": {"s": {"r": ["1"]}}}),
        ({"lag": {"reads": 2}}, {"lag": {"reads": 2}}),
        (
            {"guest": {"ssh": "false", "gpu": "off", "setup_fails": {"exit_code": "100"}}},
            {"guest": {"ssh": False, "gpu": "off", "setup_fails": {"exit_code": 100}}},
        ),
        ({"locks": {"/x": "true"}}, {"locks": {"/x": "true"}}),
    ],
)
def test_texts_are_converted_to_the_settings_type(said, meant):
    assert scenarios.convert_texts(said) == meant


def test_throttled_scenario_counts_requests(az):
    scenarios.apply(az.arm, "throttled")
    assert (
        "x-ms-ratelimit-remaining-subscription-writes"
        in az.ok("PUT", group_path(), {"location": "eastus2"}).headers
    )


def test_lagging_scenario_hides_new_resources(az):
    scenarios.apply(az.arm, "lagging")
    az.group()
    assert az.status(group_path()) == 404


def test_unnamed_settings_have_their_defaults(arm):
    arm.settings.set("page_size", value=3)
    scenarios.apply(arm, "quota-zero")
    assert arm.settings.get("page_size") == DEFAULTS["page_size"]
    assert arm.settings.get("quota", "*", "StandardNCCads2023Family") == 0
    assert arm.settings.get("quota", "*", "cores") == 200


def test_mappings_are_merged_and_lists_replaced(arm):
    arm.configure({"regions": ["eastus2"], "offers": {NCC_SIZE: {"eastus2": ["3"]}}})
    assert arm.settings.get("regions") == ["eastus2"]
    assert arm.settings.get("offers", NCC_SIZE) == {
        "eastus2": ["3"],
        "westeurope": ["1", "2"],
        "centralus": [],
    }
    assert DEFAULTS["offers"][NCC_SIZE]["eastus2"] == ["1", "2", "3"]


@pytest.mark.parametrize(
    ("values", "path", "why"),
    [
        ({"quotas": {}}, ("quotas",), "unknown setting; known are "),
        ({"quota": []}, ("quota",), "must be a mapping"),
        ({"buckets": 1}, ("buckets",), "must be true or false"),
        ({"page_size": True}, ("page_size",), "must be a whole number"),
        ({"survivors": "x"}, ("survivors",), "must be a list"),
        ({"survivors": [1]}, ("survivors",), "must be a list of texts"),
        ({"principal": "*/read"}, ("principal",), "must be a list of texts"),
        ({"principal": [None]}, ("principal",), "must be a list of texts"),
        ({"lag": {"list": 1}}, ("lag", "list"), "unknown; known are graph, lists, nested, reads"),
        ({"lag": {"list": "x"}}, ("lag", "list"), "unknown; known are graph, lists, nested, reads"),
        ({"lag": {"reads": "2"}}, ("lag", "reads"), "must be a number, 0 or more"),
        ({"lag": {"reads": -1}}, ("lag", "reads"), "must be a number, 0 or more"),
        ({"lag": {"reads": True}}, ("lag", "reads"), "must be a number, 0 or more"),
        ({"durations": {"vm": 1}}, ("durations", "vm"), "unknown; known are "),
        ({"locks": {"/x": "readonly"}}, ("locks", "/x"), "must be CanNotDelete or ReadOnly"),
        ({"denied": [{"kind": "x"}]}, ("denied", "0"), "must have a kind and a message"),
        ({"denied": ["x"]}, ("denied", "0"), "must have a kind and a message"),
        ({"guest": []}, ("guest",), "must be a mapping"),
        ({"guest": {"gpus": 2}}, ("guest", "gpus"), "unknown setting; known are cloud_init, "),
        ({"guest": {"ssh": 1}}, ("guest", "ssh"), "must be true or false"),
        ({"guest": {"gpu": "on"}}, ("guest", "gpu"), "must be one of confidential, off, "),
        ({"guest": {"cloud_init": True}}, ("guest", "cloud_init"), "must be one of done, error"),
        ({"guest": {"evidence": "bad"}}, ("guest", "evidence"), "must be one of good, "),
        ({"guest": {"collector": "none"}}, ("guest", "collector"), "must be one of "),
        ({"replication": {"seconds": {"*": "1"}}}, ("replication", "seconds", "*"), "must be a"),
        ({"replication": {"fails": [1]}}, ("replication", "fails", "0"), "must be the name"),
        ({"replication": {"until": 1}}, ("replication", "until"), "must be seconds"),
        ({"vendors": "up"}, ("vendors",), "must be one of good, down, revoke-chip, revoke-gpu"),
        ({"vendors": {}}, ("vendors",), "must be a text"),
        ({"guest": {"held": "x"}}, ("guest", "held"), "must be a list of texts"),
        ({"guest": {"setup_fails": True}}, ("guest", "setup_fails"), "must have a step, "),
        (
            {"guest": {"setup_fails": {"step": "driver"}}},
            ("guest", "setup_fails"),
            "must have a step, an exit_code and a message, or nothing",
        ),
        (
            {"guest": {"setup_fails": _FAILURE | {"step": "drive"}}},
            ("guest", "setup_fails", "step"),
            "must be one of sources, ",
        ),
        (
            {"guest": {"setup_fails": _FAILURE | {"exit_code": 0}}},
            ("guest", "setup_fails", "exit_code"),
            "must be a whole number, 1 to 255",
        ),
        (
            {"guest": {"setup_fails": _FAILURE | {"message": 1}}},
            ("guest", "setup_fails", "message"),
            "must be a text",
        ),
    ],
)
def test_problem_has_its_path(values, path, why):
    (flaw,) = scenarios.find_problems(values)
    assert flaw.path == path
    assert flaw.why.startswith(why)


@pytest.mark.parametrize(
    "values",
    [
        {"principal": None},
        {"principal": ["*/read"]},
        {"allocation_error": "OverconstrainedAllocationRequest"},
        {"lag": {"lists": 1.5}},
        {"quota": {"eastus2": {"cores": 1}}},
        {"guest": {"setup_fails": {}, "ssh": False}},
        {"guest": {"setup_fails": _FAILURE}},
    ],
)
def test_valid_settings_have_no_problem(values):
    assert scenarios.find_problems(values) == []


def test_all_problems_are_reported_together():
    found = scenarios.find_problems({"quotas": {}, "lag": {"a": 1, "b": 2}})
    assert [flaw.path for flaw in found] == [("quotas",), ("lag", "a"), ("lag", "b")]
