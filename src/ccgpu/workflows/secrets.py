"""`secret put`, `list` and `rm`: secrets into the memory of a proven VM, and out of it again.

A value is read once the VM has been proven, never before. Its source is looked at before anything
is asked, so that a missing one costs nothing.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from ccgpu.azure.context import AzureContext
from ccgpu.azure.run import Run
from ccgpu.domain import time_limits
from ccgpu.domain.desired import Names
from ccgpu.domain.events import Listener, ignore_event
from ccgpu.guest import release
from ccgpu.guest.channel import OpenChannel
from ccgpu.guest.release import StoredSecret
from ccgpu.store.secret_sources import SecretReader
from ccgpu.workflows.discovery.search import find_names
from ccgpu.workflows.guest_access import GuestOptions, WantedGuest, find_guest, opened_guest
from ccgpu.workflows.guest_task import GuestTask
from ccgpu.workflows.require_attested import opened_if_attested

if TYPE_CHECKING:
    from ccgpu.attest.attestation import Attestation
    from ccgpu.domain.spec.secrets import SecretSource
    from ccgpu.workflows.attest import AttestMeans

TIMEOUT = time_limits.SECRETS
_PROGRAM_TIMEOUT = 120.0  # seconds in which a program has to print its secret: it may ask the user


@dataclass(frozen=True, slots=True)
class WantedRelease:
    """What is to be released, and how.

    sources: where the values are read; none of them is read before the VM is proven.
    allow_loosened: the user takes a policy that asks for less than `default`. dry_run: prove the
    VM, and release nothing.
    """

    sources: "tuple[SecretSource, ...]"
    reader: SecretReader
    allow_loosened: bool = False
    dry_run: bool = False

    def require_readable(self) -> None:
        """Refuse sources that are not there; no value is read. Raises as `SecretReader` says."""
        self.reader.require_readable(self.sources)

    def of(self, sources: "Sequence[SecretSource]") -> "WantedRelease":
        """The same for other sources."""
        return replace(self, sources=tuple(sources))


@dataclass(frozen=True, slots=True)
class ReleaseOutcome:
    """What was released: the verdict it rests on, and what the VM holds of it now.

    loosened: the fields in which the policy asks for less than `default`, with both values. stored:
    none after a dry run.
    """

    attestation: "Attestation"
    wanted: WantedRelease
    loosened: Mapping[str, str]
    stored: tuple[StoredSecret, ...] = ()


def put_secrets(
    cloud: AzureContext,
    channels: OpenChannel,
    means: "AttestMeans",
    guest: WantedGuest,
    wanted: WantedRelease,
    listen: Listener = ignore_event,
    seen: "Callable[[Attestation], None]" = lambda _: None,
) -> ReleaseOutcome:
    """Release secrets to the VM of a deployment; raises as `release_to`.

    seen: called with the verdict, whichever it is.
    """
    from ccgpu.workflows.release import require_release_policy  # needs the verifier

    require_release_policy(means, allow_loosened=wanted.allow_loosened)
    means.require_golden_values(guest.name)
    run = Run.begin(cloud, guest.timeout, listen)
    names = find_names(run, guest.name, guest.group)
    options = GuestOptions(channels, guest.access, guest.keys)
    return release_to(run, names, options, means, wanted, seen)


def release_to(
    run: Run,
    names: Names,
    guest: GuestOptions,
    means: "AttestMeans",
    wanted: WantedRelease,
    seen: "Callable[[Attestation], None]" = lambda _: None,
) -> ReleaseOutcome:
    """Prove a VM, read the secrets, and release them to it, all or none.

    Raises:
        InvalidFile, UsageProblem: A source cannot be read, or the policy is not fit for a release.
        ReleaseFailed: The VM did not take them.
        And as `proven_guest` and `ProvenGuest.release`.
    """
    from ccgpu.workflows.release import find_loosened, proven_guest  # needs the verifier

    wanted.require_readable()
    task = GuestTask.of_deployment(run, names)
    with proven_guest(
        run, names, guest, means, allow_loosened=wanted.allow_loosened, seen=seen
    ) as proven:
        if wanted.dry_run:
            return ReleaseOutcome(proven.attestation, wanted, find_loosened(means))
        task.tell("begin", "release secrets", "release")
        limit = task.time_left(_PROGRAM_TIMEOUT, "reading secrets")
        secrets = [wanted.reader.read(source, limit) for source in wanted.sources]
        stored = proven.release(secrets)
        task.tell("done", f"released {', '.join(one.name for one in stored)}", "release")
        return ReleaseOutcome(proven.attestation, wanted, find_loosened(means), stored)


def list_secrets(
    cloud: AzureContext,
    channels: OpenChannel,
    guest: WantedGuest,
    listen: Listener = ignore_event,
) -> tuple[StoredSecret, ...]:
    """The secrets that an attested VM holds; raises as `opened_if_attested` and `ReleaseFailed`."""
    with opened_guest(cloud, channels, replace(guest, attested=True), listen) as channel:
        return release.list_secrets(channel)


def remove_secrets(
    cloud: AzureContext,
    channels: OpenChannel,
    guest: WantedGuest,
    secrets: Sequence[str],
    listen: Listener = ignore_event,
) -> tuple[StoredSecret, ...]:
    """Overwrite and delete secrets of an attested VM; returns those that it held.

    Raises as `list_secrets`.
    """
    with opened_guest(cloud, channels, replace(guest, attested=True), listen) as channel:
        return release.remove_secrets(channel, secrets)


def held_secrets(run: Run, names: Names, guest: GuestOptions) -> tuple[StoredSecret, ...]:
    """The secrets that the attested VM of this run holds; raises as `list_secrets`."""
    task = GuestTask.of_deployment(run, names)
    target = find_guest(run, names, guest.access, guest.keys)
    with opened_if_attested(run, names, guest.channels, target) as channel:
        time = task.time_left(release.TIMEOUT, "asking which secrets the VM holds")
        return task.complete(partial(release.list_secrets, channel, timeout=time))
