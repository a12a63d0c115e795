"""What a later stage of a create would refuse: it is refused before anything is made."""

from ccgpu.domain.action import Action
from ccgpu.domain.catalog import Kind
from ccgpu.domain.plan import Plan
from ccgpu.domain.policy import Policy
from ccgpu.domain.resource import Resource
from ccgpu.domain.spec.vm import VmSpec
from ccgpu.errors import UsageProblem
from ccgpu.workflows.create.accepted_driver import require_accepted_driver
from ccgpu.workflows.create.attested import require_way
from ccgpu.workflows.guest_access import GuestOptions
from ccgpu.workflows.login_identity import login_candidates


def require_later_stages(
    spec: VmSpec, todo: Plan, guest: GuestOptions, policy: Policy | None
) -> None:
    """Refuse a VM out of reach, one that cannot be logged in to, or one with a rejected driver.

    policy: what the VM is attested by; None if it is not attested.
    """
    if policy is not None:
        require_way(spec, guest.access)
    vm = created_vm(todo)
    if vm is None:
        return
    if guest.access.by_private_address or not spec.private:
        guest.require(login_candidates(vm.body, guest.access, guest.keys))
    if policy is not None:
        require_accepted_driver(spec, policy)


def require_policy_of_image(spec: VmSpec, policy: Policy) -> None:
    """Refuse a policy that rejects every VM of the spec's measured image, which nobody signed.

    Raises:
        UsageProblem: It asks for secure boot.
    """
    cpu = policy.cpu
    if spec.measured_image is not None and cpu is not None and cpu.require_secure_boot:
        raise UsageProblem(
            f"policy {policy.name} asks for secure boot, and a measured image boots without: every "
            "verdict would be `rejected`",
            hint="leave out --policy: it is `measured` then; or do not attest it: `--no-attest`",
        )


def created_vm(plan: Plan) -> Resource | None:
    """The VM that the plan makes; None if it makes none."""
    resources = (step.resource for step in plan.of(Action.CREATE, Action.REPLACE))
    return next((one for one in resources if one.kind is Kind.VM), None)
