"""Describe one deployment with all its resources, from Azure alone."""

from dataclasses import replace

from ccgpu.azure.context import AzureContext
from ccgpu.azure.long_running import run_task
from ccgpu.azure.run import Run
from ccgpu.domain.catalog import Kind
from ccgpu.domain.deployment import Deployment, Owned, describe_deployment, with_lease
from ccgpu.domain.live_price import parts_of_deployment
from ccgpu.domain.resource import key, kind_of, state_of
from ccgpu.domain.time_limits import REPORT
from ccgpu.domain.vm_view import ip_configurations, properties, public_ip_id
from ccgpu.errors import StateUnusable
from ccgpu.workflows.attestation_records import current_attestation
from ccgpu.workflows.discovery.owned_resources import OwnedResources, read_owned_resources
from ccgpu.workflows.discovery.search import find_deployment, not_found
from ccgpu.workflows.discovery.snapshot import Actual, Snapshot
from ccgpu.workflows.measured_deployment import record_of
from ccgpu.workflows.prices import with_prices

_TIMEOUT = 300.0  # seconds, for reads alone


def show(
    cloud: AzureContext, name: str, group: str | None = None, *, ends: float | None = None
) -> Deployment:
    """One deployment with all its resources; raises `NotFound` if it has none.

    ends: when the command that shows it at its end should have ended, by the scheduler's clock.
    """
    run = _begin(cloud, ends)
    found = run_task(run, find_deployment(run, name, group))
    live = run_task(run, read_owned_resources(run, found.names, found.kinds, found.snapshot))
    return _describe_owned(run, live, run.server_clock.time())


def _begin(cloud: AzureContext, ends: float | None) -> Run:
    """The reads of a command by itself, or at the end of another one."""
    left = _TIMEOUT if ends is None else max(REPORT, ends - cloud.now())
    return Run.begin(cloud, min(_TIMEOUT, left))


def show_created(cloud: AzureContext, known: Snapshot, *, ends: float | None = None) -> Deployment:
    """As `show`, after a create: resources that the create has read are not read again.

    If the create has not waited for the VM, its body may not name its NICs yet; then everything is
    searched by tags, as by `show`.
    """
    if known.vm is None:
        return show(cloud, known.names.deployment, known.names.group, ends=ends)
    run = _begin(cloud, ends)
    live = run_task(run, read_owned_resources(run, known.names, {}, known))
    now = run.server_clock.time()
    return _describe_owned(run, live, known.read_at if now is None else now)


def _describe_owned(run: Run, live: OwnedResources, now: float | None) -> Deployment:
    """The description of a deployment at Azure's time `now`; raises `NotFound` if it is empty."""
    name, group = live.names.deployment, live.names.group
    if not live.bodies:
        raise not_found(run.cloud, name)
    owned = tuple(
        Owned(id_, kind, state_of(live.bodies[key(id_)])) for id_, kind in live.kinds.items()
    )
    bodies = live.bodies.values()
    deployment = describe_deployment(
        name, group, live.vm, _vm_addresses(live.bodies), owned, bodies
    )
    deployment = replace(
        deployment,
        stage=_pending_stage(run.cloud, name, group),
        attestation=current_attestation(run.cloud, live.names, deployment.vm_id),
        measured=record_of(run.cloud, live.names),
        untagged_vm=live.untagged_vm,
        billable=parts_of_deployment(live.kinds, live.vm, live.bodies),
    )
    (priced,) = with_prices(run, [with_lease(deployment, live.vm, bodies, now)])
    return priced


def _pending_stage(cloud: AzureContext, name: str, group: str) -> str | None:
    """The stage that a create would continue with, by this machine's journal; None if unknown."""
    try:
        journal = cloud.journals.peek(cloud.subscription, name)
    except StateUnusable:
        return None
    if journal is None or not journal.records or key(journal.group) != key(group):
        return None
    return journal.next_stage()


def _vm_addresses(bodies: Actual) -> tuple[str | None, str | None]:
    """The VM's public and private address; the address of a NAT gateway does not count."""
    nics = [body for id_, body in bodies.items() if kind_of(id_) is Kind.NIC]
    for configuration in (one for nic in nics for one in ip_configurations(nic)):
        ip = public_ip_id(configuration)
        public = properties(bodies.get(key(ip)) if ip else None).get("ipAddress")
        return public, configuration.get("privateIPAddress")
    return None, None
