"""Whether the driver of a new VM can pass the policy that the create attests it with."""

from ccgpu.domain.policy import Policy
from ccgpu.domain.spec.vm import VmSpec
from ccgpu.errors import InvalidFile, Problem
from ccgpu.store import driver_table


def require_accepted_driver(spec: VmSpec, policy: Policy) -> None:
    """Refuse a driver that the policy rejects whatever the evidence says: the VM costs money.

    Raises:
        InvalidFile: The policy rejects it.
    """
    if not spec.is_set_up or policy.gpu is None or "gpu" not in policy.requires:
        return
    from ccgpu.attest.check import Checks  # the verifier, which no plan needs
    from ccgpu.attest.gpu_policy import check_driver

    table, checks = driver_table.shipped(), Checks()
    version = table.branches.get(spec.guest.driver, spec.guest.driver)
    check_driver(version, policy.gpu, checks)
    problems = [
        Problem(
            "guest.driver",
            f"is {version}, which policy {policy.name} rejects ({one.id}): it wants {one.expected}",
        )
        for one in checks.made
        if not one.ok
    ]
    if problems:
        hint = (
            f"`--driver {table.default}`, a policy of your own that accepts it (`--policy FILE`), "
            "or `--no-attest`"
        )
        raise InvalidFile("spec", problems, hint=hint)
