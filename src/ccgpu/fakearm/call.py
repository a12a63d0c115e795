"""One routed request, and what all handlers need. A handler checks everything before it writes."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ccgpu.fakearm import errors, operations
from ccgpu.fakearm.wire import Body, FakeGap, Request, Response
from ccgpu.fakearm.world import StoredResource, World


@dataclass(frozen=True, slots=True)
class ArmCall:
    """`names` are the variable parts of the path: subscription, group, name and so on."""

    request: Request
    world: World
    names: tuple[str, ...]
    query: dict[str, str]
    host: str

    def body(self) -> Body:
        try:
            value = self.request.json
        except ValueError as err:
            raise errors.bad_json(str(err)) from err
        if not isinstance(value, dict):
            raise errors.bad_json("an object was expected")
        return value

    def resource_id(self, kind: str) -> str:
        """The id of the resource in the path."""
        namespace, *words = kind.split("/")
        named = [f"{word}/{name}" for word, name in zip(words, self.names[2:], strict=False)]
        scope = group_id(self.world.subscription, self.names[1])
        return f"{scope}/providers/{namespace}/{'/'.join(named)}"

    def parent_id(self, kind: str) -> str:
        """The id of what the path's resources of a nested type are part of."""
        return self.resource_id(kind.rpartition("/")[0])

    def name_of(self, kind: str) -> str:
        """The name of the resource in the path, without those of its parents."""
        return self.names[kind.count("/") + 1]


Handler = Callable[[ArmCall], Response]


@dataclass(frozen=True, slots=True)
class Route:
    handler: Handler
    api: str
    options: frozenset[str] = frozenset()

    def check(self, query: dict[str, str]) -> None:
        """Raise `FakeGap` for another API version, or an option that the handler does not know."""
        if query.get("api-version") != self.api:
            raise FakeGap(f"api-version {query.get('api-version')!r}, the fake knows {self.api!r}")
        unknown = query.keys() - self.options - {"api-version"}
        if unknown:
            raise FakeGap(f"query option {sorted(unknown)}")


Routes = dict[tuple[str, str], Route]

IN_GROUP = "subscriptions/*/resourcegroups/*/providers/"
IN_SUBSCRIPTION = "subscriptions/*/providers/"


def group_id(subscription: str, group: str) -> str:
    return f"/subscriptions/{subscription}/resourceGroups/{group}"


def resource_id(subscription: str, group: str, kind: str, name: str) -> str:
    return f"{group_id(subscription, group)}/providers/{kind}/{name}"


def require_group(call: ArmCall, *, write: bool = False) -> StoredResource:
    """The resource group in the path. For a write it must not be in deletion."""
    name = call.names[1]
    group = call.world.find(group_id(call.world.subscription, name))
    if group is None:
        raise errors.group_not_found(name)
    if write and group.state == "Deleting":
        raise errors.group_being_deleted(name)
    return group


def read_location(call: ArmCall, body: Body, kind: str, existing: StoredResource | None) -> str:
    """The body's location as a region name. An update may omit it but not change it."""
    given = body.get("location")
    if not given:
        if existing is None:
            raise errors.location_required()
        return existing.location
    region = str(given).replace(" ", "").lower()
    regions = call.world.settings.value("regions")
    if region not in regions:
        raise errors.location_unavailable(kind, str(given), regions)
    if existing is not None and existing.location != region:
        group = call.names[1]
        raise errors.location_changed(existing.name, group, existing.location, region)
    return region


# Tag rules: Microsoft Learn, "Use tags to organize your Azure resources", limitations.
_TAG_COUNT, _TAG_NAME, _TAG_VALUE = 50, 512, 256
_RESERVED = re.compile(r"[<>%&\\?/\x00-\x1f]")


def read_tags(body: Body) -> dict[str, str] | None:
    """The tags in the body; None if it has none."""
    tags: Any = body.get("tags")
    if tags is None:
        return None
    if not isinstance(tags, dict) or not all(isinstance(v, str) for v in tags.values()):
        raise errors.bad_json("the tags must be an object of strings")
    if len(tags) > _TAG_COUNT:
        raise errors.invalid_tags(
            "TooManyTags", f"The number of tags {len(tags)} exceeds the maximum of {_TAG_COUNT}."
        )
    bad = [name for name in tags if _RESERVED.search(name)]
    if bad:
        raise errors.invalid_tags(
            "InvalidTagNameCharacters",
            f"The tag names '{','.join(bad)}' have reserved characters '<,>,%,&,\\,?,/' or control "
            "characters.",
        )
    _check_tag_sizes(tags)
    return dict(tags)


def _check_tag_sizes(tags: dict[str, str]) -> None:
    for name, value in tags.items():
        if len(name) > _TAG_NAME:
            raise errors.invalid_tags(
                "TagNameTooLong", f"A tag name has {len(name)} characters; at most {_TAG_NAME}."
            )
        if len(value) > _TAG_VALUE:
            raise errors.invalid_tags(
                "TagValueTooLong",
                f"The value of tag '{name}' has {len(value)} characters; at most {_TAG_VALUE}.",
            )


def check_preconditions(call: ArmCall, existing: StoredResource | None, id_: str) -> None:
    """If-None-Match and If-Match (RFC 9110, section 13), as far as ARM's providers honour them."""
    headers = call.request.headers
    if headers.get("If-None-Match") == "*" and existing is not None:
        raise errors.precondition_failed(id_)
    wanted = headers.get("If-Match")
    if wanted is None:
        return
    if existing is None:
        raise errors.precondition_failed(id_)
    check_etag(wanted, existing.body.get("etag"), existing.id)


def check_etag(wanted: str | None, current: str | None, id_: str) -> None:
    """If-Match of a resource, or of a child with its own etag. `W/"x"` equals `"x"`."""
    if wanted is None or wanted == "*":
        return
    if current is None or _etag_value(wanted) != _etag_value(current):
        if "/providers/Microsoft.Network/" in id_ and current is not None:
            raise errors.etag_mismatch(_etag_value(wanted), current, id_)
        raise errors.precondition_failed(id_)


def _etag_value(etag: str) -> str:
    return etag.removeprefix("W/").strip('"')


def accepted_response(
    call: ArmCall,
    status: int,
    operation: operations.Operation,
    body: Body | None,
    *,
    retry_after: int | None = None,
) -> Response:
    """The response to an asynchronous write. Only a 202 also has a `Location` header."""
    location = status == 202
    headers = operations.headers(call.world, operation, call.host, location=location)
    if retry_after is not None:
        headers["Retry-After"] = str(retry_after)
    if body is not None and "etag" in body and operation.data["family"] == "compute":
        headers["ETag"] = body["etag"]  # network writes have it only in the body, as recorded
    return Response(status, body, headers)


def page_response(call: ArmCall, values: list[Body], setting: str = "page_size") -> Response:
    """One page of a list. `nextLink` carries the number of values already returned."""
    size = call.world.settings.value(setting)
    size = min(size, int(call.query.get("$top", size)))
    start = int(call.query.get("$skiptoken", "0"))
    answer: Body = {"value": values[start : start + size]}
    if start + size < len(values):
        address = call.request.url.partition("&$skiptoken=")[0]
        answer["nextLink"] = f"{address}&$skiptoken={start + size}"
    return Response(200, answer)


def new_etag(world: World, kind: str, before: str | None = None) -> str:
    """Network etags are weak GUIDs. Compute etags are quoted counters of writes, from 1 on."""
    if kind.startswith("Microsoft.Network/"):
        return f'W/"{world.new_guid()}"'
    return f'"{int(_etag_value(before or "0")) + 1}"'
