"""Queries besides single resources: sizes, quota, images, and resources by tag."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from ccgpu.azure.queries import Queries
from ccgpu.domain.capacity import Offer, Usage
from ccgpu.domain.catalog import DEFAULT_IMAGE, NCC_H100_V5, NCC_QUOTA_FAMILY, NCC_VCPUS, REGIONS
from ccgpu.domain.image import parse
from ccgpu.domain.resource import ResourceId
from ccgpu.errors import AzureRefused, AzureUnavailable, NotFound
from ccgpu.fakearm import FAKE_SUBSCRIPTION, Request, Response
from support import faults

_GROUP = f"/subscriptions/{FAKE_SUBSCRIPTION}/resourceGroups/g"
_GALLERY = "cgpuimage-db870bae-5bcf-4120-9415-b841adef61d3"


def _listing(monthly: str, *names: str) -> Callable[[Request], Response | None]:
    """Answers the list of an image's versions with `names`."""

    def answer(request: Request) -> Response | None:
        if request.path.endswith(monthly):
            return Response(200, [{"name": name, "id": name, "location": "x"} for name in names])
        return None

    return answer


def _offer(wire: Any, *restrictions: dict[str, Any], region: str = "eastus2") -> Offer | None:
    if restrictions:
        wire.arm.settings.set("restrictions", NCC_H100_V5, region, value=list(restrictions))
    found: Offer | None = wire.queries.offers(NCC_H100_V5.lower(), region).offers.get(region)
    return found


def test_a_size_is_offered_with_its_zones_family_cores_and_capabilities(wire):
    offer = _offer(wire)
    assert offer is not None
    assert (offer.region, offer.zones) == ("eastus2", ("1", "2", "3"))
    assert (offer.family, offer.vcpus) == (NCC_QUOTA_FAMILY, NCC_VCPUS)
    assert offer.capabilities["GPUs"] == "1"
    assert (offer.barred, offer.barred_zones) == (None, {})


def test_sizes_are_listed_for_one_region(wire):
    wire.queries.offers(NCC_H100_V5, "eastus2")
    assert [request.query.get("$filter") for request in wire.seen] == ["location eq 'eastus2'"]


def test_the_list_of_all_regions_is_read_once_and_has_every_offer(wire):
    found = wire.queries.offers(NCC_H100_V5)
    assert found.offered == frozenset(REGIONS)
    assert found.known > found.offered
    assert found.offers["westeurope"].zones == ("1", "2")
    assert [request.query.get("$filter") for request in wire.seen] == [None]


def test_an_empty_list_says_nothing_about_a_region(wire):
    wire.arm.settings.set("reported", "sizes", value=False)
    found = wire.queries.offers(NCC_H100_V5, "eastus2")
    assert (found.known, found.offers) == (frozenset(), {})


def test_a_size_missing_in_a_region_is_not_offered(wire):
    assert _offer(wire, region="westus3") is None


@pytest.mark.parametrize("region", REGIONS)
def test_every_region_of_the_catalogue_offers_the_size(region, wire):
    assert _offer(wire, region=region) is not None


@pytest.mark.parametrize(
    ("restrictions", "barred", "zones"),
    [
        pytest.param(
            [{"type": "Location", "reasonCode": "NotAvailableForSubscription"}],
            "NotAvailableForSubscription",
            {},
            id="region",
        ),
        pytest.param(
            [{"type": "Zone", "reasonCode": "QuotaId", "zones": ["1", "3"]}],
            None,
            {"1": "QuotaId", "3": "QuotaId"},
            id="zones",
        ),
        pytest.param(
            [
                {"type": "Zone", "reasonCode": "QuotaId", "zones": ["2"]},
                {"type": "Location", "reasonCode": "Tomorrow"},
            ],
            "Tomorrow",
            {"2": "QuotaId"},
            id="both, and a reason that is new",
        ),
        pytest.param(
            [{"type": "Location", "reasonCode": None}], "restricted", {}, id="without a reason"
        ),
        pytest.param(
            [{"type": "Zone", "reasonCode": "QuotaId", "zones": None}], None, {}, id="no zones"
        ),
    ],
)
def test_restrictions_name_closed_regions_and_zones(restrictions, barred, zones, wire):
    offer = _offer(wire, *restrictions)
    assert offer is not None
    assert (offer.barred, offer.barred_zones) == (barred, zones)


def _sku(**changes: Any) -> dict[str, Any]:
    return {"name": NCC_H100_V5, "resourceType": "virtualMachines"} | changes


@pytest.mark.parametrize(
    ("records", "offered"),
    [
        pytest.param([], None, id="nothing"),
        pytest.param([_sku(name="Standard_D4s_v5")], None, id="another size"),
        pytest.param([_sku(resourceType="disks")], None, id="no VM"),
        pytest.param(
            [_sku(family="f")],
            Offer("eastus2", (), "f", 0, {}, None, {}),
            id="the least that can be said",
        ),
        pytest.param(
            [_sku(family="f", restrictions=[{"type": "Zone", "reasonCode": "QuotaId"}])],
            Offer("eastus2", (), "f", 0, {}, None, {}),
            id="a restriction of nothing",
        ),
        pytest.param(
            [
                _sku(
                    family="f",
                    locationInfo=[
                        {"location": "EastUS2", "zones": ["3", "1"]},
                        {"location": "westus", "zones": ["2"]},
                    ],
                    capabilities=[{"name": "vCPUs", "value": "40"}],
                )
            ],
            Offer("eastus2", ("1", "3"), "f", 40, {"vCPUs": "40"}, None, {}),
            id="zones of this region alone",
        ),
    ],
)
def test_incomplete_sku_records_are_parsed(records, offered, wire):
    wire.replies.append(Response(200, {"value": records}))
    assert wire.queries.offers(NCC_H100_V5, "eastus2").offers.get("eastus2") == offered


def test_recorded_sizes_are_parsed(vectors, wire):
    file = vectors / "arm" / "recorded" / "resource_skus_sample.json"
    records = json.loads(file.read_text("utf-8"))
    wire.replies.append(Response(200, records))
    offer = wire.queries.offers("standard_d2_V2", "eastus").offers.get("eastus")
    assert offer is not None
    assert (offer.zones, offer.family, offer.vcpus) == (("1", "2", "3"), "standardDv2Family", 2)


def test_quota_has_one_line_per_family(wire):
    wire.arm.settings.set("quota", "eastus2", NCC_QUOTA_FAMILY, value=0)
    found = {one.name: one for one in wire.queries.usages("eastus2")}
    label = "Standard NCCads2023 Family vCPUs"
    assert found[NCC_QUOTA_FAMILY] == Usage(NCC_QUOTA_FAMILY, label, 0, 0)
    assert found["cores"].limit == 200


def test_a_quota_line_without_a_label_is_shown_by_its_stripped_name(wire):
    lines = [
        {"name": {"value": " a "}, "currentValue": 1, "limit": 2},
        {"name": {"value": "b", "localizedValue": "B "}, "currentValue": 3, "limit": 4},
    ]
    wire.replies.append(Response(200, {"value": lines}))
    assert wire.queries.usages("eastus2") == (Usage("a", "a", 1, 2), Usage("b", "B", 3, 4))


@pytest.mark.parametrize("body", [[], {"value": 7}, {"value": [{}]}])
def test_a_json_response_that_is_not_arms_is_transient(body, wire):
    wire.replies.append(Response(200, body))
    with pytest.raises(AzureUnavailable, match="reading the quota of eastus2: ") as caught:
        wire.queries.usages("eastus2")
    assert caught.value.code == "NotArm"


def _image(queries: Queries, text: str, region: str = "eastus2") -> dict[str, str]:
    return dict(queries.image(region, parse(text)))


def test_latest_is_the_numerically_highest_version(wire):
    versions = ("24.04.9", "24.04.202609150", "24.4.202607310", "24.04.202606070")
    wire.arm.faults.append(_listing("/skus/cvm/versions", *versions))
    assert _image(wire.queries, DEFAULT_IMAGE) == {
        "publisher": "Canonical",
        "offer": "ubuntu-24_04-lts",
        "sku": "cvm",
        "version": "24.04.202609150",
    }


def test_invalid_image_versions_are_skipped(wire):
    versions = ("preview", "24.04.202607310", "99.0.0-beta", "")
    wire.arm.faults.append(_listing("/skus/cvm/versions", *versions))
    assert _image(wire.queries, DEFAULT_IMAGE)["version"] == "24.04.202607310"


def test_a_pinned_image_version_is_not_searched(wire):
    text = DEFAULT_IMAGE.replace("latest", "24.04.202606070")
    assert _image(wire.queries, text)["version"] == "24.04.202606070"
    assert len(wire.seen) == 1


def test_an_image_without_versions_is_not_found(wire):
    wire.replies.append(Response(200, []))
    with pytest.raises(NotFound, match=r"^eastus2 has no version of the image Canonical") as caught:
        _image(wire.queries, DEFAULT_IMAGE)
    assert caught.value.code == "ImageNotFound"


@pytest.mark.parametrize(
    ("text", "region"),
    [
        pytest.param("Canonical:ubuntu-99_04-lts:cvm:latest", "eastus2", id="no such image"),
        pytest.param("Canonical:ubuntu-24_04-lts:cvm:1.2.3", "eastus2", id="no such version"),
        pytest.param(DEFAULT_IMAGE, "nowhere1", id="no such region"),
        pytest.param(f"/CommunityGalleries/{_GALLERY}/Images/none", "eastus2", id="no such one"),
        pytest.param(
            f"/CommunityGalleries/{_GALLERY}/Images/cgpu-ncc-2404-base-image",
            "centralus",
            id="not in that region",
        ),
        pytest.param(
            f"/CommunityGalleries/{_GALLERY}/Images/cgpu-ncc-2404-base-image/Versions/1.2.3",
            "eastus2",
            id="no such version of it",
        ),
    ],
)
def test_a_missing_image_is_not_found(text, region, wire):
    with pytest.raises(NotFound, match="looking up the image"):
        _image(wire.queries, text, region)


def _with_features(*features: dict[str, str]) -> Response:
    return Response(200, {"location": "x", "name": "1.2.3", "properties": {"features": features}})


_NAMED = "Canonical:ubuntu-24_04-lts:cvm:1.2.3"


@pytest.mark.parametrize("security", ["TrustedLaunchSupported", "TrustedLaunch", "Standard", ""])
def test_an_image_without_confidential_support_is_refused(security, wire):
    wire.replies.append(_with_features({"name": "SecurityType", "value": security}))
    with pytest.raises(AzureRefused, match="cannot start a confidential VM") as caught:
        _image(wire.queries, _NAMED)
    assert caught.value.code == "NotConfidential"


@pytest.mark.parametrize(
    "features",
    [
        pytest.param([{"name": "SecurityType", "value": "ConfidentialVmSupported"}], id="can"),
        pytest.param([{"name": "SecurityType", "value": "ConfidentialVM"}], id="must"),
        pytest.param(
            [{"name": "SecurityType", "value": "TrustedLaunchAndConfidentialVmSupported"}],
            id="can both",
        ),
        pytest.param([{"name": "DiskControllerTypes", "value": "SCSI"}], id="does not say"),
        pytest.param([], id="says nothing"),
    ],
)
def test_an_image_with_or_without_declared_confidential_support_passes(features, wire):
    wire.replies.append(_with_features(*features))
    assert _image(wire.queries, _NAMED)["version"] == "1.2.3"


@pytest.mark.parametrize(
    ("version", "exact"),
    [("", "2404.20260928.0"), ("/Versions/2404.20260714.0", "2404.20260714.0")],
)
def test_a_community_image_is_resolved_with_its_version(version, exact, wire):
    path = f"/CommunityGalleries/{_GALLERY}/Images/cgpu-ncc-2404-base-image"
    found = _image(wire.queries, path + version)
    assert found == {"communityGalleryImageId": f"{path}/Versions/{exact}"}


def test_a_private_gallery_image_is_left_to_azure(wire):
    id_ = f"{_GROUP}/providers/Microsoft.Compute/galleries/a/images/b"
    assert _image(wire.queries, id_) == {"id": id_}
    assert wire.seen == []


@pytest.mark.parametrize(
    ("value", "query"),
    [
        (None, "tagName eq 'ccgpu-run'"),
        ("r1", "tagName eq 'ccgpu-run' and tagValue eq 'r1'"),
    ],
)
def test_tagged_lists_groups_and_resources(value, query, wire):
    group = {"id": _GROUP, "type": "Microsoft.Resources/resourceGroups", "location": "eastus2"}
    disk = {"id": f"{_GROUP}/x", "type": "T", "location": "eastus2", "tags": {"a": "b"}}
    wire.replies += [Response(200, {"value": [group]}), Response(200, {"value": [disk]})]
    assert wire.queries.tagged_groups("ccgpu-run", value) == (group,)
    assert wire.queries.tagged_resources("ccgpu-run", value) == (disk,)
    assert [request.query["$filter"] for request in wire.seen] == [query] * 2
    assert [request.path.rsplit("/", 1)[1].lower() for request in wire.seen] == [
        "resourcegroups",
        "resources",
    ]


@pytest.mark.parametrize(("status_only", "asked"), [(True, "true"), (False, None)])
def test_vms_are_listed_in_full_or_with_status_only(status_only, asked, wire):
    vm = {"id": f"{_GROUP}/vm", "name": "vm", "properties": {"vmId": "x"}}
    wire.replies.append(Response(200, {"value": [vm]}))
    assert wire.queries.virtual_machines(status_only=status_only) == (vm,)
    assert wire.seen[0].query.get("statusOnly") == asked


def test_every_resource_of_a_group_is_listed(wire):
    disk = {"id": f"{_GROUP}/x", "type": "T", "location": "eastus2", "tags": None}
    wire.replies.append(Response(200, {"value": [disk]}))
    assert wire.queries.inside("g") == (disk["id"],)


def test_a_missing_group_has_no_resources(wire):
    assert wire.queries.inside("g") is None


@pytest.mark.parametrize("code", ["SubscriptionNotFound", "NotFound"])
def test_a_404_about_something_else_does_not_mean_the_group_is_missing(code, wire):
    wire.replies.append(faults.error(404, code))
    with pytest.raises(NotFound):
        wire.queries.inside("g")


@pytest.mark.parametrize(
    ("ask", "doing"),
    [
        (
            lambda q: q.offers(NCC_H100_V5, "eastus2"),
            f"looking where {NCC_H100_V5} is offered in eastus2",
        ),
        (lambda q: q.usages("eastus2"), "reading the quota of eastus2"),
        (lambda q: _image(q, _NAMED), f"looking up the image {_NAMED} in eastus2"),
        (lambda q: q.tagged_groups("ccgpu-run"), "listing what carries the tag ccgpu-run"),
        (lambda q: q.tagged_resources("ccgpu-run"), "listing what carries the tag ccgpu-run"),
        (lambda q: q.virtual_machines(), "listing virtual machines"),
        (lambda q: q.inside("g"), "listing what is in g"),
    ],
)
def test_an_error_names_the_query(ask, doing, wire):
    wire.replies.append(faults.FORBIDDEN)
    with pytest.raises(AzureRefused) as caught:
        ask(wire.queries)
    assert str(caught.value).startswith(f"{doing}: does not have authorization")


def test_an_encryption_set_is_read_by_its_id(wire):
    id_ = ResourceId(f"{_GROUP}/providers/Microsoft.Compute/diskEncryptionSets/keys")
    wire.replies.append(Response(200, {"id": id_, "type": "T", "location": "westeurope"}))
    assert wire.queries.encryption_set(id_)["location"] == "westeurope"
    assert wire.seen[0].path.casefold() == id_.casefold()


def test_a_missing_encryption_set_is_not_found(wire):
    id_ = ResourceId(f"{_GROUP}/providers/Microsoft.Compute/diskEncryptionSets/keys")
    with pytest.raises(NotFound, match="reading /subscriptions"):
        wire.queries.encryption_set(id_)


def test_a_search_in_one_group_lists_only_that_group(wire):
    disk = {"id": f"{_GROUP}/x", "type": "T", "location": "eastus2"}
    wire.replies.append(Response(200, {"value": [disk]}))
    assert wire.queries.tagged_resources("ccgpu-run", "r1", "g") == (disk | {"tags": {}},)
    (request,) = wire.seen
    assert request.path.casefold().endswith("/resourcegroups/g/resources")
    assert request.query["$filter"] == "tagName eq 'ccgpu-run' and tagValue eq 'r1'"
    assert wire.queries.tagged_resources("ccgpu-run", "r1", "absent") == ()
