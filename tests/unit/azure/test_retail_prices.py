"""The price list is read page by page, from its own host alone, and its absence is only told."""

import json
from decimal import Decimal
from urllib.parse import parse_qs, urlsplit

import pytest

from ccgpu.azure.retail_prices import RetailPrices
from ccgpu.domain.price import HOST, public_ip_part, vm_part
from ccgpu.fakearm import FakeArm, FakeTransport
from ccgpu.fakearm.retail_prices import PriceService
from ccgpu.net.fetch import Web
from ccgpu.scheduling.scheduler import InlineExecutor, Scheduler
from ccgpu.store.price_cache import LIFETIME, PriceCache
from support.services import UNREACHABLE, Services, WebResponse

_SIZE = "Standard_NCC40ads_H100_v5"
_VM = [vm_part(_SIZE, "eastus2")]


def _item(price, region="eastus2"):
    return {
        "currencyCode": "USD",
        "retailPrice": price,
        "armRegionName": region,
        "meterName": "NCC40ads H100 v5",
        "productName": "Virtual Machines NCCadsv5 Srs",
        "skuName": "NCC40ads H100 v5",
        "serviceName": "Virtual Machines",
        "unitOfMeasure": "1 Hour",
        "type": "Consumption",
        "armSkuName": _SIZE,
        "effectiveStartDate": "2024-10-01T00:00:00Z",
    }


def _page(*items, link=None):
    return WebResponse(json.dumps({"Items": list(items), "NextPageLink": link}).encode())


class _List(Services):
    """A price list whose first address is not repeated in each test."""

    def answer(self, *replies):
        self.replies = list(replies)

    def reply(self, asked):
        if asked.url not in self._replies and urlsplit(asked.url).hostname == HOST:
            self.publish(asked.url, *self.replies)
        return super().reply(asked)

    def prices(self, cache=None):
        scheduler = Scheduler(self.clock, InlineExecutor())
        return RetailPrices(lambda: Web((HOST,), self.transport()), scheduler, cache)


@pytest.fixture
def listed():
    return _List()


def test_the_query_names_size_currency_and_kind(listed):
    listed.answer(_page(_item(6.98)))
    (price,) = listed.prices().read([_VM])
    assert price.hourly == Decimal("6.98")
    (asked,) = listed.requests
    wanted = parse_qs(urlsplit(asked.url).query)
    assert wanted["currencyCode"] == ["'USD'"]
    assert wanted["$filter"] == [
        f"armSkuName eq '{_SIZE}' and priceType eq 'Consumption' "
        "and serviceName eq 'Virtual Machines'"
    ]
    assert "Authorization" not in asked.headers


def test_one_request_serves_all_regions(listed):
    listed.answer(_page(_item(6.98), _item(7.89, "westeurope")))
    both = [_VM, [vm_part(_SIZE, "westeurope")], [vm_part(_SIZE, "mars")]]
    prices = listed.prices().read(both)
    assert [one.hourly for one in prices] == [Decimal("6.98"), Decimal("7.89"), None]
    assert len(listed.requests) == 1


def test_pages_are_followed(listed):
    second = f"https://{HOST}:443/api/retail/prices?$skip=1000"
    listed.answer(_page(_item(7.89, "westeurope"), link=second))
    listed.publish(second, _page(_item(6.98)))
    assert listed.prices().read([_VM])[0].hourly == Decimal("6.98")


@pytest.mark.parametrize(
    ("reply", "why"),
    [
        (UNREACHABLE, "cannot be reached"),
        (WebResponse(status=503), "answered 503"),
        (WebResponse(status=404), "does not have it (404)"),
        (WebResponse(b"<html>"), "Expecting value"),
        (_page(_item("6.98")), "a price is '6.98'"),
        (_page(link="https://elsewhere.example/"), "elsewhere.example"),
        (_page(_item(1.0) | {"currencyCode": "EUR"}), "its currency is EUR"),
    ],
)
def test_what_cannot_be_read_is_unknown_in_time(listed, reply, why):
    began = listed.clock.now()
    listed.answer(reply)
    (price,) = listed.prices().read([_VM])
    assert price.hourly is None
    assert price.as_of is None
    assert why in price.unknown[0]
    assert price.unknown[0].startswith("the price list cannot be read: ")
    assert listed.clock.now() - began <= 10


def test_a_host_that_cannot_be_reached_is_asked_once(listed):
    listed.answer(UNREACHABLE)
    listed.prices().read([_VM])
    assert [one.timeout[0] for one in listed.requests] == [2.0]


def test_an_endless_list_ends(listed):
    listed.answer(_page(link=f"https://{HOST}/api/retail/prices?next"))
    assert "more than 20 pages" in listed.prices().read([_VM])[0].unknown[0]


def test_a_request_that_fails_for_now_is_sent_again(listed):
    listed.answer(WebResponse(status=503), _page(_item(6.98)))
    assert listed.prices().read([_VM])[0].hourly == Decimal("6.98")


def test_a_day_long_the_cache_answers_with_its_date(listed, tmp_path):
    prices, began = listed.prices(PriceCache(tmp_path)), listed.clock.now()
    listed.answer(_page(_item(6.98)), _page(_item(7.5)))
    assert prices.read([_VM])[0].as_of == began
    listed.clock.sleep(LIFETIME)
    kept = prices.read([_VM])[0]
    assert (kept.hourly, kept.as_of, len(listed.requests)) == (Decimal("6.98"), began, 1)
    listed.clock.sleep(1)
    assert prices.read([_VM])[0].hourly == Decimal("7.5")


def test_an_older_price_is_not_told_when_the_list_is_away(listed, tmp_path):
    prices = listed.prices(PriceCache(tmp_path))
    listed.answer(_page(_item(6.98)), UNREACHABLE)
    prices.read([_VM])
    listed.clock.sleep(LIFETIME + 1)
    assert prices.read([_VM])[0].hourly is None


@pytest.mark.parametrize("damage", [b"", b"{}", b'{"schema": "ccgpu.prices/1"}', b"\xff"])
def test_a_damaged_entry_is_fetched_again(listed, tmp_path, damage):
    prices = listed.prices(PriceCache(tmp_path))
    listed.answer(_page(_item(6.98)))
    prices.read([_VM])
    (entry,) = tmp_path.iterdir()
    entry.write_bytes(damage)
    assert prices.read([_VM])[0].hourly == Decimal("6.98")
    assert len(listed.requests) == 2


def test_currencies_are_kept_apart(listed, tmp_path):
    prices = listed.prices(PriceCache(tmp_path))
    listed.answer(_page(_item(6.98)))
    prices.read([_VM])
    listed.answer(_page(_item(6.1) | {"currencyCode": "EUR"}))
    assert prices.read([_VM], "EUR")[0].hourly == Decimal("6.1")


def test_nothing_wanted_asks_nobody(listed):
    assert [one.hourly for one in listed.prices().read([[]])] == [None]
    assert listed.requests == []


@pytest.mark.parametrize("size", [1, 3, 50])
def test_the_simulated_list_has_its_table_in_every_page_size(size):
    arm = FakeArm()
    arm.settings.set("page_size", value=size)
    prices = RetailPrices(
        lambda: Web((HOST,), FakeTransport(PriceService(arm.settings))),
        Scheduler(arm.clock, InlineExecutor()),
    )
    table = arm.settings.get("prices", "vm")
    found = prices.read([[vm_part(_SIZE, region), public_ip_part(region)] for region in table])
    told = [one.hourly for one in found]
    assert told == [Decimal(str(dollars)) + Decimal("0.005") for dollars in table.values()]
    spot = prices.read([[vm_part(_SIZE, "eastus2", spot=True)]], "EUR")
    assert spot[0].hourly == Decimal("1.22848")
