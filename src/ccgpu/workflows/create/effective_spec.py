"""Adapt the spec of a create to the existing resources: defaults, SSH address, and lease."""

from dataclasses import dataclass, replace
from typing import Any

from ccgpu.azure.run import Run
from ccgpu.domain.desired import Names
from ccgpu.domain.given import GivenFields, every_field, field_values
from ccgpu.domain.journal import Journal
from ccgpu.domain.lease import lease_of, parse_moment
from ccgpu.domain.live_spec import with_live_values
from ccgpu.domain.renewal import RenewalMode
from ccgpu.domain.resource import DEPLOYMENT, key, tag
from ccgpu.domain.spec.vm import VmSpec
from ccgpu.errors import UsageProblem
from ccgpu.workflows.discovery.snapshot import Actual


@dataclass(frozen=True, slots=True)
class EffectiveSpec:
    """A spec adapted to the existing resources.

    expires: the end of the existing VM's lease, which is kept; None if `spec.ttl` decides.
    remembered: the fields whose values come from the last create on this machine.
    is_own_address: whether `ssh_from` is the address from which the caller signed in.
    """

    spec: VmSpec
    given: GivenFields
    expires: str | None = None
    remembered: tuple[str, ...] = ()
    is_own_address: bool = False


def effective_spec(
    run: Run, requested: VmSpec, given: GivenFields | None, names: Names, actual: Actual
) -> EffectiveSpec:
    """Adapt the requested spec to `actual`, the existing resources.

    1. A field that the user did not give takes its value from the existing resources. If `given` is
       None, all fields count as given.
    2. `ssh_from: auto` becomes the caller's address.
    3. An existing VM keeps its lease, unless a ttl was given or the lease is over.
    """
    fields = given or every_field(requested)
    spec = with_live_values(requested, given.binding, names, actual) if given else requested
    addressed = with_ssh_source(run, spec)
    fit = EffectiveSpec(
        addressed,
        fields,
        remembered=fields.from_memory,
        is_own_address=addressed.ssh_from != spec.ssh_from,
    )
    vm = actual.get(key(names.vm))
    if given is None or "ttl" in given.binding or tag(vm, DEPLOYMENT) != names.deployment:
        return fit
    ours = [body for body in actual.values() if tag(body, DEPLOYMENT) == names.deployment]
    expires = lease_of(ours, vm).expires
    end = parse_moment(expires)
    if end is not None and end <= run.server_clock.now():  # a lease that is over begins anew
        return replace(fit, spec=fit.spec.model_copy(update={"ttl": requested.ttl}))
    remembered = tuple(field for field in given.from_memory if field != "ttl")
    return replace(fit, expires=expires, remembered=remembered)


def renewal_mode(requested: VmSpec, given: GivenFields, journal: Journal | None) -> RenewalMode:
    """What the spec's `ttl` means for the lease of an existing VM.

    A flag, or a value that differs from the last create's, renews the lease from now on. An
    unchanged value in a file does not renew it, nor does a remembered value.
    """
    if "ttl" not in given.now:
        return RenewalMode.KEEP
    before = journal.spec if journal is not None else None
    ttl = requested.model_dump(mode="json", include={"ttl"})["ttl"]
    has_changed = before is not None and before.values.get("ttl") != ttl
    return RenewalMode.RENEW if "ttl" in given.by_flag or has_changed else RenewalMode.FILL


def announce_defaults(run: Run, fit: EffectiveSpec) -> None:
    """Emit notes on the detected address and on remembered fields, before anything is created."""
    if fit.is_own_address:
        run.tell("note", f"SSH is allowed from {fit.spec.ssh_from}, where you signed in from")
    for note in remembered_notes(fit):
        run.tell("note", note)


def remembered_notes(fit: EffectiveSpec) -> tuple[str, ...]:
    """A note on the values that come from the last create, if any, and on how to ignore them."""
    if not fit.remembered:
        return ()
    values = dict(field_values(fit.spec.model_dump(mode="json")))
    fields = ", ".join(f"{field} {_brief_value(values.get(field))}" for field in fit.remembered)
    return (
        f"{fields}: from the last create of {fit.spec.name} on this machine "
        "(`--fresh` starts from the defaults)",
    )


def _brief_value(value: Any) -> str:
    """A value on one line: a key by its type and comment, a disk and a file by its size."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return ", ".join(map(_brief_value, value)) or "none"
    if isinstance(value, dict):
        return " ".join(f"{name} {_brief_value(inner)}" for name, inner in value.items())
    if "\n" in str(value):
        return f"a text of {len(str(value).encode())} bytes"
    words = str(value).split()
    return " ".join([words[0], f"…{words[1][-8:]}", *words[2:]]) if words[1:] else str(value)


def with_ssh_source(run: Run, spec: VmSpec) -> VmSpec:
    """The spec with `ssh_from: auto` replaced by the caller's address, except for a private VM.

    Raises:
        UsageProblem: The sign-in has no address, or an IPv6 address.
    """
    if spec.ssh_from != "auto" or spec.private:
        return spec
    address = run.ask(run.cloud.session.caller_address, "signing in")
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
