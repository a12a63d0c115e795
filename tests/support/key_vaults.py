"""Simulated vaults and the tokens of guests, for tests of secure key release."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from typing import Any

from azure.core.credentials import AccessToken, AccessTokenInfo, TokenCredential
from azure.keyvault.keys import KeyClient, KeyReleasePolicy
from cryptography.hazmat.primitives.asymmetric import rsa

from ccgpu.azure.session import ENVIRONMENTS, Session
from ccgpu.domain.key_vault import VaultAddress
from ccgpu.fakearm import FAKE_SUBSCRIPTION, FakeArm, FakeCredential, FakeTransport, tokens
from ccgpu.fakeguest.evidence.tokens import ABSENT, MAA_ISSUER, MaaToken, TokenSigner, jwk_number
from support.cloud import vendors

ADDRESS = VaultAddress("myvault", "myvault.vault.azure.net", managed_hsm=False)
VAULT_ID = (
    f"/subscriptions/{FAKE_SUBSCRIPTION}/resourceGroups/keys/providers/"
    f"Microsoft.KeyVault/vaults/{ADDRESS.name}"
)
RELEASE_USER, READER = (
    "08bbd89e-9f13-488c-ac41-acfcb10c90ab",
    "21090545-7ca7-4776-b22c-e363652d74d2",
)
CONTENT_TYPE = "application/json; charset=utf-8"


@dataclass
class PrincipalCredential:
    """The credential of a principal that is not the subscription's own caller."""

    object_id: str

    def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        info = self.get_token_info(*scopes)
        return AccessToken(info.token, info.expires_on)

    def get_token_info(self, *scopes: str, options: Any = None) -> AccessTokenInfo:  # noqa: ARG002
        claims = {"aud": scopes[0].removesuffix("/.default"), "oid": self.object_id}
        return AccessTokenInfo(tokens.make_token(claims), int(time.time()) + 3600)  # noqa: TID251


def add_vault(arm: FakeArm, **properties: Any) -> None:
    """Add the vault, of the SKU premium, to the subscription."""
    arm.attestation_keys = lambda: vendors().maa_key_set()
    given = {
        "tenantId": "00000000-0000-4000-8000-00000000000a",
        "sku": {"family": "A", "name": "premium"},
        "enableRbacAuthorization": True,
        **properties,
    }
    kind = "Microsoft.KeyVault/vaults"
    add(arm, {"id": VAULT_ID, "type": kind, "location": "eastus2", "properties": given})


def assign_role(arm: FakeArm, principal: str, role: str = RELEASE_USER, **more: Any) -> None:
    """Give a principal a built-in role on the vault."""
    definitions = f"/subscriptions/{FAKE_SUBSCRIPTION}/providers/Microsoft.Authorization"
    kind = "Microsoft.Authorization/roleAssignments"
    given = {
        "principalId": principal,
        "roleDefinitionId": f"{definitions}/roleDefinitions/{role}",
        **more,
    }
    id_ = f"{VAULT_ID}/providers/{kind}/{role[:-4]}{principal[-4:]}"
    add(arm, {"id": id_, "type": kind, "properties": given})


def add(arm: FakeArm, resource: Mapping[str, Any]) -> None:
    """Add a user's own resource."""
    assert arm.add([resource]).problems == []


def session(arm: FakeArm, credential: TokenCredential | None = None) -> Session:
    """A session of the subscription's caller, or of another principal."""
    who = credential or FakeCredential(arm)
    return Session(FAKE_SUBSCRIPTION, ENVIRONMENTS["public"], who, FakeTransport(arm))


def key_client(arm: FakeArm, principal: str | None = None) -> KeyClient:
    """The SDK's own client of the vault, for the caller or for a VM's identity."""
    who = None if principal is None else PrincipalCredential(principal)
    return session(arm, who).service_client(KeyClient, ADDRESS.host, ADDRESS.scope)


def release_policy(policy: Mapping[str, Any] | bytes, *, immutable: bool = False) -> Any:
    """A policy as the SDK takes it."""
    raw = policy if isinstance(policy, bytes) else json.dumps(policy).encode()
    return KeyReleasePolicy(raw, content_type=CONTENT_TYPE, immutable=immutable)


@cache
def ephemeral_key() -> rsa.RSAPrivateKey:
    """The key in a VM's TPM that a released key is wrapped for."""
    return rsa.generate_private_key(65537, 2048)


def ephemeral_jwk(**changes: Any) -> dict[str, Any]:
    """The same as the token names it."""
    numbers = ephemeral_key().public_key().public_numbers()
    jwk = {"kid": "TpmEphemeralEncryptionKey", "kty": "RSA", "key_ops": ["encrypt"]}
    jwk |= {"n": jwk_number(numbers.n), "e": jwk_number(numbers.e)}
    return {name: one for name, one in {**jwk, **changes}.items() if one is not ABSENT}


@dataclass(frozen=True)
class GuestToken:
    """A guest's token, by the simulated service unless another signer is given."""

    now: float
    vm_id: str = "2dedc52a-0000-4000-8000-000000000000"
    issuer: str = MAA_ISSUER
    signer: TokenSigner | None = None
    keys: Any = None
    claims: Mapping[str, Any] = field(default_factory=dict)
    tee: Mapping[str, Any] = field(default_factory=dict)

    def signed(self) -> str:
        """The token."""
        jwks = [ephemeral_jwk()] if self.keys is None else self.keys
        configuration = {"vmUniqueId": self.vm_id.upper(), "secure-boot": True}
        tee = {
            "x-ms-sevsnpvm-hostdata": "00" * 32,
            "x-ms-runtime": {"keys": [], "vm-configuration": configuration},
            **self.tee,
        }
        made = MaaToken(
            self.signer or vendors().maa,
            nonce=b"",
            vm_id=self.vm_id,
            issuer=self.issuer,
            issued=datetime.fromtimestamp(self.now, UTC),
            claims={"x-ms-runtime": {"keys": jwks}, **self.claims},
            tee=tee,
        )
        return made.signed().decode()
