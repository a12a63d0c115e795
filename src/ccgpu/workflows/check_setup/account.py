"""The checks of the account: the sign-in, the subscription, the clock, providers, permissions."""

from collections.abc import Iterator
from functools import partial

from ccgpu.azure.account import Account
from ccgpu.azure.long_running import send_alone
from ccgpu.azure.run import Run
from ccgpu.domain.catalog import Kind
from ccgpu.domain.desired import Names
from ccgpu.domain.finding import Finding, failed, good, unknown, warned
from ccgpu.domain.granted import Grant, missing_actions
from ccgpu.domain.providers import NEEDED
from ccgpu.domain.resource import ResourceId
from ccgpu.domain.role import DISPENSABLE, permission_needs
from ccgpu.domain.spec.vm import VmSpec
from ccgpu.errors import AzureRefused, AzureUnavailable, CcgpuError, Denied
from ccgpu.workflows.create.prerequisites import require_providers

_REFUSES = {"disabled", "deleted"}
_ENABLED = "enabled"
_PORTAL = "https://portal.azure.com/#view/Microsoft_Azure_Billing/SubscriptionsBlade"
MAX_SKEW = 300.0  # seconds; Kerberos and Entra tolerate five minutes


def check_sign_in(run: Run) -> Finding:
    """Whether a token can be had, and from which credential."""
    session = run.cloud.session
    tenant = run.ask(session.tenant, "signing in")
    where = "" if tenant is None else f", tenant {tenant}"
    return good("sign-in", f"signed in with {session.signed_in_with}{where}")


def check_subscription(run: Run) -> Finding:
    """Whether the subscription exists, and can be written to."""
    step, id_ = "subscription", run.cloud.subscription
    try:
        found = send_alone(run, Account(run.cloud.arm).subscription, f"reading {id_}")
    except Denied as err:
        return unknown(step, f"its state may not be read: {err}", _read_hint("its state", err))
    text = f"{found.name} ({id_}) is {found.state}"
    hint = f"ask its owner, or see {_PORTAL}"
    if found.state.casefold() in _REFUSES:
        code = "ReadOnlyDisabledSubscription"
        return failed(step, AzureRefused(text, code=code, hint=f"have it re-enabled: {hint}"))
    if found.state.casefold() != _ENABLED:
        return warned(step, f"{text}: it may be disabled soon", hint)
    return good(step, text)


def check_clock(run: Run) -> Finding:
    """Whether this machine's clock is about that of Azure Resource Manager."""
    server = run.server_clock.time()
    if server is None:
        return unknown("clock", "no response of Azure has had a Date")
    ahead = run.cloud.now() - server
    if abs(ahead) <= MAX_SKEW:
        return good("clock", f"it is within {MAX_SKEW:.0f} s of Azure's")
    way = "ahead of" if ahead > 0 else "behind"
    return warned(
        "clock",
        f"it is {abs(ahead):.0f} s {way} Azure's: tokens and certificates are judged by it",
        "set it: `sudo timedatectl set-ntp true`",
    )


def check_providers(run: Run) -> Finding:
    """Whether the resource providers are registered."""
    names = " and ".join(NEEDED)
    if not require_providers(run):
        return unknown("providers", f"whether {names} are registered may not be read")
    return good("providers", f"{names} are registered")


def check_permissions(run: Run, spec: VmSpec) -> Iterator[Finding]:
    """Whether the caller's roles have every action that ccgpu needs, at each scope."""
    own = Names(run.cloud.subscription, spec.group, spec.name).of(Kind.GROUP)
    where = own if _may_exist(run, own) else f"/subscriptions/{run.cloud.subscription}"
    scopes: dict[str, list[str]] = {}
    for need in permission_needs(spec, run.cloud.subscription):
        scope = where if need.scope == own else need.scope
        scopes.setdefault(scope, []).append(need.action)
    for scope, actions in scopes.items():
        try:
            grants = _read_grants(run, scope)
        except (Denied, AzureUnavailable) as err:
            yield unknown("permissions", str(err), _read_hint("the list of your permissions", err))
        except CcgpuError as err:
            yield failed("permissions", err)
        else:
            yield _judge_grants(scope, actions, grants)


def _may_exist(run: Run, group: ResourceId) -> bool:
    """Whether the group exists, or may not be read: then the list of permissions will tell."""
    get = partial(run.cloud.arm.get, Kind.GROUP, group)
    try:
        return send_alone(run, get, f"reading {group}") is not None
    except AzureRefused:
        return True


def _read_grants(run: Run, scope: str) -> tuple[Grant, ...]:
    read = partial(Account(run.cloud.arm).grants, scope)
    return send_alone(run, read, f"reading your permissions at {scope}")


def _judge_grants(scope: str, actions: list[str], grants: tuple[Grant, ...]) -> Finding:
    missing = missing_actions(actions, grants)
    where = f"`ccgpu role > role.json` prints a role that has them; its owner assigns it at {scope}"
    if missing and set(missing) <= DISPENSABLE.keys():
        text = "; ".join(f"{one} is missing: {DISPENSABLE[one]}" for one in missing)
        return warned("permissions", f"at {scope}: {text}", where)
    if missing:
        text = f"at {scope} these actions are missing: {', '.join(missing)}"
        return failed("permissions", Denied(text, code="AuthorizationFailed", hint=where))
    return good("permissions", f"all {len(actions)} actions that are needed at {scope}")


def _read_hint(what: str, err: CcgpuError) -> str:
    used = f" ({err.signed_in_with})" if err.signed_in_with else ""
    return f"that {what} may be read is not needed; compare your role{used} with `ccgpu role`"
