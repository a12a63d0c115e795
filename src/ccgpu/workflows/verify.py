"""`verify`: read evidence, policy and collateral from disk, and appraise them. No network."""

from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from ccgpu import __version__
from ccgpu.attest.appraisal import Appraisal
from ccgpu.attest.appraise import AppraisalInputs, appraise
from ccgpu.attest.attestation_tokens import TokenKeySets
from ccgpu.attest.identity import CallerContext
from ccgpu.attest.simulated import simulated_roots
from ccgpu.attest.trust_basis import collateral_sources
from ccgpu.attest.verdict_document import make_document
from ccgpu.domain import bundle, hostkey
from ccgpu.domain.bundle import EvidenceBundle
from ccgpu.domain.evidence import Evidence
from ccgpu.domain.given_image import GivenImage
from ccgpu.domain.overrides import Overrides
from ccgpu.domain.policy import Policy
from ccgpu.domain.policy_comparison import PolicyOrigin
from ccgpu.domain.reference_values import ReferenceValues
from ccgpu.domain.signers import SignedFile
from ccgpu.errors import UsageProblem
from ccgpu.store import evidence as files
from ccgpu.store import hostkeys, image_files, policies, reference_values
from ccgpu.store.bundles import signature_beside
from ccgpu.store.challenges import Challenges
from ccgpu.store.evidence.limits import read_bytes
from ccgpu.store.signers import read_signers
from ccgpu.workflows.recorded_pcrs import record_pcrs
from ccgpu.workflows.signed_evidence import read_signed

_MAX_KEYS = 1024 * 1024  # bytes of a key set; real ones have 60 to 150 KiB


@dataclass(frozen=True, slots=True)
class VerifyRequest:
    """What the user asks for: the evidence at `path`, and all else that the verdict depends on.

    `at`: the time of the verdict; None for when the evidence was made, by its maker's word.
    `simulated_time`: the latter for simulated evidence, too: a simulation has a clock of its own.
    `policy`: a shipped name or a file; None for `default`. `collateral`: a folder.
    `reference_values`: a file of PCR values; `record`: a file to write them to. `image`, `config`:
    the manifest of the measured image that the VM must run, and its config. `nras_keys`,
    `maa_keys`: files of JWKS. `vm_id`: ARM's vmId. `host_key`: a file or a fingerprint.
    `signer`: whose signature the file must have, as `store.signers` reads it; `signature`: its
    file, None for the one beside the evidence. `simulated`: trust the roots that simulated evidence
    carries. `loaded`, `read`, `given`, `values`, `measured`: the policy, the evidence, the caller's
    collateral, the values of `reference_values`, and the image, if they have been read already.
    """

    path: Path
    at: datetime | None
    simulated_time: bool = False
    policy: str | None = None
    format_: str | None = None
    nonce: bytes | None = None
    collateral: Path | None = None
    reference_values: Path | None = None
    record: Path | None = None
    nras_keys: Path | None = None
    maa_keys: Path | None = None
    vm_id: str | None = None
    host_key: str | None = None
    signer: str | None = None
    signature: Path | None = None
    overrides: Overrides = Overrides()  # noqa: RUF009  # frozen
    simulated: bool = False
    loaded: tuple[Policy, PolicyOrigin | None] | None = None
    read: Evidence | None = None
    given: Evidence | None = None
    values: ReferenceValues | None = None
    image: Path | None = None
    config: Path | None = None
    measured: GivenImage | None = None


@dataclass(frozen=True, slots=True)
class VerifyResult:
    """The verdict, its evidence, and the file of reference values if one was written.

    caller: what the user, or this machine's record, knew of the challenge.
    """

    appraisal: Appraisal
    evidence: Evidence
    recorded: Path | None = None
    caller: CallerContext = CallerContext()  # noqa: RUF009  # frozen


def verify(request: VerifyRequest, state: Path) -> VerifyResult:
    """Read evidence, policy and collateral, then appraise them.

    `state`: the state folder, which holds the challenges that this machine sent.

    Raises:
        InvalidFile: A file is in no known format, damaged, or beyond a bound.
        UsageProblem: The request does not fit the evidence or the policy.
        StateUnusable: The record of the challenge is damaged.
    """
    # 1. The policy, with the command line's flags.
    shipped_or_file, origin = request.loaded or policies.load_with_origin(request.policy)
    policy = shipped_or_file.with_overrides(request.overrides)
    # 2. The evidence, and the caller's collateral.
    brought, signed = _read(request)
    evidence, given = brought, request.given
    if given is None and request.collateral is not None:
        given = _read_collateral(request.collateral)
    if given is not None:
        evidence = _add_collateral(evidence, given)
    # 3. What the caller knows of the challenge.
    caller = _caller_context(request, evidence, Challenges(state / "challenges"))
    # 4. The appraisal: pure, from here on nothing is read.
    inputs = AppraisalInputs(
        at=_time(request, evidence),
        nonce=caller.nonce,
        vm_id=caller.vm_id,
        host_key=caller.host_key,
        challenge_sent=caller.sent_at,
        answers_earlier=caller.answers_earlier,
        at_of_maker=_is_makers_time(request, evidence),
        reference_values=request.values or _read_values(request),
        image=request.measured or image_files.load_given(request.image, request.config),
        recording=request.record is not None,
        policy_origin=origin,
        signed=signed,
        keys=TokenKeySets(
            nras=None if request.nras_keys is None else read_bytes(request.nras_keys, _MAX_KEYS),
            maa=None if request.maa_keys is None else read_bytes(request.maa_keys, _MAX_KEYS),
        ),
        suppliers=collateral_sources(brought, evidence),
    )
    roots = simulated_roots(evidence) if request.simulated else None
    appraisal = appraise(evidence, policy, inputs, roots)
    # 5. Reference values, if they are to be recorded (trust on first use).
    recorded = None
    if request.record is not None and appraisal.verdict == "accepted":
        record_pcrs(request.record, appraisal, request.path.name)
        recorded = request.record
    evidence = replace(evidence, ignored=(*evidence.ignored, *appraisal.not_read))
    return VerifyResult(appraisal, evidence, recorded, caller)


def _read(request: VerifyRequest) -> tuple[Evidence, SignedFile | None]:
    """The evidence, and its signature if one is asked for; else it is named as not read."""
    if request.signer is not None:
        signers = read_signers(request.signer)
        return read_signed(request.path, request.format_, request.signature, signers)
    if request.read is not None:
        return request.read, None
    evidence = files.read_evidence(request.path, request.format_)
    beside = signature_beside(request.path)
    if request.path.is_file() and beside.is_file():
        evidence = replace(evidence, ignored=(*evidence.ignored, beside.name))
    return evidence, None


def _caller_context(
    request: VerifyRequest, evidence: Evidence, challenges: Challenges
) -> CallerContext:
    """What the user states of the challenge, completed from this machine's record of it.

    The nonce in the evidence only finds the record, which proves that it was sent from here.
    """
    key = None if request.host_key is None else hostkeys.digest(request.host_key)
    earlier = challenges.is_earlier(evidence.claimed.nonce, request.nonce)
    given = CallerContext(request.nonce, request.vm_id, key, answers_earlier=earlier)
    nonces = (request.nonce, evidence.claimed.nonce, *(gpu.nonce for gpu in evidence.gpus))
    nonce = next((each for each in nonces if each), None)
    if nonce is None or None not in (given.nonce, given.vm_id, given.host_key):
        return given
    record = challenges.find(nonce)
    if record is None:
        return given
    return CallerContext(
        record.nonce,
        request.vm_id or record.vm_id,
        key or hostkey.sha256(record.host_key),
        record.sent_at,
        earlier,
    )


def read_once(request: VerifyRequest) -> VerifyRequest:
    """The request with its policy and collateral read, for many verdicts.

    Raises:
        InvalidFile: A file that the caller gave besides the evidence cannot be read, or is not what
            it should be: refused before any verdict.
    """
    if request.host_key is not None:
        hostkeys.digest(request.host_key)
    if request.signer is not None:
        read_signers(request.signer)
    for keys in (request.nras_keys, request.maa_keys):
        if keys is not None:
            read_bytes(keys)
    given = None if request.collateral is None else _read_collateral(request.collateral)
    return replace(
        request,
        loaded=policies.load_with_origin(request.policy),
        given=given,
        values=_read_values(request),
        measured=image_files.load_given(request.image, request.config),
    )


def _read_values(request: VerifyRequest) -> ReferenceValues | None:
    if request.reference_values is None:
        return None
    return reference_values.load(request.reference_values).values


def _add_collateral(evidence: Evidence, folder: Evidence) -> Evidence:
    ignored = (*evidence.ignored, *folder.ignored)
    return replace(evidence, given=evidence.given + folder.given, ignored=ignored)


def _read_collateral(path: Path) -> Evidence:
    """What is in the caller's folder: as its manifest lists it, or loose files without one.

    `InvalidFile` for a folder that is not as `collateral fetch` wrote it: a manifest or a
    revocation list that is lost on the way must not be lost in silence.
    """
    # Imported here: both need lxml, which a verdict without such a folder does not load.
    from ccgpu.attest import required_collateral
    from ccgpu.collateral import folder
    from ccgpu.domain.collateral import FetchedCollateral

    if folder.has_manifest(path):
        return required_collateral.add_collateral(
            Evidence("folder"), FetchedCollateral(folder.read_whole(path))
        )
    return files.add_collateral(Evidence("folder"), path)


def _time(request: VerifyRequest, evidence: Evidence) -> datetime:
    at = evidence.claimed.made_at if _is_makers_time(request, evidence) else request.at
    if at is None:
        raise UsageProblem(
            "the evidence does not say when it was made", hint="give a time: `--at TIME`"
        )
    return at


def _is_makers_time(request: VerifyRequest, evidence: Evidence) -> bool:
    """Whether the verdict is of the time that the evidence's maker names."""
    own = request.simulated_time and request.simulated and evidence.simulated_roots is not None
    return request.at is None or (own and evidence.claimed.made_at is not None)


def _dump(values: ReferenceValues) -> dict[str, Any]:
    """Golden values as their file has them."""
    return values.model_dump(mode="json", by_alias=True, exclude_none=True)


def make_bundle(evidence: Evidence, appraisal: Appraisal) -> EvidenceBundle:
    """The evidence as a bundle that notes the verdict; made when the evidence says, else now."""
    policy, values = appraisal.criteria, appraisal.reference_values
    return bundle.from_evidence(
        evidence,
        made_at=evidence.claimed.made_at or appraisal.at,
        tool=f"ccgpu {__version__}",
        notes=bundle.BundleNotes(
            policy=appraisal.policy,
            policy_content=None if policy is None else policy.model_dump(mode="json"),
            reference_values=None if values is None else _dump(values),
            verdict=make_document(appraisal),
        ),
    )
