"""NVIDIA's Remote Attestation Service (NRAS): its detached EAT, claims 2.0 to 4.0.

It never replaces a check of the evidence. The overall token names each GPU's token by digest; all
of them must be of this nonce and of these GPUs.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from ccgpu.attest import strict_json
from ccgpu.attest.check import Checks, Malformed, Outcome, Rule
from ccgpu.attest.tokens import jwks as key_sets
from ccgpu.attest.tokens import jws, nras_gpu, registered
from ccgpu.attest.tokens.jws import Jws, TokenTrust
from ccgpu.attest.tokens.nras_gpu import NrasGpuClaims

_EAT = "NVIDIA attestation, GPU claims; RFC 9711"

READABLE = Rule("nras.eat", "NVIDIA's token can be read", f"{_EAT}, §5 (detached EAT bundle)")
SIZE = Rule("nras.size", "NVIDIA's token is of a sane size", _EAT)
FORM = Rule("nras.form", "it is one overall token, and one for each GPU by name", _EAT)
SUBJECT = Rule("nras.sub", "the overall token is of a platform's attestation", _EAT)
VERSION = Rule("nras.version", "the claims are of version 2.0, 3.0 or 4.0", _EAT)
OVERALL = Rule("nras.overall", "the overall result is true: not a text, not a number", _EAT)
NONCE_ABSENT = Rule("nras.nonce.absent", "each token carries a nonce", f"{_EAT}, §4.1")
NONCE_FORM = Rule("nras.nonce.form", "each token carries one nonce, as a text", f"{_EAT}, §4.1")
NONCE_OTHER = Rule("nras.nonce.other", "each token carries the nonce of the GPU", f"{_EAT}, §4.1")
SUBMODS = Rule(
    "nras.submods.names", "the overall token names exactly these GPUs", f"{_EAT}, §4.2.18"
)
SUBMOD_FORM = Rule("nras.submods.form", "each GPU's token is named by a digest", f"{_EAT}, §4.2.18")
SUBMOD_ALGORITHM = Rule("nras.submods.algorithm", "the digests are SHA-256", _EAT)
SUBMOD_DIGEST = Rule("nras.submods.digest", "each GPU's token is the one that is named", _EAT)
COUNT = Rule("nras.gpus.count", "there are as many GPUs as expected", "the policy, GPU count")
TWICE = Rule("nras.gpus.twice", "no two tokens are of one GPU", "RFC 9711, §4.2.1")
OTHER_GPU = Rule("nras.gpus.other", "the tokens are of the GPUs of the evidence", "docs/trust.md")
DRIVER = Rule("nras.gpus.driver", "token and evidence name one driver", "docs/trust.md")
VBIOS = Rule("nras.gpus.vbios", "token and evidence name one VBIOS", "docs/trust.md")

VERSIONS = ("2.0", "3.0", "4.0")
_SUBJECT = "NVIDIA-PLATFORM-ATTESTATION"
_GPUS_LIMIT = 16
_SIZE_LIMIT = (1 + _GPUS_LIMIT) * jws.SIZE_LIMIT
_GPU_NAME = re.compile(r"GPU-(0|[1-9][0-9]?)")
_DIGESTS = ("SHA-256", "SHA256")  # the service's spelling, and that of its C++ SDK
_OVERALL = "overall"


@dataclass(frozen=True, slots=True)
class DetachedEat:
    """The tokens of one response, parsed and not verified."""

    overall: Jws
    gpus: Mapping[str, Jws]


@dataclass(frozen=True, slots=True)
class GpuVersions:
    """Driver and VBIOS of a GPU whose report was verified here."""

    driver: str
    vbios: str


@dataclass(frozen=True, slots=True)
class NrasResult:
    """The service's result, with the claims on each GPU by its name in the response ("GPU-0")."""

    version: str | None = None
    gpus: Mapping[str, NrasGpuClaims] = field(default_factory=dict)

    @property
    def warnings(self) -> tuple[str, ...]:
        """Warnings of the service, for display; they fail no check."""
        gpus = self.gpus.items()
        return tuple(f"{name}: {gpu.warning}" for name, gpu in gpus if gpu.warning is not None)


def parse(token: bytes) -> DetachedEat:
    """Parse the service's response, `[["JWT", overall], {"GPU-0": jwt, …}]`, or `Malformed`."""
    if len(token) > _SIZE_LIMIT:
        raise Malformed(SIZE, f"at most {_SIZE_LIMIT} bytes", f"{len(token)} bytes")
    match _parse_array(token):
        case [["JWT", str(overall)], dict(gpus)] if _are_gpu_tokens(gpus):
            each = {name: jws.parse(_ascii(gpus[name]), name) for name in sorted(gpus)}
            return DetachedEat(jws.parse(_ascii(overall), _OVERALL), each)
        case _:
            expected = f'[["JWT", token], {{"GPU-0": token, …}}], at most {_GPUS_LIMIT} GPUs'
            raise Malformed(FORM, expected, "something else")


def verify(
    token: bytes,
    jwks: bytes,
    at: datetime,
    checks: Checks,
    *,
    nonce: bytes,
    issuers: Sequence[str],
    gpus: int,
    evidence: Mapping[str, GpuVersions] | None = None,
) -> Outcome[NrasResult]:
    """Verify a response of the service with its key set, at a time.

    `jwks`: the keys of `issuers`, fetched from `issuers.jwks_url`. `nonce`: what the
    GPUs were asked with. `gpus`: how many there are. `evidence`: the GPUs that were verified here,
    by ueid (the serial number of the GPU's certificate, in decimal).
    """
    since = checks.checkpoint()
    keys = checks.parse(key_sets.READABLE, key_sets.parse, jwks, "a key set")
    eat = checks.parse(READABLE, parse, token, "a detached EAT")
    if eat is None:
        return checks.conclude(NrasResult(), since)
    # 1. Each token: signature, issuer, time, nonce (RFC 7515, RFC 7519, RFC 9711, §4.1).
    trust = TokenTrust("ES384", keys, issuers, at)
    nonce_known = registered.check_nonce_known(nonce, checks)
    for each in (eat.overall, *eat.gpus.values()):
        jws.verify(each, trust, checks)
        registered.verify(each, issuers, at, checks)
        _check_nonce(each, nonce if nonce_known else None, checks)
    # 2. The overall token: its result, and the GPU tokens it names (RFC 9711, §4.2.18).
    version = _check_overall(eat.overall, checks)
    _check_submods(eat, checks)
    # 3. The claims on each GPU.
    claims = {name: nras_gpu.verify(each, version, checks) for name, each in eat.gpus.items()}
    # 4. They are the expected GPUs.
    _check_gpus(claims, gpus, evidence, checks)
    return checks.conclude(NrasResult(version, claims), since)


def _parse_array(token: bytes) -> object:
    """Parse a JSON array, as the only member of an object that the strict parser accepts."""
    document = strict_json.load(b'{"eat":' + token + b"}", _SIZE_LIMIT + 16)
    return document["eat"] if len(document) == 1 else None


def _are_gpu_tokens(gpus: Mapping[object, object]) -> bool:
    names = all(_GPU_NAME.fullmatch(str(name)) for name in gpus)
    texts = all(isinstance(text, str) for text in gpus.values())
    return names and texts and 1 <= len(gpus) <= _GPUS_LIMIT


def _ascii(text: object) -> bytes:
    """A token's bytes; characters that are not ASCII become `?`, which is no base64url."""
    return str(text).encode("ascii", "replace")


def _check_nonce(token: Jws, nonce: bytes | None, checks: Checks) -> None:
    """Record one check, under the rule that describes the difference best."""
    claimed = token.claims.get("eat_nonce")
    rule = NONCE_OTHER
    if claimed is None or claimed == "":
        rule = NONCE_ABSENT
    elif not isinstance(claimed, str):
        rule = NONCE_FORM  # RFC 9711 allows a list, which is ambiguous
    same = nonce is not None and isinstance(claimed, str) and claimed.lower() == nonce.hex()
    if nonce is not None or rule is not NONCE_OTHER:
        checks.record(rule, same, nonce, token.describe(claimed))


def _check_overall(overall: Jws, checks: Checks) -> str | None:
    """Check subject and result. Returns the version of the claims, None if unknown."""
    claims = overall.claims
    checks.record(
        SUBJECT, claims.get("sub") == _SUBJECT, _SUBJECT, overall.describe(claims.get("sub"))
    )
    result = claims.get("x-nvidia-overall-att-result")
    checks.record(OVERALL, result is True, True, overall.describe(result))
    version = claims.get("x-nvidia-ver")
    known = version in VERSIONS
    checks.record(VERSION, known, VERSIONS, overall.describe(version))
    return str(version) if known else None


def _check_submods(eat: DetachedEat, checks: Checks) -> None:
    """Check that the overall token names each GPU's token by digest, and no other."""
    submods = eat.overall.claims.get("submods")
    named = submods if isinstance(submods, dict) else {}
    listed = [name[:40] for name in sorted(named)]
    checks.record(
        SUBMODS, set(named) == set(eat.gpus), tuple(eat.gpus), eat.overall.describe(listed)
    )
    for name, token in eat.gpus.items():
        if name not in named:
            continue
        match named[name]:
            case ["DIGEST", [str(algorithm), str(digest)]]:
                checks.record(
                    SUBMOD_ALGORITHM, algorithm in _DIGESTS, _DIGESTS, token.describe(algorithm)
                )
                own = hashlib.sha256(token.compact).hexdigest()
                checks.record(SUBMOD_DIGEST, digest.lower() == own, own, token.describe(digest))
            case other:
                checks.record(SUBMOD_FORM, False, '["DIGEST", [name, hex]]', token.describe(other))


def _check_gpus(
    claims: Mapping[str, NrasGpuClaims],
    expected: int,
    evidence: Mapping[str, GpuVersions] | None,
    checks: Checks,
) -> None:
    checks.record_equal(COUNT, expected, len(claims))
    ueids = sorted(gpu.ueid for gpu in claims.values() if gpu.ueid is not None)
    checks.record(TWICE, len(ueids) == len(set(ueids)), "one token for each GPU", ueids)
    if evidence is None:
        return
    checks.record_equal(OTHER_GPU, sorted(evidence), sorted(set(ueids)))
    for name, gpu in claims.items():
        local = evidence.get(gpu.ueid or "")
        if local is None:
            continue
        checks.record(
            DRIVER, gpu.driver == local.driver, local.driver, jws.format_claim(name, gpu.driver)
        )
        same = (gpu.vbios or "").upper() == local.vbios.upper()
        checks.record(VBIOS, same, local.vbios, jws.format_claim(name, gpu.vbios))
