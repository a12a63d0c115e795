"""Azure Key Vault as values: the address of a vault, a key, and who may use it. Pure.

Sources: Microsoft Learn, "Azure Key Vault REST: security domain and DNS suffixes" (hosts of each
cloud); azure-keyvault-keys 4.11.3 (fields of a key).
"""

import re
from dataclasses import dataclass
from datetime import datetime

# By cloud: the DNS suffixes of vaults and of managed HSMs.
SUFFIXES = {
    "public": ("vault.azure.net", "managedhsm.azure.net"),
    "usgov": ("vault.usgovcloudapi.net", "managedhsm.usgovcloudapi.net"),
    "china": ("vault.azure.cn", "managedhsm.azure.cn"),
}
_NAME = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*")  # and 3 to 24 characters
_KEY_NAME = re.compile(r"[0-9a-zA-Z-]{1,127}")
_VERSION = re.compile(r"[0-9a-f]{32}")

# The key types that an HSM protects, and the sizes or curves that each may have.
HSM_TYPES = {
    "RSA-HSM": ("2048", "3072", "4096"),
    "EC-HSM": ("P-256", "P-384", "P-521"),
    "oct-HSM": ("128", "192", "256"),
}


@dataclass(frozen=True, slots=True)
class VaultAddress:
    """A vault's or a managed HSM's name and host; `scope`: of the tokens for it."""

    name: str
    host: str
    managed_hsm: bool

    @property
    def scope(self) -> str:
        """The scope of an access token: its service in this cloud."""
        return f"https://{self.host.partition('.')[2]}/.default"


@dataclass(frozen=True, slots=True)
class WantedKey:
    """A key to create. size: of an RSA or a symmetric key, in bits; curve: of an EC key.

    policy: the release policy, JSON in UTF-8. immutable: whether it can never be changed.
    """

    name: str
    kind: str
    policy: bytes
    size: int | None = None
    curve: str | None = None
    immutable: bool = False


@dataclass(frozen=True, slots=True)
class KeyState:
    """A version of a key, as its vault describes it. `policy`: the bytes of its release policy."""

    id: str
    name: str
    version: str
    kind: str
    enabled: bool
    exportable: bool
    not_before: datetime | None = None
    expires: datetime | None = None
    policy: bytes | None = None
    immutable: bool = False


@dataclass(frozen=True, slots=True)
class VaultState:
    """A vault's resource, as ARM describes it.

    sku: in lower case. by_role: whether role assignments decide, not access policies. releasers:
    the object ids that its access policies let release keys. public: whether its public endpoint
    is open; restricted: whether only listed networks reach it. exceptions: whether it lists any
    network or private endpoint.
    """

    id: str
    sku: str
    by_role: bool
    releasers: frozenset[str]
    public: bool
    restricted: bool
    exceptions: bool


@dataclass(frozen=True, slots=True)
class VmPrincipal:
    """An identity of the VM. `may_release`: None if that could not be read; `why`: in words."""

    label: str
    object_id: str
    may_release: bool | None
    why: str


def parse_vault(text: str, cloud: str) -> VaultAddress:
    """The vault of this name, host or URL. `ValueError` says what is wrong with the text."""
    given = text.strip().lower().removesuffix("/")
    vaults, hsms = SUFFIXES[cloud]
    if "/" in (host := given.removeprefix("https://")):
        raise ValueError(f"is no vault: give its name, or its address https://NAME.{vaults}")
    name, dot, suffix = host.partition(".")
    if dot and suffix not in (vaults, hsms):
        raise ValueError(f"is no vault of the cloud {cloud}, whose vaults end with .{vaults}")
    if not 3 <= len(name) <= 24 or not _NAME.fullmatch(name):
        raise ValueError("is no name of a vault: 3 to 24 letters, digits and single hyphens")
    return VaultAddress(name, f"{name}.{suffix or vaults}", suffix == hsms)


def check_key_name(text: str) -> str:
    """The name of a key, or `ValueError`."""
    if not _KEY_NAME.fullmatch(text):
        raise ValueError("is no name of a key: 1 to 127 letters, digits and hyphens")
    return text


def check_version(text: str) -> str:
    """The version of a key, or `ValueError`."""
    if not _VERSION.fullmatch(text):
        raise ValueError("is no version of a key: 32 hex digits")
    return text


def size_of(kind: str, text: str | None) -> tuple[int | None, str | None]:
    """Size and curve of a key of this kind, one of which is None. `ValueError` for neither."""
    allowed = HSM_TYPES[kind]
    chosen = allowed[0] if text is None and kind == "EC-HSM" else text or allowed[-1]
    if chosen not in allowed:
        raise ValueError(f"is none of {', '.join(allowed)}, which a key of type {kind} may have")
    return (None, chosen) if kind == "EC-HSM" else (int(chosen), None)
