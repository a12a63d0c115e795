"""Values into text for people and documents for scripts; what users write is never markup."""

import io
from dataclasses import replace

import pytest
from rich.console import Console
from rich.text import Text

from ccgpu.domain.action import Action
from ccgpu.domain.capacity import QuotaNeed
from ccgpu.domain.catalog import Kind
from ccgpu.domain.compare import Difference
from ccgpu.domain.deployment import Deployment, Owned
from ccgpu.domain.desired import Placement
from ccgpu.domain.in_place import Other
from ccgpu.domain.plain_text import one_line
from ccgpu.domain.plan import Plan, Step
from ccgpu.domain.price import Price
from ccgpu.domain.resource import Resource, resource_id
from ccgpu.domain.status import State
from ccgpu.views import created, deleted, deployment, plan, signs
from ccgpu.views.times import elapsed_text
from ccgpu.views.trimmed import Trimmed

_IMAGE = {"publisher": "Canonical", "offer": "o", "sku": "cvm", "version": "1.0.0"}
_PRICE = Price("USD", ())
_PLACE = Placement("eastus2", "2", _IMAGE)
_READY = Deployment(
    name="demo",
    state=State.READY,
    resource_group="[red]g[/red]",
    region="eastus2",
    zone="2",
    size="Standard_NCC40ads_H100_v5",
    vm_id="x",
    power="running",
    public_ip="203.0.113.9",
    private_ip="10.0.0.4",
    expires="2026-01-01T08:00:00Z",
    spot=True,
    resources=(Owned(resource_id("s", "g", Kind.VM, "demo"), Kind.VM, "Succeeded"),),
)


def _render(renderable, width=80, **more):
    file = io.StringIO()
    Console(file=file, width=width, color_system=None, _environ={}, **more).print(
        Trimmed(renderable), crop=False
    )
    return file.getvalue()


def _step(action, kind, *reasons):
    name = action.value
    return Step(action, Resource(kind, resource_id("s", "g", kind, name), {"a": 1}), reasons)


_PLAN = Plan(
    (
        _step(Action.KEEP, Kind.GROUP),
        _step(Action.CREATE, Kind.NSG),
        _step(Action.UPDATE, Kind.VNET, Difference("tags.a", "[red]\x1b", None)),
        _step(Action.REPLACE, Kind.VM, Difference("needs", "x", "x")),
        _step(Action.DELETE, Kind.NAT),
    )
)


def test_plans_show_signs_of_actions_and_reasons():
    text = _render(plan.as_text(_PLAN, _PLACE, [], _PRICE, simulated=False))
    assert text.splitlines() == [
        "region  eastus2, zone 2",
        "image   Canonical:o:cvm:1.0.0",
        "price   unknown: nothing bills",
        "",
        "  resourceGroups        g",
        "+ networkSecurityGroups create",
        "~ virtualNetworks       update",
        "± virtualMachines       replace",
        "- natGateways           delete",
        "",
        "~ update: tags.a: none → [red]\\x1b",
        "± replace: it depends on x, which is replaced",
        "",
        "1 to create, 1 to update, 1 to replace, 1 to delete",
    ]


def test_plans_name_kept_and_restored_items():
    failed = Difference("properties.provisioningState", "Succeeded", "Failed")
    vm = replace(_step(Action.UPDATE, Kind.VM, failed), recovery="start")
    vnet = replace(_step(Action.KEEP, Kind.VNET), others=(Other("subnet", "bastion"),))
    text = _render(plan.as_text(Plan((vnet, vm)), _PLACE, [], _PRICE, simulated=False))
    assert text.splitlines()[7:10] == [
        "  keep: subnet bastion is not in the spec: it stays",
        "~ update: state: Failed → Succeeded",
        "~ update: it is started again",
    ]


def test_a_plan_that_changes_nothing_says_so():
    kept = Plan((_step(Action.KEEP, Kind.VM),))
    assert _render(plan.as_text(kept, _PLACE, [], _PRICE, simulated=False)).endswith(
        "\nnothing to do\n"
    )


@pytest.mark.parametrize(
    "image",
    [
        {"communityGalleryImageId": "/CommunityGalleries/g/Images/i/Versions/1.0.0"},
        {"id": "/subscriptions/s/resourceGroups/g/images/i"},
    ],
)
def test_every_kind_of_image_is_named(image):
    text = _render(plan.as_text(_PLAN, replace(_PLACE, image=image), [], _PRICE, simulated=True))
    assert next(iter(image.values())) in text
    assert "eastus2, zone 2 (simulated)" in text


def test_json_plans_have_bodies_except_for_deletes():
    document = plan.as_json(_PLAN, _PLACE, [QuotaNeed("vCPUs", 0, 80, 40)], _PRICE, simulated=True)
    assert document["schema"] == "ccgpu.plan/1"
    assert [one["action"] for one in document["resources"]] == [
        *("keep", "create", "update", "replace", "delete")
    ]
    bodies = [{"a": 1}, {"a": 1}, {"tags": {}}, {"a": 1}, None]
    assert [one["body"] for one in document["resources"]] == bodies
    methods = [None, "PUT", "PATCH", "PUT", None]
    assert [one["method"] for one in document["resources"]] == methods
    assert document["resources"][1] | {"id": ""} == {
        "action": "create",
        "kind": "Microsoft.Network/networkSecurityGroups",
        "id": "",
        "api_version": "2026-03-01",
        "method": "PUT",
        "body": {"a": 1},
        "recovery": None,
        "needs": [],
        "reasons": [],
        "others": [],
    }
    assert document["resources"][2]["reasons"] == [
        {
            "path": "tags.a",
            "wanted": "[red]\x1b",
            "found": None,
            "field": "tags.a",
            "current": None,
            "new": "[red]\x1b",
        }
    ]
    assert document["quota"] == [{"name": "vCPUs", "used": 0, "after": 40, "limit": 80}]
    assert (document["region"], document["zone"], document["image"]) == ("eastus2", "2", _IMAGE)
    assert document["simulated"] is True


def test_json_deployments_have_exactly_the_documented_fields():
    document = deployment.as_json(_READY, simulated=False)
    assert sorted(document) == sorted(
        [
            *("schema", "name", "state", "region", "zone", "size", "resource_group", "vm_id"),
            *("public_ip", "private_ip", "expires", "hourly_usd", "resources", "attestation"),
            *("simulated", "stage", "spent_usd_at_most", "price", "measured", "untagged_vm"),
        ]
    )
    assert (document["hourly_usd"], document["attestation"]) == (None, None)


def test_lists_omit_unknown_fields():
    document = deployment.list_as_json([_READY], simulated=False)
    [row] = document["deployments"]
    assert row["name"] == "demo"
    assert row["resources"] == [{"id": _READY.resources[0].id, "kind": Kind.VM.value}]
    assert not {"public_ip", "price", "attestation", "measured"} & row.keys()


def test_text_says_spot_simulated_and_keeps_what_users_wrote():
    text = _render(deployment.as_text(_READY, simulated=True))
    assert "Standard_NCC40ads_H100_v5 (Spot)" in text
    assert "[red]g[/red]" in text
    assert "simulated" in text
    assert "simulated" not in _render(deployment.as_text(_READY, simulated=False))
    assert "[red]g[/red]" in _render(deployment.list_as_text([_READY]))


def test_a_stopped_but_allocated_vm_is_shown_as_billed():
    stopped = replace(_READY, state=State.STOPPED, power="stopped")
    assert "it bills" in _render(deployment.as_text(stopped, simulated=False))
    gone = replace(stopped, power="deallocated")
    assert "it bills" not in _render(deployment.as_text(gone, simulated=False))


def test_a_deployment_without_a_vm_can_be_shown():
    bare = Deployment("demo", State.CREATING, "g")
    assert "creating" in _render(deployment.as_text(bare, simulated=False))
    begun = _render(deployment.as_text(replace(bare, stage="boot"), simulated=False))
    assert "`ccgpu create demo` continues" in begun
    assert "-" in _render(deployment.list_as_text([bare]))
    assert "nothing to do" in _render(created.as_text(Plan(()), bare, simulated=False))


def test_a_kept_group_has_a_reason():
    group = resource_id("s", "g", Kind.GROUP, "")
    text = _render(deleted.as_text("demo", [], [(group, "there is more in it: theirs")]))
    assert text == "kept: g, there is more in it: theirs\n\ndemo: 0 deleted\n"


def test_lines_have_no_trailing_spaces():
    assert _render(Text("a  \n\n  b ")) == "a\n\n  b\n"
    text = _render(
        plan.as_text(_PLAN, _PLACE, [QuotaNeed("v", 0, 8, 4)], _PRICE, simulated=False), width=30
    )
    assert [line for line in text.splitlines() if line != line.rstrip()] == []


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0:00"), (7.9, "0:07"), (61, "1:01"), (3599, "59:59"), (3600, "1:00:00")],
)
def test_elapsed(seconds, text):
    assert elapsed_text(seconds) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("reading /subscriptions/s/resourceGroups/g: no", "reading g: no"),
        ("(/subscriptions/s/x/y) and '/subscriptions/s/z'.", "(y) and 'z'."),
        ("/subscriptionsx", "/subscriptionsx"),
    ],
)
def test_ids_in_messages_become_names(text, shown):
    assert signs.shorten_ids(text) == shown


def test_control_characters_and_line_breaks_are_escaped():
    assert one_line("a\x00\t\r\x1b\x7f\x9b\nb é") == ("a\\x00\\x09\\x0d\\x1b\\x7f\\x9b\\x0ab é")


def test_every_action_has_a_sign_of_its_own():
    assert set(signs.SIGNS) == set(signs.STYLES) == set(Action)
    assert len(set(signs.SIGNS.values())) == len(Action)
