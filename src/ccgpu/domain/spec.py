"""The spec of one confidential GPU VM: what a user may ask for.

All that can be refused without asking Azure is refused here, and all of it at once: a rule
about several fields runs whenever the fields it is about are valid, whatever else is wrong.
"""

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Annotated, Any, NamedTuple, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    ValidationError,
    model_validator,
)

from ccgpu.domain import catalog, spec_fields, spec_problems
from ccgpu.domain.image import Image, parse
from ccgpu.domain.resource import own_group
from ccgpu.domain.spec_problems import FieldProblem, Path

# Microsoft Learn, "Naming rules and restrictions for Azure resources"; ours is NAME-vnet.
_VNET_NAME_MAX = 64
_VNET_SUFFIX = "-vnet"

_CONFIG = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class DiskEncryption(StrEnum):
    """How much of the OS disk only the VM itself can read."""

    FULL = "full"
    STATE_ONLY = "state-only"

    @property
    def arm(self) -> str:
        """ARM's word for it: `securityEncryptionType` of the compute API."""
        return "DiskWithVMGuestState" if self is DiskEncryption.FULL else "VMGuestStateOnly"


class OsDisk(BaseModel):
    """The disk that the VM boots from."""

    model_config = _CONFIG

    size_gib: Annotated[
        spec_fields.Gib,
        Field(ge=catalog.OS_DISK_GIB[0], le=catalog.OS_DISK_GIB[1], description="Size in GiB."),
    ] = 256
    type: Annotated[
        spec_fields.DiskType, Field(description="Kind of storage; Premium_LRS is the fastest.")
    ] = "Premium_LRS"
    encryption: Annotated[
        DiskEncryption,
        Field(
            description="full: the whole disk is encrypted for this VM alone, and needs "
            "secure_boot; creation takes up to half an hour. state-only: only the vTPM's state is."
        ),
    ] = DiskEncryption.FULL
    encryption_set: Annotated[
        spec_fields.EncryptionSetId | None,
        Field(
            description="ARM id of a disk encryption set of type "
            "ConfidentialVmEncryptedWithCustomerKey; needs encryption: full."
        ),
    ] = None


class DataDisk(BaseModel):
    """An empty disk beside the OS disk. It is not covered by confidential encryption."""

    model_config = _CONFIG

    size_gib: Annotated[
        spec_fields.Gib,
        Field(ge=catalog.DATA_DISK_GIB[0], le=catalog.DATA_DISK_GIB[1], description="Size in GiB."),
    ]
    type: Annotated[
        spec_fields.DiskType, Field(description="Kind of storage; Premium_LRS is the fastest.")
    ] = "Premium_LRS"


class VmSpec(BaseModel):
    """One confidential GPU VM."""

    model_config = _CONFIG

    name: Annotated[
        spec_fields.Name,
        Field(description="Name of the deployment, its VM and what it is made of."),
    ]
    regions: Annotated[
        spec_fields.Regions,
        Field(
            description="Regions in order of preference; the first that can hold the VM is used."
        ),
    ] = catalog.REGIONS
    zone: Annotated[
        spec_fields.Zone | None,
        Field(description="Availability zone, 1 to 3; without it Azure decides."),
    ] = None
    size: Annotated[
        spec_fields.Size, Field(description="VM size; only confidential-GPU sizes are accepted.")
    ] = catalog.NCC_H100_V5
    image: Annotated[
        spec_fields.ImageText,
        Field(
            description="publisher:offer:sku:version of a confidential-VM image, a "
            "/CommunityGalleries/… path, or the ARM id of a gallery image or version."
        ),
    ] = catalog.DEFAULT_IMAGE
    os_disk: Annotated[OsDisk, Field(description="The disk that the VM boots from.")] = OsDisk()
    secure_boot: Annotated[
        bool, Field(description="Whether only signed code boots; needed by encryption: full.")
    ] = True
    data_disks: Annotated[
        tuple[DataDisk, ...],
        Field(
            max_length=catalog.NCC_MAX_DATA_DISKS,
            description="Empty disks to add. Encrypt them in the guest: the host can read them.",
        ),
    ] = ()
    admin_user: Annotated[
        spec_fields.AdminUser, Field(description="The user who may log in, with sudo.")
    ] = "azureuser"
    ssh_keys: Annotated[
        spec_fields.SshKeys,
        Field(
            description="Public keys that may log in: OpenSSH lines, or paths of .pub files. "
            "Ed25519, or RSA of 2048 bits or more."
        ),
    ] = ()
    ssh_from: Annotated[
        spec_fields.SshFrom,
        Field(description="Who may reach port 22: an IPv4 network, or auto for your own address."),
    ] = "auto"
    ssh_from_anywhere: Annotated[
        bool, Field(description="Allows ssh_from to be 0.0.0.0/0 or another network wider than /8.")
    ] = False
    private: Annotated[
        bool, Field(description="No public address; a NAT gateway for what the VM asks for.")
    ] = False
    subnet: Annotated[
        spec_fields.SubnetId | None,
        Field(description="ARM id of a subnet of your own; without it a network is made."),
    ] = None
    identities: Annotated[
        spec_fields.Identities,
        Field(
            description="Managed identities of the VM: system, ARM ids of user-assigned ones, or "
            "both. Every process in the VM can use them."
        ),
    ] = ()
    tags: Annotated[
        spec_fields.Tags, Field(description="Tags for every resource. They are not secret.")
    ] = {}
    ttl: Annotated[
        spec_fields.Ttl | None,
        Field(description="Time to live: `ccgpu gc` deletes the VM after it. 10m to 30d."),
    ] = None
    spot: Annotated[
        bool, Field(description="Use spare capacity: cheaper, and Azure may stop the VM any time.")
    ] = False
    max_price: Annotated[
        spec_fields.MaxPrice | None,
        Field(description="Most US dollars an hour for spot; -1: up to the normal price."),
    ] = None
    resource_group: Annotated[
        spec_fields.ResourceGroup | None,
        Field(description="Resource group to use or make; without it ccgpu-NAME."),
    ] = None
    boot_diagnostics: Annotated[
        bool, Field(description="Keep the serial log where `ccgpu logs` and readiness can read it.")
    ] = True

    @property
    def group(self) -> str:
        """The resource group that the deployment lives in."""
        return self.resource_group or own_group(self.name)

    @property
    def image_reference(self) -> Image:
        """What `image` names."""
        return parse(self.image)

    @model_validator(mode="wrap")
    @classmethod
    def _all_problems_at_once(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        try:
            spec = handler(data)
            problems: tuple[FieldProblem, ...] = ()
        except ValidationError as err:
            problems = spec_problems.worded(err, KNOWN_FIELDS)
            if not isinstance(data, dict):
                raise spec_problems.refusal(cls.__name__, problems) from None
            spec = handler(_valid_part(data, problems))
        bad = {problem.path for problem in problems}
        problems += tuple(FieldProblem(r.path, r.message) for r in _RULES if r.broken_by(spec, bad))
        if problems:
            raise spec_problems.refusal(cls.__name__, problems) from None
        return spec


KNOWN_FIELDS: Mapping[Path, frozenset[str]] = {
    (): frozenset(VmSpec.model_fields),
    ("os_disk",): frozenset(OsDisk.model_fields),
    ("data_disks",): frozenset(DataDisk.model_fields),
}


class _Rule(NamedTuple):
    """What must hold between fields: `wrong` is asked only when all of `about` are valid."""

    path: Path
    about: tuple[Path, ...]
    wrong: Callable[[VmSpec], bool]
    message: str

    def broken_by(self, spec: VmSpec, bad: set[Path]) -> bool:
        touched = any(_overlap(field, path) for field in self.about for path in bad)
        return not touched and self.wrong(spec)


def _overlap(one: Path, other: Path) -> bool:
    shorter = min(len(one), len(other))
    return one[:shorter] == other[:shorter]


def _valid_part(data: dict[Any, Any], problems: tuple[FieldProblem, ...]) -> dict[str, Any]:
    """`data` without what was refused, so that rules can look at the rest."""
    part = {key: value for key, value in data.items() if isinstance(key, str)}
    for path, _ in problems:
        inner = part.get(str(path[0]))
        if path[0] == "os_disk" and isinstance(inner, dict):
            part["os_disk"] = {key: value for key, value in inner.items() if key != path[1]}
        else:
            part.pop(str(path[0]), None)
    return {"name": "unnamed"} | part


def _is_wide(spec: VmSpec) -> bool:
    return spec.ssh_from != "auto" and int(spec.ssh_from.split("/")[1]) < spec_fields.WIDEST_PREFIX


_ENCRYPTION: Path = ("os_disk", "encryption")
_ENCRYPTION_SET: Path = ("os_disk", "encryption_set")
_RULES = (
    _Rule(
        ("name",),
        (("name",), ("subnet",)),
        lambda spec: spec.subnet is None and len(spec.name + _VNET_SUFFIX) > _VNET_NAME_MAX,
        f"must have at most {_VNET_NAME_MAX - len(_VNET_SUFFIX)} characters, or the name of its "
        "network is too long for Azure",
    ),
    # CAPZ PR 3265 and openshift/api 1403: the service refuses it.
    _Rule(
        ("secure_boot",),
        (("secure_boot",), _ENCRYPTION),
        lambda spec: not spec.secure_boot and spec.os_disk.encryption is DiskEncryption.FULL,
        "must be true with os_disk.encryption full: without it the disk's key is not bound to "
        "what booted; keep it true, or choose encryption: state-only",
    ),
    # azurerm, linux_virtual_machine: `secure_vm_disk_encryption_set_id`.
    _Rule(
        _ENCRYPTION_SET,
        (_ENCRYPTION, _ENCRYPTION_SET),
        lambda spec: (
            spec.os_disk.encryption_set is not None
            and spec.os_disk.encryption is not DiskEncryption.FULL
        ),
        "needs os_disk.encryption full: with state-only Azure uses its own key",
    ),
    _Rule(
        ("ssh_from",),
        (("ssh_from",), ("ssh_from_anywhere",)),
        lambda spec: _is_wide(spec) and not spec.ssh_from_anywhere,
        "opens SSH to a network wider than /8: give your own network, or allow it with "
        "ssh_from_anywhere: true",
    ),
    _Rule(
        ("ssh_from_anywhere",),
        (("ssh_from",), ("ssh_from_anywhere",)),
        lambda spec: spec.ssh_from_anywhere and spec.ssh_from == "auto",
        "only allows a wide ssh_from: write ssh_from: 0.0.0.0/0 as well, or leave it out",
    ),
    _Rule(
        ("max_price",),
        (("max_price",), ("spot",)),
        lambda spec: spec.max_price is not None and not spec.spot,
        "is only for spot: add spot: true, or remove it",
    ),
)
