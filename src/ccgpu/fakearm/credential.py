"""A credential for the simulated tenant: a token of the right form that no one has signed."""

import base64
import json
import time
from typing import Any

from azure.core.credentials import AccessToken, AccessTokenInfo, TokenRequestOptions

from ccgpu.fakearm.resources.addresses import CALLER
from ccgpu.fakearm.subscription import OBJECT, TENANT

_HOUR = 3600


class FakeCredential:
    """A signed-in user, or with `app=True` an application: that has no address of its own."""

    def __init__(self, *, app: bool = False) -> None:
        self._app = app

    def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        info = self.get_token_info(*scopes)
        return AccessToken(info.token, info.expires_on)

    def get_token_info(
        self,
        *scopes: str,
        options: TokenRequestOptions | None = None,  # noqa: ARG002  # of the protocol
    ) -> AccessTokenInfo:
        # Real time: the SDK compares with its own clock.
        now = int(time.time())  # noqa: TID251
        claims = {
            "aud": scopes[0].removesuffix("/.default") if scopes else "",
            "iss": f"https://sts.windows.net/{TENANT}/",
            "iat": now,
            "exp": now + _HOUR,
            "oid": OBJECT,
            "tid": TENANT,
            "idtyp": "app" if self._app else "user",
        }
        if not self._app:
            claims["ipaddr"] = CALLER
        token = ".".join((_part({"alg": "none", "typ": "JWT"}), _part(claims), "simulated"))
        return AccessTokenInfo(token, now + _HOUR, token_type="Bearer")  # noqa: S106  # the kind


def _part(value: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")
