"""Disks that are uploaded to: states, sizes, accesses, and the page blob behind a disk."""

import xml.etree.ElementTree as ET
from functools import partial

import pytest
import requests
from azure.core import MatchConditions
from azure.core.exceptions import HttpResponseError, ResourceModifiedError

from ccgpu.fakearm import FakeGap, Request
from ccgpu.fakearm.storage.checksums import crc64_of
from support.arm import group_path, vm_body, vm_path
from support.faults import NthRequest, is_page_write, storage_error
from support.publishing import DISK, MIB, SIZE, Publisher, footer, upload_body

LESS = "must be a multiple of MiB"


@pytest.fixture
def sdk(arm):
    """Microsoft's clients of the subscription, with the group `g`."""
    return Publisher(arm)


@pytest.fixture
def blob(sdk):
    """The blob of a new disk, with access to write."""
    sdk.empty_disk()
    return sdk.blob(sdk.grant())


def state(sdk):
    return sdk.compute.disks.get("g", "disk").disk_state


def refused(act, *args, **more):
    """Status, and the service's code, of an error."""
    with pytest.raises(HttpResponseError) as caught:
        act(*args, **more)
    code = getattr(caught.value, "error_code", None) or caught.value.error.code
    return caught.value.status_code, code


@pytest.mark.parametrize(
    ("size", "code", "text"),
    [
        (None, "InvalidParameter", "is missing (null)"),
        (SIZE, "InvalidParameter", "out of range"),
        (SIZE + MIB, "BadRequest", LESS),
        (SIZE + 1024, "BadRequest", LESS),
        (32 * 1024**4 + 1024, "InvalidParameter", "out of range"),
    ],
)
def test_a_disk_for_an_upload_has_whole_mib_and_a_footer(az, size, code, text):
    az.group()
    creation = {"createOption": "Upload", "uploadSizeBytes": size}
    answer = az.send("PUT", DISK, upload_body(creationData=creation))
    assert (answer.status, answer.body["error"]["code"]) == (400, code)
    assert text in answer.body["error"]["message"]


def test_a_secure_upload_needs_a_security_type_and_is_not_simulated(az):
    az.group()
    given = upload_body(creationData={"createOption": "UploadPreparedSecure"})
    assert az.refusal("PUT", DISK, given) == (400, "InvalidParameter")
    given["properties"]["securityProfile"] = {"securityType": "TrustedLaunch"}
    with pytest.raises(FakeGap, match="guest state"):
        az.send("PUT", DISK, given)


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"networkAccessPolicy": "DenyAll"}, "DenyAll"),
        ({"dataAccessAuthMode": "AzureActiveDirectory"}, "AzureActiveDirectory"),
        ({"creationData": {"createOption": "Empty"}, "diskSizeGB": 4}, "not uploaded"),
    ],
)
def test_access_for_some_clients_only_and_to_other_disks_is_a_gap(az, changes, what):
    az.group()
    az.complete("PUT", DISK, upload_body(**changes))
    level = "Read" if "creationData" in changes else "Write"
    given = {"access": level, "durationInSeconds": 60}
    with pytest.raises(FakeGap, match=what):
        az.send("POST", f"{DISK}/beginGetAccess", given)


def test_a_disk_goes_from_ready_to_upload_to_unattached(sdk):
    sdk.empty_disk()
    assert state(sdk) == "ReadyToUpload"
    blob = sdk.blob(sdk.grant())
    assert state(sdk) == "ActiveUpload"
    blob.upload_page(footer(), SIZE, 512)
    sdk.compute.disks.begin_revoke_access("g", "disk").result()
    assert state(sdk) == "Unattached"
    sdk.empty_disk()  # repeated
    assert state(sdk) == "Unattached"
    larger = {"createOption": "Upload", "uploadSizeBytes": SIZE + MIB + 512}
    change = partial(sdk.empty_disk, creationData=larger)
    assert refused(change) == (409, "PropertyChangeNotAllowed")
    grant = sdk.compute.disks.begin_grant_access
    assert refused(grant, "g", "disk", {"access": "Write", "durationInSeconds": 60}) == (
        *(409, "OperationNotAllowed"),
    )
    reader = sdk.blob(sdk.grant(access="Read"))
    assert reader.download_blob(SIZE, 512).readall() == footer()
    assert refused(reader.upload_page, footer(), SIZE, 512)[1] == "AuthorizationPermissionMismatch"


@pytest.mark.parametrize("seconds", [0, 60 * 24 * 3600 + 1, "60"])
def test_an_access_lasts_at_most_sixty_days(az, seconds):
    az.group()
    az.complete("PUT", DISK, upload_body())
    given = {"access": "Write", "durationInSeconds": seconds}
    assert az.refusal("POST", f"{DISK}/beginGetAccess", given) == (400, "InvalidParameter")


@pytest.mark.parametrize(
    ("end", "text"),
    [
        (bytes(512), "Disk is expected to have cookie value 'conectix'"),
        (footer(kind=3), "Only fixed VHDs"),
        (footer(SIZE + MIB), f"names {SIZE + MIB} bytes"),
        (footer()[:200] + b"x" + footer()[201:], "checksum"),
    ],
)
def test_an_upload_without_a_footer_of_its_size_does_not_end(sdk, blob, end, text):
    blob.upload_page(end, SIZE, 512)
    with pytest.raises(HttpResponseError) as caught:
        sdk.compute.disks.begin_revoke_access("g", "disk").result()
    assert caught.value.error.code == "InvalidVhd"
    assert text in caught.value.error.message
    assert state(sdk) == "ActiveUpload"
    blob.upload_page(footer(), SIZE, 512)  # the access goes on
    sdk.compute.disks.begin_revoke_access("g", "disk").result()
    assert state(sdk) == "Unattached"


def test_what_is_being_uploaded_is_neither_deleted_nor_attached(sdk, az, blob):
    del blob
    answer = az.send("DELETE", DISK)
    assert answer.status == 409
    assert "Call EndGetAccess before deleting" in answer.body["error"]["message"]
    az.network()
    attached = [{"lun": 0, "createOption": "Attach", "managedDisk": {"id": DISK}}]
    given = vm_body(data_disks=attached)
    assert az.refusal("PUT", vm_path(), given) == (409, "OperationNotAllowed")
    gone = az.ok("DELETE", group_path()).headers["Location"]
    az.arm.advance(60)
    assert az.get_url(gone).status == 409  # as an access keeps its group
    assert state(sdk) == "ActiveUpload"


def test_a_disk_that_waits_for_its_upload_is_deleted_but_not_attached(az):
    az.network()
    az.complete("PUT", DISK, upload_body())
    attached = [{"lun": 0, "createOption": "Attach", "managedDisk": {"id": DISK}}]
    given = vm_body(data_disks=attached)
    assert az.refusal("PUT", vm_path(), given) == (409, "OperationNotAllowed")
    az.complete("DELETE", DISK)
    assert az.status(DISK) == 404


def test_pages_are_written_cleared_listed_and_read(sdk, blob):
    size = blob.get_blob_properties().size
    assert size == SIZE + 512
    blob.upload_page(b"a" * 2048, 64 * 1024 - 1024, 2048)  # in two parts of the state
    blob.upload_page(bytes(512), 2 * MIB, 512)  # zeros are written, too
    blob.clear_page(64 * 1024, 512)
    found = [(one.start, one.end) for one in blob.list_page_ranges()]
    assert found == [(64512, 65535), (66048, 66559), (2 * MIB, 2 * MIB + 511)]
    read = blob.download_blob(64 * 1024 - 1024, 2560, validate_content=True).readall()
    assert read == b"a" * 1024 + bytes(512) + b"a" * 512 + bytes(512)
    assert blob.download_blob(SIZE).readall() == bytes(512)
    before = blob.get_blob_properties().etag
    blob.clear_page(0, SIZE + 512, etag=before, match_condition=MatchConditions.IfNotModified)
    with pytest.raises(ResourceModifiedError):  # as a download in parts would see it
        blob.download_blob(0, 512, etag=before, match_condition=MatchConditions.IfNotModified)
    known = {"If-None-Match": blob.get_blob_properties().etag}
    same = sdk.arm.send(Request("GET", blob.url, known))
    assert (same.status, same.body) == (304, None)
    assert list(blob.list_page_ranges()) == []


def put(sdk, url, size=512, at=0, data=None, **headers):
    """The answer to a Put Page as a client of one's own would send it."""
    given = {"x-ms-page-write": "update", "x-ms-range": f"bytes={at}-{at + size - 1}"}
    given |= {name.replace("_", "-"): value for name, value in headers.items()}
    body = bytes(size) if data is None else data
    answer = sdk.arm.send(Request("PUT", f"{url}&comp=page", given, body))
    return answer.status, answer.headers.get("x-ms-error-code")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"at": 100}, (416, "InvalidPageRange")),
        ({"size": 500}, (416, "InvalidPageRange")),
        ({"at": SIZE + 512}, (416, "InvalidPageRange")),
        ({"size": 4 * MIB + 512}, (413, "RequestBodyTooLarge")),
        ({"data": bytes(1024)}, (400, "InvalidHeaderValue")),
        ({"x_ms_page_write": "copy"}, (400, "InvalidHeaderValue")),
        ({"x_ms_page_write": "clear"}, (400, "InvalidHeaderValue")),
        ({"x_ms_page_write": ""}, (400, "MissingRequiredHeader")),
        ({"Content_MD5": "AAAAAAAAAAAAAAAAAAAAAA=="}, (400, "Md5Mismatch")),
        ({"x_ms_content_crc64": "AAAAAAAAAAA="}, (400, "Crc64Mismatch")),
        ({"x_ms_content_crc64": crc64_of(bytes(512))}, (201, None)),
        ({"size": 4 * MIB}, (201, None)),
        ({"at": SIZE}, (201, None)),
    ],
)
def test_a_page_is_checked_before_it_is_written(sdk, changes, expected):
    sdk.empty_disk()
    url = sdk.grant()
    assert put(sdk, url, **changes) == expected
    written = list(sdk.blob(url).list_page_ranges())
    assert bool(written) == (expected[0] == 201)


def test_the_checksum_is_azure_storages_own():
    # CRC-64/NVME of "123456789" is 0xAE8B14860A799888 (catalogue of parametrised CRCs).
    assert crc64_of(b"123456789") == "iJh5CoYUi64="


def test_an_access_ends_with_its_time_and_is_renewed_at_the_same_address(sdk, blob):
    sdk.arm.advance(3601)
    with pytest.raises(HttpResponseError) as caught:
        blob.upload_page(footer(), SIZE, 512)
    assert (caught.value.status_code, caught.value.error_code) == (403, "AuthenticationFailed")
    detail = ET.fromstring(caught.value.response.text().lstrip("\ufeff"))[2].text
    assert detail is not None
    assert detail.startswith("Signature not valid in the specified time frame: Start [")
    assert sdk.grant() == blob.url
    blob.upload_page(footer(), SIZE, 512)


def test_an_address_is_refused_after_its_end_and_with_another_signature(sdk, blob):
    url = blob.url
    other = sdk.blob(url.partition("&sig=")[0] + "&sig=AAAA")
    assert refused(list, other.list_page_ranges()) == (403, "AuthenticationFailed")
    blob.upload_page(footer(), SIZE, 512)
    sdk.compute.disks.begin_revoke_access("g", "disk").result()
    with pytest.raises(HttpResponseError) as caught:
        blob.upload_page(footer(), SIZE, 512)
    assert "SAS identifier cannot be found" in caught.value.response.text()
    with pytest.raises(FakeGap, match="token"):
        sdk.arm.send(Request("GET", url, {"Authorization": "Bearer x"}))
    shown = sdk.arm.show()["requests"]
    assert "sig=" not in str(shown)


def test_every_request_to_the_blob_can_fail(sdk, blob):
    sdk.arm.faults.append(NthRequest(1, is_page_write, storage_error(503, "ServerBusy")))
    blob.upload_page(b"a" * 512, 0, 512)
    assert refused(blob.upload_page, b"b" * 512, 0, 512) == (503, "ServerBusy")
    blob.upload_page(b"c" * 512, 512, 512)
    sdk.arm.faults.append(NthRequest(0, lambda one: one.method == "HEAD", requests.ReadTimeout()))
    with pytest.raises(Exception, match=r"^$"):
        blob.get_blob_properties()
    assert blob.download_blob(0, 1024).readall() == b"a" * 512 + b"c" * 512
