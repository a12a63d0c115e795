"""The options that say what VM is wanted, shared by every command that takes a spec.

A command takes them all as one parameter: `wanted: Wanted`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ccgpu.cli.bundles import Bundle
from ccgpu.cli.options import FileOption, GroupOption

if TYPE_CHECKING:
    from ccgpu.azure.context import AzureContext
    from ccgpu.cli.runtime import Reach, Runtime
    from ccgpu.domain.given import AskedSpec, RememberedSpec
    from ccgpu.domain.spec import VmSpec
    from ccgpu.store.specs import Recall

_MACHINE, _ACCESS, _DISKS = "Machine", "Access", "Disks"


class Encryption(StrEnum):
    """`--disk-encryption`."""

    FULL = "full"
    STATE_ONLY = "state-only"


@dataclass(frozen=True, slots=True)
class SpecRequest:
    """What the command line says of the spec, before any file is read."""

    name: str | None
    file: Path | None
    template: str | None
    sets: tuple[str, ...]
    flags: Mapping[str, Any]

    def build(self, *, otherwise: str | None = None) -> "VmSpec":
        """The spec, or `InvalidFile` with all that is wrong with it.

        `otherwise`: its name, where neither the command line nor the file gives one.
        """
        from ccgpu.store import specs

        return specs.build(
            self.name,
            file=self.file,
            template=self.template,
            sets=self.sets,
            flags=self.flags,
            otherwise=otherwise,
        )

    def asked(self, recall: "Recall") -> "AskedSpec":
        """The spec, begun with what `recall` knows of its name, and which fields were given."""
        from ccgpu.store import specs

        return specs.asked(
            self.name,
            file=self.file,
            template=self.template,
            sets=self.sets,
            flags=self.flags,
            recall=recall,
        )


FreshOption = Annotated[
    bool,
    typer.Option(
        "--fresh", help="Start from the defaults, not from the last create of NAME on this machine."
    ),
]


def connected(
    run: "Runtime", wanted: SpecRequest, reach: "Reach", *, fresh: bool
) -> "tuple[AzureContext, AskedSpec]":
    """The subscription, and the spec that is asked for there.

    A file is the whole of what is asked for: it is read first, and refused before anybody is asked.
    """
    reached: list[AzureContext] = []

    def recall(name: str) -> "RememberedSpec | None":
        if fresh:
            return None
        reached.append(run.connect(reach))
        return reached[0].journals.remembered(reached[0].subscription, name)

    asked = wanted.asked(recall)
    return reached[0] if reached else run.connect(reach), asked


def option(help_: str, *names: str, panel: str | None = None, **more: Any) -> Any:
    """An option without a default shown: what is not given is left to the spec."""
    return typer.Option(*names, help=help_, show_default=False, rich_help_panel=panel, **more)


def request(
    name: Annotated[
        str | None,
        typer.Argument(metavar="NAME", help="Deployment name.", show_default=False),
    ] = None,
    file: FileOption = None,
    template: Annotated[
        str | None,
        option("Start from a template; `ccgpu templates` lists them.", metavar="TEMPLATE"),
    ] = None,
    set_: Annotated[
        list[str] | None,
        option("Set one field: `--set os_disk.size_gib=512`.", "--set", metavar="KEY=VALUE"),
    ] = None,
    region: Annotated[
        list[str] | None,
        option(
            "Region; repeat it in order of preference.",
            "--region",
            panel=_MACHINE,
            metavar="REGION",
        ),
    ] = None,
    zone: Annotated[
        str | None, option("Availability zone.", panel=_MACHINE, metavar="ZONE")
    ] = None,
    size: Annotated[str | None, option("VM size.", panel=_MACHINE, metavar="SIZE")] = None,
    image: Annotated[
        str | None,
        option("Marketplace URN, community or own gallery image.", panel=_MACHINE, metavar="IMAGE"),
    ] = None,
    secure_boot: Annotated[
        bool | None, option("Secure boot.", "--secure-boot/--no-secure-boot", panel=_MACHINE)
    ] = None,
    spot: Annotated[
        bool | None, option("Spot VM; Azure can evict it.", "--spot", panel=_MACHINE)
    ] = None,
    max_price: Annotated[
        float | None,
        option("Maximum hourly price of a Spot VM, in USD.", panel=_MACHINE, metavar="USD"),
    ] = None,
    ttl: Annotated[
        str | None,
        option(
            "Lease, such as 8h; `ccgpu gc` deletes what has expired.",
            panel=_MACHINE,
            metavar="DURATION",
        ),
    ] = None,
    tag: Annotated[
        list[str] | None,
        option("Tag: `--tag team=ml`.", "--tag", panel=_MACHINE, metavar="NAME=VALUE"),
    ] = None,
    identity: Annotated[
        list[str] | None,
        option("Managed identity: `system`, or an id.", "--identity", panel=_MACHINE, metavar="ID"),
    ] = None,
    os_disk_gib: Annotated[
        int | None, option("Size of the OS disk.", panel=_DISKS, metavar="GIB")
    ] = None,
    disk_encryption: Annotated[
        Encryption | None, option("Confidential encryption of the OS disk.", panel=_DISKS)
    ] = None,
    disk_encryption_set: Annotated[
        str | None,
        option("Disk encryption set with your own key (id).", panel=_DISKS, metavar="ID"),
    ] = None,
    data_disk: Annotated[
        list[int] | None,
        option("Add a data disk of this size.", "--data-disk", panel=_DISKS, metavar="GIB"),
    ] = None,
    admin_user: Annotated[
        str | None, option("Name of the admin user.", panel=_ACCESS, metavar="USER")
    ] = None,
    ssh_key: Annotated[
        list[str] | None,
        option(
            "SSH public key: a file, or the key itself.", "--ssh-key", panel=_ACCESS, metavar="KEY"
        ),
    ] = None,
    ssh_from: Annotated[
        str | None,
        option(
            "Network that may reach port 22, or `auto` for your own address.",
            panel=_ACCESS,
            metavar="CIDR",
        ),
    ] = None,
    ssh_from_anywhere: Annotated[
        bool | None, option("Allow `--ssh-from 0.0.0.0/0`.", "--ssh-from-anywhere", panel=_ACCESS)
    ] = None,
    private: Annotated[
        bool | None,
        option("No public IP; outgoing traffic uses a NAT gateway.", "--private", panel=_ACCESS),
    ] = None,
    vnet: Annotated[
        str | None, option("Existing VNet (id); with --subnet.", panel=_ACCESS, metavar="ID")
    ] = None,
    subnet: Annotated[
        str | None,
        option("Existing subnet: its id, or its name with --vnet.", panel=_ACCESS, metavar="ID"),
    ] = None,
    resource_group: GroupOption = None,
) -> SpecRequest:
    """Collect the options; None means that the user did not say."""
    flags = {
        "regions": region,
        "zone": zone,
        "size": size,
        "image": image,
        "secure_boot": secure_boot,
        "spot": spot,
        "max_price": max_price,
        "ttl": ttl,
        "tags": _tags(tag),
        "identities": identity,
        "os_disk": _section(
            size_gib=os_disk_gib,
            encryption=disk_encryption and disk_encryption.value,
            encryption_set=disk_encryption_set,
        ),
        "data_disks": None if data_disk is None else [{"size_gib": gib} for gib in data_disk],
        "admin_user": admin_user,
        "ssh_keys": ssh_key,
        "ssh_from": ssh_from,
        "ssh_from_anywhere": ssh_from_anywhere,
        "private": private,
        "subnet": _subnet(vnet, subnet),
        "resource_group": resource_group,
    }
    return SpecRequest(name, file, template, tuple(set_ or ()), flags)


Wanted = Annotated[SpecRequest, Bundle(request)]


def _section(**fields: Any) -> dict[str, Any] | None:
    """A part of the spec; None where no flag says anything of it, so that the file has its say."""
    given = {name: value for name, value in fields.items() if value is not None}
    return given or None


def _tags(given: list[str] | None) -> dict[str, str] | None:
    if given is None:
        return None
    for one in given:
        if "=" not in one:
            raise typer.BadParameter(f"{one!r} has no '=': write --tag NAME=VALUE")
    return dict(one.split("=", 1) for one in given)


def _subnet(vnet: str | None, subnet: str | None) -> str | None:
    if vnet is None:
        return subnet
    if subnet is None:
        raise typer.BadParameter("--vnet needs --subnet NAME")
    return f"{vnet.rstrip('/')}/subnets/{subnet}"
