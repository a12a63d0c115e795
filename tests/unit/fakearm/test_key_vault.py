"""The simulated vault, as azure-keyvault-keys and the grammar of release policies describe one."""

import base64
import json
from datetime import UTC, datetime, timedelta
from itertools import starmap

import pytest
from azure.core.exceptions import (
    ClientAuthenticationError,
    HttpResponseError,
    ResourceNotFoundError,
    ServiceRequestError,
)
from azure.keyvault.keys import KeyClient
from cryptography.hazmat.primitives import hashes, keywrap
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import load_der_private_key

from ccgpu.fakearm import FakeGap, Request
from ccgpu.fakeguest.evidence.tokens import ABSENT, MAA_ISSUER, maa_signer
from support.key_vaults import (
    ADDRESS,
    READER,
    GuestToken,
    add_vault,
    assign_role,
    ephemeral_jwk,
    ephemeral_key,
    key_client,
    release_policy,
    session,
)
from support.slow import mostly_slow

_VM = "00000000-0000-4000-8000-0000000000ff"
_CLAIM = {"claim": "x-ms-isolation-tee.x-ms-attestation-type", "equals": "sevsnpvm"}
_POLICY = {"version": "1.0.0", "anyOf": [{"authority": MAA_ISSUER, "allOf": [_CLAIM]}]}


@pytest.fixture
def vault(arm):
    add_vault(arm)
    return arm


def _create(arm, policy=_POLICY, name="k", kind="EC-HSM", *, immutable=False, **more):
    made = release_policy(policy, immutable=immutable)
    options = {"exportable": True, "release_policy": made, **more}
    return key_client(arm).create_key(name, kind, **options)


def _release(arm, token=None, *, principal=None, **more):
    text = GuestToken(arm.now()).signed() if token is None else token
    return key_client(arm, principal).release_key("k", text, **more)


def _refusal(call, *arguments, **more):
    with pytest.raises(HttpResponseError) as caught:
        call(*arguments, **more)
    answer = caught.value.response
    assert answer is not None
    error = answer.json()["error"]
    return answer.status_code, error["code"], error.get("innererror", {}).get("code")


def test_a_key_is_returned_with_its_policy_and_attributes(vault):
    made = _create(vault, kind="RSA-HSM")
    found = key_client(vault).get_key("k")
    assert found.id == made.id
    assert found.id.startswith(f"https://{ADDRESS.host}/keys/k/")
    properties = found.properties
    assert (found.key_type.value, properties.exportable, properties.enabled) == (
        "RSA-HSM",
        True,
        True,
    )
    assert json.loads(properties.release_policy.encoded_policy) == _POLICY
    assert properties.release_policy.immutable is False
    older = key_client(vault).get_key("k", made.properties.version)
    assert older.id == made.id


@pytest.mark.slow
@pytest.mark.parametrize(
    ("algorithm", "hash_"),
    mostly_slow(
        starmap(
            pytest.param,
            [
                (None, hashes.SHA1()),
                ("CKM_RSA_AES_KEY_WRAP", hashes.SHA1()),
                ("RSA_AES_KEY_WRAP_256", hashes.SHA256()),
                ("RSA_AES_KEY_WRAP_384", hashes.SHA384()),
            ],
        ),
        4,
    ),
)
def test_the_released_key_is_wrapped_for_the_vms_key(vault, algorithm, hash_):
    made = _create(vault, kind="RSA-HSM")
    answer = _release(vault, algorithm=algorithm, nonce="n").value.split(".")
    payload = json.loads(_decode(answer[1]))
    assert payload["request"]["nonce"] == "n"
    envelope = json.loads(_decode(payload["response"]["key"]["key"]["key_hsm"]))
    assert envelope["header"]["kid"] == "TpmEphemeralEncryptionKey"
    raw = _decode(envelope["ciphertext"])
    oaep = padding.OAEP(padding.MGF1(hash_), hash_, None)
    aes = ephemeral_key().decrypt(raw[:256], oaep)
    key = load_der_private_key(keywrap.aes_key_unwrap_with_padding(aes, raw[256:]), None)
    assert isinstance(key, rsa.RSAPrivateKey)
    modulus = key.public_key().public_numbers().n
    assert int.from_bytes(made.key.n, "big") == modulus


def _decode(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"tee": {"x-ms-attestation-type": "tdxvm"}}, "policy"),
        ({"tee": {"x-ms-attestation-type": ABSENT}}, "policy"),
        ({"issuer": "https://sharedweu.weu.attest.azure.net"}, "policy"),
        ({"issuer": "https://evil.example"}, "statement"),
        ({"signer": maa_signer()}, "statement"),
        ({"claims": {"exp": 1}}, "statement"),
        ({"claims": {"nbf": 4e9}}, "statement"),
        ({"claims": {"exp": ABSENT}}, "statement"),
        ({"keys": []}, "key"),
        ({"keys": [ephemeral_jwk(key_ops=["sign"])]}, "key"),
        ({"keys": [ephemeral_jwk(kty="EC")]}, "key"),
    ],
)
def test_a_token_that_does_not_fit_gets_nothing(vault, change, code):
    _create(vault)
    expected = {
        "policy": "does not meet key release policy requirements",
        "statement": "statement cannot be verified",
        "key": "no key to encrypt",
    }[code]
    with pytest.raises(HttpResponseError) as caught:
        _release(vault, GuestToken(vault.now(), **change).signed())
    assert expected in str(caught.value)


@pytest.mark.parametrize("text", ["", "a.b", "a.b.c", "e30.e30.e30"])
def test_what_is_no_token_gets_nothing(vault, text):
    _create(vault)
    assert _refusal(_release, vault, text) == (403, "Forbidden", None)


@pytest.mark.parametrize("jwk", [ephemeral_jwk(key_ops=ABSENT, use="enc"), ephemeral_jwk()])
def test_a_key_for_encryption_is_told_by_its_use_or_its_operations(vault, jwk):
    _create(vault)
    token = GuestToken(vault.now(), keys=[ephemeral_jwk(key_ops=["sign"]), jwk]).signed()
    assert _release(vault, token).value


@pytest.mark.parametrize(
    ("change", "inner"),
    [
        ({"enabled": False}, "KeyDisabled"),
        ({"expires_on": timedelta(seconds=-1)}, "KeyExpired"),
        ({"not_before": timedelta(days=1)}, "KeyNotYetValid"),
    ],
)
def test_a_key_that_cannot_be_used_is_not_released(vault, change, inner):
    _create(vault)
    now = datetime.fromtimestamp(vault.now(), UTC)
    dated = {name: now + one if isinstance(one, timedelta) else one for name, one in change.items()}
    key_client(vault).update_key_properties("k", **dated)
    assert _refusal(_release, vault) == (403, "Forbidden", inner)


def test_a_key_that_is_not_exportable_is_not_released(vault):
    _create(vault, exportable=False, release_policy=None)
    assert _refusal(_release, vault) == (400, "BadParameter", None)


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "RSA"},
        {"release_policy": None},
        {"policy": b"{}"},
        {"policy": b"no JSON"},
        {"policy": {**_POLICY, "version": "2.0.0"}},
        {"policy": {"version": "1.0.0", "anyOf": [{"authority": MAA_ISSUER, "allOf": []}]}},
        {"policy": {"version": "1.0.0", "anyOf": [{"authority": 1, "allOf": [_CLAIM]}]}},
        {
            "policy": {
                "version": "1.0.0",
                "anyOf": [{"authority": "a", "allOf": [{"claim": "a", "greater": 1}]}],
            }
        },
        {"kind": "RSA-HSM", "size": 1024},
        {"name": "a_b"},
        {"kind": "EC-HSM", "curve": "P-999"},
    ],
)
def test_keys_that_cannot_be_are_refused(vault, change):
    assert _refusal(lambda: _create(vault, **change)) == (400, "BadParameter", None)


def test_an_hsm_key_needs_a_premium_vault(arm):
    add_vault(arm, sku={"family": "A", "name": "standard"})
    assert _refusal(_create, arm) == (400, "BadParameter", None)


def test_an_immutable_policy_stays_in_every_version(vault):
    _create(vault, immutable=True)
    other = {**_POLICY, "anyOf": [{"authority": "https://other", "allOf": [_CLAIM]}]}
    refused = (400, "BadParameter", None)
    assert _refusal(_create, vault, other) == refused
    update = key_client(vault).update_key_properties
    assert _refusal(update, "k", release_policy=release_policy(other)) == refused
    _create(vault, immutable=True)


def test_a_policy_that_is_not_immutable_can_be_changed(vault):
    _create(vault)
    other = {"version": "1.0.0", "anyOf": [{"authority": "https://other", "allOf": [_CLAIM]}]}
    key_client(vault).update_key_properties("k", release_policy=release_policy(other))
    assert _refusal(_release, vault)[0] == 403


def test_a_deleted_key_keeps_its_name(vault):
    _create(vault)
    client = key_client(vault)
    with pytest.raises(ResourceNotFoundError):
        client.get_deleted_key("k")
    client.begin_delete_key("k", _polling_interval=0)
    with pytest.raises(ResourceNotFoundError):
        client.get_key("k")
    assert client.get_deleted_key("k").name == "k"
    refused = (409, "Conflict", "ObjectIsDeletedButRecoverable")
    assert _refusal(_create, vault) == refused
    assert _refusal(client.get_deleted_key, "other")[1] == "KeyNotFound"


def test_a_missing_version_is_not_found(vault):
    _create(vault)
    assert _refusal(key_client(vault).get_key, "k", "0" * 32)[:2] == (404, "KeyNotFound")


def test_an_elliptic_curve_key_is_created(vault):
    assert _create(vault, kind="EC-HSM", curve="P-384").key.crv == "P-384"


def test_a_vms_identity_needs_the_role(vault):
    _create(vault)
    refused = (403, "Forbidden", "ForbiddenByRbac")
    assert _refusal(_release, vault, principal=_VM) == refused
    assign_role(vault, _VM, READER)
    assert _refusal(_release, vault, principal=_VM) == refused
    assign_role(vault, _VM)
    assert _release(vault, principal=_VM).value


@pytest.mark.parametrize("words", [["Release"], ["all"]])
def test_access_policies_decide_without_role_assignments(arm, words):
    add_vault(arm)
    _create(arm)
    _only_policies(arm, [])
    assert _refusal(_release, arm, principal=_VM) == (403, "Forbidden", "AccessDenied")
    _only_policies(arm, [{"objectId": _VM, "permissions": {"keys": words}}])
    assert _release(arm, principal=_VM).value


def _only_policies(arm, policies):
    with arm._store.transaction():
        (found,) = arm._world.list_kind("Microsoft.KeyVault/vaults")
        found.properties.update(enableRbacAuthorization=False, accessPolicies=policies)
        arm._world.save(found)


def test_a_caller_without_rights_is_refused(vault):
    vault.configure({"principal": ["*/read"]})
    assert _refusal(_create, vault) == (403, "Forbidden", "ForbiddenByRbac")
    with pytest.raises(ResourceNotFoundError):
        key_client(vault).get_key("k")


def test_a_closed_vault_refuses_everybody(arm):
    add_vault(arm, publicNetworkAccess="Disabled")
    assert _refusal(_create, arm) == (403, "Forbidden", "ForbiddenByConnection")


def test_a_token_for_another_service_is_refused(vault):
    wrong = session(vault).service_client(
        KeyClient, ADDRESS.host, "https://management.azure.com/.default"
    )
    with pytest.raises(ClientAuthenticationError, match="AKV10022"):
        wrong.get_key("k")
    url = f"https://{ADDRESS.host}/keys/k/?api-version=2025-07-01"
    answer = vault.send(Request("GET", url))
    assert answer.status == 401
    assert answer.headers["WWW-Authenticate"].startswith("Bearer authorization=")


def test_a_vault_that_does_not_exist_has_no_address(arm):
    with pytest.raises(ServiceRequestError, match="Failed to resolve"):
        key_client(arm).get_key("k")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/secrets/x"),
        ("PUT", "/keys/k"),
        ("GET", "/keys/k/release"),
        ("POST", "/keys/k/import"),
    ],
)
def test_what_the_vault_does_not_know_is_a_gap(vault, method, path):
    url = f"https://{ADDRESS.host}{path}?api-version=2025-07-01"
    with pytest.raises(FakeGap):
        vault.send(Request(method, url, {"Authorization": "Bearer x"}))


def test_other_versions_kinds_fields_and_services_are_gaps(vault):
    with pytest.raises(FakeGap, match="api-version"):
        vault.send(Request("GET", f"https://{ADDRESS.host}/keys/k?api-version=7.4"))
    with pytest.raises(FakeGap, match="type oct-HSM"):
        _create(vault, kind="oct-HSM")
    with pytest.raises(FakeGap, match="a key's"):
        _create(vault, tags={"a": "b"})
    with pytest.raises(FakeGap, match="attestation service"):
        vault.send(Request("GET", "https://sharedweu.weu.attest.azure.net/policies"))
    with pytest.raises(FakeGap, match="host hsm"):
        vault.send(Request("GET", "https://hsm.managedhsm.azure.net/keys/k"))


def test_without_an_attestation_service_nothing_is_verified(arm):
    with pytest.raises(FakeGap, match="no attestation service"):
        arm.send(Request("GET", f"{MAA_ISSUER}/certs"))


def test_keys_are_no_resources_of_arm(vault):
    _create(vault)
    assert {one["kind"] for one in vault.show()["resources"]} == {
        "Microsoft.KeyVault/vaults",
        "Microsoft.Resources/resourceGroups",
    }
