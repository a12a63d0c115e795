"""Options of `verify`: policy, time, nonce, identity, collateral, and the `--unsafe-…` flags."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ccgpu.cli.identity_options import (
    HostKeyOption,
    NonceOption,
    TrustIdentityOption,
    TrustNonceOption,
    VmIdOption,
)
from ccgpu.cli.image_options import ConfigOption, ImageOption, ImageOptions, collect_image
from ccgpu.cli.option_groups import OptionGroup
from ccgpu.cli.pins_options import PinsOption, PinsOptions, RecordOption, collect_pins
from ccgpu.cli.signature_options import SignatureOption, SignerOption
from ccgpu.domain.moments import in_utc
from ccgpu.domain.overrides import Overrides

if TYPE_CHECKING:
    from ccgpu.workflows.verify import VerifyRequest

_PANEL = "Verification"
_UNSAFE = "Unsafe, listed in the verdict"
_BUNDLE = "bundle"
_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:\d\d)", re.ASCII)


class Format(StrEnum):
    """The formats of evidence."""

    BUNDLE = "bundle"
    FOLDER = "folder"
    TRUSTEE = "trustee"
    ATTESTATION_RS = "attestation-rs"
    HCL_REPORT = "hcl-report"
    SNP_REPORT = "snp-report"
    NVATTEST = "nvattest"
    NRAS_REQUEST = "nras-request"
    TOKEN = "token"  # noqa: S105  # the name of a format


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
class AppraisalOptions:
    """The options of a verdict, unparsed.

    `at`: RFC 3339, or `bundle`. `host_key`: a file or a fingerprint.
    """

    policy: str | None
    at: str | None
    nonce: bytes | None
    form: Format | None
    collateral: Path | None
    golden: PinsOptions
    measured: ImageOptions
    nras_keys: Path | None
    maa_keys: Path | None
    vm_id: str | None
    host_key: str | None
    signer: str | None
    signature: Path | None
    overrides: Overrides


def _check_time(value: str | None) -> str | None:
    if value is None or value == _BUNDLE or _RFC3339.fullmatch(value):
        try:
            parse_time(value)
        except ValueError as err:
            raise typer.BadParameter(f"{value!r} is not a time: {err}") from err
        return value
    raise typer.BadParameter(f"{value!r} is not a time: write 2026-01-31T12:00:00Z, or `bundle`")


def parse_time(value: str | None) -> datetime | None:
    """The time of the verdict: now if `value` is None, None for `bundle`."""
    if value is None:
        return datetime.now(UTC)  # noqa: TID251  # the only place that reads the time of a verdict
    return None if value == _BUNDLE else in_utc(datetime.fromisoformat(value))


def _file_option(text: str, name: str, metavar: str = "FILE", panel: str = _PANEL) -> Any:
    return typer.Option(name, metavar=metavar, help=text, show_default=False, rich_help_panel=panel)


def _appraisal_options(
    policy: Annotated[
        str | None,
        _file_option(
            "Policy name (default, strict, measured, cpu-only, gpu-only) or a policy file.",
            "--policy",
            "POLICY",
        ),
    ] = None,
    at: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            callback=_check_time,
            help="Verify as of this time (RFC 3339). Default: now; for simulated evidence, its "
            "own. `bundle`: the time that the evidence claims, to re-check an old verdict; listed "
            "as unsafe.",
            show_default=False,
            rich_help_panel=_PANEL,
        ),
    ] = None,
    nonce: NonceOption = None,
    vm_id: VmIdOption = None,
    host_key: HostKeyOption = None,
    form: Annotated[
        Format | None,
        typer.Option(
            "--format",
            help="Evidence format. Default: detected from the content.",
            show_default=False,
            rich_help_panel=_PANEL,
        ),
    ] = None,
    collateral: Annotated[
        Path | None,
        _file_option("Folder that `ccgpu collateral fetch` wrote.", "--collateral", "DIR"),
    ] = None,
    pins: PinsOption = None,
    record: RecordOption = None,
    image: ImageOption = None,
    config: ConfigOption = None,
    nras_jwks: Annotated[
        Path | None, _file_option("Key set (JWKS) to check NVIDIA's token with.", "--nras-jwks")
    ] = None,
    maa_jwks: Annotated[
        Path | None, _file_option("Key set (JWKS) to check Microsoft's token with.", "--maa-jwks")
    ] = None,
    signer: SignerOption = None,
    signature: SignatureOption = None,
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
) -> AppraisalOptions:
    golden, measured = collect_pins(pins, record), collect_image(image, config)
    if signature is not None and signer is None:
        raise typer.BadParameter("--signature is checked with --signer: say whose it must be")
    overrides = Overrides(
        short_nonce=unsafe_short_nonce,
        skip_ocsp=unsafe_skip_ocsp,
        known_nonce=unsafe_known_nonce,
        trust_identity=unsafe_trust_bundle_identity,
        trust_nonce=unsafe_trust_bundle_nonce,
    )
    return AppraisalOptions(
        policy,
        at,
        nonce,
        form,
        collateral,
        golden,
        measured,
        nras_jwks,
        maa_jwks,
        vm_id,
        host_key,
        signer,
        signature,
        overrides,
    )


AppraisalArguments = Annotated[AppraisalOptions, OptionGroup(_appraisal_options)]


def verify_request(path: Path, given: AppraisalOptions, *, simulated: bool) -> "VerifyRequest":
    """The request for these options; `simulated`: trust the simulated roots in the evidence."""
    from ccgpu.workflows.verify import VerifyRequest

    return VerifyRequest(
        path,
        parse_time(given.at),
        simulated_time=given.at is None,
        policy=given.policy,
        format_=given.form and given.form.value,
        nonce=given.nonce,
        collateral=given.collateral,
        reference_values=given.golden.pins,
        record=given.golden.record,
        image=given.measured.image,
        config=given.measured.config,
        nras_keys=given.nras_keys,
        maa_keys=given.maa_keys,
        vm_id=given.vm_id,
        host_key=given.host_key,
        signer=given.signer,
        signature=given.signature,
        overrides=given.overrides,
        simulated=simulated,
    )
