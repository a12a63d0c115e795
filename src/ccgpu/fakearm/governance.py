"""What a subscription's owner forbids to everybody: locks on scopes, and policies on kinds.

Settings: `locks`, an id (of a subscription, group or resource) -> CanNotDelete or ReadOnly; and
`denied`, a list of {"kind", "message"}. Rules: Microsoft Learn, "Lock your Azure resources" and
"Azure Policy definitions deny effect".
"""

from ccgpu.fakearm import linked
from ccgpu.fakearm.call import Call
from ccgpu.fakearm.errors import GATEWAY, Refused
from ccgpu.fakearm.rbac import ACTIONS, scope_of
from ccgpu.fakearm.wire import Body


def check(call: Call, route: tuple[str, str]) -> None:
    """Refuse a change that a lock or a policy forbids. Whoever asks, reading is free."""
    if call.request.method in ("GET", "HEAD"):
        return
    if locks := call.world.settings.at("locks"):
        _check_locks(call, locks)
    if denied := call.world.settings.at("denied"):
        _check_policies(call, ACTIONS[route], denied)


def _check_locks(call: Call, locks: dict[str, str]) -> None:
    """A lock holds for all below it; and what has a locked part cannot be deleted either."""
    method, scope = call.request.method, scope_of(call.request.path)
    target = f"{scope.lower()}/"
    held = []
    for id_, level in locks.items():
        locked = f"{id_.rstrip('/').lower()}/"
        above, below = target.startswith(locked), locked.startswith(target)
        deletion = method == "DELETE" and (above or below)
        if deletion or (level == "ReadOnly" and above):
            held.append(id_)
    if held:
        verb = "delete" if method == "DELETE" else "write"
        raise Refused(
            409,
            "ScopeLocked",
            f"The scope '{scope}' cannot perform {verb} operation because following scope(s) are "
            f"locked: '{','.join(held)}'. Please remove the lock and try again.",
            headers=GATEWAY,
        )


def _check_policies(call: Call, action: str, denied: list[Body]) -> None:
    """A write of a kind, or of a VM that brings a resource of that kind along."""
    written = {action.lower(): call.names[-1]}
    for need in linked.needed(call):
        written.setdefault(need.action.lower(), need.scope.rsplit("/", 1)[1])
    for policy in denied:
        name = written.get(f"{policy['kind'].lower()}/write")
        if name is not None:
            raise _disallowed(call, name, policy)


def _disallowed(call: Call, name: str, policy: Body) -> Refused:
    root = f"/subscriptions/{call.world.subscription}/providers/Microsoft.Authorization"
    info = {
        "policyDefinitionId": f"{root}/policyDefinitions/simulated",
        "policyAssignmentId": f"{root}/policyAssignments/simulated",
        "policyDefinitionEffect": "deny",
    }
    return Refused(
        403,
        "RequestDisallowedByPolicy",
        f"Resource '{name}' was disallowed by policy. Reasons: '{policy['message']}'. See error "
        "details for policy resource IDs.",
        target=name,
        additionalInfo=[{"type": "PolicyViolation", "info": info}],
        headers=GATEWAY,
    )
