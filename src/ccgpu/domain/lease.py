"""The lease of a deployment, and whether the deployment is garbage. Pure functions without a clock.

The lease ends at the latest `ccgpu-expires` of the deployment's resources, by Azure's time. A
deployment is never garbage if its tags cannot be parsed, or if it may be under creation: keeping it
costs money, but deleting it may destroy work.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Literal

from ccgpu.domain.resource import CREATED, DEPLOYMENT, EXPIRES, Body, Resource, state_of, tag

# Seconds after its end in which a lease can still be extended. Covers clock differences, too.
GRACE = 600.0
# Seconds in which a deployment without a finished VM may be under creation. The time limit of a
# create is an hour by default and can be raised.
YOUNG = 3 * 3600.0

# Unfinished: of an image that was not published to its end (`domain.publication_state`).
Why = Literal["expired", "orphaned", "unfinished"]


@dataclass(frozen=True, slots=True)
class Lease:
    """The lease in the tags: its end as written (None: no lease), and the latest creation time."""

    expires: str | None = None
    created: str | None = None

    def left(self, now: float) -> int | None:
        """The seconds until its end, 0 when it is over; None without a lease."""
        end = parse_moment(self.expires)
        return None if end is None else max(0, int(end - now))


@dataclass(frozen=True, slots=True)
class LeaseStatus:
    """`why` a deployment is garbage, or why `gc` skips one that may be (`skip_reason`)."""

    why: Why | None = None
    skip_reason: str | None = None


def parse_moment(text: str | None) -> float | None:
    """An RFC 3339 time as Unix time; None if there is none, or if it is not a time with a zone.

    Nor is one that has a year with five digits in UTC, in which it is shown.
    """
    try:
        moment = datetime.fromisoformat(text or "")
        return moment.astimezone(UTC).timestamp() if moment.tzinfo else None
    except (ValueError, OverflowError):
        return None


def lease_of(bodies: Iterable[Body], vm: Body | None = None) -> Lease:
    """The lease of a deployment. Removing the VM's `ccgpu-expires` cancels the lease."""
    tagged = list(bodies)
    expires = _latest_time(tagged, EXPIRES)
    if vm is not None and tag(vm, EXPIRES) is None:
        expires = None
    return Lease(expires, _latest_time(tagged, CREATED))


def _latest_time(bodies: Iterable[Body], name: str) -> str | None:
    """The latest of a tag's times; a value that cannot be parsed counts as the latest."""
    values = [value for body in bodies if (value := tag(body, name)) is not None]
    return max(values, key=lambda value: _time_rank(parse_moment(value)), default=None)


def is_later(end: str | None, than: str | None) -> bool:
    """Whether one end of a lease is later than another, as the latest of several tags counts.

    A missing tag is the earliest, a value that is no time the latest; two of these are equal.
    """
    return _end_rank(end) > _end_rank(than)


def _end_rank(end: str | None) -> float:
    return float("-inf") if end is None else _time_rank(parse_moment(end))


def _time_rank(moment: float | None) -> float:
    return float("inf") if moment is None else moment


def assess_lease(lease: Lease, vm: Body | None, now: float) -> LeaseStatus:
    """Whether the deployment is garbage at `now`, by Azure's time.

    Expired: its lease ended more than `GRACE` ago. Orphaned: it has no VM, no lease, and no
    resource younger than `YOUNG`. A young deployment without a finished VM may be under creation
    and is skipped.
    """
    end = parse_moment(lease.expires)
    if lease.expires is not None and end is None:
        return LeaseStatus(skip_reason=f"its {EXPIRES} is {lease.expires!r}, which is no time")
    over = end is not None and now > end + GRACE
    if not over and (vm is not None or end is not None):
        return LeaseStatus()
    if vm is None or state_of(vm) == "Creating":
        created = parse_moment(lease.created)
        if created is None:
            return LeaseStatus(
                skip_reason=f"its {CREATED} is {lease.created!r}, so its age is not known"
            )
        if now - created < YOUNG:
            return LeaseStatus(skip_reason="it is young: it may be being created")
    return LeaseStatus("expired" if over else "orphaned")


def with_run_tags(resource: Resource, created: str, expires: str | None) -> Resource:
    """The resource with the times `created` and `expires`, wherever its body has our tags."""
    return with_own_tags(resource, {CREATED: created, EXPIRES: expires or None})


def with_own_tags(resource: Resource, tags: Mapping[str, str | None]) -> Resource:
    """The resource with `tags` wherever its body has our tags; None removes a tag."""
    return replace(resource, body=_body_with_tags(resource.body, tags))


def _body_with_tags(value: Any, tags: Mapping[str, str | None]) -> Any:
    """A copy with `tags` in each tag map: an inline NIC and its public IP have their own."""
    if isinstance(value, list):
        return [_body_with_tags(one, tags) for one in value]
    if not isinstance(value, dict):
        return value
    if DEPLOYMENT in value:
        return merge_tags(value, tags)
    return {name: _body_with_tags(one, tags) for name, one in value.items()}


def merge_tags(tags: Mapping[str, str], times: Mapping[str, str | None]) -> dict[str, str]:
    """The tag map with `times` in it; None removes a tag. Names are compared without case."""
    replaced = {name.casefold() for name in times}
    kept = {name: value for name, value in tags.items() if name.casefold() not in replaced}
    return kept | {name: value for name, value in times.items() if value is not None}
