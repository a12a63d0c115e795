"""The identities of a VM: checks of a PUT or PATCH, and what GET returns."""

from typing import Any

from ccgpu.fakearm import compute_errors, errors, kinds
from ccgpu.fakearm.resources.tracked import PutRequest
from ccgpu.fakearm.wire import Body
from ccgpu.fakearm.world import StoredResource, World

_TYPES = {"systemassigned": "SystemAssigned", "userassigned": "UserAssigned", "none": "None"}


def check_identity(world: World, wanted: PutRequest) -> None:
    """Refuse an unknown type and user-assigned identities that do not exist."""
    given = wanted.body.get("identity") or {}
    _identity_types(given)
    for id_, value in (given.get("userAssignedIdentities") or {}).items():
        found = world.find(id_)
        if value is not None and (found is None or found.kind != kinds.IDENTITY):
            raise compute_errors.identity_missing(wanted.id, id_)


def _identity_types(identity: Body) -> set[str]:
    given = [one.strip().lower() for one in str(identity.get("type") or "None").split(",")]
    if unknown := [one for one in given if one not in _TYPES]:
        raise errors.bad_json(f"Error converting value '{unknown[0]}' to type 'IdentityType'")
    return {_TYPES[one] for one in given} - {"None"}


def identity_body(
    world: World, given: Body, before: Body | None, *, merge: bool = False
) -> Body | None:
    """The identity that GET returns; None without one.

    The system-assigned principal stays as long as the VM has it. With `merge`, as in a PATCH,
    existing user-assigned identities stay too, and a null removes one.
    """
    before = before or {}
    types = _identity_types(given)
    if not types:
        return None
    answer: Body = {"type": ", ".join(sorted(types))}
    if "SystemAssigned" in types:
        answer["principalId"] = before.get("principalId") or world.new_guid()
        answer["tenantId"] = before.get("tenantId") or world.new_guid()
    if "UserAssigned" in types:
        kept = before.get("userAssignedIdentities") or {} if merge else {}
        answer["userAssignedIdentities"] = _user_assigned(world, given, kept)
    return answer


def _user_assigned(world: World, given: Body, kept: Body) -> Body:
    wanted: dict[str, Any] = {id_.lower(): (id_, {}) for id_ in kept}
    for id_, value in (given.get("userAssignedIdentities") or {}).items():
        if value is None:
            wanted.pop(id_.lower(), None)
        else:
            wanted.setdefault(id_.lower(), (id_, {}))
    return {id_: _principal_ids(world, id_) for id_, _ in wanted.values()}


def _principal_ids(world: World, id_: str) -> Body:
    """The ids of a user-assigned identity; empty if it was deleted."""
    source = world.find(id_)
    return {key: source.properties[key] for key in ("principalId", "clientId")} if source else {}


def set_identity(world: World, vm: StoredResource, given: Body, *, merge: bool = False) -> None:
    """Set the VM's identity."""
    identity = identity_body(world, given, vm.body.pop("identity", None), merge=merge)
    if identity is not None:
        vm.body["identity"] = identity
