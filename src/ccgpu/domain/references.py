"""The ARM ids that a user writes into a spec.

ARM compares ids without case. `canonical_id` spells the segments that ARM names as ARM does.
"""

import re

SUBNET = "Microsoft.Network/virtualNetworks/subnets"
DISK_ENCRYPTION_SET = "Microsoft.Compute/diskEncryptionSets"
USER_IDENTITY = "Microsoft.ManagedIdentity/userAssignedIdentities"
GALLERY_IMAGE = "Microsoft.Compute/galleries/images"
GALLERY_IMAGE_VERSION = "Microsoft.Compute/galleries/images/versions"

_GUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
# Microsoft Learn, "Naming rules and restrictions for Azure resources".
_GROUP = r"[\w.()-]{1,90}(?<!\.)"
_NAME = r"[\w.-]{1,80}"


def id_shape(kind: str) -> str:
    """An id of this kind with its variable parts in capitals, for messages."""
    provider, *types = kind.split("/")
    path = "/".join(f"{type_}/NAME" for type_ in types)
    return f"/subscriptions/ID/resourceGroups/GROUP/providers/{provider}/{path}"


def canonical_id(text: str, kind: str) -> str:
    """`text` as an id of `kind` with ARM's spelling, or `ValueError`."""
    provider, *types = kind.split("/")
    path = "".join(rf"/{re.escape(type_)}/({_NAME})" for type_ in types)
    pattern = (
        rf"/subscriptions/({_GUID})/resourceGroups/({_GROUP})/providers/{re.escape(provider)}{path}"
    )
    match = re.fullmatch(pattern, text, re.IGNORECASE | re.ASCII)
    if match is None:
        raise ValueError(f"is not the ARM id of this kind of resource, write {id_shape(kind)}")
    subscription, group, *names = match.groups()
    path = "".join(f"/{type_}/{name}" for type_, name in zip(types, names, strict=True))
    return f"/subscriptions/{subscription}/resourceGroups/{group}/providers/{provider}{path}"
