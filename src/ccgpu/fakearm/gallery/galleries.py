"""Galleries: PUT and DELETE. Sharing and soft deletion are gaps."""

import re

from ccgpu.fakearm import kinds, operations
from ccgpu.fakearm.call import ArmCall, accepted_response
from ccgpu.fakearm.gallery import nested, refusals
from ccgpu.fakearm.resources import tracked
from ccgpu.fakearm.wire import Body, FakeGap, Response

_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_.]{0,78}[A-Za-z0-9])?")
_KNOWN = frozenset({"description", "identifier", "provisioningState", "sharingProfile"})
DELETE_AFTER = 60  # seconds, the recorded Retry-After of a delete (azure-rest-api-specs#11559)

RULES = tracked.KindRules(
    kinds.GALLERY,
    refuse_delete=nested.refuse_with_children,
    delete_seconds="gallery.delete",
    delete_after=DELETE_AFTER,
    get_options=frozenset({"$expand", "$select"}),
)


def put(call: ArmCall) -> Response:
    name = call.name_of(kinds.GALLERY)
    if not _NAME.fullmatch(name):
        raise refusals.invalid_gallery_name()
    wanted = tracked.validate_put(call, kinds.GALLERY)
    given = wanted.properties
    shared = (given.get("sharingProfile") or {}).get("permissions", "Private")
    unknown = {key for key, value in given.items() if value is not None} - _KNOWN
    if unknown or shared != "Private" or wanted.body.get("identity"):
        raise FakeGap(f"a gallery with {sorted(unknown) or 'sharing or an identity'}")
    properties: Body = {"identifier": {"uniqueName": f"{call.world.subscription}-{name.upper()}"}}
    for key in ("description", "sharingProfile"):
        if given.get(key) is not None:
            properties[key] = given[key]
    return begin_write(call, kinds.GALLERY, wanted, properties)


def begin_write(call: ArmCall, kind: str, wanted: tracked.PutRequest, properties: Body) -> Response:
    """Store a gallery or definition whose write ends a little later."""
    state = "Updating" if wanted.existing else "Creating"
    made = tracked.build_resource(call.world, kind, wanted, properties, state)
    call.world.save(made)
    operation = operations.begin(call.world, "write", made, call.world.duration("gallery"))
    return accepted_response(call, wanted.status, operation, made.body)


def get(call: ArmCall) -> Response:
    if call.query.keys() & {"$expand", "$select"}:
        raise FakeGap(f"a gallery with {call.request.url.partition('&')[2]}")
    return tracked.get(RULES, call)
