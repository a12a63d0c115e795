"""What there is: one deployment in full, or all of them, from Azure alone on any machine."""

from dataclasses import replace
from functools import partial

from ccgpu.azure.context import AzureContext
from ccgpu.azure.long_running import send_with_retry
from ccgpu.azure.run import Run
from ccgpu.domain.catalog import Kind
from ccgpu.domain.deployment import Deployment, Owned, described, leased
from ccgpu.domain.resource import DEPLOYMENT, key, kind_of, state_of, tag
from ccgpu.errors import NotFound, StateUnusable
from ccgpu.scheduling.scheduler import Task
from ccgpu.workflows.create.stages import next_stage
from ccgpu.workflows.discovery.owned_resources import read_owned_resources
from ccgpu.workflows.discovery.search import FoundDeployment, find_deployment, find_deployments
from ccgpu.workflows.discovery.snapshot import Actual

_TIMEOUT = 300.0  # a read is not a long thing


def show(cloud: AzureContext, name: str, group: str | None = None) -> Deployment:
    """One deployment with all its resources; `NotFound` if there is nothing of it."""
    run = Run.begin(cloud, _TIMEOUT)
    found = find_deployment(run, name, group)
    live = read_owned_resources(run, found.names, found.kinds, found.bodies)
    if not live.bodies:
        raise NotFound(
            f"there is no deployment {name}",
            code="ResourceNotFound",
            hint="`ccgpu list` shows every deployment",
        )
    owned = tuple(
        Owned(id_, kind, state_of(live.bodies[key(id_)])) for id_, kind in live.kinds.items()
    )
    bodies = live.bodies.values()
    told = described(name, found.group, live.vm, _addresses(live.bodies), owned, bodies)
    told = replace(told, stage=_stage(cloud, name, found.group))
    return leased(told, live.vm, bodies, run.server_clock.time())


def _stage(cloud: AzureContext, name: str, group: str) -> str | None:
    """What a create would go on with, as far as this machine's journal knows."""
    try:
        journal = cloud.journals.peek(cloud.subscription, name)
    except StateUnusable:
        return None
    if journal is None or not journal.records or key(journal.group) != key(group):
        return None
    return next_stage(journal)


def list_deployments(cloud: AzureContext) -> list[Deployment]:
    """Every deployment of the subscription; those without a VM too."""
    run = Run.begin(cloud, _TIMEOUT)
    results: dict[tuple[str, str], Deployment] = {}

    def look(found: FoundDeployment) -> Task[None]:
        results[found.name, found.group] = yield from _one(run, found)

    for found in find_deployments(run):
        cloud.scheduler.add(look(found))
    cloud.scheduler.run()
    return [deployment for _, deployment in sorted(results.items())]


def _one(run: Run, found: FoundDeployment) -> Task[Deployment]:
    """A deployment as it was found; a VM that no list names yet is asked for by its name."""
    bodies = found.bodies
    if found.vm is None:
        get = partial(run.cloud.arm.get, Kind.VM, found.names.vm, view=True)
        body = yield from send_with_retry(run, get, f"reading {found.names.vm}")
        if body is not None and tag(body, DEPLOYMENT) == found.name:
            bodies = bodies | {key(found.names.vm): body}
    all_ = FoundDeployment(found.names, bodies)
    owned = tuple(Owned(id_, kind) for id_, kind in all_.kinds.items())
    told = described(found.name, found.group, all_.vm, resources=owned, around=all_.bodies.values())
    return leased(told, all_.vm, bodies.values(), run.server_clock.time())


def _addresses(bodies: Actual) -> tuple[str | None, str | None]:
    """The VM's public and private address; a NAT gateway's is neither."""
    nics = [body for id_, body in bodies.items() if kind_of(id_) is Kind.NIC]
    for nic in nics:
        for config in (nic.get("properties") or {}).get("ipConfigurations") or ():
            inner = config.get("properties") or {}
            ip = (inner.get("publicIPAddress") or {}).get("id")
            body = bodies.get(key(ip)) if ip else None
            public = (body.get("properties") or {}).get("ipAddress") if body else None
            return public, inner.get("privateIPAddress")
    return None, None
