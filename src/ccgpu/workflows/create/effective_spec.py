"""The spec of a create once it is known what is there: what nobody gave, the address, the lease."""

from dataclasses import dataclass, replace
from typing import Any

from ccgpu.azure.context import AzureContext
from ccgpu.azure.run import Run
from ccgpu.domain.desired import Names
from ccgpu.domain.given import GivenFields, every_field, field_values
from ccgpu.domain.journal import Journal
from ccgpu.domain.lease import lease_of, parse_moment
from ccgpu.domain.live_spec import with_live_values
from ccgpu.domain.renewal import LeaseWish
from ccgpu.domain.resource import DEPLOYMENT, key, tag
from ccgpu.domain.spec.vm import VmSpec
from ccgpu.errors import UsageProblem
from ccgpu.workflows.discovery.snapshot import Actual


@dataclass(frozen=True, slots=True)
class EffectiveSpec:
    """A spec that is made to fit what is there.

    expires: the lease of the VM that is there, which is kept; None where `spec.ttl` decides.
    remembered: the fields whose values come from the last create on this machine.
    is_own_address: whether SSH is allowed from where the caller signed in from.
    """

    spec: VmSpec
    given: GivenFields
    expires: str | None = None
    remembered: tuple[str, ...] = ()
    is_own_address: bool = False


def effective_spec(
    run: Run, asked: VmSpec, given: GivenFields | None, names: Names, actual: Actual
) -> EffectiveSpec:
    """`asked`, in which a field that nobody gave takes what is there; None: every one was given."""
    fields = given or every_field(asked)
    spec = with_live_values(asked, given.binding, names, actual) if given else asked
    addressed = with_ssh_source(run.cloud, spec)
    found = EffectiveSpec(
        addressed,
        fields,
        remembered=fields.from_memory,
        is_own_address=addressed.ssh_from != spec.ssh_from,
    )
    vm = actual.get(key(names.vm))
    if given is None or "ttl" in given.binding or tag(vm, DEPLOYMENT) != names.deployment:
        return found
    ours = [body for body in actual.values() if tag(body, DEPLOYMENT) == names.deployment]
    expires = lease_of(ours, vm).expires
    end = parse_moment(expires)
    if end is not None and end <= run.server_clock.now():  # a lease that is over begins anew
        return replace(found, spec=found.spec.model_copy(update={"ttl": asked.ttl}))
    rest = tuple(field for field in given.from_memory if field != "ttl")
    return replace(found, expires=expires, remembered=rest)


def lease_wish(asked: VmSpec, given: GivenFields, journal: Journal | None) -> LeaseWish:
    """What the spec's time to live means for a VM that is there already.

    By a flag, or other than the last create had it, it is asked for now and counts from now. From a
    file that says what it said before it is no wish to extend; from memory neither.
    """
    if "ttl" not in given.now:
        return LeaseWish.KEEP
    before = journal.spec if journal is not None else None
    ttl = asked.model_dump(mode="json", include={"ttl"})["ttl"]
    is_another = before is not None and before.values.get("ttl") != ttl
    return LeaseWish.RENEW if "ttl" in given.by_flag or is_another else LeaseWish.FILL


def announce_defaults(run: Run, fit: EffectiveSpec) -> None:
    """Say what of the spec was not given on the command line, before anything is made."""
    if fit.is_own_address:
        run.tell("note", f"SSH is allowed from {fit.spec.ssh_from}, where you signed in from")
    if fit.remembered:
        run.tell("note", remembered_note(fit))


def remembered_note(fit: EffectiveSpec) -> str:
    """Which values come from the last create, and how to do without them."""
    values = dict(field_values(fit.spec.model_dump(mode="json")))
    told = ", ".join(f"{field} {_brief_value(values.get(field))}" for field in fit.remembered)
    return (
        f"{told}: from the last create of {fit.spec.name} on this machine "
        "(`--fresh` starts from the defaults)"
    )


def _brief_value(value: Any) -> str:
    """A value on one line: a key by its type and comment, a disk by its size."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return ", ".join(map(_brief_value, value)) or "none"
    if isinstance(value, dict):
        return " ".join(f"{name} {_brief_value(inner)}" for name, inner in value.items())
    words = str(value).split()
    return " ".join([words[0], f"…{words[1][-8:]}", *words[2:]]) if words[1:] else str(value)


def with_ssh_source(cloud: AzureContext, spec: VmSpec) -> VmSpec:
    """The spec with `ssh_from: auto` made an address; a private VM needs none."""
    if spec.ssh_from != "auto" or spec.private:
        return spec
    address = cloud.session.caller_address()
    if address is None:
        raise UsageProblem(
            "cannot detect your address for SSH: this sign-in is not a user's",
            hint="give your address: `--ssh-from ADDRESS/32`",
        )
    if ":" in address:
        raise UsageProblem(
            f"cannot detect your address for SSH: you signed in from the IPv6 address {address}, "
            "and the VM's public address is IPv4",
            hint="give your IPv4 address: `--ssh-from ADDRESS/32`; or `--private`, and reach the "
            "VM through your own network",
        )
    return spec.model_copy(update={"ssh_from": f"{address}/32"})
