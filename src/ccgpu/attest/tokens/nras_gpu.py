"""The claims of NVIDIA's service on one GPU; each required claim is a check.

An absent claim fails like a false one. Claims that later versions add are ignored.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from ccgpu.attest.check import Checks, Rule
from ccgpu.attest.tokens.jws import Jws, printable
from ccgpu.attest.tokens.registered import member

_2, _3 = "NVIDIA attestation, GPU claims 2.0", "NVIDIA attestation, GPU claims 3.0 and 4.0"
_4 = "NVIDIA attestation, GPU claims 4.0; NVIDIA/attestation-sdk, gpu/claims.cpp"
_2_3 = "NVIDIA attestation, GPU claims 2.0 and 3.0"
_BOTH = "NVIDIA attestation, GPU claims 2.0 to 4.0"
_REPORT, _DRIVER, _VBIOS = (
    "x-nvidia-gpu-attestation-report",
    "x-nvidia-gpu-driver-rim",
    "x-nvidia-gpu-vbios-rim",
)

# The claim, its one accepted value, the rule.
_REQUIRED: tuple[tuple[str, object, Rule], ...] = (
    ("measres", "success", Rule("nras.gpu.measres", "the GPU's measurements match", _BOTH)),
    ("secboot", True, Rule("nras.gpu.secboot", "the GPU booted securely", _BOTH)),
    ("dbgstat", "disabled", Rule("nras.gpu.dbgstat", "debugging of the GPU is off", _BOTH)),
    (
        "x-nvidia-gpu-arch-check",
        True,
        Rule("nras.gpu.arch", "the GPU is of the architecture that was asked for", _BOTH),
    ),
    (
        f"{_REPORT}-parsed",
        True,
        Rule("nras.gpu.report.parsed", "the service could read the report", _BOTH),
    ),
    (
        f"{_REPORT}-nonce-match",
        True,
        Rule("nras.gpu.report.nonce", "the report carries the nonce", _BOTH),
    ),
    (
        f"{_REPORT}-signature-verified",
        True,
        Rule("nras.gpu.report.signature", "the report is signed by the GPU", _BOTH),
    ),
    (
        f"{_DRIVER}-fetched",
        True,
        Rule("nras.gpu.driver-rim.fetched", "the driver's manifest was found", _BOTH),
    ),
    (
        f"{_DRIVER}-signature-verified",
        True,
        Rule("nras.gpu.driver-rim.signature", "the driver's manifest is signed", _BOTH),
    ),
    (
        f"{_DRIVER}-measurements-available",
        True,
        Rule("nras.gpu.driver-rim.measurements", "the driver's manifest has values", _BOTH),
    ),
    (
        f"{_VBIOS}-fetched",
        True,
        Rule("nras.gpu.vbios-rim.fetched", "the VBIOS's manifest was found", _BOTH),
    ),
    (
        f"{_VBIOS}-signature-verified",
        True,
        Rule("nras.gpu.vbios-rim.signature", "the VBIOS's manifest is signed", _BOTH),
    ),
    (
        f"{_VBIOS}-measurements-available",
        True,
        Rule("nras.gpu.vbios-rim.measurements", "the VBIOS's manifest has values", _BOTH),
    ),
    (
        "x-nvidia-gpu-vbios-index-no-conflict",
        True,
        Rule("nras.gpu.rim.conflict", "the manifests do not contradict each other", _BOTH),
    ),
)
# Claims 4.0 no longer have these, but check one that is present.
_REQUIRED_2_3: tuple[tuple[str, object, Rule], ...] = (
    (
        f"{_DRIVER}-schema-validated",
        True,
        Rule("nras.gpu.driver-rim.schema", "the driver's manifest is well formed", _2_3),
    ),
    (
        f"{_VBIOS}-schema-validated",
        True,
        Rule("nras.gpu.vbios-rim.schema", "the VBIOS's manifest is well formed", _2_3),
    ),
)
_REQUIRED_2: tuple[tuple[str, object, Rule], ...] = (
    (
        f"{_REPORT}-cert-chain-validated",
        True,
        Rule("nras.gpu.report.validated", "the GPU's certificates are NVIDIA's", _2),
    ),
    (
        f"{_DRIVER}-cert-validated",
        True,
        Rule("nras.gpu.driver-rim.validated", "the driver's manifest is NVIDIA's", _2),
    ),
    (
        f"{_VBIOS}-cert-validated",
        True,
        Rule("nras.gpu.vbios-rim.validated", "the VBIOS's manifest is NVIDIA's", _2),
    ),
)
_REQUIRED_3: tuple[tuple[str, object, Rule], ...] = (
    (
        f"{_REPORT}-cert-chain-fwid-match",
        True,
        Rule("nras.gpu.fwid", "the GPU's certificate is of the firmware that runs", _3),
    ),
    (
        f"{_DRIVER}-version-match",
        True,
        Rule("nras.gpu.driver-rim.version", "the manifest is of this driver", _3),
    ),
    (
        f"{_VBIOS}-version-match",
        True,
        Rule("nras.gpu.vbios-rim.version", "the manifest is of this VBIOS", _3),
    ),
)
# Claims 3.0 and later: status and OCSP status of each chain.
_CHAINS = (
    (
        f"{_REPORT}-cert-chain",
        Rule("nras.gpu.report.chain", "the GPU's certificates are valid", _3),
        Rule("nras.gpu.report.ocsp", "none of the GPU's certificates is revoked", _3),
    ),
    (
        f"{_DRIVER}-cert-chain",
        Rule(
            "nras.gpu.driver-rim.chain", "the certificates of the driver's manifest are valid", _3
        ),
        Rule("nras.gpu.driver-rim.ocsp", "none of the driver's manifest's is revoked", _3),
    ),
    (
        f"{_VBIOS}-cert-chain",
        Rule("nras.gpu.vbios-rim.chain", "the certificates of the VBIOS's manifest are valid", _3),
        Rule("nras.gpu.vbios-rim.ocsp", "none of the VBIOS's manifest's is revoked", _3),
    ),
)
MISMATCH = Rule("nras.gpu.mismatch", "no measurement is listed as another than expected", _BOTH)
OPAQUE = Rule("nras.gpu.opaque", "no opaque data is listed as another than expected", _4)
CLAIMS_VERSION = Rule(
    "nras.gpu.version", "the GPU's claims are of the version that the overall token names", _4
)
MODEL = Rule("nras.gpu.model", "the GPU is an H100", _BOTH)
UEID = Rule("nras.gpu.ueid", "the token says which GPU it is of", f"{_BOTH}; RFC 9711, §4.2.1")

_MODEL = "GH100"  # "GH100", or the subject of the certificate ("GH100 A01 GSP BROM")
_UEID_DIGITS = 60  # the serial number of a certificate: 20 bytes at most (RFC 5280, §4.1.2.2)
_WARNING_LIMIT = 500


@dataclass(frozen=True, slots=True)
class NrasGpuClaims:
    """Claims of one GPU's token. `ueid`: serial number of its certificate, in decimal."""

    ueid: str | None
    model: str | None
    driver: str | None
    vbios: str | None
    warning: str | None = None


def verify(token: Jws, version: str | None, checks: Checks) -> NrasGpuClaims:
    """Check every required claim; `version`: of the claims, from the overall token."""
    demands = _REQUIRED + (_REQUIRED_2 if version == "2.0" else _REQUIRED_3)
    for claim, good, rule in demands:
        _check_claim(token, (claim,), good, rule, checks)
    for claim, good, rule in _REQUIRED_2_3:
        if version != "4.0" or claim in token.claims:
            _check_claim(token, (claim,), good, rule, checks)
    if version != "2.0":
        for claim, status, ocsp in _CHAINS:
            _check_claim(token, (claim, "x-nvidia-cert-status"), "valid", status, checks)
            _check_claim(token, (claim, "x-nvidia-cert-ocsp-status"), "good", ocsp, checks)
    for claim, rule in (("measurement", MISMATCH), ("opaque-data", OPAQUE)):
        listed = token.claims.get(f"x-nvidia-mismatch-{claim}-records")
        checks.record(rule, listed is None or listed == [], "none", token.describe(listed))
    if (own := token.claims.get("x-nvidia-gpu-claims-version")) is not None:
        checks.record(CLAIMS_VERSION, own == version, version, token.describe(own))
    claims = _gpu(token.claims)
    checks.record(
        MODEL, (claims.model or "").startswith(_MODEL), _MODEL, token.describe(claims.model)
    )
    checks.record(
        UEID, claims.ueid is not None, "a number", token.describe(token.claims.get("ueid"))
    )
    return claims


def _check_claim(
    token: Jws, path: tuple[str, ...], good: object, rule: Rule, checks: Checks
) -> None:
    """Check one claim, with its type: in Python, 1 equals True."""
    value = member(token.claims, *path)
    checks.record(rule, type(value) is type(good) and value == good, good, token.describe(value))


def _gpu(claims: Mapping[str, object]) -> NrasGpuClaims:
    ueid = _text(claims, "ueid")
    number = ueid is not None and ueid.isascii() and ueid.isdecimal() and len(ueid) <= _UEID_DIGITS
    warning = claims.get("x-nvidia-attestation-warning")
    return NrasGpuClaims(
        ueid=ueid if number else None,
        model=_text(claims, "hwmodel"),
        driver=_text(claims, "x-nvidia-gpu-driver-version"),
        vbios=_text(claims, "x-nvidia-gpu-vbios-version"),
        warning=None if warning is None else printable(str(warning)[:_WARNING_LIMIT]),
    )


def _text(claims: Mapping[str, object], claim: str) -> str | None:
    value = claims.get(claim)
    return value if isinstance(value, str) else None
