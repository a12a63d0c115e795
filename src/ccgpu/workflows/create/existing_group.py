"""Find the resource group of an existing deployment if the spec names none.

Otherwise a create on another machine would create a second VM of the same name in `ccgpu-NAME`.
"""

from ccgpu.azure.long_running import run_task
from ccgpu.azure.run import Run
from ccgpu.domain.given import GivenFields
from ccgpu.domain.resource import key, own_group
from ccgpu.domain.spec.vm import VmSpec
from ccgpu.errors import Denied, UsageProblem
from ccgpu.workflows.discovery.search import find_deployments


def with_existing_group(run: Run, spec: VmSpec, given: GivenFields | None) -> VmSpec:
    """`spec` with the group of the existing deployment, if it is not the spec's group.

    If `given` is None, every field was given, and the spec stays as it is. A group that is the
    user's own default was not given.
    """
    if given is None or "resource_group" in given.ever:
        return spec
    group = _find_group(run, spec.name)
    if group is None or key(group) == key(spec.group):
        return spec
    run.tell("note", f"{spec.name} is in the resource group {group}")
    return spec.model_copy(update={"resource_group": group})


def _find_group(run: Run, name: str) -> str | None:
    """The deployment's group by this machine's journal, else by Azure's tags; None if not found."""
    journal = run.cloud.journals.peek(run.cloud.subscription, name)
    if journal is not None and journal.records:
        return journal.group
    try:
        groups = [one.group for one in run_task(run, find_deployments(run, name))]
    except Denied:  # the caller has permissions on some groups only
        return None
    if len(groups) > 1 and key(own_group(name)) not in map(key, groups):
        raise UsageProblem(
            f"{name} exists in several resource groups: {', '.join(groups)}",
            hint="choose one: `--resource-group G`",
        )
    return groups[0] if len(groups) == 1 else None
