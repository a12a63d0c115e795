"""Key Vault's refusals become our errors, and its tokens go to its host alone."""

import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
import requests
from azure.core.rest import HttpRequest

from ccgpu.azure.arm import Arm
from ccgpu.azure.errors import translating_errors
from ccgpu.azure.key_vault import KeyVaultKeys
from ccgpu.azure.key_vault_access import VaultAccess
from ccgpu.azure.session import ENVIRONMENTS, Session
from ccgpu.domain.key_vault import VaultAddress, WantedKey
from ccgpu.domain.release_policy import parse
from ccgpu.errors import (
    AlreadyExists,
    AzureRefused,
    AzureUnavailable,
    Denied,
    ForeignAnswer,
    NotFound,
    NotSignedIn,
    TimedOut,
    UsageProblem,
)
from ccgpu.fakearm import FAKE_SUBSCRIPTION, FakeArm, FakeTransport, Response
from ccgpu.workflows.key_vault.creation import create_key
from support.cloud import make_cloud
from support.key_vaults import ADDRESS, add_vault, assign_role, key_client, session
from unit.azure.conftest import Tokens

_CLAIM = b'{"claim":"secureboot","equals":true}'
_POLICY = b'{"version":"1.0.0","anyOf":[{"authority":"https://a","allOf":[%s]}]}' % _CLAIM
_WANTED = WantedKey("k", "EC-HSM", _POLICY, curve="P-256")
_VM = "00000000-0000-4000-8000-0000000000ff"


@pytest.fixture
def arm():
    fake = FakeArm()
    add_vault(fake)
    yield fake
    fake.close()


@pytest.fixture
def keys(arm):
    return KeyVaultKeys(session(arm), ADDRESS)


def _refused(code, inner=None, message="so it is"):
    error = {"code": code, "message": message}
    return {"error": error if inner is None else {**error, "innererror": {"code": inner}}}


def test_a_key_is_created_as_asked_and_read_again(keys):
    made = keys.create(_WANTED)
    assert keys.get("k") == made
    assert keys.get("k", made.version) == made
    assert (made.name, made.kind, made.exportable, made.policy) == ("k", "EC-HSM", True, _POLICY)
    assert (made.enabled, made.immutable, made.expires) == (True, False, None)
    assert made.id == f"https://{ADDRESS.host}/keys/k/{made.version}"


def test_an_immutable_key_with_dates(keys, arm):
    keys.create(WantedKey("k", "EC-HSM", _POLICY, curve="P-384", immutable=True))
    end = datetime(2030, 1, 1, tzinfo=UTC)
    key_client(arm).update_key_properties("k", enabled=False, expires_on=end, not_before=end)
    found = keys.get("k")
    assert (found.immutable, found.enabled, found.expires, found.not_before) == (
        True,
        False,
        end,
        end,
    )


@pytest.mark.parametrize(
    ("status", "body", "error", "code", "hint"),
    [
        (403, _refused("Forbidden", "ForbiddenByRbac"), Denied, "ForbiddenByRbac", "Officer"),
        (403, _refused("Forbidden", "AccessDenied"), Denied, "AccessDenied", "access policy"),
        (403, _refused("Forbidden", "ForbiddenByFirewall"), Denied, "ForbiddenByFirewall", "fire"),
        (403, _refused("Forbidden", "ForbiddenByConnection"), Denied, None, "no network"),
        (403, _refused("Forbidden"), Denied, "Forbidden", None),
        (403, None, Denied, "Forbidden", None),
        (404, _refused("KeyNotFound"), NotFound, "KeyNotFound", None),
        (404, None, AzureUnavailable, "Http404", None),
        (
            409,
            _refused("Conflict", "ObjectIsDeletedButRecoverable"),
            AlreadyExists,
            "ObjectIsDeletedButRecoverable",
            "az keyvault key recover --name k",
        ),
        (409, _refused("Conflict", "ObjectIsBeingDeleted"), AzureUnavailable, None, None),
        (409, _refused("Conflict"), AzureUnavailable, "Conflict", None),
        (400, _refused("BadParameter"), AzureRefused, "BadParameter", None),
        (401, _refused("Unauthorized"), NotSignedIn, "Unauthorized", "az login"),
        (429, _refused("Throttled"), AzureUnavailable, "Throttled", None),
        (503, None, AzureUnavailable, "Http503", None),
    ],
)
def test_each_refusal_has_its_error(keys, arm, status, body, error, code, hint):
    arm.faults.append(lambda _: Response(status, body))
    with pytest.raises(AzureRefused) as caught:
        keys.create(_WANTED)
    found = caught.value
    assert type(found) is error
    assert code is None or found.code == code
    assert hint is None or hint in (found.hint or "")
    assert f"creating the key k in {ADDRESS.host}" in str(found)


def test_a_line_break_in_a_refusal_does_not_reach_the_message(keys, arm):
    arm.faults.append(lambda _: Response(403, _refused("Forbidden", "X", "a\r\nb\r\n")))
    with pytest.raises(Denied, match=r": a b \[X\]$"):
        keys.get("k")


def test_throttling_is_waited_for(arm, tmp_path):
    add = [Response(429, _refused("Throttled"), {"Retry-After": "7"}), Response(429)]
    times = []

    def throttle(request):
        if request.host != ADDRESS.host or not add:
            return None
        times.append(arm.now())
        return add.pop(0)

    arm.faults.append(throttle)
    cloud = make_cloud(arm, tmp_path)
    made = create_key(cloud, ADDRESS, parse(_POLICY), lambda _: _WANTED)
    assert made.key.name == "k"
    assert times[1] - times[0] >= 7
    assert arm.slept == 0


def test_throttling_without_end_ends(arm, tmp_path):
    arm.faults.append(lambda request: Response(429) if request.host == ADDRESS.host else None)
    with pytest.raises(TimedOut):
        create_key(make_cloud(arm, tmp_path), ADDRESS, parse(_POLICY), lambda _: _WANTED)


def test_what_exists_is_not_created_again(arm, tmp_path):
    cloud, policy = make_cloud(arm, tmp_path), parse(_POLICY)
    first = create_key(cloud, ADDRESS, policy, lambda _: _WANTED)
    with pytest.raises(AlreadyExists, match="the key k exists"):
        create_key(cloud, ADDRESS, policy, lambda _: _WANTED)
    second = create_key(cloud, ADDRESS, policy, lambda _: _WANTED, new_version=True)
    assert first.key.version != second.key.version


@pytest.mark.parametrize(
    "change", [{"release_policy": None}, {"attributes": {"exportable": False, "enabled": True}}]
)
def test_a_key_that_is_stored_otherwise_is_told(arm, tmp_path, change):
    def altered(request):
        if request.method != "GET" or request.host != ADDRESS.host:
            return None
        arm.faults.clear()
        answer = arm.send(request)
        arm.faults.append(altered)
        if answer.status != 200:
            return answer
        body = {**answer.body, **change}
        return Response(200, {name: one for name, one in body.items() if one is not None})

    arm.faults.append(altered)
    with pytest.raises(UsageProblem, match="with another release policy, or not exportable"):
        create_key(make_cloud(arm, tmp_path), ADDRESS, parse(_POLICY), lambda _: _WANTED)


def test_a_deleted_key_is_told_from_a_missing_one(keys, arm):
    keys.create(_WANTED)
    assert keys.is_deleted("k") is False
    key_client(arm).begin_delete_key("k", _polling_interval=0)
    assert keys.is_deleted("k") is True
    with pytest.raises(AlreadyExists, match="can still be recovered"):
        keys.create(_WANTED)


def test_a_vault_that_does_not_exist_is_not_waited_for(arm):
    other = VaultAddress("other", "other.vault.azure.net", managed_hsm=False)
    with pytest.raises(AzureRefused) as caught:
        KeyVaultKeys(session(arm), other).get("k")
    assert (type(caught.value), caught.value.code) == (AzureRefused, "HostNotResolved")


def test_another_failure_to_connect_is_waited_for(keys, arm):
    def fail(_):
        raise requests.ConnectionError("reset by peer")

    arm.faults.append(fail)
    with pytest.raises(AzureUnavailable):
        keys.get("k")


@pytest.mark.parametrize(
    ("host", "scope"),
    [
        (ADDRESS.host, "https://vault.azure.net/.default"),
        ("abc.managedhsm.azure.net", "https://managedhsm.azure.net/.default"),
    ],
)
def test_the_token_is_of_the_vaults_service_and_goes_to_its_host_alone(arm, host, scope):
    tokens = Tokens()
    mine = Session(FAKE_SUBSCRIPTION, ENVIRONMENTS["public"], tokens, FakeTransport(arm))
    seen = []

    def missing(request):
        seen.append(request)
        return Response(404, _refused("KeyNotFound"))

    arm.faults.append(missing)
    address = VaultAddress("abc", host, managed_hsm="hsm" in host)
    keys = KeyVaultKeys(mine, address)
    with pytest.raises(NotFound):
        keys.get("k")
    assert tokens.asked == [(scope,)]
    (request,) = seen
    assert request.host == host
    assert request.query == {"api-version": "2025-07-01"}
    with pytest.raises(ForeignAnswer), translating_errors("x"):
        keys._client.send_request(HttpRequest("GET", "https://evil.example/keys/k"))
    assert (len(seen), len(tokens.asked)) == (1, 1)


def test_without_the_package_the_command_that_installs_it_is_named(arm, monkeypatch):
    monkeypatch.setitem(sys.modules, "azure.keyvault.keys", None)
    with pytest.raises(UsageProblem, match="azure-keyvault-keys, which is not installed") as caught:
        KeyVaultKeys(session(arm), ADDRESS)
    assert "pip install 'ccgpu[keyvault]'" in (caught.value.hint or "")


@pytest.fixture
def access(arm):
    return VaultAccess(Arm(session(arm)))


def test_a_vault_is_found_by_its_name(access):
    found = access.find(ADDRESS)
    assert found is not None
    assert (found.sku, found.by_role, found.public, found.restricted, found.exceptions) == (
        "premium",
        True,
        True,
        False,
        False,
    )
    assert access.find(VaultAddress("other", "other.vault.azure.net", managed_hsm=False)) is None
    assert access.find(VaultAddress("myvault", "x.managedhsm.azure.net", managed_hsm=True)) is None


@pytest.mark.parametrize(
    ("given", "public", "restricted", "exceptions"),
    [
        ({"publicNetworkAccess": "Disabled"}, False, False, False),
        ({"networkAcls": {"defaultAction": "Deny"}}, True, True, False),
        (
            {"networkAcls": {"defaultAction": "Deny", "ipRules": [{"value": "203.0.113.7"}]}},
            True,
            True,
            True,
        ),
        (
            {"publicNetworkAccess": "Disabled", "privateEndpointConnections": [{"id": "x"}]},
            False,
            False,
            True,
        ),
    ],
)
def test_the_networks_of_a_vault(given, public, restricted, exceptions):
    fake = FakeArm()
    add_vault(fake, **given)
    found = VaultAccess(Arm(session(fake))).find(ADDRESS)
    assert found is not None
    assert (found.public, found.restricted, found.exceptions) == (public, restricted, exceptions)


def test_access_policies_tell_who_may_release():
    fake = FakeArm()
    policies = [
        {"objectId": _VM.upper(), "permissions": {"keys": ["Get", "Release"]}},
        {"objectId": "other", "permissions": {"keys": ["get"]}},
        {"objectId": "none"},
    ]
    add_vault(fake, enableRbacAuthorization=False, accessPolicies=policies)
    access = VaultAccess(Arm(session(fake)))
    found = access.find(ADDRESS)
    assert found is not None
    assert found.by_role is False
    assert access.by_policies(found, "x", _VM).may_release is True
    assert access.by_policies(found, "x", "other").may_release is False


def test_role_assignments_tell_who_may_release(access, arm):
    found = access.find(ADDRESS)
    assert found is not None
    assert access.by_roles(found, "x", _VM).may_release is False
    assign_role(arm, _VM, "21090545-7ca7-4776-b22c-e363652d74d2")
    assert access.by_roles(found, "x", _VM).may_release is False
    assign_role(arm, _VM, condition="@Resource[x] StringEquals 'y'")
    answer = access.by_roles(found, "x", _VM)
    assert (answer.may_release, "with a condition" in answer.why) == (None, True)
    assign_role(arm, _VM, "14b46e9e-c2b7-41b4-b07b-48a6ebf60603")
    answer = access.by_roles(found, "x", _VM)
    assert (answer.may_release, answer.why) == (True, "role Key Vault Crypto Officer")


def test_a_list_of_several_pages_is_not_read_in_part(access, arm):
    found = access.find(ADDRESS)
    arm.faults.append(lambda _: Response(200, {"value": [], "nextLink": "https://x"}))
    with pytest.raises(AzureUnavailable):
        access.by_roles(found, "x", _VM)


def test_no_body_of_a_request_is_logged(keys, caplog, tmp_path):
    caplog.set_level(1)
    keys.create(_WANTED)
    assert "secureboot" not in caplog.text
    assert not list(Path(tmp_path).iterdir())
