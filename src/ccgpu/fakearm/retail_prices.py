"""The simulated price list: what the Retail Prices API answers, with its traps.

Names and fields: Microsoft Learn, "Azure Retail Prices overview", and records that others quote
(docs/fake-azure.md). The prices are settings.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from urllib.parse import quote

from ccgpu.fakearm.settings import NCC_SIZE, Settings
from ccgpu.fakearm.wire import Body, FakeGap, Request, Response

HOST = "prices.azure.com"
_PATH = "/api/retail/prices"
_CONDITION = re.compile(r"(\w+) eq '([^']*)'")
# The API's own names of the fields that a filter may name.
_FIELDS = {"priceType": "type"}
_PRODUCT = "Virtual Machines NCCadsv5 Srs"
# Dollars a month of Premium SSD, by size; quoted for eastus in 2026 (P10, P15), else own.
_DISKS = {
    "P4": 5.28, "P6": 10.21, "P10": 19.71, "P15": 38.012142, "P20": 73.22, "P30": 135.17,
    "P40": 259.05, "P50": 495.57, "P60": 860.16, "P70": 1638.4, "P80": 3276.8,
}  # fmt: skip
_CHEAPER = {"E": 0.5, "S": 0.3}  # own: Standard SSD and HDD, as a share of Premium SSD
_SINCE = "2024-10-01T00:00:00Z"


@dataclass
class PriceService:
    """Answers requests to the price list. `slept` counts real waits below the SDK."""

    settings: Settings
    slept: int = 0

    def send(self, request: Request) -> Response:
        """The response. `FakeGap` for what the fake does not know of this API."""
        if request.method != "GET" or request.host.removesuffix(":443") != HOST:
            raise FakeGap(f"{request.method} {request.host}")
        query = request.query
        if request.path != _PATH or query.keys() - {"currencyCode", "$filter", "$skip"}:
            raise FakeGap(f"{request.path} {sorted(query)}")
        if self.settings.get("prices", "service") != "good":
            return Response(503)
        currency = query.get("currencyCode", "'USD'").strip("'")
        rate = self.settings.get("prices", "currencies", currency)
        if rate is None:
            return Response(400, {"Error": {"Code": "BadRequest", "Message": "currencyCode"}})
        wanted = _parse_filter(query["$filter"])
        items = list(self._records(wanted, currency, float(rate)))
        return Response(200, self._page(items, currency, query))

    def _page(self, items: list[Body], currency: str, query: dict[str, str]) -> Body:
        start, size = int(query.get("$skip", "0")), self.settings.get("page_size")
        page = items[start : start + size]
        link = None
        if start + size < len(items):
            address = f"https://{HOST}:443{_PATH}?currencyCode='{currency}'"
            link = f"{address}&$filter={quote(query['$filter'])}&$skip={start + size}"
        return {
            "BillingCurrency": currency,
            "CustomerEntityId": "Default",
            "CustomerEntityType": "Retail",
            "Items": page,
            "NextPageLink": link,
            "Count": len(page),
        }

    def _records(self, wanted: dict[str, str], currency: str, rate: float) -> Iterator[Body]:
        """The records that meet all conditions, in the currency."""
        conditions = wanted.items()
        for record in self._in_dollars():
            if conditions <= record.items():
                price = round(record["dollars"] * rate, 6)
                shown = {"currencyCode": currency, "retailPrice": price, "unitPrice": price}
                yield shown | {name: record[name] for name in record if name != "dollars"}

    def _in_dollars(self) -> Iterator[Body]:
        for region, dollars in self.settings.get("prices", "vm").items():
            yield from _vm_records(region, dollars)
        for region in self.settings.get("regions"):
            yield from _other_records(region)
        yield _record("NAT Gateway", "NAT Gateway", "Standard", "Standard Gateway", "Global", 0.045)


_IP = "Standard IPv4 Static Public IP"


def _vm_records(region: str, dollars: float) -> Iterator[Body]:
    """A size's records: Linux and what is easily taken for it."""
    name = "NCC40ads H100 v5"
    for product, price in ((_PRODUCT, dollars), (f"{_PRODUCT} Win", dollars + 1.84)):
        for word, share in (("", 1.0), (" Spot", 0.2), (" Low Priority", 0.25)):
            made = _record("Virtual Machines", product, name + word, name + word, region, 0.0)
            yield made | {"dollars": round(price * share, 4), "armSkuName": NCC_SIZE}
    reserved = _record("Virtual Machines", _PRODUCT, name, name, region, dollars * 8760 * 0.6)
    yield reserved | {"armSkuName": NCC_SIZE, "type": "Reservation", "reservationTerm": "1 Year"}
    tested = _record("Virtual Machines", f"{_PRODUCT} Win", name, name, region, dollars)
    yield tested | {"armSkuName": NCC_SIZE, "type": "DevTestConsumption"}


@cache
def _other_records(region: str) -> list[Body]:
    """The records of disks and addresses in a region, which no setting changes."""
    disks = [one for size, price in _DISKS.items() for one in _disk_records(region, size, price)]
    address = _record("Virtual Network", "IP Addresses", "Standard", _IP, region, 0.005)
    return [*disks, address]


def _disk_records(region: str, size: str, monthly: float) -> Iterator[Body]:
    rows = {f"P{size[1:]}": ("Premium SSD Managed Disks", 1.0)}
    rows |= {f"E{size[1:]}": ("Standard SSD Managed Disks", _CHEAPER["E"])}
    rows |= {f"S{size[1:]}": ("Standard HDD Managed Disks", _CHEAPER["S"])}
    for name, (product, share) in rows.items():
        sku, price = f"{name} LRS", round(monthly * share, 6)
        made = _record("Storage", product, sku, f"{sku} Disk", region, price)
        yield made | {"unitOfMeasure": "1/Month"}


def _record(service: str, product: str, sku: str, meter: str, region: str, dollars: float) -> Body:
    return {
        "tierMinimumUnits": 0.0,
        "armRegionName": region,
        "location": region,
        "effectiveStartDate": _SINCE,
        "meterName": meter,
        "productName": product,
        "skuName": sku,
        "serviceName": service,
        "unitOfMeasure": "1 Hour",
        "type": "Consumption",
        "isPrimaryMeterRegion": True,
        "armSkuName": "",
        "dollars": dollars,
    }


def _parse_filter(text: str) -> dict[str, str]:
    """The conditions of a `$filter`, all of which must hold."""
    parts = [_CONDITION.fullmatch(part) for part in text.split(" and ")]
    if None in parts:
        raise FakeGap(f"filter {text}")
    return {_FIELDS.get(found[1], found[1]): found[2] for found in parts if found is not None}
