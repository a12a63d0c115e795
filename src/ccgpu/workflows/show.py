"""What there is: one deployment in full, or all of them, from Azure alone on any machine."""

from functools import partial

from ccgpu.domain.catalog import Kind
from ccgpu.domain.deployment import Deployment, Owned, described, leased
from ccgpu.domain.desired import Names
from ccgpu.domain.resource import DEPLOYMENT, key, kind_of, state_of, tag
from ccgpu.errors import NotFound
from ccgpu.workflows.cloud import Cloud
from ccgpu.workflows.dependents import dependents
from ccgpu.workflows.locate import Found, deployments, names_of
from ccgpu.workflows.requests import Asking, Run, ask, complete
from ccgpu.workflows.schedule import Task
from ccgpu.workflows.survey import Actual, as_is, deployment_ids

_TIMEOUT = 300.0  # a read is not a long thing


def show(cloud: Cloud, name: str, group: str | None = None) -> Deployment:
    """One deployment with all its resources; `NotFound` if there is nothing of it."""
    run = Run(cloud, cloud.now() + _TIMEOUT)
    names = names_of(run, name, group)
    ids = deployment_ids(names)
    ours = {k: v for k, v in as_is(run, ids).items() if tag(v, DEPLOYMENT) == name}
    vm = ours.get(key(names.vm))
    if vm is not None:
        around = dict(complete(run, dependents(run, names.vm, vm)))
        ids |= around
        ours |= as_is(run, around)
    if not ours:
        raise NotFound(
            f"there is no deployment {name}",
            code="ResourceNotFound",
            hint="`ccgpu list` shows what there is",
        )
    owned = tuple(
        Owned(id_, kind, state_of(ours[key(id_)])) for id_, kind in ids.items() if key(id_) in ours
    )
    found = described(name, names.group, vm, _addresses(ours), owned)
    return leased(found, vm, ours.values(), run.server_time())


def list_all(cloud: Cloud) -> list[Deployment]:
    """Every deployment of the subscription; those without a VM too."""
    run = Run(cloud, cloud.now() + _TIMEOUT)
    results: dict[tuple[str, str], Deployment] = {}

    def look(found: Found) -> Task:
        results[found.name, found.group] = yield from _one(run, found)

    for found in deployments(run):
        cloud.schedule.add(look(found))
    cloud.schedule.run()
    return [deployment for _, deployment in sorted(results.items())]


def _one(run: Run, found: Found) -> Asking[Deployment]:
    names = Names(run.cloud.subscription, found.group, found.name)
    get = partial(run.cloud.arm.get, Kind.VM, names.vm, view=True)
    body = yield from ask(run, get, f"reading {names.vm}")
    vm = body if tag(body, DEPLOYMENT) == found.name else None
    owned = tuple(Owned(id_, kind) for id_, kind in found.kinds.items())
    seen = (*found.listed.values(), *([vm] if vm else []))
    return leased(
        described(found.name, found.group, vm, resources=owned), vm, seen, run.server_time()
    )


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
