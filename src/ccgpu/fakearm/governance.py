"""Locks on scopes and policies that deny resource types. They apply to every caller.

Settings: `locks` maps the id of a subscription, group or resource to CanNotDelete or ReadOnly;
`denied` is a list of {"kind", "message"}. Rules: Microsoft Learn, "Lock your Azure resources" and
"Azure Policy definitions deny effect".
"""

from ccgpu.fakearm import kinds, linked, policies
from ccgpu.fakearm.call import ArmCall
from ccgpu.fakearm.errors import GATEWAY, Refused
from ccgpu.fakearm.rbac import ACTIONS, GRAPH_ACTION, resource_scope
from ccgpu.fakearm.wire import Body
from ccgpu.fakearm.world import World


def check(call: ArmCall, route: tuple[str, str]) -> None:
    """Refuse a change that a lock or a policy forbids. Reads are always allowed."""
    is_read = call.request.method in ("GET", "HEAD") or ACTIONS[route] == GRAPH_ACTION
    if is_read or ACTIONS[route].startswith(kinds.LOCK):
        return  # a lock does not hold itself
    if locks := _active_locks(call.world):
        _check_locks(call, locks)
    policies.check(call)
    if denied := call.world.settings.value("denied"):
        _check_denied_kinds(call, ACTIONS[route], denied)


def _active_locks(world: World) -> dict[str, str]:
    """The locks of the setting and those that were added. On one scope the stricter applies."""
    locks: dict[str, str] = dict(world.settings.value("locks"))
    for one in world.list_kind(kinds.LOCK):
        scope = one.id.rpartition("/providers/")[0]
        if locks.get(scope) != "ReadOnly":
            locks[scope] = one.properties["level"]
    return locks


def _check_locks(call: ArmCall, locks: dict[str, str]) -> None:
    """A lock covers all below its scope; what is above it cannot be deleted either."""
    method, scope = call.request.method, resource_scope(call.request.path)
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


def _check_denied_kinds(call: ArmCall, action: str, denied: list[Body]) -> None:
    """Refuse the write of a denied type, also when a VM's body creates it inline."""
    written = {action.lower(): call.names[-1]}
    for need in linked.linked_actions(call):
        written.setdefault(need.action.lower(), need.scope.rsplit("/", 1)[1])
    for policy in denied:
        name = written.get(f"{policy['kind'].lower()}/write")
        if name is not None:
            raise _policy_refusal(call, name, policy)


def _policy_refusal(call: ArmCall, name: str, policy: Body) -> Refused:
    scope = f"/subscriptions/{call.world.subscription}"
    assigned = f"{scope}/providers/{kinds.POLICY}/simulated"
    definition = f"{scope}/providers/Microsoft.Authorization/policyDefinitions/simulated"
    return policies.policy_refusal(
        name,
        policies.PolicyAssignment(assigned, "simulated", scope, definition, {}, policy["message"]),
    )
