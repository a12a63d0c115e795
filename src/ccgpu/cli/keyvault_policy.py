"""`ccgpu keyvault policy`."""

import json
from pathlib import Path
from typing import Annotated

import typer

from ccgpu.cli.keyvault_options import SubjectArguments, TokenArguments
from ccgpu.cli.new_paths import new_path
from ccgpu.cli.option_groups import expand_options
from ccgpu.cli.options import ConnectionArguments
from ccgpu.cli.runtime import Runtime


@expand_options
def policy(
    ctx: typer.Context,
    *,
    subject: SubjectArguments,
    out: Annotated[
        Path | None, new_path("Write it to a new file, not to stdout.", "--out", else_stdout=True)
    ] = None,
    token: TokenArguments,
    connection: ConnectionArguments,
) -> None:
    """Write a release policy from the VM's own claims.

    Of a deployment they are expected from its last accepted evidence. The policy is JSON, for
    `create-key`, or `az keyvault key create --policy`. Exit codes: 0 written; 9 the VM is not
    attested, or the bundle is rejected; 8 no verdict on the bundle.

    Example: `ccgpu keyvault policy demo > policy.json`
    """
    from ccgpu.cli.keyvault_sources import make_policy, note_origin
    from ccgpu.domain import release_policy
    from ccgpu.store import new_files

    runtime: Runtime = ctx.obj
    subject.require_one()
    made, source = make_policy(runtime, connection, subject, token)
    text = json.dumps(release_policy.as_document(made), indent=2)
    note_origin(runtime, source, subject.name)
    if out is None:
        runtime.out.file.write(f"{text}\n")
    else:
        new_files.write(out, f"{text}\n".encode())
