"""The errors of galleries, in the texts that docs/fake-azure.md names the sources of."""

from collections.abc import Sequence

from ccgpu.fakearm import errors
from ccgpu.fakearm.errors import Refused
from ccgpu.fakearm.wire import Body


def invalid_gallery_name() -> Refused:
    return errors.invalid_parameter(
        "galleryName",
        "Gallery name is invalid. Allowed characters are English alphanumeric characters, with "
        "underscores, and periods allowed in the middle, up to 80 characters total. All other "
        "special characters, including dashes, are disallowed.",
    )


def invalid_definition_name() -> Refused:
    return errors.invalid_parameter(
        "galleryImageName",
        "The entity name 'galleryImageName' is invalid according to its validation rule: "
        r"^[^_\W][\w-._]{0,79}(?<![-.])$.",
    )


def invalid_version_name() -> Refused:
    return errors.invalid_parameter(
        "galleryImageVersionName",
        "The image version name is invalid. The image version name should follow "
        "Major(int).Minor(int).Patch(int) format, for e.g: 1.0.0, 2018.12.1 etc.",
    )


def missing(path: str) -> Refused:
    return errors.invalid_parameter(path, f"Required parameter '{path}' is missing (null).")


def invalid_value(path: str, value: object, known: Sequence[str]) -> Refused:
    listed = ", ".join(f"'{one}'" for one in known)
    return errors.invalid_parameter(
        path, f"The value '{value}' of parameter '{path}' is invalid. Allowed values are {listed}."
    )


def out_of_range(path: str, value: object, least: int, most: int) -> Refused:
    return errors.invalid_parameter(
        path,
        f"The value {value} of parameter {path} is out of range. The value must be between {least} "
        f"and {most}, inclusive.",
    )


def invalid_identifier(path: str, longest: int) -> Refused:
    return errors.invalid_parameter(
        path,
        f"Asset name {path} is not valid. It cannot be empty. Allowed characters are uppercase or "
        "lowercase letters, digits, hyphen(-), period (.), underscore (_). Names are not allowed "
        f"to end with period(.). The length of the name cannot exceed {longest} characters.",
    )


def identifier_taken(name: str, identifier: Body) -> Refused:
    parts = ", ".join(f"{key}: '{identifier[key]}'" for key in ("publisher", "offer", "sku"))
    return Refused(
        409,
        "OperationNotAllowed",
        f"Gallery image: '{name}' identified by ({parts}) already exists. Choose a different "
        "publisher, offer, sku combination.",
    )


def nested_exist(ids: Sequence[str]) -> Refused:
    """`ids`: of the nested resources, the first five of which the text has."""
    shown = ", ".join(one.partition("/providers/")[2] for one in ids[:5])
    return Refused(
        409,
        "CannotDeleteResource",
        "Cannot delete resource while nested resources exist. Some existing nested resource IDs "
        f"include: '{shown}'. Please delete all nested resources before deleting this resource.",
    )


def deletion_blocked(name: str, until: str) -> Refused:
    return Refused(
        409,
        "OperationNotAllowed",
        f"Gallery image version '{name}' cannot be deleted before its end of life {until}, because "
        "'safetyProfile.blockDeletionBeforeEndOfLife' is true.",
    )


def source_missing(id_: str) -> Refused:
    return errors.not_found(
        f"Source {id_} is not found. Please check source exists, and is in the same region as "
        "gallery image version being created."
    )


def no_single_source() -> Refused:
    return errors.invalid_parameter(
        "galleryImageVersion.properties.storageProfile",
        "The gallery artifact version source can only be specified either directly under "
        "storageProfile or within individual OS or data disks. One and only one source type (user "
        "image, snapshot, disk, virtual machine) can be provided.",
    )


def source_not_a_disk(id_: str) -> Refused:
    return errors.invalid_parameter(
        "galleryImageVersion.properties.storageProfile.osDiskImage.source.id",
        f"The source id: {id_} must be a managed disk or snapshot.",
    )


def source_not_ready(id_: str, state: str) -> Refused:
    return Refused(
        409,
        "OperationNotAllowed",
        f"The source disk '{id_}' is in state '{state}'. Finish the upload and revoke its access "
        "before creating a gallery image version from it.",
    )


def source_differs(id_: str, what: str, its: str, wanted: str) -> Refused:
    """`what`: Hypervisor generation, or OS type."""
    return errors.invalid_parameter(
        "galleryImageVersion.properties.storageProfile.osDiskImage.source.id",
        f"The resource with id '{id_}' has a different {what} ['{its}'] than the parent gallery "
        f"image {what} ['{wanted}']",
    )


def regions_lack_own(regions: Sequence[str], location: str) -> Refused:
    return errors.invalid_parameter(
        "galleryImageVersion.properties.publishingProfile.targetRegions",
        f"Gallery image version publishing profile regions '{', '.join(regions)}' must contain the "
        f"location of image version '{location}'",
    )


def regions_twice() -> Refused:
    return errors.invalid_parameter(
        "galleryImageVersion.properties.publishingProfile.targetRegions",
        "Duplicate regions are not allowed in target publishing regions.",
    )


def replication_incomplete(regions: Sequence[str]) -> Body:
    """How the operation of a version ends that did not reach all of its regions."""
    return errors.error(
        "CrpPirReplicationJobsNotCompleted",
        "Replication to all the target regions not completed. The replication job has not "
        f"completed at region: '{', '.join(regions)}'.",
    )
