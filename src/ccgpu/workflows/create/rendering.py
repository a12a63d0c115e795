"""The resources of a plan, for another tool to create."""

import base64
import hashlib
from collections.abc import Iterator

from ccgpu import __version__
from ccgpu.azure.context import AzureContext
from ccgpu.domain.action import Action
from ccgpu.domain.catalog import Kind
from ccgpu.domain.guest_config import config_sha256
from ccgpu.domain.lease import with_own_tags
from ccgpu.domain.measured_boot import given_config
from ccgpu.domain.plan import Step
from ccgpu.domain.resource import (
    CREATED,
    CUSTOM_DATA,
    DEPLOYMENT,
    EXPIRES,
    GUEST_CONFIG,
    RUN,
    Resource,
    key,
    name_of,
    tag,
)
from ccgpu.errors import UsageProblem
from ccgpu.render.rendered_plan import RUN_OF_RENDERED, OpenValue, RenderedPlan
from ccgpu.store.keys import TO_BE_MADE, Keys
from ccgpu.workflows.create.context import CreateOutcome
from ccgpu.workflows.create.released import names_of


def known_keys(keys: Keys) -> tuple[str, ...]:
    """The SSH keys of a VM whose spec names none; an open value if `create` would make one."""
    planned = keys.planned()
    return (OpenValue.SSH_PUBLIC_KEY,) if planned == (TO_BE_MADE,) else planned


def rendered_plan(cloud: AzureContext, planned: CreateOutcome, *, only_new: bool) -> RenderedPlan:
    """The plan with the values left open that only the other tool's run decides.

    only_new: whether the tool's input creates, and does not update what exists.

    Raises:
        UsageProblem: Something of the deployment exists, and `only_new`; or the plan replaces or
            deletes something, or the first boot of the VM is not what is planned now.
    """
    spec, names = planned.effective_spec.spec, planned.snapshot.names
    steps = [step for step in planned.plan.steps if not _is_users_group(planned, step)]
    _require_possible(spec.name, steps, only_new=only_new)
    expires = OpenValue.EXPIRES if spec.ttl else planned.effective_spec.expires
    tags = {RUN: RUN_OF_RENDERED, CREATED: OpenValue.CREATED, EXPIRES: expires}
    return RenderedPlan(
        spec.name,
        names.subscription,
        names.group,
        tuple(with_own_tags(step.resource, tags) for step in steps),
        spec.ttl,
        cloud.simulated,
        __version__,
    )


def rendering_notes(planned: CreateOutcome, rendered: RenderedPlan) -> tuple[str, ...]:
    """What to say about a rendered plan: of the plan itself, and what only `create` does."""
    return (*planned.notes, *_own_notes(planned, rendered))


def _own_notes(planned: CreateOutcome, rendered: RenderedPlan) -> Iterator[str]:
    name = rendered.deployment
    if rendered.simulated:
        yield "the simulated subscription made the plan: Azure has no such image version"
    if planned.effective_spec.is_own_address:
        yield f"SSH is allowed from {planned.effective_spec.spec.ssh_from}, your address now"
    if any(step.action is not Action.CREATE for step in planned.plan.steps):
        yield f"{name} exists, at least in part: `ccgpu plan {name}` shows what would change"
    if planned.effective_spec.spec.measured_image is not None:
        yield (
            f"`ccgpu attest {name} --image FILE --config FILE` holds the VM to its image: the "
            "config is what userData has in base64"
        )
    if secrets := planned.effective_spec.spec.secrets:
        yield f"secrets are not rendered: `ccgpu secret put` releases {names_of(secrets)}"


def _is_users_group(planned: CreateOutcome, step: Step) -> bool:
    """Whether the step is about a resource group that exists and is not the deployment's."""
    body = planned.snapshot.bodies.get(key(step.resource.id))
    owner = planned.effective_spec.spec.name
    return step.resource.kind is Kind.GROUP and body is not None and tag(body, DEPLOYMENT) != owner


def _require_possible(name: str, steps: list[Step], *, only_new: bool) -> None:
    hint = f"`ccgpu plan {name}` shows the changes; render it under another NAME, or delete it"
    for step in steps:
        shown = f"{step.resource.kind} {name_of(step.resource.id)}"
        if step.action in (Action.REPLACE, Action.DELETE):
            raise UsageProblem(f"the plan would {step.action} {shown}: not rendered", hint=hint)
        if only_new and step.action is not Action.CREATE:
            raise UsageProblem(f"{shown} exists, and the script would create it", hint=hint)
        if step.action is not Action.CREATE and _boots_otherwise(step.resource):
            raise UsageProblem(
                f"{shown} was created with other customData, which Azure never changes", hint=hint
            )


def _boots_otherwise(resource: Resource) -> bool:
    """Whether it is an existing VM whose data of the first boot is not that of the body."""
    if resource.kind is not Kind.VM:
        return False
    if (config := given_config(resource.body)) is not None:
        return tag(resource.body, GUEST_CONFIG) != config_sha256(config)
    sent = base64.b64decode(resource.body["properties"]["osProfile"]["customData"])
    return tag(resource.body, CUSTOM_DATA) != hashlib.sha256(sent).hexdigest()
