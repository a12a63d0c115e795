"""A plain HTTP client for the simulated ARM, and request bodies.

It uses neither the tool nor the SDK, so tests with it describe the protocol itself.
"""

import ast
import json
from functools import cache
from pathlib import Path
from typing import Any

from ccgpu.fakearm import FAKE_SUBSCRIPTION, NCC_SIZE, FakeArm, Request, Response
from support import public_keys
from support.repository import ROOT, syntax_tree

HOST = "https://management.azure.com"
APIS = {
    "Microsoft.Network": "2026-03-01",
    "Microsoft.Compute": "2026-04-01",
    "Microsoft.Compute/disks": "2026-03-02",
    "Microsoft.Compute/diskEncryptionSets": "2026-03-02",
    "Microsoft.Compute/galleries": "2026-03-03",
    "Microsoft.Compute/skus": "2021-07-01",
    "Microsoft.ManagedIdentity": "2024-11-30",
    "Microsoft.Resources": "2025-04-01",
}
REGION = "eastus2"


class Client:
    """Sends requests with a token. `ok` requires success."""

    def __init__(self, arm: FakeArm) -> None:
        self.arm = arm

    def send(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        api: str | None = None,
        query: str = "",
        headers: dict[str, str] | None = None,
    ) -> Response:
        url = f"{HOST}{path}?api-version={api or api_of(path)}{query}"
        raw = b"" if body is None else json.dumps(body).encode()
        return self.arm.send(
            Request(method, url, {"Authorization": "Bearer x", **(headers or {})}, raw)
        )

    def ok(self, method: str, path: str, body: Any = None, **more: Any) -> Response:
        answer = self.send(method, path, body, **more)
        assert answer.status < 300, answer.body
        return answer

    def refusal(self, method: str, path: str, body: Any = None, **more: Any) -> tuple[int, str]:
        """Status and code of an error."""
        answer = self.send(method, path, body, **more)
        assert answer.status >= 400, answer.body
        return answer.status, answer.body["error"]["code"]

    def get(self, path: str, **more: Any) -> Any:
        return self.ok("GET", path, **more).body

    def status(self, path: str) -> int:
        return self.send("GET", path).status

    def get_url(self, url: str) -> Response:
        """GET a URL that the service returned."""
        return self.arm.send(Request("GET", url, {"Authorization": "Bearer x"}))

    def complete(self, method: str, path: str, body: Any = None, **more: Any) -> Response:
        """Write, advance virtual time until the operation ends, and require success."""
        answer = self.ok(method, path, body, **more)
        address = answer.headers.get("Azure-AsyncOperation")
        if address:
            assert self.wait_for_end(address)["status"] == "Succeeded"
        return answer

    def wait_for_end(self, address: str) -> Any:
        """The final response of an operation."""
        for _ in range(10):
            answer = self.get_url(address).body
            if answer["status"] != "InProgress":
                return answer
            self.arm.advance(200)
        raise AssertionError("the operation does not end")

    def group(self, name: str = "g", **changes: Any) -> str:
        path = group_path(name)
        self.ok("PUT", path, {"location": REGION, **changes})
        return path

    def network(self, **changes: Any) -> str:
        """Create a group, an NSG and a network with one subnet. Returns the subnet's id."""
        self.group()
        self.complete(
            "PUT", resource_path("Microsoft.Network/networkSecurityGroups", "nsg"), nsg_body()
        )
        self.complete(
            "PUT", resource_path("Microsoft.Network/virtualNetworks", "vnet"), vnet_body(**changes)
        )
        return subnet_path()

    def machine(self, name: str = "vm", **changes: Any) -> str:
        """Create a VM. The network must exist."""
        self.complete("PUT", vm_path(name), vm_body(name, **changes))
        return vm_path(name)

    def kinds(self) -> list[str]:
        """The types of all resources without the provider, sorted."""
        return sorted(one["kind"].rsplit("/", 1)[1] for one in self.arm.show()["resources"])


def api_of(path: str) -> str:
    """The API version that the pinned SDK sends for this path."""
    kind = path.partition("/providers/")[2].split("/")
    if kind == [""]:
        return "2022-12-01" if path.count("/") == 2 else APIS["Microsoft.Resources"]
    return APIS.get("/".join(kind[:2]), APIS.get(kind[0], "unknown"))


def group_path(name: str = "g") -> str:
    return f"/subscriptions/{FAKE_SUBSCRIPTION}/resourceGroups/{name}"


def resource_path(kind: str, name: str, of_group: str = "g") -> str:
    return f"{group_path(of_group)}/providers/{kind}/{name}"


def vm_path(name: str = "vm") -> str:
    return resource_path("Microsoft.Compute/virtualMachines", name)


def subnet_path() -> str:
    return resource_path("Microsoft.Network/virtualNetworks", "vnet") + "/subnets/default"


def rule(name: str = "ssh", **changes: Any) -> dict[str, Any]:
    properties = {
        "protocol": "Tcp",
        "access": "Allow",
        "direction": "Inbound",
        "priority": 100,
        "sourceAddressPrefix": "203.0.113.7/32",
        "sourcePortRange": "*",
        "destinationAddressPrefix": "*",
        "destinationPortRange": "22",
    }
    return {"name": name, "properties": properties | changes}


def nsg_body(*rules: dict[str, Any]) -> dict[str, Any]:
    return {"location": REGION, "properties": {"securityRules": list(rules or (rule(),))}}


def vnet_body(**subnet_changes: Any) -> dict[str, Any]:
    one = {"name": "default", "properties": {"addressPrefix": "10.0.0.0/24"} | subnet_changes}
    return {
        "location": REGION,
        "properties": {"addressSpace": {"addressPrefixes": ["10.0.0.0/16"]}, "subnets": [one]},
    }


def pip_body(**changes: Any) -> dict[str, Any]:
    return {
        "location": REGION,
        "sku": {"name": "Standard"},
        "properties": {"publicIPAllocationMethod": "Static"} | changes,
    }


def nat_body(*addresses: str) -> dict[str, Any]:
    named = [{"id": one} for one in addresses]
    return {"location": REGION, "properties": {"publicIpAddresses": named}}


def nic_body(**changes: Any) -> dict[str, Any]:
    configuration = {"name": "ip", "properties": {"subnet": {"id": subnet_path()}}}
    return {"location": REGION, "properties": {"ipConfigurations": [configuration]} | changes}


def disk_body() -> dict[str, Any]:
    return {
        "location": REGION,
        "properties": {"creationData": {"createOption": "Empty"}, "diskSizeGB": 32},
    }


def inline_nic(option: str = "Delete", **changes: Any) -> dict[str, Any]:
    address = {
        "name": "pip",
        "sku": {"name": "Standard", "tier": "Regional"},
        "tags": {"from": "pip"},
        "properties": {"deleteOption": option, "publicIPAllocationMethod": "Static"},
    }
    configuration = {
        "name": "ip",
        "properties": {"subnet": {"id": subnet_path()}, "publicIPAddressConfiguration": address},
    }
    properties = {
        "primary": True,
        "deleteOption": option,
        "networkSecurityGroup": {
            "id": resource_path("Microsoft.Network/networkSecurityGroups", "nsg")
        },
        "ipConfigurations": [configuration],
    }
    return {"name": "nic", "tags": {"from": "nic"}, "properties": properties | changes}


def vm_body(name: str = "vm", /, **changes: Any) -> dict[str, Any]:
    """A complete confidential GPU VM. `changes` are paths with `__` between the steps.

    A change to `...` removes the key.
    """
    key = {"path": "/home/azureuser/.ssh/authorized_keys", "keyData": public_keys.ed25519_line()}
    body: dict[str, Any] = {
        "location": REGION,
        "properties": {
            "hardwareProfile": {"vmSize": NCC_SIZE},
            "securityProfile": {
                "securityType": "ConfidentialVM",
                "uefiSettings": {"secureBootEnabled": True, "vTpmEnabled": True},
            },
            "storageProfile": {
                "imageReference": image_reference(),
                "osDisk": {
                    "name": f"{name}-os",
                    "createOption": "FromImage",
                    "deleteOption": "Delete",
                    "diskSizeGB": 64,
                    "managedDisk": {
                        "storageAccountType": "Premium_LRS",
                        "securityProfile": {"securityEncryptionType": "VMGuestStateOnly"},
                    },
                },
            },
            "osProfile": {
                "computerName": name,
                "adminUsername": "azureuser",
                "customData": "I2Nsb3VkLWNvbmZpZwo=",
                "linuxConfiguration": {
                    "disablePasswordAuthentication": True,
                    "ssh": {"publicKeys": [key]},
                },
            },
            "diagnosticsProfile": {"bootDiagnostics": {"enabled": True}},
            "networkProfile": {
                "networkApiVersion": "2022-11-01",
                "networkInterfaceConfigurations": [inline_nic()],
            },
        },
    }
    for path, value in changes.items():
        set_path(body, path.split("__"), value)
    return body


def image_reference(sku: str = "cvm", version: str = "latest") -> dict[str, str]:
    return {"publisher": "Canonical", "offer": "ubuntu-24_04-lts", "sku": sku, "version": version}


SHORT_PATHS = {
    "size": "properties__hardwareProfile__vmSize",
    "security": "properties__securityProfile",
    "disk": "properties__storageProfile__osDisk",
    "data_disks": "properties__storageProfile__dataDisks",
    "managed": "properties__storageProfile__osDisk__managedDisk",
    "image": "properties__storageProfile__imageReference",
    "os": "properties__osProfile",
    "net": "properties__networkProfile",
    "priority": "properties__priority",
}


def set_path(body: dict[str, Any], path: list[str], value: Any) -> None:
    """Set the value at `path`, whose first step may be one of `SHORT_PATHS`; `...` removes it."""
    *steps, last = [step for part in path for step in SHORT_PATHS.get(part, part).split("__")]
    node: Any = body
    for step in steps:
        node = node[int(step)] if isinstance(node, list) else node.setdefault(step, {})
    if value is ...:
        del node[last]
    elif isinstance(node, list):
        node[int(last)] = value
    else:
        node[last] = value


def load_recording(vectors: Path, name: str) -> Any:
    """Recorded traffic, from a folder outside the repository."""
    return json.loads((vectors / "arm" / "recorded" / name).read_text(encoding="utf-8"))


@cache
def refusal_codes() -> frozenset[str]:
    """Every error code of the fake, found in its source."""
    found = set()
    for path in (ROOT / "src" / "ccgpu" / "fakearm").rglob("*.py"):
        for node in ast.walk(syntax_tree(path)):
            if isinstance(node, ast.Call):
                found |= set(_code_of_call(node))
            elif isinstance(node, ast.Assign) and _name_of(node.targets[0]) == "_TEXTS":
                assert isinstance(node.value, ast.Dict)
                found |= {ast.literal_eval(key) for key in node.value.keys if key is not None}
    return frozenset(found)


def _name_of(node: ast.expr) -> str:
    """The last word of a dotted name; nothing for any other expression."""
    return str(getattr(node, "attr", getattr(node, "id", "")))


def _code_of_call(call: ast.Call) -> list[str]:
    """The code in a call of `Refused(status, code, …)` or `error(code, …)`."""
    place = {"Refused": 1, "StorageRefused": 1, "error": 0, "invalid_tags": 0}.get(
        _name_of(call.func)
    )
    if place is None or len(call.args) <= place:
        return []
    code = call.args[place]
    return [code.value] if isinstance(code, ast.Constant) and isinstance(code.value, str) else []
