"""Reading images: the versions in the marketplace and in galleries, and single versions."""

from dataclasses import replace
from functools import partial

from ccgpu.fakearm import errors, kinds
from ccgpu.fakearm.call import (
    IN_GROUP,
    IN_SUBSCRIPTION,
    ArmCall,
    Handler,
    Route,
    Routes,
    page_response,
    require_group,
    resource_id,
)
from ccgpu.fakearm.images import (
    COMMUNITY,
    COMMUNITY_REGIONS,
    MARKETPLACE,
    Image,
    configured_image,
    image_end,
    private_image,
    require_supported,
)
from ccgpu.fakearm.wire import Body, FakeGap, Response

_ARTIFACT = "vmimage"


def _find_platform_image(call: ArmCall) -> Image:
    _, region, publisher, artifact, offer, sku = call.names[:6]
    if artifact.lower() != _ARTIFACT:
        raise FakeGap(f"artifact type {artifact}")
    image = MARKETPLACE.get((publisher.lower(), offer.lower(), sku.lower()))
    if image is None or region.lower() not in call.world.settings.value("regions"):
        raise errors.not_found("Artifact: VMImage was not found.")
    return image


def _named(call: ArmCall, names: set[str]) -> Response:
    """Publishers, offers or skus as a bare array. Their ids go on from the path."""
    path = call.request.path.rstrip("/")
    found = [{"location": call.names[1], "name": one, "id": f"{path}/{one}"} for one in names]
    return Response(200, sorted(found, key=lambda one: one["name"]))


def list_publishers(call: ArmCall) -> Response:
    return _named(call, {publisher for publisher, _, _ in MARKETPLACE})


def list_offers(call: ArmCall) -> Response:
    wanted = call.names[2].lower()
    return _named(call, {offer for publisher, offer, _ in MARKETPLACE if publisher == wanted})


def list_platform_skus(call: ArmCall) -> Response:
    wanted = (call.names[2].lower(), call.names[4].lower())
    return _named(call, {sku for *parent, sku in MARKETPLACE if tuple(parent) == wanted})


def list_managed_images(call: ArmCall) -> Response:
    """The simulated subscription has no managed images."""
    if len(call.names) > 1:
        require_group(call)
    return page_response(call, [])


def _version_id(call: ArmCall, version: str) -> str:
    path = call.request.path.rstrip("/")
    return path if path.rsplit("/", 1)[1] == version else f"{path}/{version}"


def list_platform_versions(call: ArmCall) -> Response:
    """The versions as a bare array, which is how this old API responds."""
    image = _find_platform_image(call)
    versions = sorted(image.versions)
    order = call.query.get("$orderby")
    if order == "name desc":
        versions.reverse()
    elif order not in (None, "name", "name asc"):
        raise FakeGap(f"$orderby={order}")
    top = int(call.query.get("$top", len(versions)))
    listed = [_platform_body(call, version) for version in versions[:top]]
    if wanted := call.query.get("$expand"):
        for body in listed:
            body["properties"] = _expanded(call, image, body["name"], wanted)
    return Response(200, listed)


def _expanded(call: ArmCall, image: Image, version: str, wanted: str) -> Body:
    """The properties of a version in the list, all of them or one."""
    properties = _platform_properties(call, replace(image, exact=version))
    if wanted == "properties":
        return properties
    key = wanted.removeprefix("properties/")
    if key not in properties:
        raise FakeGap(f"$expand={wanted}")
    return {key: properties[key]}


def _platform_body(call: ArmCall, version: str) -> Body:
    return {
        "location": call.names[1],
        "name": version,
        "id": _version_id(call, version),
    }


def get_platform_version(call: ArmCall) -> Response:
    image = _find_platform_image(call).resolve(call.names[6])
    if image is None:
        raise errors.not_found("Artifact: VMImage was not found.")
    require_supported(call.world.settings, *_urn(call, image))
    properties = _platform_properties(call, image)
    return Response(200, {**_platform_body(call, image.exact), "properties": properties})


def _urn(call: ArmCall, image: Image) -> tuple[str, str, str, str]:
    _, _, publisher, _, offer, sku, *_ = call.names
    return publisher, offer, sku, image.exact


def _platform_properties(call: ArmCall, image: Image) -> Body:
    end = image_end(call.world.settings, *_urn(call, image))
    status = {"imageState": "Active"}
    if end is not None:
        status = {"imageState": "ScheduledForDeprecation", "scheduledDeprecationTime": end}
    return {
        "architecture": "x64",
        "hyperVGeneration": "V2",
        "osDiskImage": {
            "operatingSystem": image.os,
            "sizeInGb": image.size_gib,
            "sizeInBytes": image.size_gib * 1024**3 + 512,
        },
        "dataDiskImages": [],
        "automaticOSUpgradeProperties": {"automaticOSUpgradeSupported": False},
        "disallowed": {"vmDiskType": "Unmanaged"},
        "features": [
            {"name": "SecurityType", "value": image.security},
            {"name": "DiskControllerTypes", "value": "SCSI, NVMe"},
        ],
        "imageDeprecationStatus": status,
    }


def _find_community_image(call: ArmCall) -> Image:
    _, region, gallery, name = call.names[:4]
    image = COMMUNITY.get((gallery.lower(), name.lower()))
    if image is None or region.lower() not in COMMUNITY_REGIONS:
        raise _image_not_found(call, f"/CommunityGalleries/{gallery}/Images/{name}")
    return image


def _find_shared_image(call: ArmCall) -> Image:
    _, _, gallery, name = call.names[:4]
    image = configured_image(call.world.settings, "shared_galleries", gallery, name)
    if image is None:
        raise _image_not_found(call, f"/SharedGalleries/{gallery}/Images/{name}")
    return image


def _find_private_image(call: ArmCall) -> Image:
    subscription, group, gallery, name = call.names[:4]
    definition = resource_id(subscription, group, kinds.GALLERY, gallery) + f"/images/{name}"
    image = private_image(call.world, definition)
    if image is None:
        raise errors.resource_not_found(
            "Microsoft.Compute/galleries", f"{gallery}/images/{name}", group
        )
    return image


def _image_not_found(call: ArmCall, identifier: str) -> errors.Refused:
    region = call.names[1]
    return errors.Refused(
        404,
        "NotFound",
        f"The gallery image {identifier} was not found in location {region}.",
    )


_FIND = {
    "community": _find_community_image,
    "shared": _find_shared_image,
    "private": _find_private_image,
}


def get_definition(where: str, call: ArmCall) -> Response:
    image = _FIND[where](call)
    properties = {
        "osType": image.os,
        "osState": "Generalized",
        "hyperVGeneration": "V2",
        "architecture": "x64",
        "features": [{"name": "SecurityType", "value": image.security}],
    }
    if where == "private":
        properties["provisioningState"] = "Succeeded"
    return Response(200, _gallery_body(where, call, call.names[3], properties))


def list_versions(where: str, call: ArmCall) -> Response:
    image = _FIND[where](call)
    return page_response(call, [_version_body(where, call, one, image) for one in image.versions])


def get_version(where: str, call: ArmCall) -> Response:
    image = _FIND[where](call).resolve(call.names[4])
    if image is None or call.names[4].lower() == "latest":
        raise _image_not_found(call, f"{call.names[2]}/{call.names[3]}/{call.names[4]}")
    return Response(200, _version_body(where, call, image.exact, image))


def _version_body(where: str, call: ArmCall, version: str, image: Image) -> Body:
    digits = version.split(".")[1]
    day = f"{digits[:4]}-{digits[4:6]}-{digits[6:8]}" if len(digits) == 8 else "2026-01-01"
    excluded = version in image.excluded
    properties: Body = {"publishedDate": f"{day}T00:00:00+00:00", "excludeFromLatest": excluded}
    if where == "private":
        properties = {"publishingProfile": properties, "provisioningState": "Succeeded"}
    return _gallery_body(where, call, version, properties)


def _gallery_body(where: str, call: ArmCall, name: str, properties: Body) -> Body:
    """Community and shared images have an `identifier`; private images have an ARM id."""
    location = call.world.settings.value("regions")[0] if where == "private" else call.names[1]
    answer: Body = {"name": name, "location": location, "properties": properties}
    if where == "private":
        return {
            **answer,
            "id": _version_id(call, name),
            "type": "Microsoft.Compute/galleries/images",
        }
    root = "CommunityGalleries" if where == "community" else "SharedGalleries"
    identifier = f"/{root}/{call.names[2]}/Images/{call.names[3]}"
    if name != call.names[3]:
        identifier += f"/Versions/{name}"
    return {**answer, "identifier": {"uniqueId": identifier}}


def _build_routes() -> Routes:
    compute = f"{IN_SUBSCRIPTION}microsoft.compute/locations/*"
    platform = f"{compute}/publishers/*/artifacttypes/*/offers/*/skus/*/versions"
    options = frozenset({"$top", "$orderby", "$expand"})
    publishers = f"{compute}/publishers"
    offers = f"{publishers}/*/artifacttypes/*/offers"
    images = f"{kinds.IMAGE.lower()}"
    page = frozenset({"$skiptoken"})
    routes: Routes = {
        ("GET", publishers): Route(list_publishers, kinds.COMPUTE_API),
        ("GET", offers): Route(list_offers, kinds.COMPUTE_API),
        ("GET", f"{offers}/*/skus"): Route(list_platform_skus, kinds.COMPUTE_API),
        **{
            ("GET", f"{place}{images}"): Route(list_managed_images, kinds.COMPUTE_API, page)
            for place in (IN_SUBSCRIPTION, IN_GROUP)
        },
        ("GET", platform): Route(list_platform_versions, kinds.COMPUTE_API, options),
        ("GET", f"{platform}/*"): Route(get_platform_version, kinds.COMPUTE_API),
    }
    for where, image in {
        "community": f"{compute}/communitygalleries/*/images/*",
        "shared": f"{compute}/sharedgalleries/*/images/*",
    }.items():
        handlers: dict[str, tuple[Handler, frozenset[str]]] = {
            image: (partial(get_definition, where), frozenset()),
            f"{image}/versions": (partial(list_versions, where), frozenset({"$skiptoken"})),
            f"{image}/versions/*": (partial(get_version, where), frozenset()),
        }
        for path, (handler, known) in handlers.items():
            routes["GET", path] = Route(handler, kinds.GALLERY_API, known)
    return routes


ROUTES = _build_routes()
