"""What the simulated subscription may do, and how long things take; tests change it.

The defaults are a subscription with quota for two confidential GPU VMs in each region. A change
is kept in the state, so all processes that share it see the same subscription.
"""

import json
from collections.abc import Mapping
from typing import Any

from ccgpu.fakearm.store import Store

NCC_SIZE = "Standard_NCC40ads_H100_v5"

DEFAULTS: dict[str, Any] = {
    # Regions that offer the GPU size: docs of Azure/az-cgpu-onboarding. Its zones are nowhere
    # published: these three cases (three zones, two, none) are the fake's own.
    "offers": {
        NCC_SIZE: {"eastus2": ["1", "2", "3"], "westeurope": ["1", "2"], "centralus": []},
        "Standard_D4s_v5": {
            "eastus2": ["1", "2", "3"],
            "westeurope": ["1", "2", "3"],
            "centralus": ["1", "2", "3"],
            "eastus": ["1", "2", "3"],
            "westus2": ["1", "2", "3"],
            "northeurope": ["1", "2", "3"],
        },
        "Standard_DC2as_v5": {
            "eastus2": [],
            "westeurope": ["1", "2", "3"],
            "northeurope": ["1", "2", "3"],
        },
    },
    "regions": [
        "centralus",
        "eastus",
        "eastus2",
        "northeurope",
        "southcentralus",
        "swedencentral",
        "westeurope",
        "westus2",
        "westus3",
    ],
    # Cores; by region, else by "*". Azure's own default for the GPU family is 0.
    "quota": {
        "*": {
            "cores": 200,
            "lowPriorityCores": 80,
            "StandardNCCads2023Family": 80,
            "standardDSv5Family": 100,
            "standardDCASv5Family": 100,
        }
    },
    # VMs that can be allocated at once: size -> region -> zone ("" for none) -> how many.
    # What is not named is without limit.
    "capacity": {},
    # ResourceSkus restrictions by size, region: a list of {"type", "reasonCode"[, "zones"]}.
    "restrictions": {},
    # Code of the allocation failure, when it is not the usual one of the zone or region.
    "allocation_error": None,
    # A create that fails after it was accepted may leave its OS disk (azurerm#7516).
    "failed_create_leaves_disk": True,
    "providers": {
        "Microsoft.Compute": "Registered",
        "Microsoft.Network": "Registered",
        "Microsoft.Storage": "Registered",
        "Microsoft.ManagedIdentity": "Registered",
        "Microsoft.KeyVault": "NotRegistered",
    },
    # Private and shared galleries: "group/gallery/image" or "gallery/image" -> image.
    "galleries": {
        "ccgpu-images/golden/ubuntu-cvm": {
            "security": "ConfidentialVmSupported",
            "versions": ["1.0.0", "1.1.0"],
        },
    },
    "shared_galleries": {
        "00000000-1111-4222-8333-444444444444-GOLDEN/ubuntu-cvm": {
            "security": "ConfidentialVmSupported",
            "versions": ["1.0.0", "1.2.0"],
        },
    },
    "page_size": 50,
    # Actions that the caller may perform, with `*`; None for an owner.
    "principal": None,
    # The same in other subscriptions, of which some resources may be known.
    "foreign_principal": None,
    # Locks by id, CanNotDelete or ReadOnly; kinds that a policy denies: {"kind", "message"}.
    "locks": {},
    "denied": [],
    # Whether requests are counted and throttled.
    "buckets": False,
    # "lists": seconds that lists lag behind; "reads": 404s after a 201.
    "lag": {},
    # What a DELETE of a network interface is accepted with: 202, or 200.
    "nic_delete_status": 202,
    # Whether a deallocated VM, and one that starts again, tells what its agent said before.
    "stale_agents": False,
    # Whether lists of resources that are filtered by tag leave out the tags.
    "tagless_lists": False,
    # Ids that the deletion of their group does not manage to delete.
    "survivors": [],
    # Seconds. Medians of recorded operations (azure-service-operator, azure-powershell
    # recordings); marked ones are not recorded: the vendor's texts or the fake's own.
    "durations": {
        "vnet": 3.0,
        "subnet": 2.0,
        "nsg": 3.5,
        "publicIp": 3.0,
        "nat": 3.0,
        "disk": 3.0,
        "des": 5.0,
        "network.delete": 10.0,
        "nic.delete": 4.0,
        "disk.delete": 3.0,
        "vm.create": 44.0,
        "vm.create.encrypted": 900.0,  # az-cgpu-onboarding: "15-20 minutes" with disk encryption
        "vm.fail": 30.0,  # own
        "vm.update": 10.0,
        "vm.delete": 45.0,
        "vm.delete.forced": 20.0,  # own
        "vm.start": 40.0,
        "vm.deallocate": 35.0,
        "vm.restart": 30.0,
        "vm.powerOff": 20.0,  # own
        "vm.reapply": 20.0,  # own
        "vm.boot": 40.0,  # own: from Succeeded until the guest agent is ready
        "vm.agent": 600.0,  # own: how long a stopped VM's agent is still told as ready
        "nic.reserved": 180.0,  # the text of NicReservedForAnotherVm
        "group.delete": 50.0,
        "token": 3600.0,  # Entra: 60 to 90 minutes (Microsoft Learn, configurable token lifetimes)
    },
}


class Settings:
    """A tree of values, addressed by the keys that lead to one."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._revision = -1
        self._tree: dict[str, Any] = {}

    def get(self, *path: str, default: Any = None) -> Any:
        """The value at `path`, or `default` when there is none below a known first key."""
        revision = self._store.row("SELECT revision FROM world")[0]
        self.refresh(revision)
        return self.at(*path, default=default)

    def at(self, *path: str, default: Any = None) -> Any:
        """As `get`, within a request that has already looked for changes."""
        value: Any = self._tree[path[0]]
        for key in path[1:]:
            if key not in value:
                return default
            value = value[key]
        return value

    def set(self, *path: str, value: Any) -> None:
        """Put `value` at `path`; the first key must be a known one."""
        if path[0] not in DEFAULTS:
            raise KeyError(path[0])
        with self._store.transaction():
            row = self._store.row("SELECT settings, revision FROM world")
            changed = json.loads(row[0])
            tree = {**json.loads(json.dumps(DEFAULTS)), **changed}
            node = tree
            for key in path[:-1]:
                node = node.setdefault(key, {})
            node[path[-1]] = value
            changed[path[0]] = tree[path[0]]
            self._store.run(
                "UPDATE world SET settings = ?, revision = ?", json.dumps(changed), row[1] + 1
            )

    def replace(self, values: Mapping[str, Any]) -> None:
        """Let only `values` differ from the defaults; mappings are taken key by key."""
        changed = {key: _merge(DEFAULTS[key], value) for key, value in values.items()}
        with self._store.transaction():
            self._store.run(
                "UPDATE world SET settings = ?, revision = revision + 1", json.dumps(changed)
            )

    def refresh(self, revision: int) -> None:
        """Read again if another process, or `set`, has changed something."""
        if revision != self._revision:
            changed = json.loads(self._store.row("SELECT settings FROM world")[0])
            self._tree = {**json.loads(json.dumps(DEFAULTS)), **changed}
            self._revision = revision


def _merge(usual: Any, value: Any) -> Any:
    if not (isinstance(usual, dict) and isinstance(value, Mapping)):
        return value
    return {**usual, **{key: _merge(usual.get(key), one) for key, one in value.items()}}
