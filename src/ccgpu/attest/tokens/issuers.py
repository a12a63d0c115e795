"""The address of an issuer's key set, derived from the configured issuer alone.

An address in a token or a key set is never used: its maker chose it.
"""

import re

NRAS_ISSUER = "https://nras.attestation.nvidia.com"
_NRAS_KEYS = f"{NRAS_ISSUER}/.well-known/jwks.json"  # NVIDIA NRAS API documentation
# Microsoft: each provider is a host of its own; its keys are beside it, at `certs`. `.us` is Azure
# Government.
_MAA_ISSUER = re.compile(r"https://(?:[a-z0-9]+(?:-[a-z0-9]+)*\.)+attest\.azure\.(?:net|us)")
# The short name of each region in the host of its shared provider (Microsoft's guest attestation
# SDK for Rust, `endpoint.rs`, read 2026-11-29). Arizona's serves Texas, too.
_SHORT_NAMES = {
    "australiacentral": "cau", "australiacentral2": "cau2", "australiaeast": "eau",
    "australiasoutheast": "sau", "austriaeast": "ate", "brazilsouth": "sbr",
    "brazilsoutheast": "sebr", "canadacentral": "cac", "canadaeast": "cae", "centralindia": "cin",
    "centralus": "cus", "chilecentral": "clc", "eastasia": "easia", "eastus": "eus",
    "eastus2": "eus2", "francecentral": "frc", "francesouth": "frs", "germanynorth": "den",
    "germanywestcentral": "dewc", "israelcentral": "ilc", "italynorth": "itn", "japaneast": "jpe",
    "japanwest": "jpw", "jioindiacentral": "jinc", "jioindiawest": "jinw", "koreacentral": "krc",
    "koreasouth": "krs", "malaysiasouth": "mys", "mexicocentral": "mxc", "newzealandnorth": "nzn",
    "northcentralus": "ncus", "northeurope": "neu", "norwayeast": "noe", "norwaywest": "now",
    "polandcentral": "plc", "southafricanorth": "san", "southafricawest": "saw",
    "southcentralus": "scus", "southeastasia": "sasia", "southindia": "sin", "spaincentral": "esc",
    "swedencentral": "sec", "swedensouth": "ses", "switzerlandnorth": "swn",
    "switzerlandwest": "sww", "taiwannorth": "twn", "taiwannorthwest": "twnw",
    "uaecentral": "uaec", "uaenorth": "uaen", "uksouth": "uks", "ukwest": "ukw",
    "westcentralus": "wcus", "westeurope": "weu", "westindia": "win", "westus": "wus",
    "westus2": "wus2", "westus3": "wus3",
}  # fmt: skip
_SHORT_NAMES_US = {"usgovvirginia": "ugv", "usgovarizona": "uga", "usgovtexas": "uga"}
_MAX_LENGTH = 253 + len("https://")  # RFC 1035, §2.3.4: of a host name


def shared_issuer(region: str) -> str | None:
    """Microsoft's shared provider in a region (ARM's name); None if it is not known."""
    name = region.lower().replace(" ", "")
    for names, top in ((_SHORT_NAMES, "net"), (_SHORT_NAMES_US, "us")):
        if short := names.get(name):
            return f"https://shared{short}.{short}.attest.azure.{top}"
    return None


def jwks_url(issuer: str) -> str | None:
    """The address of `issuer`'s key set; None if it is neither NVIDIA's nor Microsoft's."""
    if issuer == NRAS_ISSUER:
        return _NRAS_KEYS
    if len(issuer) <= _MAX_LENGTH and _MAA_ISSUER.fullmatch(issuer):
        return f"{issuer}/certs"
    return None
