"""Options of `verify` for the signature of a bundle: whose it must be, and its file."""

from pathlib import Path
from typing import Annotated

import typer

_PANEL = "Verification"

SignerOption = Annotated[
    str | None,
    typer.Option(
        "--signer",
        metavar="FILE|SHA256:…",
        help="Whose signature the bundle must have: an SSH public key, its fingerprint, "
        "allowed_signers, or a public key in PEM (cosign.pub).",
        show_default=False,
        rich_help_panel=_PANEL,
    ),
]
SignatureOption = Annotated[
    Path | None,
    typer.Option(
        "--signature",
        metavar="FILE",
        help="File of the bundle's signature. Default: EVIDENCE.sig.",
        show_default=False,
        rich_help_panel=_PANEL,
    ),
]
