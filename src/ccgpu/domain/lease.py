"""Until when a deployment is wanted, and whether it is garbage. Pure: every time is handed in.

The lease is the latest `ccgpu-expires` over the deployment's resources, by Azure's time. What
cannot be read, or may be a create under way, is never garbage: to leave something costs money, to
take it costs work.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal

from ccgpu.domain.resource import CREATED, DEPLOYMENT, EXPIRES, Body, Resource, state_of, tag

# Azure's regions and the hops between us differ by seconds; people extend at the last moment.
GRACE = 600.0
# A create allows itself an hour, and may be told to take longer; until then what has no VM yet, or
# one that is being made, may be a create under way.
YOUNG = 3 * 3600.0

Why = Literal["expired", "orphaned"]


@dataclass(frozen=True, slots=True)
class Lease:
    """What the tags say: until when (as written; None without a lease), and made when at last."""

    expires: str | None = None
    created: str | None = None

    def left(self, now: float) -> int | None:
        """The seconds until its end, none when it is over; None without a lease."""
        end = parse_moment(self.expires)
        return None if end is None else max(0, int(end - now))


@dataclass(frozen=True, slots=True)
class LeaseStatus:
    """`why` a deployment is garbage; or why one that looks like it is not (`skip_reason`)."""

    why: Why | None = None
    skip_reason: str | None = None


def parse_moment(text: str | None) -> float | None:
    """An RFC 3339 time as Unix time; None for none, and for what is no time with a zone."""
    try:
        found = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return found.timestamp() if found.tzinfo else None


def lease_of(bodies: Iterable[Body], vm: Body | None = None) -> Lease:
    """The lease of a deployment. Who takes the tag off its VM has taken the lease off it all."""
    found = list(bodies)
    expires = _latest_end(found, EXPIRES)
    if vm is not None and tag(vm, EXPIRES) is None:
        expires = None
    return Lease(expires, _latest_end(found, CREATED))


def _latest_end(bodies: Iterable[Body], name: str) -> str | None:
    """The latest of a tag's times; one that cannot be read outranks all that can."""
    written = [value for body in bodies if (value := tag(body, name)) is not None]
    return max(written, key=lambda value: _end_rank(parse_moment(value)), default=None)


def _end_rank(at: float | None) -> float:
    return float("inf") if at is None else at


def assess_lease(lease: Lease, vm: Body | None, now: float) -> LeaseStatus:
    """Whether the deployment is over, at `now` of Azure's time.

    Expired: the lease ended longer ago than the grace. Orphaned: no VM and no lease, and nothing of
    it was made lately. What is young and without a finished VM is being created.
    """
    end = parse_moment(lease.expires)
    if lease.expires is not None and end is None:
        return LeaseStatus(skip_reason=f"its {EXPIRES} is {lease.expires!r}, which is no time")
    over = end is not None and now > end + GRACE
    if not over and (vm is not None or end is not None):
        return LeaseStatus()
    if vm is None or state_of(vm) == "Creating":
        made = parse_moment(lease.created)
        if made is None:
            return LeaseStatus(
                skip_reason=f"its {CREATED} is {lease.created!r}, so its age is not known"
            )
        if now - made < YOUNG:
            return LeaseStatus(skip_reason="it is young: it may be being created")
    return LeaseStatus("expired" if over else "orphaned")


def with_run_tags(resource: Resource, created: str, expires: str | None) -> Resource:
    """The resource as made at `created` and wanted until `expires`: wherever it has our tags."""
    times = {CREATED: created} | ({EXPIRES: expires} if expires else {})
    return replace(resource, body=_body_with_run_tags(resource.body, times))


def _body_with_run_tags(value: Any, times: Mapping[str, str]) -> Any:
    """A copy; an inline NIC and its public IP carry tags of their own."""
    if isinstance(value, list):
        return [_body_with_run_tags(one, times) for one in value]
    if not isinstance(value, dict):
        return value
    if DEPLOYMENT in value:
        return merge_tags(value, {EXPIRES: None, **times})
    return {name: _body_with_run_tags(one, times) for name, one in value.items()}


def merge_tags(tags: Mapping[str, str], times: Mapping[str, str | None]) -> dict[str, str]:
    """The whole tag map with `times` in it (None takes one away); names compare without case."""
    taken = {name.casefold() for name in times}
    kept = {name: value for name, value in tags.items() if name.casefold() not in taken}
    return kept | {name: value for name, value in times.items() if value is not None}
