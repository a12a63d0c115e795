"""Image definitions: what an image is, which all of its versions share, and which never changes.

Rules: SDK models (GalleryImageProperties) and Microsoft Learn, "Troubleshoot images in Azure
Compute Gallery".
"""

import re
from typing import Any

from ccgpu.fakearm import compute_errors, errors, kinds
from ccgpu.fakearm.call import ArmCall
from ccgpu.fakearm.gallery import galleries, nested, refusals
from ccgpu.fakearm.resources import tracked
from ccgpu.fakearm.wire import Body, FakeGap, Response
from ccgpu.fakearm.world import StoredResource, World

_NAME = re.compile(r"[^_\W][\w.-]{0,79}(?<![-.])", re.ASCII)
_IDENTIFIER = re.compile(r"[A-Za-z0-9_.-]*[A-Za-z0-9_-]")
_LENGTHS = {"publisher": 128, "offer": 64, "sku": 64}
_VALUES = {
    "osType": ("Linux", "Windows"),
    "osState": ("Generalized", "Specialized"),
    "hyperVGeneration": ("V1", "V2"),
    "architecture": ("x64", "Arm64"),
}
_DEFAULTS = {"hyperVGeneration": "V1", "architecture": "x64"}
_FIXED = ("osType", "osState", "hyperVGeneration", "architecture")
# Values of the feature SecurityType: Microsoft Learn, "Trusted Launch and confidential VM images".
_SECURITY_TYPES = (
    *("Standard", "TrustedLaunch", "TrustedLaunchSupported", "ConfidentialVM"),
    *("ConfidentialVMSupported", "TrustedLaunchAndConfidentialVMSupported"),
)
_FEATURES = frozenset(
    ["securitytype", "diskcontrollertypes", "isacceleratednetworksupported", "ishibernatesupported"]
)
_NOTES = ("description", "eula", "privacyStatementUri", "releaseNoteUri", "endOfLifeDate")
_KEPT = (*_NOTES, "recommended", "disallowed")

RULES = tracked.KindRules(
    kinds.GALLERY_IMAGE,
    refuse_delete=nested.refuse_with_children,
    delete_seconds="gallery.delete",
    delete_after=galleries.DELETE_AFTER,
)


def put(call: ArmCall) -> Response:
    if not _NAME.fullmatch(call.name_of(kinds.GALLERY_IMAGE)):
        raise refusals.invalid_definition_name()
    parent = tracked.require_parent(call, kinds.GALLERY_IMAGE, write=True)
    wanted = tracked.validate_put(call, kinds.GALLERY_IMAGE)
    given = {key: value for key, value in wanted.properties.items() if value is not None}
    known = {*_VALUES, *_KEPT, "identifier", "features", "provisioningState"}
    if unknown := given.keys() - known:
        raise FakeGap(f"an image definition with {sorted(unknown)}")
    properties = {**_checked_values(given), "identifier": _identifier(given)}
    properties["features"] = _features(given, properties["hyperVGeneration"])
    properties |= {key: given[key] for key in _KEPT if key in given}
    if wanted.existing is None:
        _require_unique(call.world, parent, wanted.name, properties["identifier"])
    else:
        _refuse_changes(wanted.existing.properties, properties)
    return galleries.begin_write(call, kinds.GALLERY_IMAGE, wanted, properties)


def _checked_values(given: Body) -> Body:
    found = {**_DEFAULTS, **{key: given[key] for key in _VALUES if key in given}}
    for key, known in _VALUES.items():
        if key not in found:
            raise refusals.missing(f"galleryImage.properties.{key}")
        if found[key] not in known:
            raise refusals.invalid_value(f"galleryImage.properties.{key}", found[key], known)
    return found


def _identifier(given: Body) -> Body:
    identifier: Any = given.get("identifier")
    if not isinstance(identifier, dict):
        raise refusals.missing("galleryImage.properties.identifier")
    for key, longest in _LENGTHS.items():
        value = str(identifier.get(key) or "")
        if len(value) > longest or not _IDENTIFIER.fullmatch(value):
            raise refusals.invalid_identifier(f"galleryImage.properties.identifier.{key}", longest)
    return {key: identifier[key] for key in _LENGTHS}


def _features(given: Body, generation: str) -> list[Body]:
    """The features as given. A security type needs generation 2, as its VMs do."""
    features: list[Body] = given.get("features") or []
    for one in features:
        name, value = str(one.get("name")), str(one.get("value"))
        if name.lower() not in _FEATURES or "startsAtVersion" in one:
            raise FakeGap(f"the image feature {one}")
        if name.lower() != "securitytype":
            continue
        if value.lower() not in {known.lower() for known in _SECURITY_TYPES}:
            path = "galleryImage.properties.features.SecurityType"
            raise refusals.invalid_value(path, value, _SECURITY_TYPES)
        if value.lower() != "standard" and generation != "V2":
            raise errors.invalid_parameter(
                "galleryImage.properties.hyperVGeneration",
                f"The feature 'SecurityType' with value '{value}' needs hyperVGeneration 'V2'.",
            )
    return features


def _require_unique(world: World, parent: StoredResource, name: str, identifier: Body) -> None:
    """A gallery has each combination of publisher, offer and sku once."""
    taken = _folded(identifier)
    for one in world.list_children(parent.id):
        if one.kind == kinds.GALLERY_IMAGE and _folded(one.properties["identifier"]) == taken:
            raise refusals.identifier_taken(name, identifier)


def _folded(identifier: Body) -> list[str]:
    return [str(identifier.get(key)).lower() for key in _LENGTHS]


def _refuse_changes(before: Body, wanted: Body) -> None:
    for key in _FIXED:
        if wanted[key] != before.get(key, wanted[key]):
            raise compute_errors.property_change(f"galleryImage.properties.{key}")
    for key in _LENGTHS:
        if wanted["identifier"][key] != before["identifier"][key]:
            raise compute_errors.property_change(f"galleryImage.properties.identifier.{key}")
    if wanted["features"] != (before.get("features") or []):
        raise compute_errors.property_change("galleryImage.properties.features")
