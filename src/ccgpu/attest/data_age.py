"""Warnings that bulletins and floors, which are dated data, are too old or soon will be.

They are compared with the time of the verdict, never with the clock.
"""

from datetime import datetime, timedelta

from ccgpu.attest import bulletins, driver_bulletins
from ccgpu.attest.check import format_value
from ccgpu.domain.policy import Policy

# Time enough to install a new release.
NOTICE = timedelta(days=60)


def age_warnings(policy: Policy, at: datetime) -> tuple[str, ...]:
    """One line for each data set that the policy uses and that is, or soon will be, too old."""
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
