"""The managed identities of a VM, as its GET names them."""

from collections.abc import Iterator

from ccgpu.domain.resource import Body, name_of


def principals_of(vm: Body) -> Iterator[tuple[str, str]]:
    """What each identity is, for people, and its object id (Microsoft Learn, VM, `identity`)."""
    identity = vm.get("identity") or {}
    if own := identity.get("principalId"):
        yield "its own (system-assigned)", str(own)
    for id_, ids in (identity.get("userAssignedIdentities") or {}).items():
        if object_id := (ids or {}).get("principalId"):
            yield name_of(id_), str(object_id)
