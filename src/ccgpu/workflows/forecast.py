"""The forecast of a spec: what of it will stop working, and when."""

from collections.abc import Iterator, Mapping
from functools import partial

from ccgpu.attest.data_age import shipped_data
from ccgpu.azure.account import Account
from ccgpu.azure.long_running import send_alone
from ccgpu.azure.run import Run
from ccgpu.domain.drivers import Driver
from ccgpu.domain.forecast import (
    UPDATE,
    ExpectedEnd,
    by_date,
    driver_endings,
    image_ending,
    model_ending,
)
from ccgpu.domain.spec.vm import VmSpec
from ccgpu.errors import AzureRefused, TimedOut
from ccgpu.store import driver_table, model_table, policies


def shipped_endings(spec: VmSpec | None) -> Iterator[ExpectedEnd]:
    """The ends of what ships with ccgpu: the tables of drivers and of bulletins.

    spec: whose driver's manifest is looked up; None for none. The table of models counts if it has
    a workload.
    """
    yield from driver_endings(driver_table.shipped(), driver_of(spec), driver_table.PATH)
    for name, read, review_by, source in shipped_data(policies.load()):
        yield ExpectedEnd(
            f"ccgpu's data of {name}, read on {read},",
            review_by.date(),
            "later ones are not in it",
            source,
            UPDATE,
        )
    if spec is not None and spec.workload is not None:
        yield model_ending(model_table.shipped(), model_table.PATH)


def forecast(
    run: Run, spec: VmSpec, region: str, image: Mapping[str, str]
) -> tuple[ExpectedEnd, ...]:
    """What ends, by date: what ships, and the image of a placement (`region`, `image`).

    An end that Azure does not tell now is listed without a date.
    """
    endings = list(shipped_endings(spec))
    read = partial(Account(run.cloud.arm).image_end, region, image)
    try:
        end = send_alone(run, read, "reading when the image ends")
    except (AzureRefused, TimedOut) as err:
        then = f"Azure does not tell now ({err})"
        endings.append(
            ExpectedEnd(f"the image {spec.image}", None, then, "Azure", "ask again later")
        )
    else:
        endings += [] if end is None else [image_ending(end)]
    return by_date(endings)


def driver_of(spec: VmSpec | None) -> Driver | None:
    """The driver that ccgpu would install for the spec; None if the image brings one along."""
    if spec is None or not spec.is_set_up:
        return None
    try:
        return driver_table.shipped().resolve(spec.guest.driver)
    except ValueError:  # of an existing VM; `plan` warns of it
        return None
