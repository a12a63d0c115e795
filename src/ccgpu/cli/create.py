"""`ccgpu create`."""

from typing import Annotated

import typer

from ccgpu.cli import creation, plan
from ccgpu.cli.bundles import spread
from ccgpu.cli.consent import ConsentOptions
from ccgpu.cli.options import CourseOptions, ReachOptions, WishOptions
from ccgpu.cli.spec_options import FreshOption, Wanted, connected, option


@spread
def create(
    ctx: typer.Context,
    *,
    wanted: Wanted,
    fresh: FreshOption = False,
    replace: Annotated[
        bool, option("Delete and make anew what cannot be changed in place.", "--replace")
    ] = False,
    no_wait: Annotated[bool, option("Return when Azure has accepted the VM.", "--no-wait")] = False,
    keep_on_failure: Annotated[
        bool, option("Undo nothing when it fails.", "--keep-on-failure")
    ] = False,
    skip_preflight: Annotated[
        bool, option("Do not look at sizes and quota first.", "--skip-preflight")
    ] = False,
    dry_run: Annotated[bool, option("The same as `ccgpu plan`.", "--dry-run")] = False,
    course: CourseOptions,
    consent: ConsentOptions,
    answer: WishOptions,
    reach: ReachOptions,
) -> None:
    """Create a confidential GPU VM, or change it as its spec says.

    Without -f and --template it starts from the last create of NAME on this machine: what you give
    replaces one field each (`--data-disk`, `--region` and other lists as a whole). What nobody gave
    stays as it is at Azure. Interrupted, it goes on where it stopped.

    Example: `ccgpu create demo --region eastus2 --ssh-from 203.0.113.7/32`
    """
    if dry_run:
        plan.preview(ctx.obj, wanted, answer, reach, fresh=fresh, skip_preflight=skip_preflight)
        return
    how = creation.How(replace, not no_wait, keep_on_failure, skip_preflight)
    cloud, asked = connected(ctx.obj, wanted, reach, fresh=fresh)
    creation.Creation(ctx.obj, cloud, asked, how, course, consent).carry_out(answer)
