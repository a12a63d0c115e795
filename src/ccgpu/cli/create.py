"""`ccgpu create`."""

from typing import Annotated

import typer

from ccgpu.cli.access_options import WayArguments
from ccgpu.cli.attesting import AttestArguments
from ccgpu.cli.consent import ConsentArguments
from ccgpu.cli.create_flags import CreateArguments
from ccgpu.cli.creation import Creation, OpenedBackend
from ccgpu.cli.one_shot import OneShot, OneShotArguments
from ccgpu.cli.option_groups import expand_options
from ccgpu.cli.options import ConnectionArguments, CreateProgress, OutputArguments, option
from ccgpu.cli.planning import HowPlanned, preview
from ccgpu.cli.spec_options import FreshOption, SpecArguments, connect_and_resolve


@expand_options
def create(
    ctx: typer.Context,
    *,
    request: SpecArguments,
    fresh: FreshOption = False,
    flags: CreateArguments,
    dry_run: Annotated[bool, option("Only show the plan, like `ccgpu plan`.", "--dry-run")] = False,
    one_shot: OneShotArguments,
    attesting: AttestArguments,
    way: WayArguments,
    progress_options: CreateProgress,
    consent: ConsentArguments,
    output: OutputArguments,
    connection: ConnectionArguments,
) -> None:
    """Create a confidential GPU VM, or update it to match its spec.

    Without -f and --template, the spec of the last create of NAME on this machine is the starting
    point: each option replaces one field, and a list (`--data-disk`, `--region`) as a whole. Fields
    that were never given keep their value at Azure. After an interruption, run it again.

    Example: `ccgpu create demo --region eastus2 --ssh-from 203.0.113.7/32`
    """
    one_shot.require_usable(waits=flags.wait, attests=attesting.wanted)
    if dry_run:
        parts = (ctx.obj, request, output, connection)
        how = HowPlanned(fresh, flags.skip_preflight, way, attesting.wanted, flags.wait)
        preview(*parts, how)
        return
    used = OpenedBackend(ctx.obj, connection, way)
    cloud, spec = connect_and_resolve(used.connect, request, ctx.obj, fresh=fresh)
    more = (attesting, progress_options, consent)
    creation = Creation(ctx.obj, used, cloud, spec, flags, *more)
    if one_shot.run:
        OneShot(creation, one_shot).carry_out(output)
    else:
        creation.carry_out(output)
