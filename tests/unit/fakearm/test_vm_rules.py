"""VM bodies that Azure refuses at once. Each row breaks one rule and leaves nothing."""

import base64
from typing import Any

import pytest

from support import public_keys
from support.arm import REGION, image_reference, resource_path, vm_body, vm_path

DES = resource_path("Microsoft.Compute/diskEncryptionSets", "des")
FULL = {"managed__securityProfile__securityEncryptionType": "DiskWithVMGuestState"}
KEYS = "os__linuxConfiguration__ssh__publicKeys"
BASE = ["networkSecurityGroups", "resourceGroups", "virtualNetworks"]


def key(line: str, path: str = "/home/azureuser/.ssh/authorized_keys") -> dict[str, Any]:
    return {KEYS: [{"path": path, "keyData": line}]}


SECURITY = {
    "no security type": ({"security": ..., "managed__securityProfile": ...}, "'<NULL>'"),
    "trusted launch": (
        {"security__securityType": "TrustedLaunch", "managed__securityProfile": ...},
        "'TrustedLaunch' security type",
    ),
    "size not confidential": (
        {"size": "Standard_D4s_v5"},
        "securityEncryptionType set as 'VMGuestStateOnly'",
    ),
    "no encryption type": (
        {"managed__securityProfile": ...},
        "'managedDisk.securityProfile.securityEncryptionType' is missing (null)",
    ),
    "disk profile of a plain VM": (
        {"size": "Standard_D4s_v5", "security": ...},
        "can only be set for Confidential VMs",
    ),
    "encryption type misspelt": (
        {"managed__securityProfile__securityEncryptionType": "DISK_WITH_VM_GUEST_STATE"},
        'Error converting value "DISK_WITH_VM_GUEST_STATE"',
    ),
    "security type misspelt": ({"security__securityType": "confidentialvm"}, "Error converting"),
    "encryption of another technology": (
        {"managed__securityProfile__securityEncryptionType": "NonPersistedTPM"},
        "'NonPersistedTPM' is not supported",
    ),
    "no vTPM": ({"security__uefiSettings__vTpmEnabled": False}, "vTpmEnabled"),
    "no firmware settings": ({"security__uefiSettings": ...}, "vTpmEnabled"),
    "full encryption without secure boot": (
        {**FULL, "security__uefiSettings__secureBootEnabled": False},
        "secureBootEnabled",
    ),
    "full encryption at host": ({**FULL, "security__encryptionAtHost": True}, "encryptionAtHost"),
    "key with state only": (
        {"managed__securityProfile__diskEncryptionSet": {"id": DES}},
        "can only be set when",
    ),
    "two keys": (
        {
            **FULL,
            "managed__securityProfile__diskEncryptionSet": {"id": DES},
            "managed__diskEncryptionSet": {"id": DES},
        },
        "cannot both be set",
    ),
}


@pytest.mark.parametrize("what", SECURITY)
def test_confidential_vm_errors_are_bad_requests(az, what):
    changes, text = SECURITY[what]
    az.network()
    answer = az.send("PUT", vm_path(), vm_body(**changes))
    assert (answer.status, answer.body["error"]["code"]) == (400, "BadRequest")
    assert text in answer.body["error"]["message"]
    assert az.kinds() == BASE


PARAMETERS = {
    "no size": ({"size": ...}, "hardwareProfile.vmSize"),
    "unknown size": ({"size": "Standard_X1"}, "vmSize"),
    "no sign-in": ({"os": ...}, "osProfile"),
    "no user": ({"os__adminUsername": ""}, "adminUsername"),
    **{
        f"user {name}": ({"os__adminUsername": name}, "adminUsername")
        for name in ("root", "Admin", "user5", "support_388945a0", "a" * 65)
    },
    "host name": ({"os__computerName": "a" * 65}, "computerName"),
    "host name with sign": ({"os__computerName": "a_b"}, "computerName"),
    "custom data not base64": ({"os__customData": "#cloud-config"}, "customData"),
    "custom data too long": (
        {"os__customData": base64.b64encode(bytes(65_536)).decode()},
        "customData",
    ),
    "extensions without an agent": (
        {
            "os__allowExtensionOperations": True,
            "os__linuxConfiguration__provisionVMAgent": False,
        },
        "allowExtensionOperations",
    ),
    "extensions perhaps": ({"os__allowExtensionOperations": "yes"}, "allowExtensionOperations"),
    "no key": ({KEYS: []}, "linuxConfiguration"),
    "no password": (
        {"os__linuxConfiguration__disablePasswordAuthentication": False},
        "adminPassword",
    ),
    "key elsewhere": (
        key(public_keys.ed25519_line(), "/home/x/.ssh/authorized_keys"),
        "linuxConfiguration.ssh.publicKeys.path",
    ),
    **{
        f"key {name}": (key(line), "linuxConfiguration.ssh.publicKeys.keyData")
        for name, line in {
            "ecdsa": public_keys.ecdsa_line(),
            "rsa 1024": public_keys.rsa_line(1024),
            "sk": public_keys.unsupported_line("sk-ssh-ed25519@openssh.com"),
            "no base64": "ssh-ed25519 !",
            "one word": "ssh-ed25519",
            "cut short": public_keys.ed25519_line()[:-24],
            "rsa cut short": public_keys.rsa_line(3072)[:-64],
            "other name": public_keys.ed25519_line().replace("ssh-ed25519", "ssh-rsa"),
            "short": "ssh-ed25519 "
            + base64.b64encode(b"\0\0\0\x0bssh-ed25519\0\0\0\x01x").decode(),
            "empty": "ssh-ed25519 ====",
        }.items()
    },
    "disk too small": ({"disk__diskSizeGB": 29}, "osDisk.diskSizeGB"),
    "no image": ({"image": ...}, "storageProfile.imageReference"),
    "half an image": ({"image__offer": ...}, "imageReference"),
    "plain image": ({"image": image_reference("server")}, "securityProfile.securityType"),
}


@pytest.mark.parametrize("what", PARAMETERS)
def test_bad_parameters_are_named(az, what):
    changes, target = PARAMETERS[what]
    az.network()
    answer = az.send("PUT", vm_path(), vm_body(**changes))
    assert (answer.status, answer.body["error"]["code"]) == (400, "InvalidParameter")
    assert answer.body["error"]["target"] == target
    assert az.kinds() == BASE


@pytest.mark.parametrize("name", ["a" * 65, "_a", "a.", "a-", "a b".replace(" ", "%20"), "a$"])
def test_bad_vm_names_are_refused(az, name):
    az.network()
    assert az.refusal("PUT", vm_path(name), vm_body()) == (400, "InvalidParameter")


@pytest.mark.parametrize(
    "line", [public_keys.ed25519_line(), public_keys.rsa_line(2048)], ids=["ed25519", "rsa"]
)
def test_supported_ssh_keys_are_accepted(az, line):
    az.network()
    az.complete("PUT", vm_path(), vm_body(**key(line + " someone\n")))


def test_custom_data_at_the_limit_is_accepted(az):
    az.network()
    az.complete("PUT", vm_path(), vm_body(os__customData=base64.b64encode(bytes(65_535)).decode()))


PLACES = {
    "region without the size": ({"location": "eastus"}, 409, "SkuNotAvailable"),
    "zone without the size": ({"location": "westeurope", "zones": ["3"]}, 409, "SkuNotAvailable"),
    "zone of a region without": ({"location": "centralus", "zones": ["1"]}, 409, "SkuNotAvailable"),
    "no such zone": ({"zones": ["4"]}, 400, "AvailabilityZoneNotSupported"),
    "two zones": ({"zones": ["1", "2"]}, 400, "AvailabilityZoneNotSupported"),
    "no such region": ({"location": "mars"}, 400, "LocationNotAvailableForResourceType"),
    "no region": ({"location": ...}, 400, "LocationRequired"),
}


@pytest.mark.parametrize("what", PLACES)
def test_size_must_be_offered_in_region_and_zone(az, what):
    changes, status, code = PLACES[what]
    az.network()
    assert az.refusal("PUT", vm_path(), vm_body(**changes)) == (status, code)


@pytest.mark.parametrize(
    ("restriction", "zones", "refused"),
    [
        ({"type": "Location", "reasonCode": "NotAvailableForSubscription"}, ["1"], True),
        ({"type": "Location", "reasonCode": "QuotaId"}, None, True),
        (
            {"type": "Zone", "zones": ["1"], "reasonCode": "NotAvailableForSubscription"},
            ["1"],
            True,
        ),
        (
            {"type": "Zone", "zones": ["1"], "reasonCode": "NotAvailableForSubscription"},
            ["2"],
            False,
        ),
        (
            {"type": "Zone", "zones": ["1"], "reasonCode": "NotAvailableForSubscription"},
            None,
            False,
        ),
    ],
)
def test_restrictions_are_enforced(az, restriction, zones, refused):
    az.network()
    size = "Standard_NCC40ads_H100_v5"
    az.arm.settings.set("restrictions", size, REGION, value=[restriction])
    answer = az.send("PUT", vm_path(), vm_body(zones=zones))
    assert answer.status == (409 if refused else 201)
    if refused:
        assert answer.body["error"]["code"] == "SkuNotAvailable"


@pytest.mark.parametrize(
    ("reference", "code"),
    [
        (image_reference("none"), "PlatformImageNotFound"),
        (image_reference(version="24.04.1"), "PlatformImageNotFound"),
        ({"communityGalleryImageId": "/CommunityGalleries/x/Images/y"}, "GalleryImageNotFound"),
        ({"communityGalleryImageId": "nonsense"}, "GalleryImageNotFound"),
        ({"sharedGalleryImageId": "/SharedGalleries/x/Images/y"}, "GalleryImageNotFound"),
        (
            {"id": resource_path("Microsoft.Compute/galleries", "x") + "/images/y"},
            "GalleryImageNotFound",
        ),
        ({"id": resource_path("Microsoft.Compute/images", "managed")}, "GalleryImageNotFound"),
    ],
)
def test_an_image_must_exist(az, reference, code):
    az.network()
    assert az.refusal("PUT", vm_path(), vm_body(image=reference)) == (404, code)


GALLERY = "/CommunityGalleries/cgpuimage-db870bae-5bcf-4120-9415-b841adef61d3/Images"
PINNED = f"{GALLERY}/cgpu-NCC-2204-base-image/versions/2204.20260714.0"
SHARED = "/SharedGalleries/00000000-1111-4222-8333-444444444444-GOLDEN/Images/ubuntu-cvm"


@pytest.mark.parametrize(
    ("reference", "exact"),
    [
        (image_reference(version="24.04.202606070"), "24.04.202606070"),
        (
            {"communityGalleryImageId": f"{GALLERY}/cgpu-NCC-2404-base-image/versions/latest"},
            "2404.20260928.0",
        ),
        (
            {"communityGalleryImageId": PINNED},
            "2204.20260714.0",
        ),
        (
            {
                "id": resource_path("Microsoft.Compute/galleries", "golden", "ccgpu-images")
                + "/images/ubuntu-cvm"
            },
            "1.1.0",
        ),
        (
            {"sharedGalleryImageId": f"{SHARED}/versions/1.0.0"},
            "1.0.0",
        ),
    ],
)
def test_images_of_all_kinds_are_resolved(az, reference, exact):
    az.network()
    body = vm_body(image=reference, disk__diskSizeGB=128)
    az.complete("PUT", vm_path(), body)
    told = az.get(vm_path())["properties"]["storageProfile"]["imageReference"]
    assert told == reference | {"exactVersion": exact}


def test_community_image_must_be_in_the_region(az):
    az.network()
    reference = {"communityGalleryImageId": f"{GALLERY}/cgpu-NCC-2404-base-image"}
    body = vm_body(image=reference, location="centralus")
    assert az.refusal("PUT", vm_path(), body) == (404, "GalleryImageNotFound")


def with_key(identifier: str = DES) -> dict[str, Any]:
    return vm_body(**FULL, managed__securityProfile__diskEncryptionSet={"id": identifier})


def test_encryption_set_must_exist_and_have_the_right_type(az):
    az.network()
    assert az.refusal("PUT", vm_path(), with_key()) == (404, "NotFound")
    az.complete("PUT", DES, {"location": REGION, "properties": {}})
    assert az.refusal("PUT", vm_path(), with_key()) == (400, "BadRequest")
    properties = {"encryptionType": "ConfidentialVmEncryptedWithCustomerKey"}
    az.complete("PUT", DES, {"location": REGION, "properties": properties})
    az.complete("PUT", vm_path(), with_key())
    disk = az.get(resource_path("Microsoft.Compute/disks", "vm-os"))["properties"]
    security = disk["securityProfile"]["securityType"]
    assert security == "ConfidentialVM_DiskEncryptedWithCustomerKey"
    assert az.refusal("DELETE", DES) == (409, "OperationNotAllowed")


def test_plain_vm_needs_no_confidential_properties(az):
    az.network()
    az.complete(
        "PUT",
        vm_path(),
        vm_body(
            size="Standard_D4s_v5",
            security=...,
            managed__securityProfile=...,
            image=image_reference("server"),
        ),
    )
