"""Quota and capacity. Quota refuses the PUT; missing capacity fails the accepted operation."""

from ccgpu.fakearm import compute_errors, errors, skus
from ccgpu.fakearm.skus import VmSize
from ccgpu.fakearm.wire import Body
from ccgpu.fakearm.world import StoredResource, World


def check_quota(world: World, size: VmSize, region: str, *, spot: bool) -> None:
    """Check the family, then the region's total. A Spot VM counts only as low-priority cores."""
    rows: list[tuple[str, str, VmSize | None]]
    if spot:
        rows = [("lowPriorityCores", "LowPriorityCores", None)]
    else:
        rows = [
            (size.family, f"{size.family} Cores", size),
            ("cores", "Total Regional Cores", None),
        ]
    for name, text, family in rows:
        limit = skus.core_limit(world.settings, region, name)
        used = skus.used_cores(world.store, region, family, spot=spot)
        if used + size.cores > limit:
            raise compute_errors.quota_exceeded(text, region, limit, used, size.cores)


def count_against_quota(world: World, vm: StoredResource, size: VmSize, *, spot: bool) -> None:
    """Count the VM against quota from now on. It is not allocated yet."""
    world.store.run(
        "INSERT OR REPLACE INTO allocations VALUES (?, ?, ?, ?, ?, ?, ?, 0)",
        vm.key,
        vm.location,
        _zone_of_vm(vm),
        size.name,
        size.family,
        size.cores,
        spot,
    )


def _zone_of_vm(vm: StoredResource) -> str:
    zones = vm.body.get("zones") or [""]
    return str(zones[0])


def allocate(world: World, vm: StoredResource) -> Body | None:
    """Allocate the VM and start its bill, or return the error that its operation ends with."""
    size = vm.properties["hardwareProfile"]["vmSize"]
    room = world.settings.value("capacity", size, vm.location, _zone_of_vm(vm))
    taken = world.store.row(
        "SELECT count(*) FROM allocations "
        "WHERE region = ? AND zone = ? AND size = ? AND allocated AND vm != ?",
        vm.location,
        _zone_of_vm(vm),
        size,
        vm.key,
    )[0]
    if room is not None and taken >= room:
        return _allocation_error(world, size, vm)
    world.store.run("UPDATE allocations SET allocated = 1 WHERE vm = ?", vm.key)
    world.start_billing(vm)
    return None


def release(world: World, vm: StoredResource) -> None:
    world.store.run("UPDATE allocations SET allocated = 0 WHERE vm = ?", vm.key)
    world.stop_billing(vm)


def is_allocated(world: World, vm: StoredResource) -> bool:
    row = world.store.row("SELECT allocated FROM allocations WHERE vm = ?", vm.key)
    return bool(row and row[0])


# Texts: vmware-tanzu/community-edition#3963 and openshift/release#5182 (sufficient capacity),
# jenkins-infra/azure#1416 (Overconstrained…).
_NO_CAPACITY = (
    "Allocation failed. We do not have sufficient capacity for the requested VM size in this {}. "
    "Read more about improving likelihood of allocation success at "
    "http://aka.ms/allocation-guidance"
)
_TEXTS = {
    "AllocationFailed": _NO_CAPACITY.format("region"),
    "ZonalAllocationFailed": _NO_CAPACITY.format("zone"),
    "OverconstrainedAllocationRequest": "Allocation failed. VM(s) with the following constraints "
    "cannot be allocated, because the condition is too restrictive. Please remove some constraints "
    "and try again. Constraints applied are:\n  - VM Size\n",
    "OverconstrainedZonalAllocationRequest": "Allocation failed. VM(s) with the following "
    "constraints cannot be allocated, because the condition is too restrictive. Please remove some "
    "constraints and try again. Constraints applied are:\n  - Availability Zone\n  - VM Size\n",
}


def _allocation_error(world: World, size: str, vm: StoredResource) -> Body:
    code = world.settings.value("allocation_error")
    if code is None:
        code = "ZonalAllocationFailed" if _zone_of_vm(vm) else "AllocationFailed"
    if code == "SkuNotAvailable":
        return compute_errors.sku_not_available(size, vm.location).error
    return errors.error(code, _TEXTS[code])
