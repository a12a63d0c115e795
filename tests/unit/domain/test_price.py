"""Prices: the right record among those that look alike, and never a guess."""

import json
from dataclasses import replace
from decimal import Decimal

import pytest

from ccgpu.domain.catalog import Kind
from ccgpu.domain.live_price import parts_of_deployment
from ccgpu.domain.price import (
    Price,
    PricedPart,
    choose_price,
    disk_size_name,
    max_price_warnings,
    nat_gateway_part,
    parts_of_spec,
    price_of,
    public_ip_part,
    unknown_price,
    vm_part,
)
from ccgpu.domain.price_page import parse_page
from ccgpu.domain.resource import ResourceId, key
from support.cloud import make_spec

_NOW = "2026-11-29T00:00:00Z"
_SIZE = "Standard_NCC40ads_H100_v5"


def _item(**changes):
    base = {
        "currencyCode": "USD",
        "tierMinimumUnits": 0.0,
        "retailPrice": 6.98,
        "unitPrice": 6.98,
        "armRegionName": "eastus2",
        "effectiveStartDate": "2024-10-01T00:00:00Z",
        "meterName": "NCC40ads H100 v5",
        "productName": "Virtual Machines NCCadsv5 Srs",
        "skuName": "NCC40ads H100 v5",
        "serviceName": "Virtual Machines",
        "unitOfMeasure": "1 Hour",
        "type": "Consumption",
        "isPrimaryMeterRegion": True,
        "armSkuName": _SIZE,
    }
    return base | changes


def _page(*items, link=None, **changes):
    return json.dumps({"Items": list(items), "NextPageLink": link, **changes}).encode()


def _records(*items):
    return parse_page(_page(*items), "USD").records


# What lies beside the Linux price of a size in the same answer.
_LOOKALIKES = [
    {"productName": "Virtual Machines NCCadsv5 Srs Win", "retailPrice": 8.82},
    {"productName": "Virtual Machines NCCadsv5 Series Windows", "retailPrice": 8.82},
    {"skuName": "NCC40ads H100 v5 Spot", "retailPrice": 1.42},
    {"meterName": "NCC40ads H100 v5 Spot", "retailPrice": 1.42},
    {"skuName": "NCC40ads H100 v5 Low Priority", "retailPrice": 1.7},
    {"productName": "NCCadsv5 Series Cloud Services", "retailPrice": 7.5},
    {"type": "Reservation", "reservationTerm": "1 Year", "retailPrice": 36000.0},
    {"type": "DevTestConsumption", "retailPrice": 5.0},
    {"armRegionName": "westeurope", "retailPrice": 7.89},
    {"unitOfMeasure": "10 Hours", "retailPrice": 69.8},
    {"tierMinimumUnits": 100.0, "retailPrice": 6.0},
    {"armSkuName": "Standard_NC40ads_H100_v5", "retailPrice": 6.1},
    {"effectiveStartDate": "2027-01-01T00:00:00Z", "retailPrice": 9.0},
    {"isPrimaryMeterRegion": False, "retailPrice": 6.5},
    {"serviceName": "Cloud Services", "retailPrice": 6.6},
]


@pytest.mark.parametrize("changes", _LOOKALIKES, ids="-".join)
def test_a_record_that_looks_alike_is_not_the_price(changes):
    part = vm_part(_SIZE, "eastus2")
    found = choose_price(part, _records(_item(**changes), _item()), _NOW)
    assert (found.hourly, found.meter) == (Decimal("6.98"), "NCC40ads H100 v5")
    if changes.keys() != {"isPrimaryMeterRegion", "retailPrice"}:  # if it is alone, it counts
        alone = choose_price(part, _records(_item(**changes)), _NOW)
        assert alone.hourly is None
        assert alone.unknown == "the price list has no VM in eastus2"


@pytest.mark.parametrize(
    ("max_price", "spot", "warned"),
    [(0.9, True, 1), (1.0, True, 0), (-1, True, 0), (None, True, 0), (0.9, False, 0)],
)
def test_a_maximum_below_the_price_of_spot_is_a_warning(max_price, spot, warned):
    part = vm_part("Standard_X", "eastus2", spot=spot)
    price = Price("USD", (PricedPart(part, Decimal("1.0")),))
    found = max_price_warnings(price, max_price)
    assert len(found) == warned
    assert all("max_price is 0.9 USD an hour, and the VM as Spot costs 1.0000" in t for t in found)
    assert max_price_warnings(replace(price, currency="EUR"), 0.9) == ()
    unknown = Price("USD", (PricedPart(part, None),))
    assert max_price_warnings(unknown, 0.9) == ()


def test_spot_takes_the_spot_record_of_linux():
    items = [
        _item(),
        _item(skuName="NCC40ads H100 v5 Spot", retailPrice=1.42),
        _item(skuName="NCC40ads H100 v5 Low Priority", retailPrice=1.5),
        _item(
            skuName="NCC40ads H100 v5 Spot",
            productName="Virtual Machines NCCadsv5 Srs Win",
            retailPrice=2.0,
        ),
    ]
    found = choose_price(vm_part(_SIZE, "eastus2", spot=True), _records(*items), _NOW)
    assert found.hourly == Decimal("1.42")


def test_the_newest_price_that_holds_counts():
    items = [_item(retailPrice=7.5, effectiveStartDate="2026-11-01T00:00:00Z"), _item()]
    assert choose_price(vm_part(_SIZE, "eastus2"), _records(*items), _NOW).hourly == Decimal("7.5")


def test_two_prices_are_no_price():
    found = choose_price(vm_part(_SIZE, "eastus2"), _records(_item(), _item(retailPrice=7.0)), _NOW)
    assert found.hourly is None
    assert found.unknown == "the price list has 2 prices for VM in eastus2"


def test_a_price_a_month_becomes_one_an_hour():
    disk = parts_of_spec(make_spec(), "eastus2", spot=False)[1]
    item = _item(
        serviceName="Storage",
        meterName="P15 LRS Disk",
        skuName="P15 LRS",
        armSkuName="",
        unitOfMeasure="1/Month",
        retailPrice=73.0,
    )
    assert choose_price(disk, _records(item), _NOW).hourly == Decimal("0.1")
    mount = item | {"meterName": "P15 LRS Disk Mount", "retailPrice": 1.8}
    assert choose_price(disk, _records(mount, item), _NOW).hourly == Decimal("0.1")


def test_what_has_one_price_everywhere_is_found_without_a_region():
    gateway = _item(
        serviceName="NAT Gateway",
        meterName="Standard Gateway",
        armRegionName="Global",
        armSkuName="",
        retailPrice=0.045,
    )
    found = choose_price(nat_gateway_part("eastus2"), _records(gateway), _NOW)
    assert found.hourly == Decimal("0.045")
    elsewhere = gateway | {"armRegionName": "US Gov"}
    assert choose_price(nat_gateway_part("eastus2"), _records(elsewhere), _NOW).hourly is None


def test_a_sum_is_only_told_if_all_parts_are_known():
    parts = [vm_part(_SIZE, "eastus2"), public_ip_part("eastus2")]
    price = price_of("USD", parts, _records(_item()), _NOW, 0.0)
    assert (price.hourly, price.daily, price.monthly) == (None, None, None)
    assert price.unknown == ("the price list has no public IP in eastus2",)
    assert price.summary == "unknown: the price list has no public IP in eastus2"
    known = price_of("USD", parts[:1], _records(_item()), _NOW, 0.0)
    assert (known.daily, known.monthly) == (Decimal("167.52"), Decimal("5095.40"))
    told = "6.98 USD an hour, 167.52 USD a day (prices.azure.com on 1970-01-01)"
    assert known.summary == told


def test_nothing_that_bills_has_no_price():
    assert Price("USD", ()).hourly is None
    assert Price("USD", ()).summary == "unknown: nothing bills"
    assert unknown_price("USD", [], "why").unknown == ()


@pytest.mark.parametrize(
    ("kind", "gib", "name"),
    [
        *(("Premium_LRS", 32, "P4"), ("Premium_LRS", 33, "P6"), ("Premium_LRS", 1, "P4")),
        *(("StandardSSD_LRS", 256, "E15"), ("Standard_LRS", 257, "S20")),
        ("Premium_LRS", 32767, "P80"),
    ],
)
def test_a_disk_is_billed_as_the_next_larger_size(kind, gib, name):
    assert disk_size_name(kind, gib) == name


def test_the_parts_of_a_spec():
    def named(**changes):
        spec = make_spec(**changes)
        return [(one.what, one.meter) for one in parts_of_spec(spec, "eastus2", spot=False)]

    ip = "Standard IPv4 Static Public IP"
    vm, disk = ("VM", None), ("OS disk", "P15 LRS Disk")
    assert named() == [vm, disk, ("public IP", ip)]
    assert named(data_disks=[{"size_gib": 64, "type": "Standard_LRS"}])[2] == (
        *("data disk 0", "S6 LRS Disk"),
    )
    gateway = [("NAT gateway", "Standard Gateway"), ("NAT gateway's IP", ip)]
    assert named(private=True, ssh_from="auto") == [vm, disk, *gateway]
    subnet = (
        "/subscriptions/00000000-0000-4000-8000-000000000001/resourceGroups/g/providers"
        "/Microsoft.Network/virtualNetworks/v/subnets/s"
    )
    assert named(private=True, subnet=subnet) == [vm, disk]


@pytest.mark.parametrize(
    "raw",
    [
        *(b"", b"[]", b"{}", b'{"Items": 3}', b'{"Items": [3]}', b"[" * 100_000),
        _page(_item(retailPrice="6.98")),
        _page(_item(retailPrice=-1)),
        _page(_item(retailPrice=float("nan"))),
        _page(_item(productName=3)),
        _page(_item(currencyCode="EUR")),
        _page({name: value for name, value in _item().items() if name != "retailPrice"}),
        _page(_item(), link=3),
    ],
)
def test_what_is_no_page_is_refused(raw):
    with pytest.raises(ValueError):  # noqa: PT011  # its text is the service's
        parse_page(raw, "USD")


def _id(kind, name):
    return ResourceId(f"/subscriptions/s/resourceGroups/g/providers/{kind.value}/{name}")


def _vm(power, **os_disk):
    disk = {"managedDisk": {"id": _id(Kind.DISK, "os"), **os_disk.pop("managed", {})}, **os_disk}
    return {
        "id": _id(Kind.VM, "demo"),
        "location": "East US 2",
        "properties": {
            "hardwareProfile": {"vmSize": _SIZE},
            "storageProfile": {"osDisk": disk},
            "instanceView": {"statuses": [{"code": f"PowerState/{power}"}]},
        },
    }


_KINDS = {_id(Kind.VM, "demo"): Kind.VM, _id(Kind.DISK, "os"): Kind.DISK}


@pytest.mark.parametrize(
    ("power", "vm"), [("running", True), ("stopped", True), ("deallocated", False)]
)
def test_a_vm_bills_until_it_is_deallocated_and_its_disk_always(power, vm):
    body = _vm(power, diskSizeGB=256, managed={"storageAccountType": "Premium_LRS"})
    parts = parts_of_deployment(_KINDS, body, {})
    assert [one.what for one in parts] == (["VM"] if vm else []) + ["disk os"]
    assert parts[-1].meter == "P15 LRS Disk"


def test_a_disk_of_unknown_size_has_no_price_and_says_so():
    (disk,) = parts_of_deployment(_KINDS, _vm("deallocated"), {})
    record = _records(_item(serviceName="Storage", meterName="", armSkuName=""))
    assert choose_price(disk, record, _NOW).unknown == "Azure does not say the size of disk os"
    own = {"location": "eastus2", "sku": {"name": "StandardSSD_LRS"}}
    body = own | {"properties": {"diskSizeGB": 100}}
    (known,) = parts_of_deployment(_KINDS, _vm("deallocated"), {key(_id(Kind.DISK, "os")): body})
    assert known.meter == "E10 LRS Disk"


def test_what_is_left_of_a_deployment_bills_too():
    kinds = {_id(Kind.PUBLIC_IP, "ip"): Kind.PUBLIC_IP, _id(Kind.NAT, "nat"): Kind.NAT}
    kinds |= {_id(Kind.NIC, "nic"): Kind.NIC}
    bodies = {key(_id(Kind.PUBLIC_IP, "ip")): {"location": "eastus2"}}
    parts = parts_of_deployment(kinds, None, bodies)
    assert [one.what for one in parts] == ["public IP", "NAT gateway"]
    assert parts_of_deployment(kinds, None, {}) == ()
