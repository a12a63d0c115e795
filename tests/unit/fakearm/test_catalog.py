"""Reading sizes, usage and images."""

import pytest

from ccgpu.fakearm import FAKE_SUBSCRIPTION, FakeGap
from ccgpu.fakearm.images import COMMUNITY, MARKETPLACE
from ccgpu.fakearm.skus import SIZES
from support.arm import REGION, resource_path, vm_body, vm_path

PROVIDER = f"/subscriptions/{FAKE_SUBSCRIPTION}/providers/Microsoft.Compute"
SKUS = f"{PROVIDER}/skus"
NCC = "Standard_NCC40ads_H100_v5"
GALLERY = "cgpuimage-db870bae-5bcf-4120-9415-b841adef61d3"


def versions(offer="ubuntu-24_04-lts", sku="cvm", region=REGION):
    return (
        f"{PROVIDER}/locations/{region}/publishers/Canonical/artifacttypes/vmimage"
        f"/offers/{offer}/skus/{sku}/versions"
    )


def skus(az, region):
    found = az.get(SKUS, query=f"&$filter=location eq '{region}'")["value"]
    return {one["name"]: one for one in found}


@pytest.mark.parametrize(
    ("region", "zones"),
    [("eastus2", ["1", "2", "3"]), ("westeurope", ["1", "2"]), ("centralus", [])],
)
def test_the_gpu_size_is_offered_in_three_regions(az, region, zones):
    size = skus(az, region)[NCC]
    assert size["locationInfo"] == [{"location": region, "zones": zones, "zoneDetails": []}]
    assert (size["family"], size["restrictions"]) == ("StandardNCCads2023Family", [])


def test_gpu_size_is_not_offered_elsewhere(az):
    assert NCC not in skus(az, "eastus")
    assert "Standard_D4s_v5" in skus(az, "eastus")


def test_capabilities_are_strings(az):
    size = skus(az, REGION)[NCC]
    told = {one["name"]: one["value"] for one in size["capabilities"]}
    assert {type(value) for value in told.values()} == {str}
    expected = {
        "vCPUs": "40",
        "MemoryGB": "320",
        "GPUs": "1",
        "HyperVGenerations": "V2",
        "ConfidentialComputingType": "SNP",
        "AcceleratedNetworkingEnabled": "False",
    }
    assert {name: told[name] for name in expected} == expected


def test_restrictions_are_listed(az):
    given = [{"type": "Zone", "zones": ["1"], "reasonCode": "NotAvailableForSubscription"}]
    az.arm.settings.set("restrictions", NCC, REGION, value=given)
    (told,) = skus(az, REGION)[NCC]["restrictions"]
    assert told["restrictionInfo"] == {"locations": [REGION], "zones": ["1"]}
    assert (told["type"], told["reasonCode"]) == ("Zone", "NotAvailableForSubscription")


def test_location_restriction_has_no_zones(az):
    given = [{"type": "Location", "reasonCode": "QuotaId"}]
    az.arm.settings.set("restrictions", NCC, REGION, value=given)
    (told,) = skus(az, REGION)[NCC]["restrictions"]
    assert told["restrictionInfo"] == {"locations": [REGION]}


def test_unknown_filter_is_a_gap(az):
    with pytest.raises(FakeGap):
        az.send("GET", SKUS, query="&$filter=name eq 'x'")


def test_skus_without_filter_cover_every_region(az):
    az.arm.settings.set("page_size", value=4)
    page = az.get(SKUS)
    seen = list(page["value"])
    while "nextLink" in page:
        page = az.get_url(page["nextLink"]).body
        seen += page["value"]
    places = [(one["name"], one["locations"][0]) for one in seen]
    assert len(set(places)) == len(places) > len(SIZES)


def test_regions_and_zones_can_be_changed(az):
    az.arm.settings.set("offers", NCC, value={"eastus": ["2"]})
    assert NCC not in skus(az, "eastus2")
    assert skus(az, "eastus")[NCC]["locationInfo"][0]["zones"] == ["2"]


def test_an_unknown_setting_is_an_error(az):
    with pytest.raises(KeyError):
        az.arm.settings.set("quotas", value={})
    with pytest.raises(KeyError):
        az.arm.settings.get("quotas")
    assert az.arm.settings.get("quota", "mars", default=1) == 1


def test_usage_has_limit_and_both_names(az):
    told = az.get(f"{PROVIDER}/locations/eastus2/usages")["value"]
    limits = {one["name"]["value"]: one["limit"] for one in told}
    assert limits["cores"] == 200
    assert limits["lowPriorityCores"] == 80
    assert limits["StandardNCCads2023Family"] == 80
    assert {one["unit"] for one in told} == {"Count"}
    assert all(one["name"]["localizedValue"] for one in told)


def test_every_image_has_several_versions():
    assert all(len(image.versions) > 1 for image in (*MARKETPLACE.values(), *COMMUNITY.values()))


def test_versions_are_ordered_and_limited(az):
    path = versions()
    names = [one["name"] for one in az.get(path)]
    assert names == sorted(names)
    newest = az.get(path, query="&$top=1&$orderby=name desc")
    assert [one["name"] for one in newest] == [names[-1]]
    assert newest[0]["id"] == f"{path}/{names[-1]}"
    with pytest.raises(FakeGap):
        az.send("GET", path, query="&$orderby=size")


@pytest.mark.parametrize(
    ("offer", "sku", "security"),
    [
        ("ubuntu-24_04-lts", "cvm", "ConfidentialVmSupported"),
        (
            "0001-com-ubuntu-confidential-vm-jammy",
            "22_04-lts-cvm",
            "TrustedLaunchAndConfidentialVmSupported",
        ),
        ("ubuntu-24_04-lts", "server", "TrustedLaunchSupported"),
    ],
)
def test_image_reports_its_security_type(az, offer, sku, security):
    path = versions(offer, sku)
    one = az.get(f"{path}/{az.get(path)[0]['name']}")
    features = {each["name"]: each["value"] for each in one["properties"]["features"]}
    assert features["SecurityType"] == security
    newest = az.get(f"{path}/latest")
    assert newest["name"] == az.get(path)[-1]["name"]


@pytest.mark.parametrize(
    "path",
    [versions(sku="none"), versions(region="mars"), f"{versions()}/1.2.3"],
)
def test_unknown_image_is_not_found(az, path):
    assert az.refusal("GET", path) == (404, "NotFound")


def test_unknown_artifact_type_is_a_gap(az):
    with pytest.raises(FakeGap):
        az.send("GET", versions().replace("vmimage", "vmextension"))


GALLERIES = {
    "community": f"{PROVIDER}/locations/{REGION}/communityGalleries/{GALLERY}"
    "/images/cgpu-NCC-2404-base-image",
    "shared": f"{PROVIDER}/locations/{REGION}/sharedGalleries"
    "/00000000-1111-4222-8333-444444444444-GOLDEN/images/ubuntu-cvm",
    "private": resource_path("Microsoft.Compute/galleries", "golden", "ccgpu-images")
    + "/images/ubuntu-cvm",
}


@pytest.mark.parametrize("where", GALLERIES)
def test_galleries_return_images_and_versions(az, where):
    path = GALLERIES[where]
    image = az.get(path, api="2026-03-03")
    features = {one["name"]: one["value"] for one in image["properties"]["features"]}
    assert features == {"SecurityType": "ConfidentialVmSupported"}
    listed = az.get(f"{path}/versions", api="2026-03-03")["value"]
    assert len(listed) == (3 if where == "community" else 2)
    one = az.get(f"{path}/versions/{listed[0]['name']}", api="2026-03-03")
    assert one["name"] == listed[0]["name"]
    if where != "private":
        assert one["identifier"]["uniqueId"].endswith(f"/Versions/{one['name']}")
    refused = az.refusal("GET", f"{path}/versions/9.9.9", api="2026-03-03")
    assert refused == (404, "NotFound")
    absent = az.refusal("GET", f"{path}-none", api="2026-03-03")
    assert absent == (404, "ResourceNotFound" if where == "private" else "NotFound")


def test_community_image_is_limited_to_its_regions(az):
    path = GALLERIES["community"].replace("/eastus2/", "/centralus/")
    assert az.refusal("GET", path, api="2026-03-03") == (404, "NotFound")


def test_a_version_that_ends_says_when_and_a_deprecated_one_is_not_found(az):
    path = f"{versions()}/24.04.202609150"
    urn = "Canonical:ubuntu-24_04-lts:cvm:24.04.202609150"
    at = "2027-06-30T00:00:00+00:00"
    az.arm.settings.set("image_ends", value={urn.lower(): at})
    status = az.get(path)["properties"]["imageDeprecationStatus"]
    assert status == {"imageState": "ScheduledForDeprecation", "scheduledDeprecationTime": at}
    az.arm.settings.set("image_ends", value={urn: "Deprecated"})
    answer = az.send("GET", path)
    assert (answer.status, answer.body["error"]["code"]) == (404, "ImageVersionDeprecated")
    assert az.status(f"{versions()}/24.04.202607310") == 200
    az.network()
    refused = az.send("PUT", vm_path(), vm_body())
    assert (refused.status, refused.body["error"]["code"]) == (404, "ImageVersionDeprecated")
