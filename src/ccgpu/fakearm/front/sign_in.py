"""How clients find the simulated cloud and sign in: metadata, tokens, and names in the directory.

Forms: Azure Resource Manager's `/metadata/endpoints`; the managed identity of App Service
(`IDENTITY_ENDPOINT`, api-version 2019-08-01); AD FS as in Azure Stack Hub for service principals,
because a client asks no other host about an authority that ends in `/adfs`; Microsoft Graph's
`directoryObjects/getByIds`.

Any secret of a service principal is accepted. Tokens do not expire: clients measure their age in
real time, and the virtual clock may be far ahead.
"""

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs

from ccgpu.fakearm import tokens
from ccgpu.fakearm.subscription import CALLER_NAME, CALLER_OBJECT_ID, TENANT_ID
from ccgpu.fakearm.wire import Body, FakeGap, Request, Response

IDENTITY_PATH, AUTHORITY_PATH = "/msi/token", "/adfs"
CLOUD_NAME = "ccgpu-fake"
_CLIENT_ID = "00000000-0000-4000-8000-00000000000c"
_SECONDS = 86400  # how long clients keep a token
_MANY, _ONE = ("2019-05-01", "2020-06-01"), ("2015-01-01", "2018-05-01", "2022-09-01")


class SignInService:
    """Answers what is not a request to Resource Manager.

    `secret` is what the identity's clients must send. `now`: Unix time, for the dates of tokens.
    """

    def __init__(self, secret: str, now: Callable[[], float]) -> None:
        self._secret, self._now = secret, now
        self._routes: dict[tuple[str, str], Callable[[Request], Response]] = {
            ("GET", "/metadata/endpoints"): _metadata,
            ("GET", IDENTITY_PATH): self._identity_token,
            ("GET", f"{AUTHORITY_PATH}/.well-known/openid-configuration"): _authority,
            ("POST", f"{AUTHORITY_PATH}/oauth2/token"): self._client_token,
            ("POST", "/v1.0/directoryobjects/getbyids"): _directory_objects,
        }

    def send(self, request: Request) -> Response | None:
        """The answer; None for a request that is not for this service."""
        handler = self._routes.get((request.method, request.path.rstrip("/").lower()))
        return handler(request) if handler else None

    def _identity_token(self, request: Request) -> Response:
        if request.headers.get("X-IDENTITY-HEADER") != self._secret:
            return Response(401, {"statusCode": 401, "message": "IDENTITY_HEADER is another one"})
        resource = request.query.get("resource", "")
        return Response(
            200,
            {
                "access_token": self._token(resource),
                "expires_on": str(int(self._now()) + _SECONDS),
                "resource": resource,
                "token_type": "Bearer",
                "client_id": _CLIENT_ID,
            },
        )

    def _client_token(self, request: Request) -> Response:
        form = {name: each[0] for name, each in parse_qs(request.body.decode()).items()}
        if form.get("grant_type") != "client_credentials":
            raise FakeGap(f"a token by grant_type {form.get('grant_type')!r}")
        resource = form.get("resource") or form.get("scope", "").removesuffix("/.default")
        token = self._token(resource)
        answer = {"token_type": "Bearer", "expires_in": _SECONDS, "access_token": token}
        return Response(200, answer)

    def _token(self, resource: str) -> str:
        claims = {
            "aud": resource,
            "iss": f"https://sts.windows.net/{TENANT_ID}/",
            "iat": int(self._now()),
            "appid": _CLIENT_ID,
            "oid": CALLER_OBJECT_ID,
            "tid": TENANT_ID,
            "idtyp": "app",
        }
        return tokens.make_token(claims)


def _address(request: Request) -> str:
    return f"https://{request.host}"


def _metadata(request: Request) -> Response:
    """The cloud's endpoints: a list of clouds in some API versions, in the others one cloud."""
    version = request.query.get("api-version")
    if version not in _MANY + _ONE:
        raise FakeGap(f"/metadata/endpoints with api-version {version!r}")
    here = f"{_address(request)}/"
    cloud: Body = {
        "name": CLOUD_NAME,
        "portal": here,
        "graph": here,
        "graphEndpoint": here,
        "galleryEndpoint": here,
        "microsoftGraphResourceId": here,
        "resourceManager": here,
        "media": here,
        "batch": here,
        "authentication": {
            "loginEndpoint": f"{_address(request)}{AUTHORITY_PATH}",
            "audiences": [here],
            "tenant": "adfs",
            "identityProvider": "ADFS",
        },
        "suffixes": {
            "storage": "core.windows.net",
            "keyVaultDns": "vault.azure.net",
            "sqlServerHostname": "database.windows.net",
            "acrLoginServer": "azurecr.io",
        },
    }
    return Response(200, [cloud] if version in _MANY else cloud)


def _authority(request: Request) -> Response:
    here = f"{_address(request)}{AUTHORITY_PATH}"
    return Response(
        200,
        {
            "issuer": here,
            "authorization_endpoint": f"{here}/oauth2/authorize",
            "token_endpoint": f"{here}/oauth2/token",
            "device_authorization_endpoint": f"{here}/oauth2/devicecode",
            "jwks_uri": f"{here}/discovery/keys",
            "response_types_supported": ["code", "token"],
            "subject_types_supported": ["pairwise"],
            "id_token_signing_alg_values_supported": ["RS256"],
        },
    )


def _directory_objects(request: Request) -> Response:
    """The caller, who is all that the simulated directory has."""
    given: Any = request.json
    wanted = {str(one).lower() for one in given.get("ids", ())} if isinstance(given, dict) else ()
    caller = {
        "@odata.type": "#microsoft.graph.user",
        "id": CALLER_OBJECT_ID,
        "displayName": CALLER_NAME,
        "userPrincipalName": CALLER_NAME,
    }
    return Response(200, {"value": [caller] if CALLER_OBJECT_ID in wanted else []})
