"""One page of Azure's price list. Pure; nothing in it is trusted to be what it should be.

Source: Microsoft Learn, "Azure Retail Prices overview", API response examples.
"""

import json
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from ccgpu.domain.price import PriceRecord

_TEXTS = {
    "service": "serviceName",
    "product": "productName",
    "sku": "skuName",
    "arm_sku": "armSkuName",
    "meter": "meterName",
    "region": "armRegionName",
    "kind": "type",
    "unit": "unitOfMeasure",
    "currency": "currencyCode",
    "effective": "effectiveStartDate",
}


@dataclass(frozen=True, slots=True)
class PricePage:
    """The records of a page, and the address of the next one; None on the last."""

    records: tuple[PriceRecord, ...]
    next_link: str | None


def parse_page(raw: bytes, currency: str) -> PricePage:
    """Parse a page.

    Raises:
        ValueError: It is no page of the price list, or of another currency.
    """
    try:
        document = json.loads(raw, parse_float=Decimal, parse_int=Decimal)
        records = tuple(_parse_record(one) for one in document["Items"])
        link = document.get("NextPageLink")
    except (KeyError, TypeError, AttributeError, InvalidOperation, RecursionError) as err:
        raise ValueError(f"it is no page of the price list: {err!r}") from err
    if link is not None and not isinstance(link, str):
        raise ValueError("its NextPageLink is no text")
    if other := {one.currency for one in records} - {currency}:
        raise ValueError(f"its currency is {', '.join(sorted(other))}")
    return PricePage(records, link or None)


def _parse_record(item: dict[str, Any]) -> PriceRecord:
    price = item["retailPrice"]
    if not isinstance(price, Decimal) or not price.is_finite() or price < 0:
        raise ValueError(f"a price is {price!r}")
    texts = {name: item.get(field) or "" for name, field in _TEXTS.items()}
    if any(not isinstance(text, str) for text in texts.values()):
        raise ValueError("a record has a value of another type")
    minimum = item.get("tierMinimumUnits") or Decimal(0)
    primary = item.get("isPrimaryMeterRegion", True) is True
    return PriceRecord(**texts, price=price, primary=primary, minimum_units=minimum)
