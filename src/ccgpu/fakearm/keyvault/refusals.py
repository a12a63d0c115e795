"""Key Vault's errors, in the texts that docs/fake-azure.md names the sources of."""

from ccgpu.fakearm.wire import Body, Response
from ccgpu.fakearm.world import StoredResource


class VaultRefused(Exception):
    """Key Vault refuses the request. `response` is the error response."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        inner: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(f"{status} {code}: {message}")
        error: Body = {"code": code, "message": message}
        if inner is not None:
            error["innererror"] = {"code": inner}
        self.response = Response(status, {"error": error}, headers or {})


def unauthorized(message: str, tenant: str) -> VaultRefused:
    challenge = (
        f'Bearer authorization="https://login.microsoftonline.com/{tenant}", '
        'resource="https://vault.azure.net"'
    )
    return VaultRefused(401, "Unauthorized", message, headers={"WWW-Authenticate": challenge})


def key_not_found(name: str) -> VaultRefused:
    return VaultRefused(
        404,
        "KeyNotFound",
        f"A key with (name/id) {name} was not found in this key vault. If you recently deleted "
        "this key you may be able to recover it using the correct recovery command. For help "
        "resolving this issue, please see https://go.microsoft.com/fwlink/?linkid=2125182",
    )


def key_is_deleted(name: str) -> VaultRefused:
    return VaultRefused(
        409,
        "Conflict",
        f"Key {name} is currently in a deleted but recoverable state, and its name cannot be "
        "reused; in this state, the key can only be recovered or purged.",
        "ObjectIsDeletedButRecoverable",
    )


def denied_by_role(vault: StoredResource, caller: str, action: str, key: str) -> VaultRefused:
    return VaultRefused(
        403,
        "Forbidden",
        "Caller is not authorized to perform action on resource.\r\nIf role assignments, deny "
        "assignments or role definitions were changed recently, please observe propagation time."
        f"\r\nCaller: {caller}\r\nAction: '{action}'\r\nResource: '{vault.id.lower()}/keys/{key}'"
        "\r\nAssignment: (not found)\r\nDenyAssignmentId: null\r\nDecisionReason: null \r\n"
        f"Vault: {vault.name};location={vault.location}\r\n",
        "ForbiddenByRbac",
    )


def denied_by_policy(vault: StoredResource, caller: str, permission: str) -> VaultRefused:
    return VaultRefused(
        403,
        "Forbidden",
        f"The user, group or application '{caller}' does not have keys {permission} permission on "
        f"key vault '{vault.name};location={vault.location}'. For help resolving this issue, "
        "please see https://go.microsoft.com/fwlink/?linkid=2125287",
        "AccessDenied",
    )


def denied_by_connection() -> VaultRefused:
    return VaultRefused(
        403,
        "Forbidden",
        "Connection is not an approved private link and caller was ignored because bypass is not "
        "set to 'AzureServices' and PublicNetworkAccess is set to 'Disabled'.",
        "ForbiddenByConnection",
    )


def bad_parameter(message: str) -> VaultRefused:
    return VaultRefused(400, "BadParameter", message)


def key_unusable(word: str, inner: str) -> VaultRefused:
    return VaultRefused(403, "Forbidden", f"Operation release is not allowed on {word} key.", inner)


def statement_unverified() -> VaultRefused:
    return VaultRefused(
        403, "Forbidden", "Target environment attestation statement cannot be verified."
    )


def policy_unmet() -> VaultRefused:
    return VaultRefused(
        403,
        "Forbidden",
        "Target environment attestation does not meet key release policy requirements.",
    )
