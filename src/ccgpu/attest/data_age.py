"""Warnings that bulletins and floors, which are dated data, are too old or soon will be.

They are compared with the time of the verdict, never with the clock.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

from ccgpu.attest import bulletins, driver_bulletins
from ccgpu.attest.check import format_value
from ccgpu.domain.policy import Policy

# Time enough to install a new release.
NOTICE = timedelta(days=60)


class ShippedData(NamedTuple):
    """A data set that ships with ccgpu: the day it was read, when it is too old, and its source."""

    name: str
    read: str
    review_by: datetime
    source: str


_AMD = "https://www.amd.com/en/resources/product-security.html"
_NVIDIA = "https://www.nvidia.com/en-us/security/"


def shipped_data(policy: Policy) -> Iterator[ShippedData]:
    """The data sets that the policy uses."""
    if policy.cpu is not None:
        yield ShippedData("AMD's bulletins", bulletins.DATE, bulletins.REVIEW_BY, _AMD)
    if policy.gpu is not None:
        yield ShippedData(
            "NVIDIA's driver bulletins", driver_bulletins.DATE, driver_bulletins.REVIEW_BY, _NVIDIA
        )


def age_warnings(policy: Policy, at: datetime) -> tuple[str, ...]:
    """One line for each data set that the policy uses and that is, or soon will be, too old."""
    return tuple(
        f"{what} after {read}: ccgpu's data is {_age(at, by)} {format_value(by)[:10]}; update ccgpu"
        for what, read, by, _ in shipped_data(policy)
        if at > by - NOTICE
    )


def _age(at: datetime, by: datetime) -> str:
    return "too old since" if at >= by else "good until"
