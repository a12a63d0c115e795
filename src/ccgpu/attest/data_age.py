"""Bulletins and floors are dated data: a verdict says when they are about to be too old.

The time is the verdict's own, never the clock's.
"""

from datetime import datetime, timedelta

from ccgpu.attest import bulletins, driver_bulletins
from ccgpu.attest.check import format_value
from ccgpu.domain.policy import Policy

# Long enough to bring a release to every machine.
NOTICE = timedelta(days=60)


def age_warnings(policy: Policy, at: datetime) -> tuple[str, ...]:
    """What is too old at `at`, or soon will be, of the data that this policy's verdict uses."""
    used = []
    if policy.cpu is not None:
        used.append(("AMD's bulletins", bulletins.DATE, bulletins.REVIEW_BY))
    if policy.gpu is not None:
        used.append(
            ("NVIDIA's driver bulletins", driver_bulletins.DATE, driver_bulletins.REVIEW_BY)
        )
    return tuple(
        f"{what} after {read}: ccgpu's data is {_age(at, by)} {format_value(by)[:10]}; update ccgpu"
        for what, read, by in used
        if at > by - NOTICE
    )


def _age(at: datetime, by: datetime) -> str:
    return "too old since" if at >= by else "good until"
