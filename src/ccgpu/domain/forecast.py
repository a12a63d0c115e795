"""The forecast: what will stop working, and when, each with its source. Pure.

Nothing is guessed: a date comes from a table that ships with ccgpu, or from Azure. What has an end
that nobody has published is listed without a date.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from ccgpu.domain.drivers import Driver, DriverTable
from ccgpu.domain.models import ModelTable

# Time enough to act: as long as the warnings of drivers and bulletins.
NOTICE = timedelta(days=60)
UPDATE = "update ccgpu: `pipx upgrade ccgpu`, or as you have installed it"


@dataclass(frozen=True, slots=True)
class ExpectedEnd:
    """Something that ends.

    on: the first day on which it does not work any more; None if that is not known. then: what
    happens. source: where the date is from. remedy: what to do about it.
    """

    what: str
    on: date | None
    then: str
    source: str
    remedy: str

    def is_over(self, at: datetime) -> bool:
        """Whether it has ended at the time `at`."""
        return self.on is not None and self.on <= at.astimezone(UTC).date()

    def is_soon(self, at: datetime) -> bool:
        """Whether it has ended, or ends within the notice."""
        return self.is_over(at + NOTICE)

    def text(self, at: datetime) -> str:
        """What ends and when, as seen at the time `at`, and what happens then."""
        if self.on is None:
            when = "has an end that is not known"
        else:
            when = f"{'ended' if self.is_over(at) else 'ends'} on {self.on}"
        return f"{self.what} {when}: {self.then}"


@dataclass(frozen=True, slots=True)
class ImageEnd:
    """When an image version ends, as Azure says. `field`: the field of its API."""

    version: str
    on: datetime
    field: str


def by_date(endings: Iterable[ExpectedEnd]) -> tuple[ExpectedEnd, ...]:
    """The endings in order; those without a date come last."""
    return tuple(sorted(endings, key=lambda one: (one.on is None, one.on or date.max, one.what)))


def model_ending(table: ModelTable, source: str) -> ExpectedEnd:
    """The end of the table of models."""
    return ExpectedEnd(
        f"ccgpu's table of models, of {table.as_of},",
        table.review_by,
        "sizes, licences and what runs them may have changed",
        source,
        UPDATE,
    )


def driver_endings(table: DriverTable, driver: Driver | None, source: str) -> list[ExpectedEnd]:
    """The end of the table itself, and that of the signer of a driver's manifest."""
    endings = [
        ExpectedEnd(
            f"ccgpu's table of drivers, read on {table.as_of},",
            table.review_by,
            "later drivers and expiries are not in it",
            source,
            UPDATE,
        )
    ]
    if driver is not None:
        endings.append(
            ExpectedEnd(
                f"the signer of the manifest of driver {driver.version}",
                driver.signer_expires,
                "`verify` rejects the driver, unless NVIDIA signs the manifest anew",
                f"{source}: {'; '.join(driver.sources)}",
                "choose another driver: `ccgpu drivers` lists them",
            )
        )
    return endings


def image_ending(end: ImageEnd) -> ExpectedEnd:
    """The end of an image version, after which no VM can be created from it."""
    on = end.on.astimezone(UTC).date()
    then = "no new VM can be made from it; existing VMs run on"
    remedy = "use a newer version: `--image IMAGE`"
    return ExpectedEnd(f"the image version {end.version}", on, then, f"Azure, {end.field}", remedy)
