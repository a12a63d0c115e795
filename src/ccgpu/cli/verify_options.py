"""What a verdict depends on besides the evidence: policy, time, nonce, collateral, loosenings."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ccgpu.cli.bundles import Bundle
from ccgpu.cli.identity_options import (
    Caller,
    HostKeyOption,
    TrustIdentityOption,
    TrustNonceOption,
    VmIdOption,
)

if TYPE_CHECKING:
    from ccgpu.workflows.verify import Asked

_JUDGING = "Verification"
_UNSAFE = "Unsafe, listed in the verdict"
_BUNDLE = "bundle"
_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:\d\d)", re.ASCII)


class Format(StrEnum):
    """The formats that evidence is read in."""

    BUNDLE = "bundle"
    FOLDER = "folder"
    TRUSTEE = "trustee"
    ATTESTATION_RS = "attestation-rs"
    HCL_REPORT = "hcl-report"
    SNP_REPORT = "snp-report"
    NVATTEST = "nvattest"
    NRAS_REQUEST = "nras-request"
    TOKEN = "token"  # noqa: S105  # the name of a format


EvidenceArgument = Annotated[
    list[Path],
    typer.Argument(metavar="EVIDENCE", help="A bundle, or a file or folder of evidence."),
]
SaveOption = Annotated[
    Path | None,
    typer.Option(
        "--save", metavar="FILE", help="Save the evidence as a bundle.", show_default=False
    ),
]
EachOption = Annotated[
    bool,
    typer.Option(
        "--each",
        help="Verify each EVIDENCE by itself, and each bundle in a folder of bundles; print a"
        " table. The worst exit code counts.",
    ),
]
VerboseOption = Annotated[
    bool, typer.Option("--verbose", "-v", help="List every check, not only those that failed.")
]


@dataclass(frozen=True, slots=True)
class Judging:
    """The options of a verdict, as they were given."""

    policy: str | None
    at: str | None
    nonce: bytes | None
    form: Format | None
    collateral: Path | None
    pins: Path | None
    record: Path | None
    nras_keys: Path | None
    maa_keys: Path | None
    loosened: tuple[bool, bool, bool]
    caller: Caller = Caller()  # noqa: RUF009  # frozen


def _nonce(value: str) -> bytes:
    """A nonce in hex. One that is damaged is refused, never replaced."""
    if not re.fullmatch(r"(?:[0-9a-fA-F]{2}){1,64}", value):
        raise typer.BadParameter("a nonce is 1 to 64 bytes in hex, as in 5f0c…")
    return bytes.fromhex(value)


def _time(value: str | None) -> str | None:
    if value is None or value == _BUNDLE or _RFC3339.fullmatch(value):
        try:
            moment(value)
        except ValueError as err:
            raise typer.BadParameter(f"{value!r} is not a time: {err}") from err
        return value
    raise typer.BadParameter(f"{value!r} is not a time: write 2026-01-31T12:00:00Z, or `bundle`")


def moment(value: str | None) -> datetime | None:
    """The time that is meant: now without any, None for the evidence's own."""
    if value is None:
        return datetime.now(UTC)  # noqa: TID251  # the one place where a verdict gets its time
    return None if value == _BUNDLE else datetime.fromisoformat(value).astimezone(UTC)


def _file(text: str, name: str, metavar: str = "FILE", panel: str = _JUDGING) -> Any:
    return typer.Option(name, metavar=metavar, help=text, show_default=False, rich_help_panel=panel)


def _judging(
    policy: Annotated[
        str | None,
        _file(
            "Policy name (default, strict, cpu-only, gpu-only) or a policy file.",
            "--policy",
            "POLICY",
        ),
    ] = None,
    at: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            callback=_time,
            help="Verify as of this time (RFC 3339). Default: now. `bundle`: the time that the "
            "evidence claims, to re-check an old verdict; listed as unsafe.",
            show_default=False,
            rich_help_panel=_JUDGING,
        ),
    ] = None,
    nonce: Annotated[
        bytes | None,
        typer.Option(
            parser=_nonce,
            metavar="HEX",
            help="The nonce that you sent. Without it, or a record of it on this machine, "
            "freshness is not proven, and policies that require a binding reject.",
            show_default=False,
            rich_help_panel=_JUDGING,
        ),
    ] = None,
    vm_id: VmIdOption = None,
    host_key: HostKeyOption = None,
    form: Annotated[
        Format | None,
        typer.Option(
            "--format",
            help="Evidence format. Default: detected from the content.",
            show_default=False,
            rich_help_panel=_JUDGING,
        ),
    ] = None,
    collateral: Annotated[
        Path | None,
        _file("Folder that `ccgpu collateral fetch` wrote.", "--collateral", "DIR"),
    ] = None,
    pins: Annotated[
        Path | None, _file("File of golden PCR values to compare with.", "--pins")
    ] = None,
    record: Annotated[
        Path | None,
        _file("Write this VM's PCR values as golden values, if it is accepted.", "--record"),
    ] = None,
    nras_jwks: Annotated[
        Path | None, _file("Key set (JWKS) to check NVIDIA's token with.", "--nras-jwks")
    ] = None,
    maa_jwks: Annotated[
        Path | None, _file("Key set (JWKS) to check Microsoft's token with.", "--maa-jwks")
    ] = None,
    unsafe_short_nonce: Annotated[
        bool,
        typer.Option(
            "--unsafe-short-nonce",
            help="Accept a nonce shorter than 32 bytes, as in recorded evidence.",
            rich_help_panel=_UNSAFE,
        ),
    ] = False,
    unsafe_skip_ocsp: Annotated[
        bool,
        typer.Option(
            "--unsafe-skip-ocsp",
            help="Do not check whether NVIDIA revoked a certificate.",
            rich_help_panel=_UNSAFE,
        ),
    ] = False,
    unsafe_known_nonce: Annotated[
        bool,
        typer.Option(
            "--unsafe-known-nonce",
            help="Accept a nonce that NVIDIA published; anyone can replay such evidence.",
            rich_help_panel=_UNSAFE,
        ),
    ] = False,
    unsafe_trust_bundle_identity: TrustIdentityOption = False,
    unsafe_trust_bundle_nonce: TrustNonceOption = False,
) -> Judging:
    if pins is not None and record is not None:
        raise typer.BadParameter("--pins and --record exclude each other")
    loosened = (unsafe_short_nonce, unsafe_skip_ocsp, unsafe_known_nonce)
    caller = Caller(vm_id, host_key, unsafe_trust_bundle_identity, unsafe_trust_bundle_nonce)
    return Judging(
        policy, at, nonce, form, collateral, pins, record, nras_jwks, maa_jwks, loosened, caller
    )


JudgingOptions = Annotated[Judging, Bundle(_judging)]


def asked(path: Path, given: Judging, *, simulated: bool) -> "Asked":
    """The question that the options put."""
    from ccgpu.workflows.verify import Asked

    short_nonce, skip_ocsp, known_nonce = given.loosened
    return Asked(
        path,
        moment(given.at),
        policy=given.policy,
        format_=given.form and given.form.value,
        nonce=given.nonce,
        collateral=given.collateral,
        pins=given.pins,
        record=given.record,
        nras_keys=given.nras_keys,
        maa_keys=given.maa_keys,
        short_nonce=short_nonce,
        skip_ocsp=skip_ocsp,
        known_nonce=known_nonce,
        vm_id=given.caller.vm_id,
        host_key=given.caller.host_key,
        trust_identity=given.caller.trust_identity,
        trust_nonce=given.caller.trust_nonce,
        simulated=simulated,
    )
