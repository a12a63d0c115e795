"""A credential for the simulated tenant. Its tokens have the right form and no signature."""

import time
from typing import Any

from azure.core.credentials import AccessToken, AccessTokenInfo, TokenRequestOptions

from ccgpu.fakearm import tokens
from ccgpu.fakearm.resources.addresses import CALLER_ADDRESS
from ccgpu.fakearm.service import FakeArm
from ccgpu.fakearm.subscription import CALLER_OBJECT_ID, TENANT_ID

_HOUR = 3600


class FakeCredential:
    """A signed-in user, or with `app=True` an application, whose token has no IP address.

    With `arm`, tokens expire by the virtual clock after `durations.token`. Without, they never do.
    """

    def __init__(self, arm: FakeArm | None = None, *, app: bool = False) -> None:
        self._arm = arm
        self._app = app

    def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        info = self.get_token_info(*scopes)
        return AccessToken(info.token, info.expires_on)

    def get_token_info(
        self,
        *scopes: str,
        options: TokenRequestOptions | None = None,  # noqa: ARG002  # of the protocol
    ) -> AccessTokenInfo:
        # Real time: the SDK compares with its own clock. ARM uses virtual time, so only ARM can
        # find that a token has expired, as it does when a machine's clock is wrong.
        now = int(time.time())  # noqa: TID251
        claims: dict[str, Any] = {
            "aud": scopes[0].removesuffix("/.default") if scopes else "",
            "iss": f"https://sts.windows.net/{TENANT_ID}/",
            "iat": now,
            "oid": CALLER_OBJECT_ID,
            "tid": TENANT_ID,
            "idtyp": "app" if self._app else "user",
        }
        if self._arm is not None:
            claims["exp"] = self._arm.now() + self._arm.settings.get("durations", "token")
        if not self._app:
            claims["ipaddr"] = CALLER_ADDRESS
        token = tokens.make_token(claims)
        return AccessTokenInfo(token, now + _HOUR, token_type="Bearer")  # noqa: S106  # the kind
