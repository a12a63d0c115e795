"""What a VM costs: its parts, each with one meter of Azure's price list. Pure.

Sources: Microsoft Learn, "Azure Retail Prices overview" (fields of a record) and "Azure managed
disk types" (sizes of disks). Prices are retail prices, without taxes and without discounts.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ccgpu.domain.spec.vm import VmSpec

HOST = "prices.azure.com"  # the Retail Prices API
HOURS_PER_MONTH = 730  # Azure's month (Azure pricing calculator)
HOURS = {"1 Hour": 1, "1/Hour": 1, "1/Month": HOURS_PER_MONTH}  # by unit of measure
_GLOBAL = ("Global", "")  # the region of a meter that has one price everywhere
# GiB of each size of managed disk, by its number; a disk is billed as the next larger one.
_DISK_SIZES = {
    4: 32, 6: 64, 10: 128, 15: 256, 20: 512, 30: 1024, 40: 2048, 50: 4096, 60: 8192, 70: 16384,
    80: 32767,
}  # fmt: skip
_DISK_SERIES = {"Premium_LRS": "P", "StandardSSD_LRS": "E", "Standard_LRS": "S"}
UNKNOWN_METER = ""  # of a part whose kind or size is not known: no record has it
_WINDOWS = re.compile(r"\s(Win|Windows)$")


@dataclass(frozen=True, slots=True)
class PriceRecord:
    """One record of the price list.

    region: ARM's name. unit: the unit of measure. primary: whether its meter is the region's own.
    minimum_units: the units of a month from which this price holds.
    """

    service: str
    product: str
    sku: str
    arm_sku: str
    meter: str
    region: str
    kind: str
    unit: str
    price: Decimal
    currency: str
    effective: str
    primary: bool = True
    minimum_units: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class BillablePart:
    """A part of a VM that bills, and the meter that counts it.

    what: its name for people. arm_sku: the VM size; then `meter` is None. everywhere: whether the
    meter has one price in all regions.
    """

    what: str
    service: str
    region: str
    arm_sku: str | None = None
    meter: str | None = None
    spot: bool = False
    everywhere: bool = False

    @property
    def query(self) -> str:
        """The `$filter` that finds its records in all regions. Values are case-sensitive."""
        wanted = {"serviceName": self.service, "priceType": "Consumption"}
        if self.arm_sku is not None:
            wanted["armSkuName"] = self.arm_sku
        if self.meter is not None:
            wanted["meterName"] = self.meter
        return " and ".join(f"{name} eq '{value}'" for name, value in sorted(wanted.items()))


@dataclass(frozen=True, slots=True)
class PricedPart:
    """A part with its price an hour, or the reason why that is not known."""

    part: BillablePart
    hourly: Decimal | None
    meter: str | None = None
    effective: str | None = None
    unknown: str | None = None


@dataclass(frozen=True, slots=True)
class Price:
    """The price of parts in one region.

    as_of: when the price list was read (Unix time). listed: the regions that it has for any of the
    parts; empty if it could not be read.
    """

    currency: str
    parts: tuple[PricedPart, ...]
    as_of: float | None = None
    listed: frozenset[str] = frozenset()

    @property
    def hourly(self) -> Decimal | None:
        """The sum of all parts; None if one of them is not known."""
        known = [one.hourly for one in self.parts if one.hourly is not None]
        return sum(known, Decimal(0)) if known and len(known) == len(self.parts) else None

    @property
    def daily(self) -> Decimal | None:
        """The price of 24 hours."""
        return None if self.hourly is None else self.hourly * 24

    @property
    def monthly(self) -> Decimal | None:
        """The price of a month of 730 hours."""
        return None if self.hourly is None else self.hourly * HOURS_PER_MONTH

    @property
    def summary(self) -> str:
        """The price of an hour and of a day with its date, or why it is unknown."""
        if self.hourly is None or self.daily is None or self.as_of is None:
            return f"unknown: {'; '.join(self.unknown) or 'nothing bills'}"
        day = datetime.fromtimestamp(self.as_of, UTC).date()
        return (
            f"{self.hourly:.2f} {self.currency} an hour, {self.daily:.2f} {self.currency} a day "
            f"({HOST} on {day})"
        )

    @property
    def unknown(self) -> tuple[str, ...]:
        """Why parts have no price, each reason once."""
        return tuple(dict.fromkeys(one.unknown for one in self.parts if one.unknown is not None))


@dataclass(frozen=True, slots=True)
class RegionPrice:
    """What a spec's VM costs in a region, on demand and as Spot."""

    region: str
    on_demand: Price
    spot: Price


def vm_part(size: str, region: str, *, spot: bool = False) -> BillablePart:
    """A VM of this size with Linux."""
    what = "VM (Spot)" if spot else "VM"
    return BillablePart(what, "Virtual Machines", region, arm_sku=size, spot=spot)


def disk_part(what: str, region: str, kind: str | None, gib: int | None) -> BillablePart:
    """A managed disk of this storage account type and size; None: Azure does not say."""
    named = kind in _DISK_SERIES and gib is not None
    meter = f"{disk_size_name(str(kind), int(gib or 0))} LRS Disk" if named else UNKNOWN_METER
    return BillablePart(what, "Storage", region, meter=meter)


def public_ip_part(region: str, what: str = "public IP") -> BillablePart:
    """A static public IPv4 address of the Standard SKU."""
    return BillablePart(what, "Virtual Network", region, meter="Standard IPv4 Static Public IP")


def nat_gateway_part(region: str) -> BillablePart:
    """A NAT gateway, without its address and the data that it processes."""
    return BillablePart(
        "NAT gateway", "NAT Gateway", region, meter="Standard Gateway", everywhere=True
    )


def parts_of_spec(spec: "VmSpec", region: str, *, spot: bool) -> tuple[BillablePart, ...]:
    """The parts of the spec's VM that bill while it runs, in this region.

    Traffic and the operations of disks are not in it. A subnet of the user's has its own way out.
    """
    parts = [vm_part(spec.size, region, spot=spot)]
    parts.append(disk_part("OS disk", region, spec.os_disk.type, spec.os_disk.size_gib))
    for number, disk in enumerate(spec.data_disks):
        parts.append(disk_part(f"data disk {number}", region, disk.type, disk.size_gib))
    if not spec.private:
        parts.append(public_ip_part(region))
    elif spec.subnet is None:
        parts += [nat_gateway_part(region), public_ip_part(region, "NAT gateway's IP")]
    return tuple(parts)


def disk_size_name(kind: str, gib: int) -> str:
    """The size that a disk is billed as, such as P15 for 256 GiB of Premium_LRS."""
    series = _DISK_SERIES[kind]
    return next(f"{series}{number}" for number, size in _DISK_SIZES.items() if gib <= size)


def choose_price(part: BillablePart, records: Iterable[PriceRecord], now: str) -> PricedPart:
    """The price of a part among the records of a price list at the time `now` (RFC 3339).

    Windows, other kinds of purchase and meters of other regions are left out. If records that are
    left differ in price, the primary meter's counts; if that does not decide, none.
    """
    if part.meter == UNKNOWN_METER:
        return PricedPart(part, None, unknown=f"Azure does not say the size of {part.what}")
    fitting = [one for one in records if _fits(part, one) and one.effective <= now]
    if not fitting:
        return PricedPart(part, None, unknown=f"the price list has no {part.what} in {part.region}")
    newest = max(one.effective for one in fitting)
    primary = [one for one in fitting if one.primary] or fitting
    latest = [one for one in primary if one.effective == newest] or primary
    prices = {one.price / HOURS[one.unit] for one in latest}
    if len(prices) != 1:
        told = f"the price list has {len(prices)} prices for {part.what} in {part.region}"
        return PricedPart(part, None, unknown=told)
    return PricedPart(part, prices.pop(), latest[0].meter, latest[0].effective)


def price_of(
    currency: str,
    parts: Sequence[BillablePart],
    records: Sequence[PriceRecord],
    now: str,
    as_of: float,
) -> Price:
    """The price of these parts, by the records of a price list that was read at `as_of`."""
    priced = tuple(choose_price(part, records, now) for part in parts)
    listed = frozenset(one.region for one in records).difference(_GLOBAL)
    return Price(currency, priced, as_of, listed)


def max_price_warnings(price: Price, max_price: float | None) -> tuple[str, ...]:
    """That a Spot VM would not be made, because its maximum (US dollars) is below its price.

    Microsoft Learn, "Use Azure Spot Virtual Machines": a VM whose maximum price is less than the
    current price is not deployed. The list may be a day old, so this refuses nothing.
    """
    if max_price is None or max_price == -1 or price.currency != "USD":
        return ()
    return tuple(
        f"max_price is {max_price:g} USD an hour, and the VM as Spot costs {one.hourly:.4f} USD "
        f"in {one.part.region}: Azure makes no Spot VM above its maximum price"
        for one in price.parts
        if one.part.spot and one.hourly is not None and float(one.hourly) > max_price
    )


def unknown_price(currency: str, parts: Sequence[BillablePart], why: str) -> Price:
    """A price of which nothing is known."""
    return Price(currency, tuple(PricedPart(one, None, unknown=why) for one in parts))


def _fits(part: BillablePart, record: PriceRecord) -> bool:
    """Whether a record is of the part's meter, in its region, paid as it is used, for Linux."""
    regions = _GLOBAL if part.everywhere else (part.region, *_GLOBAL)
    return (
        record.service == part.service
        and record.kind == "Consumption"
        and record.region in regions
        and record.unit in HOURS
        and record.minimum_units == 0
        and (part.meter is None or record.meter == part.meter)
        and (part.arm_sku is None or _is_linux_vm(part, record))
    )


def _is_linux_vm(part: BillablePart, record: PriceRecord) -> bool:
    """Whether a record is a VM's of this size, with Linux, and Spot as the part is."""
    words = {record.sku.casefold(), record.meter.casefold()}
    spot = any(word.endswith(" spot") for word in words)
    low_priority = any(word.endswith(" low priority") for word in words)
    return (
        record.arm_sku == part.arm_sku
        and not _WINDOWS.search(record.product)
        and "cloud services" not in record.product.casefold()
        and not low_priority
        and spot == part.spot
    )
