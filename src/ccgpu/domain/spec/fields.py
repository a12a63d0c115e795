"""The types of spec fields: each parses one value, or explains why it is invalid.

A message starts with a verb, for it follows the path of the field, and ends with what to write. It
never quotes an SSH key.
"""

import ipaddress
import re
from collections.abc import Hashable, Iterable
from datetime import timedelta
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, WithJsonSchema

from ccgpu.domain import catalog, image, references, sshkey, ttl
from ccgpu.domain.resource import (
    GROUP_PATTERN,
    NAME_PATTERN,
    is_deployment_name,
    is_group_name,
)

# A network with a shorter prefix counts as "anywhere": two /1 networks cover every address.
WIDEST_PREFIX = 8

# Azure refuses these: azurerm, `OSProfile` of Linux VMs; Microsoft Learn, Linux VM FAQ.
_AZURE_REFUSED_USERS = (
    "administrator admin user user1 test user2 test1 user3 admin1 1 123 a actuser adm admin2 "
    "aspnet backup console david guest john owner root server sql support support_388945a0 sys "
    "test2 test3 user4 user5"
)
# useradd refuses existing names; these users and groups are in every Ubuntu (base-passwd).
_TAKEN_USERS = (
    "daemon bin sync games man lp mail news uucp proxy www-data list irc nobody sshd syslog tty "
    "disk kmem dialout fax voice cdrom floppy tape sudo audio dip operator src shadow utmp video "
    "sasl plugdev staff users nogroup docker render lxd"
)


_USER = r"[a-z_][a-z0-9_-]{0,31}"  # useradd accepts 32 characters, Azure 64


def _name(value: str) -> str:
    if not is_deployment_name(value):
        raise ValueError(
            "must be 1 to 63 of a-z, 0-9 and '-', start with a letter, not end with '-'"
        )
    return value


def region(value: str) -> str:
    """A region in ARM's spelling: "East US 2" is "eastus2"."""
    short = value.replace(" ", "").lower()
    if not re.fullmatch(r"[a-z][a-z0-9]{2,40}", short):
        raise ValueError("is not a region, write one such as eastus2")
    return short


def _zone(value: str) -> str:
    if value not in ("1", "2", "3"):
        raise ValueError("must be 1, 2 or 3")
    return value


def _size(value: str) -> str:
    match = re.fullmatch(catalog.NCC_SIZE_PATTERN, value, re.IGNORECASE | re.ASCII)
    if match is None:
        raise ValueError(
            "is not a confidential-GPU size: only the NCC H100 v5 sizes protect the memory of CPU "
            f"and GPU, use {catalog.NCC_H100_V5}"
        )
    return "Standard_NCC{}ads_H100_v{}".format(*match.groups())


def _image(value: str) -> str:
    return str(image.parse_measured(value) or image.parse(value))


def _disk_type(value: str) -> str:
    for known in catalog.DISK_TYPES:
        if value.lower() == known.lower():
            return known
    raise ValueError(f"must be one of {', '.join(catalog.DISK_TYPES)}")


def _admin_user(value: str) -> str:
    if not re.fullmatch(_USER, value) and value not in _AZURE_REFUSED_USERS.split():
        raise ValueError("must be 1 to 32 of a-z, 0-9, '_' and '-', and start with a letter or '_'")
    if value in _AZURE_REFUSED_USERS.split():
        raise ValueError(f"{value!r} is refused by Azure, choose another such as azureuser")
    if value in _TAKEN_USERS.split():
        raise ValueError(f"{value!r} is taken on every Ubuntu, choose another such as azureuser")
    return value


def _ssh_key(value: str) -> str:
    return str(sshkey.parse(value))


def _ssh_from(value: str) -> str:
    if value.strip().lower() == "auto":
        return "auto"
    try:
        network = ipaddress.ip_network(value.strip(), strict=False)
    except ValueError:
        raise ValueError(
            "must be `auto`, an IPv4 address, or a network such as 203.0.113.0/24"
        ) from None
    if network.version == 6:
        raise ValueError("is IPv6, and the VM's public address is IPv4: give an IPv4 network")
    return str(network)


def _subnet(value: str) -> str:
    return references.canonical_id(value, references.SUBNET)


def _identity(value: str) -> str:
    if value.lower() == "system":
        return "system"
    try:
        return references.canonical_id(value, references.USER_IDENTITY)
    except ValueError as err:
        raise ValueError(f"must be `system`, or an ARM id; it {err}") from None


def _tags(value: dict[str, str]) -> dict[str, str]:
    most = catalog.MAX_TAGS - catalog.OWN_TAGS
    if len(value) > most:
        raise ValueError(
            f"has {len(value)} tags, at most {most} fit: Azure allows {catalog.MAX_TAGS}, and "
            f"{catalog.OWN_TAGS} are for ccgpu"
        )
    distinct("tag", (name.lower() for name in value))
    return value


def _tag_name(value: str) -> str:
    if not 1 <= len(value) <= catalog.MAX_TAG_NAME:
        raise ValueError(f"is a tag name of {len(value)} characters, 1 to 512 are allowed")
    if re.search(r"[<>%&\\?/]", value) or not value.isprintable():
        raise ValueError("is a tag name with a character that Azure refuses, leave out <>%&\\?/")
    if value.lower().startswith(catalog.OWN_TAG_PREFIX):
        raise ValueError("is a tag of ccgpu's own, choose a name that does not start with ccgpu-")
    if value.lower().startswith(("azure", "microsoft", "windows")):
        raise ValueError("is a tag name that Azure keeps for itself, choose another start")
    return value


def _tag_value(value: str) -> str:
    if len(value) > catalog.MAX_TAG_VALUE:
        raise ValueError(f"has {len(value)} characters, a tag's value may have 256")
    if not value.isprintable():
        raise ValueError("has a character that cannot be printed, remove it")
    return value


def _ttl(value: Any) -> Any:
    if isinstance(value, timedelta):
        return ttl.check_limits(value)
    if isinstance(value, str):
        return ttl.parse(value)
    raise ValueError("is not a time to live: write days, hours, minutes, as in 8h or 2d12h")


def _max_price(value: float) -> float:
    if value <= 0 and value != -1:
        raise ValueError("must be US dollars an hour above 0, or -1 for up to the normal price")
    if round(value, 5) != value:
        raise ValueError("must have at most 5 decimals")
    return value


def _resource_group(value: str) -> str:
    if not is_group_name(value):
        raise ValueError("must be 1 to 90 letters, digits and _-.() and not end with '.'")
    return value


def distinct(what: str, values: Iterable[Hashable]) -> None:
    """Refuse a value that is there twice (`ValueError`); what: the word for one of them."""
    seen: set[Hashable] = set()
    for value in values:
        if value in seen:
            raise ValueError(f"has the same {what} twice, remove one")
        seen.add(value)


def _distinct_regions(value: tuple[str, ...]) -> tuple[str, ...]:
    if not value:
        raise ValueError("is empty, give at least one region or leave it out")
    distinct("region", value)
    return value


def _distinct_keys(value: tuple[str, ...]) -> tuple[str, ...]:
    distinct("key", (line.split(" ")[1] for line in value))
    return value


def _distinct_identities(value: tuple[str, ...]) -> tuple[str, ...]:
    distinct("identity", (identity.lower() for identity in value))
    return value


def _not_boolean(value: Any) -> Any:
    """Refuse booleans: pydantic would read true as 1."""
    if isinstance(value, bool):
        raise ValueError("must be a number")  # noqa: TRY004  # pydantic passes a TypeError on
    return value


def _number_as_text(value: Any) -> Any:
    """A zone as text: JSON and callers may give a number."""
    return str(value) if type(value) is int else value


def _pattern_schema(pattern: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "pattern": f"^{pattern}$"})


Name = Annotated[str, AfterValidator(_name), _pattern_schema(NAME_PATTERN)]
Region = Annotated[str, AfterValidator(region)]
Regions = Annotated[tuple[Region, ...], AfterValidator(_distinct_regions)]
Zone = Annotated[
    str,
    AfterValidator(_zone),
    BeforeValidator(_number_as_text),
    WithJsonSchema({"enum": ["1", "2", "3", 1, 2, 3]}),
]
Size = Annotated[str, AfterValidator(_size), _pattern_schema(catalog.NCC_SIZE_PATTERN)]
# A spec file may have a mapping, which `store.measured_sources` makes a text of.
ImageText = Annotated[
    str,
    AfterValidator(_image),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string"},
                {
                    "type": "object",
                    "description": "A measured image: the file with its manifest, image.json, and "
                    "the ARM id of the gallery image, or of the version, that holds it.",
                    "properties": {"measured": {"type": "string"}, "gallery": {"type": "string"}},
                    "required": ["measured", "gallery"],
                    "additionalProperties": False,
                },
            ]
        }
    ),
]
DiskType = Annotated[
    str, AfterValidator(_disk_type), Field(json_schema_extra={"enum": list(catalog.DISK_TYPES)})
]
AdminUser = Annotated[str, AfterValidator(_admin_user), _pattern_schema(_USER)]
SshKeys = Annotated[
    tuple[Annotated[str, AfterValidator(_ssh_key)], ...], AfterValidator(_distinct_keys)
]
SshFrom = Annotated[str, AfterValidator(_ssh_from)]
SubnetId = Annotated[str, AfterValidator(_subnet)]
Identities = Annotated[
    tuple[Annotated[str, AfterValidator(_identity)], ...], AfterValidator(_distinct_identities)
]
Tags = Annotated[
    dict[Annotated[str, AfterValidator(_tag_name)], Annotated[str, AfterValidator(_tag_value)]],
    AfterValidator(_tags),
]
Ttl = Annotated[
    timedelta,
    BeforeValidator(_ttl),
    PlainSerializer(ttl.text, return_type=str),
    WithJsonSchema({"type": "string", "examples": ["8h", "90m", "2d12h"]}),
]
MaxPrice = Annotated[
    float, Field(allow_inf_nan=False), AfterValidator(_max_price), BeforeValidator(_not_boolean)
]
not_boolean = BeforeValidator(_not_boolean)
Gib = Annotated[int, not_boolean]
ResourceGroup = Annotated[str, AfterValidator(_resource_group), _pattern_schema(GROUP_PATTERN)]
