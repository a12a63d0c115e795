"""Options for what evidence must answer: the nonce, the vmId, and the SSH host key."""

import re
from typing import Annotated

import typer

_PANEL = "Verification"
_UNSAFE = "Unsafe, listed in the verdict"
_GUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")  # RFC 9562, §4


def _check_vm_id(value: str | None) -> str | None:
    if value is None or _GUID.fullmatch(value):
        return value and value.lower()
    raise typer.BadParameter(
        f"{value[:80]!a} is not a vmId: give the GUID that `az vm show --query vmId` prints"
    )


def _parse_nonce(value: str) -> bytes:
    """Parse a nonce of 1 to 64 bytes in hex."""
    if not re.fullmatch(r"(?:[0-9a-fA-F]{2}){1,64}", value):
        raise typer.BadParameter("a nonce is 1 to 64 bytes in hex, as in 5f0c…")
    return bytes.fromhex(value)


NonceOption = Annotated[
    bytes | None,
    typer.Option(
        parser=_parse_nonce,
        metavar="HEX",
        help="The nonce that you sent. Without it, or a record of it on this machine, "
        "freshness is not proven, and policies that require a binding reject.",
        show_default=False,
        rich_help_panel=_PANEL,
    ),
]
VmIdOption = Annotated[
    str | None,
    typer.Option(
        "--vm-id",
        metavar="ID",
        callback=_check_vm_id,
        help="The VM's vmId, as `az vm show --query vmId` prints it.",
        show_default=False,
        rich_help_panel=_PANEL,
    ),
]
HostKeyOption = Annotated[
    str | None,
    typer.Option(
        "--host-key",
        metavar="FILE|SHA256:…",
        help="The VM's Ed25519 SSH host key: a .pub or known_hosts file, or the fingerprint.",
        show_default=False,
        rich_help_panel=_PANEL,
    ),
]
TrustIdentityOption = Annotated[
    bool,
    typer.Option(
        "--unsafe-trust-bundle-identity",
        help="Take vmId and host key from the evidence; any genuine VM could have made it.",
        rich_help_panel=_UNSAFE,
    ),
]
TrustNonceOption = Annotated[
    bool,
    typer.Option(
        "--unsafe-trust-bundle-nonce",
        help="Take the nonce from the evidence, which can then be of any age.",
        rich_help_panel=_UNSAFE,
    ),
]
