"""The keys of a vault. They are kept with the vault's resource; an ARM client never sees them.

A vault of the SKU `standard` has no HSM. A key that can be exported needs a release policy, and has
to be in an HSM. Names and shapes: azure-keyvault-keys 4.11.3.
"""

import re
from typing import Any, NamedTuple

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from ccgpu.fakearm.keyvault import environment, refusals, release
from ccgpu.fakearm.wire import Body, FakeGap, Response
from ccgpu.fakearm.world import StoredResource, World

_NAME = re.compile(r"[0-9a-zA-Z-]{1,127}")
_CURVES: dict[str, ec.EllipticCurve] = {
    "P-256": ec.SECP256R1(),
    "P-384": ec.SECP384R1(),
    "P-521": ec.SECP521R1(),
}
_RSA_SIZES = (2048, 3072, 4096)
_ATTRIBUTES = {"enabled", "nbf", "exp", "exportable"}


class VaultCall(NamedTuple):
    """One request: the vault's resource, the key's name and version ("" for the latest)."""

    world: World
    vault: StoredResource
    host: str
    name: str
    version: str
    body: Body


def create(call: VaultCall) -> Response:
    """Create the key, or a new version of it."""
    _refuse_unknown(
        call.body, {"kty", "key_size", "crv", "attributes", "release_policy", "key_ops"}
    )
    given = call.body.get("attributes") or {}
    _refuse_unknown(given, _ATTRIBUTES)
    if not _NAME.fullmatch(call.name):
        raise refusals.bad_parameter(f"The key name {call.name} is not valid.")
    old = _stored(call)
    if old is not None and old["deleted"]:
        raise refusals.key_is_deleted(call.name)
    kind = call.body.get("kty", "")
    hsm = kind.endswith("-HSM")
    if hsm and (call.vault.properties.get("sku") or {}).get("name", "").lower() != "premium":
        raise refusals.bad_parameter("HSM-protected keys need a vault of the SKU premium.")
    policy = call.body.get("release_policy")
    if given.get("exportable") and (policy is None or not hsm):
        raise refusals.bad_parameter(
            "A key can be exportable only if it is HSM-protected and has a release policy."
        )
    if policy is not None:
        release.check_policy(policy["data"])
        _refuse_other_policy(old, policy)
    body, private = _new_version(call, kind, given, policy)
    keys = call.vault.internal_state.setdefault("keys", {})
    entry = keys.setdefault(call.name.lower(), {"deleted": False, "versions": []})
    entry["versions"].append({"body": body, "private": private})
    call.world.save(call.vault)
    return Response(200, body)


def get(call: VaultCall) -> Response:
    """One version, or the latest."""
    return Response(200, _require(call)["body"])


def update(call: VaultCall) -> Response:
    """Change attributes or the release policy."""
    _refuse_unknown(call.body, {"attributes", "release_policy"})
    found = _require(call)
    given = call.body.get("attributes") or {}
    _refuse_unknown(given, _ATTRIBUTES - {"exportable"})
    found["body"]["attributes"] |= {name: one for name, one in given.items() if one is not None}
    if policy := call.body.get("release_policy"):
        release.check_policy(policy["data"])
        _refuse_other_policy(_stored(call), policy)
        found["body"]["release_policy"] = _policy_body(policy)
    call.world.save(call.vault)
    return Response(200, found["body"])


def delete(call: VaultCall) -> Response:
    """Delete the key: it can be recovered."""
    found = _require(call)
    call.vault.internal_state["keys"][call.name.lower()]["deleted"] = True
    call.world.save(call.vault)
    return Response(200, _deleted_body(call, found))


def get_deleted(call: VaultCall) -> Response:
    """A deleted key."""
    stored = _stored(call)
    if stored is None or not stored["deleted"]:
        raise refusals.key_not_found(call.name)
    return Response(200, _deleted_body(call, stored["versions"][-1]))


def release_key(call: VaultCall, key_set: bytes) -> Response:
    """Release the key to the environment of the token in `target`."""
    found = _require(call)
    attributes, now = found["body"]["attributes"], call.world.now
    if not attributes["enabled"]:
        raise refusals.key_unusable("a disabled", "KeyDisabled")
    if attributes.get("exp", now + 1) <= now:
        raise refusals.key_unusable("an expired", "KeyExpired")
    if attributes.get("nbf", now) > now:
        raise refusals.key_unusable("a not yet valid", "KeyNotYetValid")
    if not attributes.get("exportable"):
        raise refusals.bad_parameter("The key is not exportable.")
    claims = environment.verify(str(call.body.get("target", "")), key_set, now)
    if not release.is_met(release.check_policy(found["body"]["release_policy"]["data"]), claims):
        raise refusals.policy_unmet()
    kid, public = environment.encryption_key(claims)
    key_hsm, enc = release.wrapped_key(found["private"], call.body.get("enc"), kid, public)
    asked = {"kid": found["body"]["key"]["kid"], "enc": enc, "nonce": call.body.get("nonce")}
    return Response(200, release.answer(found["body"], key_hsm, asked))


def _stored(call: VaultCall) -> Any:
    return call.vault.internal_state.get("keys", {}).get(call.name.lower())


def _require(call: VaultCall) -> Any:
    stored = _stored(call)
    if stored is None or stored["deleted"]:
        raise refusals.key_not_found(call.name)
    for one in reversed(stored["versions"]):
        if call.version in ("", one["body"]["key"]["kid"].rsplit("/", 1)[1]):
            return one
    raise refusals.key_not_found(f"{call.name}/{call.version}")


def _refuse_other_policy(stored: Any, policy: Body) -> None:
    """An immutable policy stays as it is, in every version."""
    for one in stored["versions"] if stored else ():
        old = one["body"].get("release_policy")
        if old and old["immutable"] and old["data"] != policy["data"]:
            raise refusals.bad_parameter("The release policy is immutable and cannot be changed.")


def _new_version(call: VaultCall, kind: str, given: Body, policy: Body | None) -> tuple[Body, str]:
    version, now = call.world.new_hex(), int(call.world.now)
    public, private = _make_key(kind, call.body)
    kid = f"https://{call.host}/keys/{call.name}/{version}"
    operations = ["encrypt", "decrypt", "sign", "verify", "wrapKey", "unwrapKey"]
    operations = operations if kind.startswith("RSA") else ["sign", "verify"]
    key = {"kid": kid, "kty": kind, "key_ops": call.body.get("key_ops") or operations, **public}
    attributes = {name: one for name, one in given.items() if one is not None}
    attributes = {"enabled": True, "exportable": False, **attributes}
    attributes |= {"created": now, "updated": now, "recoverableDays": 90}
    attributes |= {"recoveryLevel": "Recoverable+Purgeable", "hsmPlatform": "2"}
    body: Body = {"key": key, "attributes": attributes}
    if policy is not None:
        body["release_policy"] = _policy_body(policy)
    return body, private


def _policy_body(policy: Body) -> Body:
    usual = {"contentType": "application/json; charset=utf-8", "immutable": False}
    return {**usual, **{name: one for name, one in policy.items() if one is not None}}


def _make_key(kind: str, body: Body) -> tuple[Body, str]:
    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
    if kind in ("RSA", "RSA-HSM"):
        size = body.get("key_size") or 2048
        if size not in _RSA_SIZES:
            raise refusals.bad_parameter(f"The key size {size} is not valid.")
        key = rsa.generate_private_key(65537, size)
        numbers = key.public_key().public_numbers()
        public = {"n": _number(numbers.n), "e": _number(numbers.e)}
    elif kind in ("EC", "EC-HSM"):
        curve = body.get("crv") or "P-256"
        if curve not in _CURVES:
            raise refusals.bad_parameter(f"The curve {curve} is not valid.")
        key = ec.generate_private_key(_CURVES[curve])
        point = key.public_key().public_numbers()
        public = {"crv": curve, "x": _number(point.x), "y": _number(point.y)}
    else:
        raise FakeGap(f"a key of type {kind}")
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return public, pem.decode()


def _number(value: int) -> str:
    return release.encode(value.to_bytes((value.bit_length() + 7) // 8, "big"))


def _deleted_body(call: VaultCall, version: Any) -> Body:
    now = int(call.world.now)
    recovery = f"https://{call.host}/deletedkeys/{call.name}"
    dates = {"deletedDate": now, "scheduledPurgeDate": now + 90 * 86400}
    return {**version["body"], "recoveryId": recovery, **dates}


def _refuse_unknown(given: Body, known: set[str]) -> None:
    if unknown := sorted(given.keys() - known):
        raise FakeGap(f"a key's {unknown}")
