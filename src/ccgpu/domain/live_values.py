"""What Azure's answers say of a deployment, in the fields of a spec."""

import ipaddress
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ccgpu.domain import image, references, sshkey
from ccgpu.domain.catalog import OWN_TAG_PREFIX, Kind
from ccgpu.domain.desired import Names
from ccgpu.domain.live_vm import interface_of, is_private, subnet_of
from ccgpu.domain.network import SEVERAL, SUBNET
from ccgpu.domain.resource import DEPLOYMENT, Body, ResourceId, key, location, same, tag, tags_of
from ccgpu.domain.spec import VmSpec
from ccgpu.domain.spec_fields import WIDEST_PREFIX

Bodies = Mapping[ResourceId, Body]
Values = dict[str, Any]

_ENCRYPTIONS = {"diskwithvmgueststate": "full", "vmgueststateonly": "state-only"}
# What a spec's tag may not start with: those are Azure's own (spec_fields).
_OTHERS_TAGS = (OWN_TAG_PREFIX, "azure", "microsoft", "windows")


def live_values(spec: VmSpec, names: Names, actual: Bodies) -> Values:
    """Field by field what is there; a field of which nothing is known is left out."""
    found = _of_network(names, actual) | _of_all(spec, names, actual)
    vm = actual.get(key(names.vm))
    if vm is None or tag(vm, DEPLOYMENT) != names.deployment:
        return found
    return (
        found | _of_vm(spec, vm) | _of_disks(names, vm, actual) | _of_interface(names, vm, actual)
    )


def _of_all(spec: VmSpec, names: Names, actual: Bodies) -> Values:
    """Region and tags, which all resources of the deployment have."""
    ids = (names.vm, *names.shared)
    ours = [body for id_ in ids if (body := _own(names, id_, actual)) is not None]
    if not ours:
        return {}
    there = location(ours[0]["location"])
    regions = [there, *(region for region in spec.regions if region != there)]
    return {"regions": regions, "tags": _common_tags(ours)}


def _own(names: Names, id_: ResourceId, actual: Bodies) -> Body | None:
    body = actual.get(key(id_))
    return body if tag(body, DEPLOYMENT) == names.deployment else None


def _common_tags(bodies: list[Body]) -> dict[str, str]:
    """The tags that every resource has: one that is on some was put there by somebody else."""
    first, *rest = bodies
    return {
        name: value
        for name, value in tags_of(first).items()
        if not name.casefold().startswith(_OTHERS_TAGS)
        and all(tag(other, name.casefold()) == value for other in rest)
    }


def _of_vm(spec: VmSpec, vm: Body) -> Values:
    properties = vm.get("properties") or {}
    zones = vm.get("zones") or ()
    keys = _at(properties, "osProfile", "linuxConfiguration", "ssh", "publicKeys") or ()
    found = {
        "size": _at(properties, "hardwareProfile", "vmSize"),
        "secure_boot": _at(properties, "securityProfile", "uefiSettings", "secureBootEnabled"),
        "admin_user": _at(properties, "osProfile", "adminUsername"),
        "boot_diagnostics": _at(properties, "diagnosticsProfile", "bootDiagnostics", "enabled"),
        "image": _image(_at(properties, "storageProfile", "imageReference")),
        "ssh_keys": _keys([str(one.get("keyData")).strip() for one in keys]),
    }
    price = _at(properties, "billingProfile", "maxPrice")
    spot = str(properties.get("priority") or "Regular").casefold() == "spot"
    return {field: value for field, value in found.items() if value is not None} | {
        "zone": zones[0] if zones else None,
        "spot": spot,
        "max_price": (spec.max_price if price == -1 else price) if spot else None,
        "identities": _identities(vm.get("identity") or {}),
        "ttl": None,  # how long it is wanted stands in its tags
    }


def _keys(lines: list[str]) -> list[str] | None:
    """All of the keys, if a spec can name every one of them just so."""
    return lines if lines and _readable(sshkey.parse, lines) == lines else None


def _image(reference: Any) -> str | None:
    """The exact image, as a spec names it."""
    if not isinstance(reference, dict):
        return None
    version = reference.get("exactVersion") or reference.get("version")
    urn = [*(reference.get(part) for part in ("publisher", "offer", "sku")), version]
    text = ":".join(map(str, urn)) if all(urn) else None
    text = text or reference.get("communityGalleryImageId") or reference.get("id")
    return next(iter(_readable(image.parse, [text])), None)


def _identities(identity: Body) -> list[str]:
    system = ["system"] if "systemassigned" in str(identity.get("type")).casefold() else []
    ids = identity.get("userAssignedIdentities") or ()
    return system + _readable(lambda id_: references.canonical(id_, references.USER_IDENTITY), ids)


def _of_disks(names: Names, vm: Body, actual: Bodies) -> Values:
    """Sizes and types are the disks' own: a deallocated VM's GET does not tell them."""
    storage = _at(vm, "properties", "storageProfile") or {}
    os_disk = storage.get("osDisk") or {}
    disk = _disk(os_disk, names.os_disk, actual)
    encryption = _at(os_disk, "managedDisk", "securityProfile", "securityEncryptionType")
    found = {
        "os_disk.size_gib": disk.get("size_gib"),
        "os_disk.type": disk.get("type"),
        "os_disk.encryption": _ENCRYPTIONS.get(str(encryption).casefold()),
    }
    known = {field: value for field, value in found.items() if value is not None}
    set_ = _at(os_disk, "managedDisk", "securityProfile", "diskEncryptionSet", "id")
    return known | {
        "os_disk.encryption_set": set_,
        "data_disks": _data_disks(names, storage, actual),
    }


def _data_disks(names: Names, storage: Body, actual: Bodies) -> list[Values]:
    """Ours, by their names, up to the first that is missing: a spec's list has no gaps."""
    attached = {str(one.get("name")).casefold(): one for one in storage.get("dataDisks") or ()}
    disks: list[Values] = []
    while one := attached.get(f"{names.deployment}-data{len(disks)}".casefold()):
        disk = _disk(one, names.data_disk(len(disks)), actual)
        if "size_gib" not in disk:
            break
        disks.append(disk)
    return disks


def _disk(attached: Body, id_: ResourceId, actual: Bodies) -> Values:
    named = _at(attached, "managedDisk", "id") or id_
    there = actual.get(key(named)) or {}
    size = _at(there, "properties", "diskSizeGB") or attached.get("diskSizeGB")
    type_ = _at(there, "sku", "name") or _at(attached, "managedDisk", "storageAccountType")
    return {name: value for name, value in (("size_gib", size), ("type", type_)) if value}


def _of_network(names: Names, actual: Bodies) -> Values:
    """Who may come in, and whether it is private; a NAT gateway is only made for private VMs."""
    found: Values = {}
    if _own(names, names.of(Kind.VNET, "-vnet"), actual) is not None:
        nat = _own(names, names.of(Kind.NAT, "-nat"), actual)
        found |= {"private": nat is not None, "subnet": None}
    sources = live_sources(names, actual)
    return found if sources is None else found | _ssh_from(sources)


def live_sources(names: Names, actual: Bodies) -> str | None:
    """Where the rule `ssh` lets connections in from, as ARM says it; several with commas."""
    nsg = _own(names, names.of(Kind.NSG, "-nsg"), actual)
    for rule in _at(nsg, "properties", "securityRules") or ():
        if str(rule.get("name")).casefold() == "ssh":
            one = _at(rule, "properties", "sourceAddressPrefix")
            several = _at(rule, "properties", "sourceAddressPrefixes") or ()
            return one or SEVERAL.join(several) or None
    return None


def _ssh_from(source: str) -> Values:
    if source.casefold() == "virtualnetwork":
        return {"ssh_from": "auto", "ssh_from_anywhere": False}
    try:
        wide = ipaddress.ip_network(source).prefixlen < WIDEST_PREFIX
    except ValueError:
        return {}
    return {"ssh_from": source, "ssh_from_anywhere": wide}


def _of_interface(names: Names, vm: Body, actual: Bodies) -> Values:
    """What only the network interface tells: a subnet of the user's own, a public address."""
    nic = interface_of(vm, actual)
    if nic is None or not _at(nic, "properties", "ipConfigurations"):
        return {}
    found: Values = {"private": is_private(nic)}
    subnet = subnet_of(nic)
    own = f"{names.of(Kind.VNET, '-vnet')}/subnets/{SUBNET}"
    return found | ({} if subnet is None else {"subnet": None if same(subnet, own) else subnet})


def _at(body: Any, *path: str) -> Any:
    """The field at a path; None where there is none."""
    for name in path:
        body = body.get(name) if isinstance(body, dict) else None
    return body


def _readable(parse: Callable[[str], Any], texts: Iterable[Any]) -> list[str]:
    """Those that can be read, in the form that a spec has."""
    found: list[str] = []
    for text in texts:
        try:
            found.append(str(parse(str(text).strip())))
        except ValueError:
            continue
    return found
