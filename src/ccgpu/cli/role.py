"""`ccgpu role`."""

import json
import os
from enum import StrEnum
from typing import Annotated

import typer

from ccgpu.cli.option_groups import expand_options
from ccgpu.cli.options import option
from ccgpu.cli.role_options import ExtrasArguments
from ccgpu.cli.runtime import Runtime
from ccgpu.cli.spec_options import SpecArguments

_PLACEHOLDER = "00000000-0000-0000-0000-000000000000"  # for an unknown subscription


class Scope(StrEnum):
    """The scope at which the role will be assigned."""

    RG = "rg"
    SUBSCRIPTION = "subscription"


@expand_options
def role(
    ctx: typer.Context,
    *,
    request: SpecArguments,
    scope: Annotated[
        Scope, option("Where you will assign the role; rg: the resource group only.", "--scope")
    ] = Scope.SUBSCRIPTION,
    extras: ExtrasArguments,
    subscription: Annotated[
        str | None, option("Subscription id.", envvar="AZURE_SUBSCRIPTION_ID", metavar="ID")
    ] = None,
) -> None:
    """Print the least-privilege custom role for a spec.

    Prints JSON for `az role definition create`, with the actions of every command but
    `keyvault`. With `--scope rg`, those that a resource group cannot grant are listed on stderr.

    Example: `ccgpu role -f vm.yaml > role.json`
    """
    from ccgpu.domain import role as of
    from ccgpu.store.az_profile import default_subscription

    runtime: Runtime = ctx.obj
    name = "operator" if scope is Scope.SUBSCRIPTION else None
    spec = request.build(runtime, default_name=name)
    id_ = subscription or default_subscription(os.environ) or _PLACEHOLDER
    if scope is Scope.SUBSCRIPTION:
        definition = of.subscription_role(spec, id_, extras)
    else:
        definition, rest = of.group_role(spec, id_, extras)
        lines = (f"\n  {need.action} at {need.scope}" for need in rest)
        runtime.note(f"note: also needed, outside the resource group:{''.join(lines)}")
    runtime.out.out(json.dumps(definition, indent=2), highlight=False)
