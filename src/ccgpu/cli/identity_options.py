"""Options of `verify` that say whose evidence it has to be: what the caller knows by itself."""

import re
from dataclasses import dataclass
from typing import Annotated

import typer

_JUDGING = "Verification"
_UNSAFE = "Unsafe, listed in the verdict"
_GUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")  # RFC 9562, §4


@dataclass(frozen=True, slots=True)
class Caller:
    """What the caller says of the challenge besides its nonce, and whose word may stand in.

    `host_key`: a file or a fingerprint, as it was given.
    """

    vm_id: str | None = None
    host_key: str | None = None
    trust_identity: bool = False
    trust_nonce: bool = False


def _vm_id(value: str | None) -> str | None:
    if value is None or _GUID.fullmatch(value):
        return value and value.lower()
    raise typer.BadParameter(
        f"{value[:80]!a} is not a vmId: give the GUID that `az vm show --query vmId` prints"
    )


VmIdOption = Annotated[
    str | None,
    typer.Option(
        "--vm-id",
        metavar="ID",
        callback=_vm_id,
        help="The VM's vmId, as `az vm show --query vmId` prints it.",
        show_default=False,
        rich_help_panel=_JUDGING,
    ),
]
HostKeyOption = Annotated[
    str | None,
    typer.Option(
        "--host-key",
        metavar="FILE|SHA256:…",
        help="The VM's Ed25519 SSH host key: a .pub or known_hosts file, or the fingerprint.",
        show_default=False,
        rich_help_panel=_JUDGING,
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
