"""What `image publish` puts at Azure, and how it judges what is there."""

from dataclasses import replace
from typing import Any

import pytest

from ccgpu.domain import publication_checks as of
from ccgpu.domain.image_manifest import ImageFile
from ccgpu.domain.publication import DEFAULT_GROUP, GalleryPlace, Publication, PublicationStamp
from ccgpu.domain.publication_outcome import PublishOutcome
from ccgpu.domain.publication_state import (
    RegionCopy,
    VersionFinding,
    changed_profile,
    is_abandoned_disk,
    is_abandoned_version,
    is_in_motion,
    judge_disk,
    judge_version,
    region_copies,
)
from ccgpu.domain.published_image import COMPLETE_TAG, MANIFEST_TAG, VHD_TAG
from ccgpu.domain.resource import key
from ccgpu.errors import InvalidFile, UsageProblem
from support.measured_images import Parts

SUBSCRIPTION = "00000000-0000-4000-8000-000000000001"
STAMP = PublicationStamp("r" * 16, "2026-01-01T00:00:00Z", "2026-01-01T04:00:00Z")
AT_END = 1767240000.0  # 2026-01-01T04:00:00Z
MANIFEST = Parts().manifest()
IMAGE = ImageFile("/built/image.json", "ab" * 32, MANIFEST)
PLACE = GalleryPlace(SUBSCRIPTION, "images", "measured")
WANTED = Publication(IMAGE, PLACE, "tiny", ("eastus2", "westeurope"), 2)


def versioned(version: str) -> ImageFile:
    return replace(IMAGE, manifest=MANIFEST.model_copy(update={"version": version}))


def sized(size: int) -> ImageFile:
    disk = MANIFEST.disk.model_copy(update={"size": size})
    return replace(IMAGE, manifest=MANIFEST.model_copy(update={"disk": disk}))


def test_the_bodies_are_those_of_the_golden_file(golden: Any) -> None:
    made = [
        *(WANTED.group_resource(), WANTED.gallery_resource(), WANTED.definition()),
        *(WANTED.disk(STAMP), WANTED.version_resource(STAMP, WANTED.regions)),
    ]
    golden("arm/publication.json", [{"id": one.id, "body": one.body} for one in made])


def test_ids_follow_from_gallery_name_and_version_alone() -> None:
    again = replace(WANTED, regions=("centralus",), replicas=1)
    assert (again.disk_id, again.journal_name) == (WANTED.disk_id, WANTED.journal_name)
    other = replace(WANTED, image=versioned("1.2.4"))
    assert other.disk_id != WANTED.disk_id
    assert other.journal_name != WANTED.journal_name


@pytest.mark.parametrize("version", ["1.0.0", "0.0.0", "2147483647.0.1"])
def test_a_version_of_three_numbers_is_a_gallerys(version: str) -> None:
    of.require_version(versioned(version))


@pytest.mark.parametrize("version", ["1.0", "1.0.0.0", "1.0.0-rc1", "01.0.0", "2147483648.0.0"])
def test_any_other_version_is_refused_with_its_value(version: str) -> None:
    with pytest.raises(InvalidFile, match=f"version: is {version!r}; a gallery takes three whole"):
        of.require_version(versioned(version))


@pytest.mark.parametrize(("mib", "fits"), [(19, False), (20, True), (32 << 20, True)])
def test_a_disk_must_be_of_a_size_that_azure_takes(mib: int, fits: bool) -> None:
    if fits:
        of.require_size(sized(mib << 20))
    else:
        with pytest.raises(
            InvalidFile, match=r"disk\.size: is 19 MiB; Azure takes disks of 20 MiB"
        ):
            of.require_size(sized(mib << 20))


@pytest.mark.parametrize(
    ("given", "found"), [(None, "tiny"), ("other_1", "other_1"), ("x" * 80, "x" * 80)]
)
def test_the_definition_is_named_by_the_image_or_the_user(given: str | None, found: str) -> None:
    assert of.definition_name(IMAGE, given) == found


def test_names_that_azure_does_not_take_are_refused() -> None:
    with pytest.raises(UsageProblem, match="--name: 'a b' is no name of an image definition"):
        of.definition_name(IMAGE, "a b")
    ends = replace(IMAGE, manifest=MANIFEST.model_copy(update={"name": "tiny-"}))
    with pytest.raises(UsageProblem, match="the image's name 'tiny-' is no name"):
        of.definition_name(ends, None)


def test_a_long_name_has_a_sku_that_azure_takes() -> None:
    wanted = replace(WANTED, name="x" * 63 + "." + "y")
    assert wanted.definition().body["properties"]["identifier"]["sku"] == "x" * 63


def test_a_gallery_is_named_by_its_name_or_id() -> None:
    assert of.parse_gallery("measured", SUBSCRIPTION, "images") == PLACE
    assert of.parse_gallery("measured", SUBSCRIPTION, None).group == DEFAULT_GROUP
    assert of.parse_gallery(PLACE.id.upper(), SUBSCRIPTION, "IMAGES").id.casefold() == (
        PLACE.id.casefold()
    )


@pytest.mark.parametrize(
    ("text", "group", "message"),
    [
        ("my-gallery", None, "is no name of a gallery"),
        ("/subscriptions/x/nonsense", None, "is not the ARM id"),
        (PLACE.id, "others", "--gallery is in the group images, --resource-group says others"),
        (PLACE.id.replace("0001", "0002"), None, "is in the subscription .*0002, this command"),
    ],
)
def test_any_other_gallery_is_refused(text: str, group: str | None, message: str) -> None:
    with pytest.raises(UsageProblem, match=message):
        of.parse_gallery(text, SUBSCRIPTION, group)


def test_regions_are_each_named_once() -> None:
    assert of.distinct_regions(["East US 2", "eastus2", "westeurope"]) == ("eastus2", "westeurope")


def test_our_own_definition_fits() -> None:
    assert of.definition_problems(WANTED.definition().body) == ()


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"osState": "Specialized"}, "osState is Specialized, needed is Generalized"),
        ({"osType": "Windows"}, "osType is Windows, needed is Linux"),
        ({"hyperVGeneration": None}, "hyperVGeneration is V1, needed is V2"),
        ({"architecture": "Arm64"}, "architecture is Arm64, needed is x64"),
        ({"features": None}, "SecurityType is Standard, needed is ConfidentialVmSupported"),
        (
            {"features": [{"name": "SecurityType", "value": "ConfidentialVM"}]},
            "SecurityType is ConfidentialVM, needed is ConfidentialVmSupported",
        ),
    ],
)
def test_a_definition_that_does_not_fit_says_why(change: dict[str, Any], problem: str) -> None:
    properties = {**WANTED.definition().body["properties"], **change}
    assert of.definition_problems({"properties": properties}) == (problem,)


ONCE_COMPLETE = {**WANTED.digests, COMPLETE_TAG: "true", "ccgpu-created": STAMP.created}


def version(state: str = "Succeeded", **changes: Any) -> dict[str, Any]:
    body = WANTED.version_resource(STAMP, WANTED.regions).body
    properties = {**body["properties"], "provisioningState": state}
    return {"id": WANTED.version_id, **body, "properties": properties, **changes}


@pytest.mark.parametrize(
    ("body", "finding"),
    [
        (None, VersionFinding.ABSENT),
        (version(), VersionFinding.PUBLISHED),
        (version("Creating"), VersionFinding.IN_MOTION),
        (version("Deleting"), VersionFinding.IN_MOTION),
        (version("Failed"), VersionFinding.HALF_MADE),
        (version("Canceled"), VersionFinding.HALF_MADE),
        (version("Failed", tags={MANIFEST_TAG: "x", VHD_TAG: "y"}), VersionFinding.HALF_MADE),
        (version("Failed", tags={}), VersionFinding.OTHER),
        (version("Failed", tags=ONCE_COMPLETE), VersionFinding.CHANGE_FAILED),
        (version("Updating", tags=ONCE_COMPLETE), VersionFinding.IN_MOTION),
        (version(tags=ONCE_COMPLETE), VersionFinding.PUBLISHED),
        (version(tags={MANIFEST_TAG: "x", VHD_TAG: "y"}), VersionFinding.OTHER),
        (version(tags={MANIFEST_TAG: IMAGE.sha256}), VersionFinding.OTHER),
        (version(tags=None), VersionFinding.OTHER),
    ],
)
def test_a_version_is_what_its_tags_and_its_state_say(body: Any, finding: VersionFinding) -> None:
    assert judge_version(WANTED, body) is finding


def disk(state: str = "ReadyToUpload", **changes: Any) -> dict[str, Any]:
    body = WANTED.disk(STAMP).body
    properties = {**body["properties"], "diskState": state, "provisioningState": "Succeeded"}
    return {"id": WANTED.disk_id, **body, "properties": properties, **changes}


@pytest.mark.parametrize("body", [disk(), disk("ActiveUpload")])
def test_an_upload_goes_on_to_its_own_disk(body: dict[str, Any]) -> None:
    assert judge_disk(WANTED, body).writable


def test_no_disk_is_no_finding_and_another_ones_is_foreign() -> None:
    assert judge_disk(WANTED, None).why_anew is None
    assert judge_disk(WANTED, disk(tags={"team": "x"})).foreign


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (disk("Unattached"), "its state is Unattached"),
        (disk(location="westeurope"), "it is not in eastus2"),
        (disk(tags={MANIFEST_TAG: "x", VHD_TAG: "y"}), "it is of another image"),
        ({**disk(), "properties": {"creationData": {"uploadSizeBytes": 5}}}, "it is for 5 bytes"),
        (
            {**disk(), "properties": {"provisioningState": "Failed", "diskState": "ActiveUpload"}},
            "its state is ActiveUpload",
        ),
    ],
)
def test_any_other_disk_of_ours_is_made_anew(body: dict[str, Any], why: str) -> None:
    finding = judge_disk(WANTED, body)
    assert not finding.writable
    assert why in str(finding.why_anew)


@pytest.mark.parametrize(
    ("body", "now", "abandoned"),
    [
        (disk(), AT_END, False),
        (disk(), AT_END + 601, True),
        (disk(tags={}), AT_END + 10_000, False),
        (disk(tags={**WANTED.digests, "ccgpu-expires": "soon"}), AT_END + 10_000, False),
        (disk(tags=dict(WANTED.digests)), AT_END + 10_000, False),
    ],
)
def test_a_disk_is_abandoned_once_its_commands_time_is_over(
    body: dict[str, Any], now: float, abandoned: bool
) -> None:
    assert is_abandoned_disk(body, now) is abandoned


def copied(*states: str, **changes: Any) -> dict[str, Any]:
    """A version that Azure has given up, with the states of its copies."""
    body = version("Failed", **changes)
    summary = [{"region": f"r{n}", "state": state} for n, state in enumerate(states)]
    status = {"aggregatedState": "Failed", "summary": summary}
    return {**body, "properties": {**body["properties"], "replicationStatus": status}}


def without_source(body: dict[str, Any]) -> dict[str, Any]:
    return {**body, "properties": {**body["properties"], "storageProfile": {"osDiskImage": {}}}}


@pytest.mark.parametrize(
    ("body", "hours", "abandoned"),
    [
        (copied("Failed"), 4, True),
        (copied(), 4, True),
        (copied("Failed"), 2, False),
        (copied("Failed", "Completed"), 4000, False),  # it may have been complete
        (version("Failed"), 4000, False),  # nothing is known of its copies
        (without_source(copied("Failed")), 4000, False),
        (copied("Failed", tags=ONCE_COMPLETE), 4000, False),
        (version(), 4000, False),
        (version("Creating"), 4000, False),
        (copied("Failed", tags=dict(WANTED.digests)), 4, False),
    ],
)
def test_only_a_half_made_version_is_abandoned(
    body: dict[str, Any], hours: int, abandoned: bool
) -> None:
    now = AT_END - 4 * 3600 + hours * 3600
    assert is_abandoned_version(body, {key(WANTED.disk_id)}, now) is abandoned
    assert not is_abandoned_version(body, set(), now), "a publication that ended has no disk"


@pytest.mark.parametrize(
    ("body", "begun", "finding"),
    [
        (copied("Completed", "Failed"), False, VersionFinding.CHANGE_FAILED),
        (copied("Completed", "Failed"), True, VersionFinding.HALF_MADE),
        (copied("Failed"), False, VersionFinding.HALF_MADE),
        (copied("Completed", tags=ONCE_COMPLETE), True, VersionFinding.CHANGE_FAILED),
        (copied("Completed", tags={MANIFEST_TAG: "x", VHD_TAG: "y"}), False, VersionFinding.OTHER),
    ],
)
def test_a_version_with_a_complete_copy_is_half_made_only_by_our_own_word(
    body: dict[str, Any], begun: bool, finding: VersionFinding
) -> None:
    assert judge_version(WANTED, body, begun=begun) is finding


def test_what_is_in_motion() -> None:
    assert is_in_motion(version("Updating"))
    assert not is_in_motion(version())
    assert not is_in_motion(disk(properties={"provisioningState": "Updating"}))


def test_the_copies_of_a_version() -> None:
    summary = [{"region": "East US 2", "state": "Replicating", "progress": 5, "details": ""}]
    body = version()
    assert region_copies(body) == ()
    body["properties"]["replicationStatus"] = {"summary": summary}
    assert region_copies(body) == (RegionCopy("eastus2", "Replicating", 5, replicas=2),)


@pytest.mark.parametrize(
    ("profile", "replicas"), [({"replicaCount": 2}, [3, 2, 1]), ({}, [3, 1, 1]), (None, [1, 1, 1])]
)
def test_a_copy_has_the_number_of_its_region_else_of_the_profile_else_one(
    profile: Any, replicas: list[int]
) -> None:
    targets = [{"name": "East US 2", "regionalReplicaCount": 3}, {"name": "westeurope"}]
    stated = None if profile is None else {**profile, "targetRegions": targets}
    regions = ("East US 2", "westeurope", "centralus")
    told = [{"region": one, "state": "Failed", "details": "no room"} for one in regions]
    body = {"publishingProfile": stated, "replicationStatus": {"summary": told}}
    found = region_copies({"properties": body})
    assert [one.replicas for one in found] == replicas
    assert {(one.details, one.is_failed) for one in found} == {("no room", True)}


@pytest.mark.parametrize(
    ("regions", "replicas", "named", "expected"),
    [
        (("eastus2",), None, (), None),
        (("eastus2",), 2, (), None),
        (("eastus2",), 3, (), {"East US 2": 3, "westeurope": 3}),
        (("eastus2",), 1, (), {"East US 2": 1, "westeurope": 1}),
        (("eastus2",), 3, ("eastus2",), {"East US 2": 3, "westeurope": None}),
        (("centralus",), 3, ("centralus",), {"East US 2": 2, "westeurope": None, "centralus": 3}),
        (("centralus",), None, (), {"East US 2": 2, "westeurope": None, "centralus": 1}),
    ],
)
def test_regions_are_added_and_replicas_set_where_they_are_meant(
    regions: tuple[str, ...], replicas: int | None, named: tuple[str, ...], expected: Any
) -> None:
    """westeurope does not say: it has the two of the profile. What else a target has stays."""
    profile = {
        "replicaCount": 2,
        "publishedDate": "2026-01-01T00:00:00Z",
        "endOfLifeDate": "2036-01-01T00:00:00Z",
        "targetRegions": [
            {"name": "East US 2", "regionalReplicaCount": 2, "storageAccountType": "Standard_ZRS"},
            {"name": "westeurope"},
        ],
    }
    wanted = replace(WANTED, regions=regions, replicas=replicas, named=named)
    body = {"properties": {"publishingProfile": profile}}
    changed = changed_profile(wanted, body)
    if expected is None:
        assert changed is None
        changed = changed_profile(wanted, body, always=True)
        expected = {"East US 2": 2, "westeurope": None}
    assert changed is not None
    assert changed.keys() == profile.keys() - {"publishedDate"}
    targets = {one["name"]: one.get("regionalReplicaCount") for one in changed["targetRegions"]}
    assert targets == expected
    assert changed["targetRegions"][0]["storageAccountType"] == "Standard_ZRS"


def test_a_version_without_a_profile_has_no_region() -> None:
    changed = changed_profile(WANTED, {})
    assert changed is not None
    assert [one["name"] for one in changed["targetRegions"]] == ["eastus2", "westeurope"]


def test_a_region_without_a_copy_is_a_failure_by_its_name() -> None:
    good = RegionCopy("eastus2", "Completed", 100)
    assert PublishOutcome(WANTED, "published", (good,)).failure is None
    bad = RegionCopy("westeurope", "Failed", 3, "no room")
    failure = PublishOutcome(WANTED, "published", (good, bad, replace(bad, details=None))).failure
    assert "westeurope: no room" in str(failure)
    assert "no reason was given" in str(failure)


def test_the_manifest_is_the_file_that_the_tag_names() -> None:
    assert WANTED.digests == {
        MANIFEST_TAG: IMAGE.sha256,
        VHD_TAG: MANIFEST.disk.vhd_sha256,
    }
    assert WANTED.vhd_size == MANIFEST.disk.size + 512
