"""Finding the simulated cloud and signing in: what `az`, MSAL and the SDKs ask for."""

import jwt
import pytest

from ccgpu.fakearm import FakeGap, Request
from ccgpu.fakearm.front.sign_in import SignInService
from ccgpu.fakearm.subscription import CALLER_OBJECT_ID, TENANT_ID

NOW = 1_700_000_000


@pytest.fixture
def service():
    """With the secret "s"."""
    return SignInService("s", lambda: NOW)


def get(service, target, **headers):
    """The answer to a GET."""
    return service.send(Request("GET", f"https://localhost:1{target}", headers))


def post(service, target, body):
    """The answer to a POST."""
    return service.send(Request("POST", f"https://localhost:1{target}", {}, body))


def claims_of(token):
    """A token's claims, decoded as a client does who does not verify it."""
    return jwt.decode(token, options={"verify_signature": False})


def test_metadata_describes_one_cloud_or_a_list(service):
    one = get(service, "/metadata/endpoints?api-version=2022-09-01").body
    assert one["resourceManager"] == "https://localhost:1/"
    assert one["authentication"]["loginEndpoint"] == "https://localhost:1/adfs"
    assert get(service, "/metadata/endpoints?api-version=2019-05-01").body == [one]
    with pytest.raises(FakeGap, match="api-version"):
        get(service, "/metadata/endpoints?api-version=2010-01-01")


def test_an_identity_gets_a_token_for_its_secret(service):
    target = "/msi/token?api-version=2019-08-01&resource=https://localhost:1/"
    answer = get(service, target, **{"X-IDENTITY-HEADER": "s"}).body
    assert int(answer["expires_on"]) > NOW
    claims = claims_of(answer["access_token"])
    assert (claims["tid"], claims["aud"]) == (TENANT_ID, "https://localhost:1/")
    assert "exp" not in claims


@pytest.mark.parametrize("headers", [{}, {"X-IDENTITY-HEADER": "other"}])
def test_an_identity_without_the_secret_gets_none(service, headers):
    assert get(service, "/msi/token?resource=x", **headers).status == 401


@pytest.mark.parametrize("asked", [b"scope=https://x/.default", b"resource=https://x"])
def test_a_service_principal_gets_a_token(service, asked):
    authority = get(service, "/adfs/.well-known/openid-configuration").body
    target = authority["token_endpoint"].removeprefix("https://localhost:1")
    answer = post(service, target, b"grant_type=client_credentials&" + asked).body
    assert answer["token_type"] == "Bearer"
    assert claims_of(answer["access_token"])["aud"] == "https://x"


def test_other_grants_are_gaps(service):
    with pytest.raises(FakeGap, match="password"):
        post(service, "/adfs/oauth2/token", b"grant_type=password")


def test_the_directory_knows_the_caller_alone(service):
    target = "/v1.0/directoryObjects/getByIds"
    body = b'{"ids": ["%s", "other"]}' % CALLER_OBJECT_ID.encode()
    (found,) = post(service, target, body).body["value"]
    assert found["id"] == CALLER_OBJECT_ID
    assert post(service, target, b'{"ids": ["other"]}').body == {"value": []}


def test_requests_to_resource_manager_are_not_for_this_service(service):
    assert get(service, "/subscriptions?api-version=2022-12-01") is None
