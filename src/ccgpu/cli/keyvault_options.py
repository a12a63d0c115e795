"""The options of `ccgpu keyvault`: a vault and a key, whose token is meant, and the source."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ccgpu.cli.option_groups import OptionGroup
from ccgpu.cli.options import GroupOption, OptionalName, option
from ccgpu.errors import UsageProblem

if TYPE_CHECKING:
    from ccgpu.domain.key_vault import VaultAddress, WantedKey
    from ccgpu.domain.release_claims import WantedPolicy
    from ccgpu.workflows.key_vault.claims_source import WantedToken

_TOKEN = "Token"  # noqa: S105  # the panel of options


class WhoseToken(StrEnum):
    """Whose token a release is asked for with."""

    GUEST = "guest"
    PLATFORM = "platform"


def _parse(check: Callable[[str], str]) -> Callable[[str], str]:
    def parser(text: str) -> str:
        try:
            return check(text)
        except ValueError as err:
            raise typer.BadParameter(f"{text!r} {err}") from err

    return parser


def _check_authority(text: str) -> str:
    from ccgpu.workflows.key_vault.claims_source import check_authority

    return check_authority(text)


def _check_key_name(text: str) -> str:
    from ccgpu.domain.key_vault import check_key_name

    return check_key_name(text)


def _check_version(text: str) -> str:
    from ccgpu.domain.key_vault import check_version

    return check_version(text)


@dataclass(frozen=True, slots=True)
class KeyPlace:
    """The vault as the user writes it, and the name of the key."""

    vault: str
    key: str

    def address(self, cloud: str) -> "VaultAddress":
        """The vault's address in this cloud."""
        from ccgpu.domain.key_vault import parse_vault

        try:
            return parse_vault(self.vault, cloud)
        except ValueError as err:
            raise typer.BadParameter(f"{self.vault!r} {err}", param_hint="--vault") from err


def _key_place(
    vault: Annotated[
        str, option("Vault or managed HSM: its name, or its address.", "--vault", metavar="V")
    ],
    key: Annotated[
        str, option("Name of the key.", "--name", parser=_parse(_check_key_name), metavar="K")
    ],
) -> KeyPlace:
    return KeyPlace(vault, key)


@dataclass(frozen=True, slots=True)
class TokenChoice:
    """Whose token is meant, and which provider states its claims."""

    kind: WhoseToken
    authority: str | None
    region: str | None = None

    def wanted(self) -> "WantedToken":
        """The same for the workflows."""
        from ccgpu.domain.release_claims import TokenKind
        from ccgpu.workflows.key_vault.claims_source import WantedToken

        return WantedToken(TokenKind(self.kind.value), self.authority, self.region)


KindOption = Annotated[
    WhoseToken,
    typer.Option(
        "--token-kind",
        help="guest: a client in the VM asks; platform: Azure, for encrypted disks.",
        rich_help_panel=_TOKEN,
    ),
]
AuthorityOption = Annotated[
    str | None,
    option(
        "Attestation provider. Default: Microsoft's shared one of the region.",
        "--authority",
        parser=_parse(_check_authority),
        metavar="URL",
        panel=_TOKEN,
    ),
]


def _token_choice(
    token_kind: KindOption = WhoseToken.GUEST,
    authority: AuthorityOption = None,
    region: Annotated[
        str | None,
        option("Region of the VM, if only its evidence is given.", "--region", panel=_TOKEN),
    ] = None,
) -> TokenChoice:
    return TokenChoice(token_kind, authority, region)


@dataclass(frozen=True, slots=True)
class PolicySubject:
    """The VM that a policy is for: a deployment, a bundle, or a file of claims; and what binds."""

    name: str | None
    group: str | None
    bundle: Path | None
    claims: Path | None
    any_vm: bool
    pin_measurement: bool

    def require_one(self, *others: object) -> None:
        """Refuse none and several sources. others: further ones, None if they are not given."""
        given = [one for one in (self.name, self.bundle, self.claims, *others) if one is not None]
        if len(given) != 1:
            more = ", --policy FILE" if others else ""
            raise UsageProblem(
                "which VM is meant: " + ("nothing is given" if not given else "several are given"),
                hint=f"give one of NAME, --bundle FILE, --claims FILE{more}",
            )

    def wanted(self, kind: WhoseToken) -> "WantedPolicy":
        """What the policy is bound to."""
        from ccgpu.domain.release_claims import TokenKind, WantedPolicy

        return WantedPolicy(TokenKind(kind.value), self.any_vm, self.pin_measurement)


def _policy_subject(
    name: OptionalName = None,
    bundle: Annotated[
        Path | None,
        option("Evidence that is verified first.", "--bundle", metavar="FILE"),
    ] = None,
    claims: Annotated[
        Path | None,
        option("A token of the VM, or its claims as JSON.", "--claims", metavar="FILE"),
    ] = None,
    any_vm: Annotated[
        bool, option("Bind the key to no one VM: any with the other claims gets it.", "--any-vm")
    ] = False,
    pin_measurement: Annotated[
        bool,
        option(
            "Bind it to the launch measurement, too, which Microsoft's updates change.",
            "--pin-measurement",
        ),
    ] = False,
    resource_group: GroupOption = None,
) -> PolicySubject:
    return PolicySubject(name, resource_group, bundle, claims, any_vm, pin_measurement)


class KeyKind(StrEnum):
    """The types of keys that an HSM protects."""

    RSA = "RSA-HSM"
    EC = "EC-HSM"
    OCT = "oct-HSM"


@dataclass(frozen=True, slots=True)
class KeyChoice:
    """The key to create. policy: a file with its release policy; None: one is written."""

    policy: Path | None
    kind: KeyKind
    size: str | None
    immutable: bool
    new_version: bool

    def maker(self, name: str) -> "Callable[[bytes], WantedKey]":
        """What makes the wanted key of an encoded policy. `UsageProblem` if there is no such."""
        from ccgpu.domain.key_vault import WantedKey, size_of

        kind, immutable = self.kind.value, self.immutable
        try:
            bits, curve = size_of(kind, self.size)
        except ValueError as err:
            hint = "leave it out for a good one"
            raise UsageProblem(f"--size {self.size} {err}", hint=hint) from err
        return lambda policy: WantedKey(name, kind, policy, bits, curve, immutable)


def _key_choice(
    policy: Annotated[
        Path | None, option("A release policy, instead of a VM.", "--policy", metavar="FILE")
    ] = None,
    kind: Annotated[
        KeyKind, typer.Option("--type", help="Type of the key; oct-HSM: in a managed HSM alone.")
    ] = KeyKind.RSA,
    size: Annotated[
        str | None, option("Bits, or the curve of an EC key. Default: RSA 4096, P-256.", "--size")
    ] = None,
    immutable: Annotated[
        bool, option("Nobody can ever change the policy, nor use another.", "--immutable")
    ] = False,
    new_version: Annotated[
        bool, option("Add a version, if the key exists.", "--new-version")
    ] = False,
) -> KeyChoice:
    return KeyChoice(policy, kind, size, immutable, new_version)


@dataclass(frozen=True, slots=True)
class ReleaseSubject:
    """Whom a key would be released to: a deployment's VM, a token, or both."""

    name: str | None
    group: str | None
    token: Path | None
    version: str | None
    choice: TokenChoice

    def require_any(self) -> None:
        """Refuse none of both."""
        if self.name is None and self.token is None:
            raise UsageProblem(
                "nothing to hold the policy against", hint="give NAME, --token FILE, or both"
            )


def _release_subject(
    name: OptionalName = None,
    token: Annotated[
        Path | None, option("A token that the VM got, or - for stdin.", "--token", metavar="FILE")
    ] = None,
    version: Annotated[
        str | None,
        option(
            "Version of the key. Default: the latest.",
            "--version",
            parser=_parse(_check_version),
            metavar="HEX",
        ),
    ] = None,
    token_kind: KindOption = WhoseToken.GUEST,
    authority: AuthorityOption = None,
    resource_group: GroupOption = None,
) -> ReleaseSubject:
    choice = TokenChoice(token_kind, authority)
    return ReleaseSubject(name, resource_group, token, version, choice)


KeyPlaceArguments = Annotated[KeyPlace, OptionGroup(_key_place)]
TokenArguments = Annotated[TokenChoice, OptionGroup(_token_choice)]
KeyArguments = Annotated[KeyChoice, OptionGroup(_key_choice)]
ReleaseArguments = Annotated[ReleaseSubject, OptionGroup(_release_subject)]
SubjectArguments = Annotated[PolicySubject, OptionGroup(_policy_subject)]
