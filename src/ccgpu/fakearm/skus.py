"""VM sizes: their capabilities in the SKU list, and the lists of sizes and of usage.

No real SKU list with the GPU size was ever published. Its values are from the series page, the
names from real lists (docs/fake-azure.md).
"""

from dataclasses import dataclass

from ccgpu.fakearm import filters, kinds
from ccgpu.fakearm.call import IN_SUBSCRIPTION, ArmCall, Route, Routes, page_response
from ccgpu.fakearm.settings import NCC_SIZE, Settings
from ccgpu.fakearm.store import Store
from ccgpu.fakearm.wire import Body, Response


@dataclass(frozen=True, slots=True)
class VmSize:
    name: str
    family: str
    label: str
    cores: int
    memory_gib: int
    confidential: bool = False
    gpus: int = 0
    data_disks: int = 8
    nics: int = 2
    temp_mib: int = 0
    accelerated: bool = True
    hyperv: str = "V1,V2"

    def capabilities(self) -> list[Body]:
        """The capabilities. All values are strings in this API."""
        known = {
            "vCPUs": self.cores,
            "vCPUsAvailable": self.cores,
            "MemoryGB": self.memory_gib,
            "MaxDataDiskCount": self.data_disks,
            "MaxNetworkInterfaces": self.nics,
            "MaxResourceVolumeMB": self.temp_mib,
            "HyperVGenerations": self.hyperv,
            "CpuArchitectureType": "x64",
            "PremiumIO": True,
            "LowPriorityCapable": True,
            "VMDeploymentTypes": "IaaS",
            "EphemeralOSDiskSupported": False,
            "EncryptionAtHostSupported": not self.confidential,
            "CapacityReservationSupported": False,
            "AcceleratedNetworkingEnabled": self.accelerated,
            "RdmaEnabled": False,
        }
        if self.gpus:
            known["GPUs"] = self.gpus
        if self.confidential:
            known["ConfidentialComputingType"] = "SNP"
        return [{"name": name, "value": str(value)} for name, value in known.items()]


# azure-compute-docs: the series pages of nccadsh100v5, Dsv5 and DCasv5.
SIZES = {
    size.name.lower(): size
    for size in (
        VmSize(
            NCC_SIZE,
            "StandardNCCads2023Family",
            "Standard NCCads2023 Family vCPUs",
            40,
            320,
            confidential=True,
            gpus=1,
            nics=8,
            temp_mib=800 * 1024,
            accelerated=False,
            hyperv="V2",
        ),
        VmSize("Standard_D4s_v5", "standardDSv5Family", "Standard DSv5 Family vCPUs", 4, 16),
        VmSize(
            "Standard_DC2as_v5",
            "standardDCASv5Family",
            "Standard DCASv5 Family vCPUs",
            2,
            8,
            confidential=True,
            data_disks=4,
            accelerated=False,
            hyperv="V2",
        ),
    )
}


def offered_zones(settings: Settings, size: VmSize, region: str) -> list[str] | None:
    """The zones that offer `size`; None if the region does not offer it."""
    zones: list[str] | None = settings.value("offers", size.name, region)
    return zones


def list_skus(call: ArmCall) -> Response:
    wanted = filters.filtered_region(call.query.get("$filter"))
    regions = call.world.settings.value("regions")
    listed = SIZES.values() if call.world.settings.value("reported", "sizes") else ()
    found = [
        _sku_body(call.world.settings, size, region, zones)
        for size in listed
        for region in regions
        if wanted in (None, region)
        and (zones := offered_zones(call.world.settings, size, region)) is not None
    ]
    return page_response(call, found)


def _sku_body(settings: Settings, size: VmSize, region: str, zones: list[str]) -> Body:
    return {
        "resourceType": "virtualMachines",
        "name": size.name,
        "tier": "Standard",
        "size": size.name.removeprefix("Standard_"),
        "family": size.family,
        "locations": [region],
        "locationInfo": [{"location": region, "zones": zones, "zoneDetails": []}],
        "capabilities": size.capabilities(),
        "restrictions": [
            _restriction_body(region, one) for one in _reported_restrictions(settings, size, region)
        ],
    }


def _reported_restrictions(settings: Settings, size: VmSize, region: str) -> list[Body]:
    actual = settings.value("restrictions", size.name, region, default=[])
    shown: list[Body] = settings.value(
        "reported", "restrictions", size.name, region, default=actual
    )
    return shown


def _restriction_body(region: str, given: Body) -> Body:
    info: Body = {"locations": [region]}
    if "zones" in given:
        info["zones"] = given["zones"]
    return {
        "type": given["type"],
        "values": [region],
        "restrictionInfo": info,
        "reasonCode": given["reasonCode"],
    }


def core_limit(settings: Settings, region: str, name: str) -> int:
    """The core limit in `region`, of a family or in total."""
    everywhere = settings.value("quota", "*", name, default=0)
    return int(settings.value("quota", region, name, default=everywhere))


def _reported_limit(settings: Settings, region: str, name: str) -> int:
    actual = core_limit(settings, region, name)
    everywhere = settings.value("reported", "quota", "*", name, default=actual)
    return int(settings.value("reported", "quota", region, name, default=everywhere))


def used_cores(store: Store, region: str, size: VmSize | None, *, spot: bool) -> int:
    """Cores of the VMs in `region`, running or not: of one family or of all.

    Quota counts allocated and deallocated VMs alike (Microsoft Learn, "Virtual machine vCPU
    quotas").
    """
    sql = "SELECT coalesce(sum(cores), 0) FROM allocations WHERE region = ? AND spot = ?"
    if size is None:
        return int(store.row(sql, region, spot)[0])
    return int(store.row(f"{sql} AND family = ?", region, spot, size.family)[0])


def list_usages(call: ArmCall) -> Response:
    region = call.names[1].lower()
    settings, store = call.world.settings, call.world.store
    rows = [
        ("cores", "Total Regional vCPUs", used_cores(store, region, None, spot=False)),
        (
            "lowPriorityCores",
            "Total Regional Low-priority vCPUs",
            used_cores(store, region, None, spot=True),
        ),
    ]
    rows += [
        (size.family, size.label, used_cores(store, region, size, spot=False))
        for size in SIZES.values()
    ]
    values = [
        {
            "limit": _reported_limit(settings, region, name),
            "unit": "Count",
            "currentValue": current,
            "name": {"value": name, "localizedValue": label},
        }
        for name, label, current in rows
    ]
    return page_response(call, values)


def list_sizes(call: ArmCall) -> Response:
    """The sizes of a region in the older, shorter form."""
    region = call.names[1].lower()
    settings = call.world.settings
    return page_response(
        call,
        [
            {
                "name": size.name,
                "numberOfCores": size.cores,
                "memoryInMB": size.memory_gib * 1024,
                "maxDataDiskCount": size.data_disks,
                "resourceDiskSizeInMB": size.temp_mib,
                "osDiskSizeInMB": 1047552,
            }
            for size in SIZES.values()
            if offered_zones(settings, size, region) is not None
        ],
    )


_COMPUTE = f"{IN_SUBSCRIPTION}microsoft.compute"
ROUTES: Routes = {
    ("GET", f"{_COMPUTE}/skus"): Route(
        list_skus, kinds.SKU_API, frozenset({"$filter", "includeExtendedLocations", "$skiptoken"})
    ),
    ("GET", f"{_COMPUTE}/locations/*/vmsizes"): Route(list_sizes, kinds.COMPUTE_API),
    ("GET", f"{_COMPUTE}/locations/*/usages"): Route(
        list_usages, kinds.COMPUTE_API, frozenset({"$skiptoken"})
    ),
}
