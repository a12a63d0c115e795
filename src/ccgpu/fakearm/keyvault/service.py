"""Requests to vaults and to attestation services, by host and path. What is unknown is a gap."""

import re

from requests.exceptions import ConnectionError as NoConnection
from urllib3.exceptions import NameResolutionError

from ccgpu.fakearm import kinds
from ccgpu.fakearm.keyvault import access, keys
from ccgpu.fakearm.keyvault.hosts import ATTESTATION, VAULT, KeySets
from ccgpu.fakearm.keyvault.keys import VaultCall
from ccgpu.fakearm.keyvault.refusals import VaultRefused
from ccgpu.fakearm.wire import FakeGap, Request, Response
from ccgpu.fakearm.world import StoredResource, World

API = "2025-07-01"  # what azure-keyvault-keys 4.11.3 sends
_KEY = re.compile(r"/keys/(?P<name>[^/]+)(?:/(?P<version>[0-9a-f]{32})?)?(?P<release>/release)?")
_CREATE = re.compile(r"/keys/(?P<name>[^/]+)/create")
_DELETED = re.compile(r"/deletedkeys/(?P<name>[^/]+)")


def answer_request(world: World, request: Request, key_sets: KeySets | None) -> Response:
    """The response of a vault, or of an attestation service, whose key sets are all the same.

    Raises ConnectionError, as a client does for a name that does not exist, if there is no vault.
    """
    if ATTESTATION.fullmatch(request.host):
        if request.method != "GET" or request.path != "/certs":
            raise FakeGap(f"{request.method} {request.path} of an attestation service")
        return Response(200, _key_set(key_sets))
    vault = _find_vault(world, request.host)
    if request.query != {"api-version": API}:
        raise FakeGap(f"query {request.query}, the fake knows api-version {API}")
    try:
        return _dispatch(world, vault, request, key_sets)
    except VaultRefused as refusal:
        return refusal.response


def _key_set(key_sets: KeySets | None) -> bytes:
    if key_sets is None:
        raise FakeGap("this simulated subscription has no attestation service")
    return key_sets()


def _find_vault(world: World, host: str) -> StoredResource:
    named = VAULT.fullmatch(host)
    for vault in world.list_kind(kinds.VAULT):
        if named is not None and vault.name.lower() == named["name"]:
            return vault
    unresolved = NameResolutionError(host, None, OSError("Name or service not known"))  # type: ignore[arg-type]
    raise NoConnection(unresolved)


def _dispatch(
    world: World, vault: StoredResource, request: Request, key_sets: KeySets | None
) -> Response:
    method, path = request.method, request.path.rstrip("/")
    if method == "POST" and (found := _CREATE.fullmatch(path)):
        return keys.create(_call(world, vault, request, "create", found["name"]))
    if method == "GET" and (found := _DELETED.fullmatch(path)):
        return keys.get_deleted(_call(world, vault, request, "get", found["name"]))
    found = _KEY.fullmatch(path)
    if found is None:
        raise FakeGap(f"{method} {path} of a vault")
    version = found["version"] or ""
    if method == "POST" and found["release"]:
        call = _call(world, vault, request, "release", found["name"], version)
        return keys.release_key(call, _key_set(key_sets))
    handlers = {"GET": ("get", keys.get), "PATCH": ("update", keys.update)}
    handlers["DELETE"] = ("delete", keys.delete)
    if method not in handlers or found["release"]:
        raise FakeGap(f"{method} {path} of a vault")
    permission, handler = handlers[method]
    return handler(_call(world, vault, request, permission, found["name"], version))


def _call(
    world: World,
    vault: StoredResource,
    request: Request,
    permission: str,
    name: str,
    version: str = "",
) -> VaultCall:
    """The request, if its caller has the permission."""
    access.require_permission(world, vault, request, permission, name)
    return VaultCall(world, vault, request.host, name, version, request.json or {})
