"""Galleries, image definitions and versions: rules, copies in regions, deletion, VMs of them."""

import pytest
from azure.core.exceptions import HttpResponseError, ResourceExistsError

from ccgpu.fakearm import FakeArm, FakeGap
from support.arm import REGION, Client, group_path, vm_body, vm_path
from support.faults import NthRequest, failed_operation, is_poll
from support.publishing import (
    DISK,
    GALLERY,
    IMAGE,
    SIZE,
    VERSION,
    Publisher,
    definition_body,
    footer,
    upload_body,
    version_body,
)

AWAY = "westeurope"


def prepared(arm):
    """The subscription with an uploaded disk, the gallery `gal` and the definition `img`."""
    made = Publisher(arm)
    made.upload({SIZE: footer()})
    made.gallery()
    return made


@pytest.fixture
def sdk(arm):
    """Microsoft's clients of the prepared subscription."""
    return prepared(arm)


@pytest.fixture(scope="module")
def refusing():
    """A client of a prepared subscription that no test changes."""
    return Client(prepared(FakeArm()).arm)


def replication(sdk):
    """The state of each region's copy, and of all."""
    versions = sdk.compute.gallery_image_versions
    found = versions.get("g", "gal", "img", "1.0.0", expand="ReplicationStatus")
    regions = {one.region: one.state for one in found.replication_status.summary}
    return found.provisioning_state, found.replication_status.aggregated_state, regions


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (f"{GALLERY}-1", {"location": REGION}),
        (IMAGE.replace("img", "_img"), definition_body()),
        (IMAGE, definition_body(osType=None)),
        (IMAGE, definition_body(osState="Sealed")),
        (IMAGE, definition_body(hyperVGeneration="V1")),
        (IMAGE, definition_body(identifier={"publisher": "a", "offer": "b.", "sku": "c"})),
        (IMAGE, definition_body(features=[{"name": "SecurityType", "value": "Sealed"}])),
        (VERSION.replace("1.0.0", "1.0"), version_body()),
        (VERSION.replace("1.0.0", "1.0.2147483648"), version_body()),
        (VERSION, version_body(AWAY)),
        (VERSION, version_body(REGION, "East US 2")),
        (VERSION, version_body(publishingProfile={"replicaCount": 101})),
        (VERSION, version_body(storageProfile={})),
        (VERSION, version_body(storageProfile={"osDiskImage": {"source": {"id": GALLERY}}})),
    ],
)
def test_what_is_invalid_is_refused(refusing, path, body):
    assert refusing.refusal("PUT", path, body) == (400, "InvalidParameter")


@pytest.mark.parametrize(
    ("disk", "expected"),
    [
        ({"hyperVGeneration": "V1"}, (400, "InvalidParameter")),
        ({"osType": "Windows"}, (400, "InvalidParameter")),
        ({}, (409, "OperationNotAllowed")),  # it waits for its upload
        (None, (404, "NotFound")),
    ],
)
def test_a_version_is_made_of_an_uploaded_disk_that_fits(sdk, az, disk, expected):
    id_ = f"{DISK}-2"
    if disk is not None:
        az.complete("PUT", id_, upload_body(**disk))
    if disk:
        blob = sdk.blob(sdk.grant("disk-2"))
        blob.upload_page(footer(), SIZE, 512)
        sdk.compute.disks.begin_revoke_access("g", "disk-2").result()
    given = version_body(storageProfile={"osDiskImage": {"source": {"id": id_}}})
    assert az.refusal("PUT", VERSION, given) == expected
    elsewhere = version_body(AWAY) | {"location": AWAY}  # where the disk is not
    assert az.refusal("PUT", VERSION, elsewhere) == (404, "NotFound")


def test_what_a_definition_is_never_changes_and_is_there_once(sdk, az):
    sdk.define()  # repeated
    assert az.refusal("PUT", f"{IMAGE}2", definition_body()) == (409, "OperationNotAllowed")
    for change in (
        {"osState": "Specialized"},
        {"features": []},
        {"identifier": {"publisher": "ccgpu", "offer": "measured", "sku": "two"}},
    ):
        refused = az.refusal("PUT", IMAGE, definition_body(**change))
        assert refused == (409, "PropertyChangeNotAllowed")
    missing = IMAGE.replace("gal/", "none/")
    assert az.refusal("PUT", missing, definition_body()) == (404, "ParentResourceNotFound")
    assert az.refusal("GET", f"{IMAGE}2") == (404, "ResourceNotFound")
    az.ok("PUT", IMAGE, definition_body())
    assert az.refusal("PUT", VERSION, version_body()) == (409, "Conflict")  # it is being written


def test_a_versions_source_never_changes_and_stays_while_it_is_copied(sdk, az):
    az.ok("PUT", VERSION, version_body())
    assert az.refusal("DELETE", DISK) == (409, "Conflict")
    other = VERSION.replace("1.0.0", "1.0.1")
    assert az.refusal("PUT", other, version_body()) == (409, "Conflict")
    az.arm.advance(600)
    az.complete("DELETE", DISK)
    other = version_body(storageProfile={"osDiskImage": {"source": {"id": f"{DISK}-2"}}})
    assert az.refusal("PUT", VERSION, other) == (409, "PropertyChangeNotAllowed")
    sdk.publish("1.0.0", REGION, AWAY)  # the disk is not needed for more regions
    assert replication(sdk)[2] == {REGION: "Completed", AWAY: "Completed"}


def test_copies_take_their_time_and_one_that_failed_is_tried_again(sdk, az):
    az.arm.settings.set("replication", "seconds", AWAY, value=900)
    az.arm.settings.set("replication", "fails", value=[AWAY])
    az.ok("PUT", VERSION, version_body(REGION, AWAY))
    assert replication(sdk) == (
        *("Creating", "InProgress"),
        {REGION: "Replicating", AWAY: "Replicating"},
    )
    az.arm.advance(300)
    assert replication(sdk)[2] == {REGION: "Completed", AWAY: "Replicating"}
    az.arm.advance(700)
    expected = ("Failed", "Failed", {REGION: "Completed", AWAY: "Failed"})
    assert replication(sdk) == expected
    with pytest.raises(HttpResponseError) as caught:
        sdk.publish("1.0.0", REGION, AWAY)
    assert caught.value.error.code == "CrpPirReplicationJobsNotCompleted"
    assert caught.value.error.message.endswith(f"at region: '{AWAY}'.")
    az.arm.settings.set("replication", "fails", value=[])
    sdk.publish("1.0.0", REGION, AWAY)
    assert replication(sdk)[:2] == ("Succeeded", "Completed")


def test_more_replicas_take_as_long_as_a_copy_and_fewer_no_time(sdk, az):
    az.ok("PUT", VERSION, version_body(REGION))
    az.arm.advance(1000)
    for count, lasts in ((3, True), (2, False)):
        body = version_body(REGION)
        body["properties"]["publishingProfile"]["targetRegions"] = [
            {"name": REGION, "regionalReplicaCount": count}
        ]
        az.ok("PUT", VERSION, body)
        assert replication(sdk)[2] == {REGION: "Completed"}, "VMs can be made of it meanwhile"
        az.arm.advance(100)
        assert (replication(sdk)[0] == "Updating") is lasts
        az.arm.advance(1000)
        shown = az.ok("GET", VERSION).body["properties"]["publishingProfile"]["targetRegions"]
        assert [one["regionalReplicaCount"] for one in shown] == [count]


def test_vms_are_made_where_the_version_was_copied_and_outlive_it(sdk, az):
    az.network()
    given = vm_body(image={"id": IMAGE})
    assert az.refusal("PUT", vm_path(), given) == (404, "GalleryImageNotFound")
    az.arm.settings.set("replication", "seconds", value={"*": 0, AWAY: 900})
    az.ok("PUT", VERSION, version_body())
    refused = az.refusal("PUT", vm_path(), given)
    assert refused == (404, "GalleryImageNotFound")  # it is being made
    az.arm.advance(600)
    az.ok("PUT", VERSION, version_body(REGION, AWAY))
    refused = az.refusal("PUT", vm_path(), given | {"location": AWAY})
    assert refused == (404, "GalleryImageNotFound")  # it is not there yet
    az.arm.advance(1000)
    sdk.publish("2.0.0", publishingProfile={"excludeFromLatest": True})
    az.complete("PUT", vm_path(), given)
    reference = az.get(vm_path())["properties"]["storageProfile"]["imageReference"]
    assert reference["exactVersion"] == "1.0.0"
    sdk.define("plain", features=[], identifier={"publisher": "a", "offer": "b", "sku": "c"})
    plain = VERSION.replace("img", "plain")
    az.complete("PUT", plain, version_body())
    refused = az.refusal("PUT", vm_path("b"), vm_body("b", image={"id": plain}))
    assert refused == (400, "InvalidParameter")  # not for confidential VMs
    az.complete("DELETE", VERSION)
    assert az.status(vm_path()) == 200


def test_a_version_is_kept_for_six_months_unless_it_says_otherwise(sdk, az):
    safety = {"allowDeletionOfReplicatedLocations": True}
    made = sdk.publish("1.0.0", safetyProfile=safety)
    assert made.publishing_profile.end_of_life_date > made.publishing_profile.published_date
    assert az.refusal("DELETE", VERSION) == (409, "OperationNotAllowed")
    sdk.publish("1.0.0", safetyProfile={"blockDeletionBeforeEndOfLife": False})
    az.complete("DELETE", VERSION)
    sdk.publish("1.0.0", safetyProfile=safety)
    az.arm.advance(200 * 24 * 3600)
    az.complete("DELETE", VERSION)


def test_parents_are_deleted_after_their_children(sdk, az):
    az.arm.settings.set("lag", "nested", value=300)
    sdk.publish("1.0.0")
    for parent, child in ((GALLERY, IMAGE), (IMAGE, VERSION)):
        answer = az.send("DELETE", parent)
        assert (answer.status, answer.body["error"]["code"]) == (409, "CannotDeleteResource")
        assert child.partition("/providers/")[2] in answer.body["error"]["message"]
    accepted = az.complete("DELETE", VERSION)
    assert "/capsOperations/" in accepted.headers["Azure-AsyncOperation"]
    assert accepted.headers["Retry-After"] == "60"
    begin = sdk.compute.gallery_images.begin_delete
    with pytest.raises(ResourceExistsError, match="nested resources exist"):
        begin("g", "gal", "img")
    az.arm.advance(300)
    begin("g", "gal", "img").result()
    az.arm.settings.set("lag", value={})
    sdk.compute.galleries.begin_delete("g", "gal").result()
    assert az.send("DELETE", VERSION).status == 204


def test_lists_are_of_their_parent_and_names_have_their_parents(sdk, az):
    az.arm.settings.set("page_size", value=1)
    sdk.publish("1.0.0")
    sdk.publish("1.0.1")
    sdk.define("other", identifier={"publisher": "a", "offer": "b", "sku": "c"})
    az.complete("PUT", VERSION.replace("img", "other"), version_body())
    compute = sdk.compute
    listed = compute.gallery_image_versions.list_by_gallery_image("g", "gal", "img")
    assert [one.name for one in listed] == ["1.0.0", "1.0.1"]
    images = compute.gallery_images.list_by_gallery("g", "gal")
    assert [one.name for one in images] == ["img", "other"]
    assert [one.name for one in compute.galleries.list_by_resource_group("g")] == ["gal"]
    assert [one.name for one in compute.galleries.list()] == ["gal"]
    names = {one["name"] for one in az.get(f"{group_path()}/resources")["value"]}
    assert {"gal", "gal/img", "gal/img/1.0.0"} <= names
    az.ok("PATCH", VERSION, {"tags": {"a": "b"}})
    assert az.get(VERSION)["tags"] == {"a": "b"}


def test_every_operation_on_images_can_fail(sdk):
    for what, act in (
        ("capsOperations", sdk.publish),
        ("DiskOperations", lambda: sdk.grant(access="Read")),
    ):
        fault = NthRequest(0, is_poll, failed_operation(what))
        sdk.arm.faults = [fault]
        with pytest.raises(HttpResponseError) as caught:
            act()
        assert (fault.fired, caught.value.error.code) == (1, what)


def test_locks_policies_and_rights_hold_for_images_too(sdk, az):
    az.arm.settings.set("locks", value={IMAGE: "ReadOnly"})
    assert az.refusal("PUT", VERSION, version_body()) == (409, "ScopeLocked")
    az.arm.settings.set("locks", value={})
    denied = {"kind": "Microsoft.Compute/galleries/images/versions", "message": "no"}
    az.arm.settings.set("denied", value=[denied])
    assert az.refusal("PUT", VERSION, version_body()) == (403, "RequestDisallowedByPolicy")
    az.arm.settings.set("denied", value=[])
    del sdk
    az.arm.settings.set("principal", value=["Microsoft.Compute/galleries/*/read"])
    assert az.refusal("PUT", VERSION, version_body()) == (403, "AuthorizationFailed")
    refused = az.refusal("POST", f"{DISK}/beginGetAccess", {"access": "Read"})
    assert refused == (403, "AuthorizationFailed")
    az.arm.settings.set("principal", value=["Microsoft.Compute/galleries/images/versions/write"])
    assert az.refusal("PUT", VERSION, version_body()) == (403, "LinkedAuthorizationFailed")


def test_what_a_gallery_can_do_besides_is_a_gap(sdk, az):
    security = [{"name": "SecurityType", "value": "ConfidentialVM"}]
    identifier = {"publisher": "a", "offer": "b", "sku": "c"}
    sdk.define("stateful", features=security, identifier=identifier)
    for path, body in (
        (GALLERY, {"location": REGION, "properties": {"softDeletePolicy": {}}}),
        (VERSION, version_body(storageProfile={"source": {"id": VERSION}})),
        (VERSION, version_body(securityProfile={"uefiSettings": {}})),
        (VERSION.replace("img", "stateful"), version_body()),
    ):
        with pytest.raises(FakeGap):
            az.send("PUT", path, body)
