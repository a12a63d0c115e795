"""List every deployment of the subscription, from Azure alone."""

from dataclasses import replace

from ccgpu.azure.context import AzureContext
from ccgpu.azure.run import Run
from ccgpu.domain.deployment import Deployment, Owned, describe_deployment, with_lease
from ccgpu.domain.live_price import parts_of_deployment
from ccgpu.workflows.discovery.listing import list_all_deployments
from ccgpu.workflows.discovery.search import FoundDeployment
from ccgpu.workflows.prices import with_prices

_TIMEOUT = 300.0  # seconds, for reads alone


def list_deployments(cloud: AzureContext) -> list[Deployment]:
    """Every deployment of the subscription, including those without a VM."""
    run = Run.begin(cloud, _TIMEOUT)
    found = [_describe_found(run, deployment) for deployment in list_all_deployments(run)]
    return with_prices(run, found)


def _describe_found(run: Run, deployment: FoundDeployment) -> Deployment:
    owned = tuple(Owned(id_, kind) for id_, kind in deployment.kinds.items())
    bodies = deployment.bodies.values()
    described = describe_deployment(
        deployment.name, deployment.group, deployment.vm, resources=owned, around=bodies
    )
    billable = parts_of_deployment(deployment.kinds, deployment.vm, deployment.bodies)
    described = replace(described, billable=billable)
    return with_lease(described, deployment.vm, bodies, run.server_clock.time())
