"""The existing resources that a spec refers to: a subnet, an encryption set, identities.

ccgpu does not own them. Each is read before the first PUT, also in another subscription or group.
An error names the field, the id, the subscription, and the missing permission.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial

from ccgpu.azure.long_running import send_alone
from ccgpu.azure.run import Run
from ccgpu.domain.action import Action
from ccgpu.domain.catalog import Kind
from ccgpu.domain.plan import Plan
from ccgpu.domain.references import DISK_ENCRYPTION_SET, USER_IDENTITY
from ccgpu.domain.resource import Body, ResourceId, is_same_id, key, location, subscription_of
from ccgpu.domain.spec.vm import VmSpec
from ccgpu.domain.vm_view import properties, user_identity_ids
from ccgpu.errors import (
    AzureRefused,
    AzureUnavailable,
    Denied,
    InvalidFile,
    NotFound,
    NotSignedIn,
    Problem,
)

_CONFIDENTIAL = "ConfidentialVmEncryptedWithCustomerKey"
_SET_FIELD = "os_disk.encryption_set"
_SUBSCRIPTION_CODES = frozenset({"SubscriptionNotFound", "InvalidAuthenticationTokenTenant"})


def read_references(run: Run, spec: VmSpec) -> Mapping[str, str]:
    """The region of each referenced resource that must be in the VM's region, by spec field.

    Raises:
        InvalidFile: The encryption set is of a type that a confidential VM cannot use.
        AzureRefused: A resource does not exist or cannot be read.
    """
    regions: dict[str, str] = {}
    if spec.subnet:
        regions["subnet"] = _subnet_region(run, ResourceId(spec.subnet))
    if spec.os_disk.encryption_set:
        regions[_SET_FIELD] = _set_region(run, ResourceId(spec.os_disk.encryption_set))
    require_identities(run, spec.identities)
    return regions


def require_same_region(region: str, bound: Mapping[str, str]) -> None:
    """Raise `InvalidFile` unless all referenced resources (`bound`) are in `region`."""
    elsewhere = [
        Problem(field, f"is in {other}, not in {region}")
        for field, other in bound.items()
        if other != region
    ]
    if elsewhere:
        raise InvalidFile("spec", elsewhere)


def require_identities(run: Run, identities: tuple[str, ...]) -> None:
    """Raise `NotFound` for an identity that does not exist."""
    for identity in identities:
        if identity != "system":
            id_ = ResourceId(identity)
            _read_reference(
                run, "identities", "identity", USER_IDENTITY, id_, run.cloud.queries.identity
            )


def require_new_references(
    run: Run, spec: VmSpec, region: str, todo: Plan, vm: Body | None
) -> None:
    """Check the references that the plan adds to an existing VM, in its region."""
    step = next((one for one in todo.steps if one.resource.kind is Kind.VM), None)
    action = step.action if step else Action.KEEP
    if action in (Action.CREATE, Action.REPLACE):
        require_same_region(region, read_references(run, spec))
    elif action is Action.UPDATE:
        has = {key(one) for one in user_identity_ids(vm)}
        require_identities(run, tuple(one for one in spec.identities if key(one) not in has))


def _subnet_region(run: Run, subnet: ResourceId) -> str:
    vnet = ResourceId(subnet.rsplit("/subnets/", 1)[0])
    with _explaining_refusals(run, "subnet", "subnet", Kind.VNET, subnet):
        get = partial(run.cloud.arm.get, Kind.VNET, vnet)
        body = send_alone(run, get, f"reading {vnet}")
        if body is None:
            raise NotFound(f"there is no network {vnet}", code="ResourceNotFound")
        subnets = properties(body).get("subnets") or []
        if not any(is_same_id(str(one.get("id", "")), subnet) for one in subnets):
            raise NotFound(f"{vnet} has no such subnet", code="ResourceNotFound")
    return location(str(body["location"]))


def _set_region(run: Run, id_: ResourceId) -> str:
    get = run.cloud.queries.encryption_set
    body = _read_reference(run, _SET_FIELD, "disk encryption set", DISK_ENCRYPTION_SET, id_, get)
    kind = properties(body).get("encryptionType")
    if str(kind).casefold() != _CONFIDENTIAL.casefold():
        text = f"is of type {kind or 'nothing'}, and must be {_CONFIDENTIAL}"
        hint = (
            f"create a set with `az disk-encryption-set create --encryption-type {_CONFIDENTIAL}`"
        )
        raise InvalidFile("spec", [Problem(_SET_FIELD, text)], hint=hint)
    return location(str(body["location"]))


def _read_reference(
    run: Run,
    field: str,
    what: str,
    kind: str,
    id_: ResourceId,
    get: Callable[[ResourceId], Body],
) -> Body:
    with _explaining_refusals(run, field, what, kind, id_):
        return send_alone(run, partial(get, id_), f"reading {id_}")


@contextmanager
def _explaining_refusals(
    run: Run, field: str, what: str, kind: str, id_: ResourceId
) -> Iterator[None]:
    """Add the field, the id and its subscription to each refusal of Azure that leaves the block."""
    try:
        yield
    except AzureUnavailable:
        raise
    except AzureRefused as err:
        text, hint = _explain_refusal(run, what, kind, id_, err)
        explained = type(err)(f"{field}: {text}", code=err.code, hint=hint)
        explained.signed_in_with = err.signed_in_with
        raise explained from err


def _explain_refusal(
    run: Run, what: str, kind: str, id_: ResourceId, err: AzureRefused
) -> tuple[str, str | None]:
    """The message and the hint for a referenced resource that cannot be used."""
    theirs, ours = subscription_of(id_), run.cloud.subscription
    where = "" if is_same_id(theirs, ours) else f" in the subscription {theirs}, not in {ours},"
    if err.code in _SUBSCRIPTION_CODES or isinstance(err, NotSignedIn):
        text = f"the subscription {theirs} of the {what} {id_} cannot be reached: {err}"
        return text, f"sign in to the tenant of {theirs} with read permission"
    if isinstance(err, NotFound):
        return f"there is no {what} {id_} [{err.code}]", f"`az resource show --ids {id_}`"
    if isinstance(err, Denied):
        text = f"the {what} {id_}{where} may not be read: {kind}/read is missing: {err}"
        used = f"; signed in with {err.signed_in_with}" if err.signed_in_with else ""
        return text, f"grant {kind}/read on it{used}"
    return f"the {what} {id_}{where} cannot be read: {err}", err.hint
