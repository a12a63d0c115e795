"""The spec of one confidential GPU VM: what a user may ask for.

All that can be refused without asking Azure is refused here.
"""

from typing import Annotated, Any, ClassVar, Self

from pydantic import Field, ModelWrapValidatorHandler, model_validator

from ccgpu.domain import catalog
from ccgpu.domain.image import (
    Image,
    MeasuredImage,
    is_measured,
    parse,
    parse_measured,
    ubuntu_release,
)
from ccgpu.domain.resource import own_group
from ccgpu.domain.secret import MOST_SECRETS
from ccgpu.domain.spec import fields
from ccgpu.domain.spec.data_disks import DataDisk
from ccgpu.domain.spec.flags import ACCESS, DISKS, RESOURCE_GROUP, Flag, ParentFlag
from ccgpu.domain.spec.guest import Guest
from ccgpu.domain.spec.measured import measured_rules, with_measured_defaults
from ccgpu.domain.spec.os_disk import DiskEncryption, OsDisk
from ccgpu.domain.spec.rules import FieldRule, validate
from ccgpu.domain.spec.secrets import SecretSources
from ccgpu.domain.spec.section import Section
from ccgpu.domain.spec.workload import Workload

# Microsoft Learn, "Naming rules and restrictions for Azure resources"; ours is NAME-vnet.
_VNET_NAME_MAX = 64
_VNET_SUFFIX = "-vnet"


class VmSpec(Section):
    """One confidential GPU VM."""

    name: Annotated[
        fields.Name,
        Field(description="Name of the deployment, its VM and what it is made of."),
    ]
    regions: Annotated[
        fields.Regions,
        Field(
            description="Regions in order of preference; the first that can hold the VM is used."
        ),
        Flag("Region; repeat it in order of preference.", "REGION", ("--region",)),
    ] = catalog.REGIONS
    any_region: Annotated[
        bool,
        Field(
            description="After these regions, try every other one that offers the size, the "
            "cheapest first."
        ),
        Flag("After these, try every other region, the cheapest first."),
    ] = False
    zone: Annotated[
        fields.Zone | None,
        Field(
            description="Availability zone, 1 to 3; without it Azure decides, and if it has no "
            "room, each zone is tried."
        ),
        Flag("Availability zone.", "ZONE"),
    ] = None
    size: Annotated[
        fields.Size,
        Field(description="VM size; only confidential-GPU sizes are accepted."),
        Flag("VM size.", "SIZE"),
    ] = catalog.NCC_H100_V5
    image: Annotated[
        fields.ImageText,
        Field(
            description="publisher:offer:sku:version of a confidential-VM image, a "
            "/CommunityGalleries/… path, the ARM id of a gallery image or version, or "
            "{measured: FILE, gallery: ID}: a measured image with its manifest."
        ),
        Flag("Marketplace URN, community or own gallery image, or measured:FILE@ID.", "IMAGE"),
    ] = catalog.DEFAULT_IMAGE
    os_disk: Annotated[OsDisk, Field(description="The disk that the VM boots from.")] = OsDisk()
    secure_boot: Annotated[
        bool,
        Field(description="Whether only signed code boots; needed by encryption: full."),
        Flag("Secure boot."),
    ] = True
    data_disks: Annotated[
        tuple[DataDisk, ...],
        Field(
            max_length=catalog.NCC_MAX_DATA_DISKS,
            description="Empty disks to add. Encrypt them in the guest: the host can read them.",
        ),
        Flag("Add a data disk of this size.", "GIB", ("--data-disk",), DISKS),
    ] = ()
    admin_user: Annotated[
        fields.AdminUser,
        Field(description="The user who may log in, with sudo."),
        Flag("Name of the admin user.", "USER", panel=ACCESS),
    ] = "azureuser"
    ssh_keys: Annotated[
        fields.SshKeys,
        Field(
            description="Public keys that may log in: OpenSSH lines, or paths of .pub files. "
            "Ed25519, or RSA of 2048 bits or more."
        ),
        Flag("SSH public key: a file, or the key itself.", "KEY", ("--ssh-key",), ACCESS),
    ] = ()
    ssh_from: Annotated[
        fields.SshFrom,
        Field(description="Who may reach port 22: an IPv4 network, or auto for your own address."),
        Flag(
            "Network that may reach port 22, or `auto` for your own address.", "CIDR", panel=ACCESS
        ),
    ] = "auto"
    ssh_from_anywhere: Annotated[
        bool,
        Field(description="Allows ssh_from to be 0.0.0.0/0 or another network wider than /8."),
        Flag("Allow `--ssh-from 0.0.0.0/0`.", panel=ACCESS),
    ] = False
    private: Annotated[
        bool,
        Field(description="No public address; a NAT gateway for what the VM asks for."),
        Flag("No public IP; outgoing traffic uses a NAT gateway.", panel=ACCESS),
    ] = False
    subnet: Annotated[
        fields.SubnetId | None,
        Field(description="ARM id of a subnet of your own; without it a network is made."),
        Flag(
            "Existing subnet: its id, or its name with --vnet.",
            "ID",
            panel=ACCESS,
            parent=ParentFlag("--vnet", "Existing VNet (id); with --subnet.", "subnets"),
        ),
    ] = None
    identities: Annotated[
        fields.Identities,
        Field(
            description="Managed identities of the VM: system, ARM ids of user-assigned ones, or "
            "both. Every process in the VM can use them."
        ),
        Flag("Managed identity: `system`, or an id.", "ID", ("--identity",), rank=3),
    ] = ()
    tags: Annotated[
        fields.Tags,
        Field(description="Tags for every resource. They are not secret."),
        Flag("Tag: `--tag team=ml`.", "NAME=VALUE", ("--tag",), rank=2),
    ] = {}  # noqa: RUF012  # pydantic copies it for each spec
    ttl: Annotated[
        fields.Ttl | None,
        Field(description="Time to live: `ccgpu gc` deletes the VM after it. 10m to 30d."),
        Flag("Lease, such as 8h; `ccgpu gc` deletes what has expired.", "DURATION", rank=1),
    ] = None
    spot: Annotated[
        bool,
        Field(description="Use spare capacity: cheaper, and Azure may stop the VM any time."),
        Flag("Spot VM; Azure can evict it."),
    ] = False
    max_price: Annotated[
        fields.MaxPrice | None,
        Field(description="Most US dollars an hour for spot; -1: up to the normal price."),
        Flag("Maximum hourly price of a Spot VM, in USD.", "USD"),
    ] = None
    guest: Annotated[Guest, Field(description="What is set up in the VM at its first boot.")] = (
        Guest()
    )
    secrets: Annotated[
        SecretSources,
        Field(
            max_length=MOST_SECRETS,
            description="Secrets that `create` releases to the VM at its end, once it is proven. "
            "Only their sources stand here, never their values.",
        ),
    ] = ()
    workload: Annotated[
        Workload | None,
        Field(description="What runs in the VM once it is proven; `ccgpu run` starts it."),
    ] = None
    resource_group: Annotated[
        fields.ResourceGroup | None,
        Field(description="Resource group to use or make; without it ccgpu-NAME."),
        RESOURCE_GROUP,
    ] = None
    boot_diagnostics: Annotated[
        bool, Field(description="Keep the serial log where `ccgpu logs` and readiness can read it.")
    ] = True

    rules: ClassVar["tuple[FieldRule[VmSpec], ...]"] = (
        FieldRule(
            ("name",),
            (("name",), ("subnet",)),
            lambda spec: spec.subnet is None and len(spec.name + _VNET_SUFFIX) > _VNET_NAME_MAX,
            f"must have at most {_VNET_NAME_MAX - len(_VNET_SUFFIX)} characters, or the name of "
            "its network is too long for Azure",
        ),
        # CAPZ PR 3265 and openshift/api 1403: the service refuses it.
        FieldRule(
            ("secure_boot",),
            (("secure_boot",), ("os_disk", "encryption"), ("image",)),
            lambda spec: (
                not spec.secure_boot
                and spec.os_disk.encryption is DiskEncryption.FULL
                and not is_measured(spec.image)
            ),
            "must be true with os_disk.encryption full: without it the disk's key is not bound to "
            "what booted; keep it true, or choose encryption: state-only",
        ),
        FieldRule(
            ("ssh_from",),
            (("ssh_from",), ("ssh_from_anywhere",)),
            lambda spec: _is_wide(spec.ssh_from) and not spec.ssh_from_anywhere,
            "opens SSH to a network wider than /8: give your own network, or allow it with "
            "ssh_from_anywhere: true",
        ),
        FieldRule(
            ("ssh_from_anywhere",),
            (("ssh_from",), ("ssh_from_anywhere",)),
            lambda spec: spec.ssh_from_anywhere and spec.ssh_from == "auto",
            "only allows a wide ssh_from: write ssh_from: 0.0.0.0/0 as well, or leave it out",
        ),
        FieldRule(
            ("guest",),
            (("image",), ("guest",)),
            lambda spec: (
                not spec.is_set_up
                and not is_measured(spec.image)
                and bool(_set_up_fields(spec.guest))
            ),
            "asks for what only Canonical's images of Ubuntu 22.04 and 24.04 are set up with: "
            "leave out driver, docker, container_toolkit, openssl, apt_snapshot, updates and "
            "temp_disk, or choose such an image",
        ),
        FieldRule(
            ("max_price",),
            (("max_price",), ("spot",)),
            lambda spec: spec.max_price is not None and not spec.spot,
            "is only for spot: add spot: true, or remove it",
        ),
        *measured_rules(),
    )

    @property
    def is_set_up(self) -> bool:
        """Whether ccgpu installs the driver and the rest; else the image brings them along."""
        return ubuntu_release(self.image_reference) is not None

    @property
    def group(self) -> str:
        """The deployment's resource group."""
        return self.resource_group or own_group(self.name)

    @property
    def image_reference(self) -> Image:
        """The parsed `image`; of a measured one, that of the gallery."""
        measured = self.measured_image
        return parse(self.image) if measured is None else measured.gallery

    @property
    def measured_image(self) -> MeasuredImage | None:
        """The measured image with its manifest; None if `image` is another one."""
        return parse_measured(self.image)

    @model_validator(mode="wrap")
    @classmethod
    def _all_problems_at_once(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        stand_ins = {"name": "unnamed"}
        return validate(cls, with_measured_defaults(data), handler, stand_ins=stand_ins)


def _is_wide(network: str) -> bool:
    return network != "auto" and int(network.split("/")[1]) < fields.WIDEST_PREFIX


def _set_up_fields(guest: Guest) -> list[str]:
    """The fields for images that ccgpu sets up that differ from the default."""
    default = Guest()
    return [name for name in Guest.SET_UP if getattr(guest, name) != getattr(default, name)]
