"""Settings of the simulated subscription: its rights, limits and durations.

The defaults give quota for two confidential GPU VMs in each region. Changes are part of the state,
so all processes that share it see them.
"""

import json
from collections.abc import Mapping
from typing import Any

from ccgpu.fakearm.guest_settings import GUEST_DEFAULTS
from ccgpu.fakearm.store import Store
from ccgpu.fakearm.timeline import TimedTree, merge, with_times

NCC_SIZE = "Standard_NCC40ads_H100_v5"

DEFAULTS: dict[str, Any] = {
    # Regions that offer the GPU size: docs of Azure/az-cgpu-onboarding. Its zones are not
    # published; three zones, two and none are the fake's own choice.
    "offers": {
        NCC_SIZE: {"eastus2": ["1", "2", "3"], "westeurope": ["1", "2"], "centralus": []},
        "Standard_D4s_v5": {
            "centralus": ["1", "2", "3"],
            "eastus": ["1", "2", "3"],
            "eastus2": ["1", "2", "3"],
            "northeurope": ["1", "2", "3"],
            "southcentralus": ["1", "2", "3"],
            "swedencentral": ["1", "2", "3"],
            "westeurope": ["1", "2", "3"],
            "westus2": ["1", "2", "3"],
            "westus3": ["1", "2", "3"],
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
    # How many VMs can be allocated: size -> region -> zone ("" for none) -> number.
    # Without an entry there is no limit.
    "capacity": {},
    # ResourceSkus restrictions by size, region: a list of {"type", "reasonCode"[, "zones"]}.
    "restrictions": {},
    # What the lists of sizes and usages say instead of the truth: "quota" and "restrictions" as
    # above, and "sizes": whether the list of sizes has any.
    "reported": {"quota": {}, "restrictions": {}, "sizes": True},
    # US dollars an hour of the GPU size with Linux, by region: eastus2 as seen by others in October
    # 2026, the others "own". Other currencies: units for a dollar, own. "service": good, or down.
    "prices": {
        "service": "good",
        "vm": {"eastus2": 6.98, "westeurope": 7.89, "centralus": 6.98},
        "currencies": {"USD": 1.0, "EUR": 0.88, "GBP": 0.76, "JPY": 151.0},
    },
    # Settings that change later: a list of {"after": seconds from now, "settings": {…}}.
    "timeline": [],
    # Code of allocation errors; None for the default of the zone or region.
    "allocation_error": None,
    # A create that fails after it was accepted may leave its OS disk (azurerm#7516).
    "failed_create_leaves_disk": True,
    # Enabled, Warned, PastDue, Disabled or Deleted; the last two refuse every write.
    "subscription_state": "Enabled",
    "providers": {
        "Microsoft.Compute": "Registered",
        "Microsoft.Network": "Registered",
        "Microsoft.Storage": "Registered",
        "Microsoft.ManagedIdentity": "Registered",
        "Microsoft.KeyVault": "NotRegistered",
    },
    # Marketplace images that end: "publisher:offer:sku:version" -> a time, or Deprecated.
    "image_ends": {},
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
    # Manifests of measured images (ccgpu.image/1), by the SHA-256 of their VHD: what a VM boots.
    "measured_images": {},
    # Copies of image versions: how long one takes by region, else by "*", and where they fail.
    "replication": {"seconds": {"*": 180.0}, "fails": []},  # own
    # Of VMs (azure-sdk-for-node#4769, azure-powershell#3227, libcloud#1824), and of what else is
    # listed by a provider.
    "page_size": 50,
    # Of ARM's own lists, of groups and of all resources (azure-sdk-for-js#18535).
    "arm_page_size": 1000,
    # Of Azure Resource Graph (Microsoft Learn, "Guidance for pagination").
    "graph_page_size": 1000,
    # Actions that the caller may perform, with `*`; None for an owner.
    "principal": None,
    # The same for other subscriptions.
    "foreign_principal": None,
    # Locks by id: CanNotDelete or ReadOnly. Denied types: {"kind", "message"}.
    "locks": {},
    "denied": [],
    # Whether requests are counted and throttled.
    "buckets": False,
    # "lists": delay of lists in seconds, "graph": of Resource Graph; "reads": number of 404s after
    # a 201.
    "lag": {},
    # Status of an accepted DELETE of a network interface: 202 or 200.
    "nic_delete_status": 202,
    # Whether a deallocated or starting VM still shows its agent's last report.
    "stale_agents": False,
    # Whether resource lists filtered by tag omit the tags.
    "tagless_lists": False,
    # Whether the list of the VMs' run-time status omits what their agents have reported.
    "agentless_lists": False,
    # Ids that the deletion of their group fails to delete.
    "survivors": [],
    "guest": GUEST_DEFAULTS,
    # What AMD and NVIDIA answer: good, down (503), or that a chip's authority or a GPU is revoked.
    "vendors": "good",
    # Seconds. Medians of recorded operations (azure-service-operator, azure-powershell),
    # unless marked: "own" is the fake's own choice.
    "durations": {
        "vnet": 3.0,
        "subnet": 2.0,
        "nsg": 3.5,
        "publicIp": 3.0,
        "nat": 3.0,
        "disk": 3.0,
        "des": 5.0,
        "disk.access": 3.0,  # own
        "gallery": 10.0,  # own: of a gallery or definition, and of a version beside its copies
        "gallery.delete": 20.0,  # own
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
        "vm.runCommand": 20.0,  # Microsoft Learn, "Run Command": about 20 seconds at least
        "vm.agent": 600.0,  # own: how long a stopped VM's agent still shows as ready
        "guest.cloudInit": 20.0,  # own: from the agent's report until cloud-init is done
        "guest.step": 20.0,  # own: one step of the set-up
        "guest.driver": 120.0,  # own: the step that installs the driver
        "workload.pull": 90.0,  # own: an image of 15 GB
        "workload.model": 60.0,  # own: the weights of a model
        "workload.load": 75.0,  # own: from the start of a model server until it is healthy
        "workload.job": 600.0,  # own: a job whose program the guest does not know
        "nic.reserved": 180.0,  # the text of NicReservedForAnotherVm
        "group.delete": 50.0,
        "token": 3600.0,  # Entra: 60 to 90 minutes (Microsoft Learn, configurable token lifetimes)
    },
}


class Settings:
    """A tree of values. A path of keys names one."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._revision = -1
        self._timed = TimedTree({})
        self._tree: dict[str, Any] = {}

    def get(self, *path: str, default: Any = None) -> Any:
        """The value at `path`; `default` if there is none below a known first key."""
        now, revision = self._store.row("SELECT now, revision FROM world")
        self.refresh(revision, now)
        return self.value(*path, default=default)

    def value(self, *path: str, default: Any = None) -> Any:
        """Like `get`, inside a request, which has already checked for changes."""
        value: Any = self._tree[path[0]]
        for key in path[1:]:
            if key not in value:
                return default
            value = value[key]
        return value

    def set(self, *path: str, value: Any) -> None:
        """Set the value at `path`. The first key must exist."""
        if path[0] not in DEFAULTS:
            raise KeyError(path[0])
        with self._store.transaction():
            row = self._store.row("SELECT settings, revision, now FROM world")
            changed = json.loads(row[0])
            tree = {**json.loads(json.dumps(DEFAULTS)), **changed}
            node = tree
            for key in path[:-1]:
                node = node.setdefault(key, {})
            node[path[-1]] = with_times(value, row[2]) if path[0] == "timeline" else value
            changed[path[0]] = tree[path[0]]
            self._store.run(
                "UPDATE world SET settings = ?, revision = ?", json.dumps(changed), row[1] + 1
            )

    def replace(self, values: Mapping[str, Any]) -> None:
        """Reset all settings to the defaults except `values`. Mappings are merged key by key."""
        changed = {key: merge(DEFAULTS[key], value) for key, value in values.items()}
        with self._store.transaction():
            if "timeline" in changed:
                now = self._store.row("SELECT now FROM world")[0]
                changed["timeline"] = with_times(changed["timeline"], now)
            self._store.run(
                "UPDATE world SET settings = ?, revision = revision + 1", json.dumps(changed)
            )

    def refresh(self, revision: int, now: float) -> None:
        """Read the settings again if the revision has changed, and take those of this time."""
        if revision != self._revision:
            changed = json.loads(self._store.row("SELECT settings FROM world")[0])
            tree = {**json.loads(json.dumps(DEFAULTS)), **changed}
            self._timed = TimedTree(tree, tree["timeline"])
            self._revision = revision
        self.move_to(now)

    def move_to(self, now: float) -> None:
        """Take the settings of this time."""
        self._tree = self._timed.at(now)
