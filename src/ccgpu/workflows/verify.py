"""A verdict on evidence from disk: what is read, by whose policy, at what time. Asks nobody."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from ccgpu import __version__
from ccgpu.attest.appraisal import Appraisal
from ccgpu.attest.appraise import Question, appraise
from ccgpu.attest.identity import Known
from ccgpu.attest.rests_on import suppliers
from ccgpu.attest.second_opinions import Keys
from ccgpu.attest.simulated import roots_of
from ccgpu.domain import bundle, hostkey
from ccgpu.domain.bundle import Bundle
from ccgpu.domain.evidence import Evidence
from ccgpu.domain.policy import Pins, Policy
from ccgpu.domain.policy_comparison import PolicyOrigin
from ccgpu.errors import UsageProblem
from ccgpu.store import evidence as files
from ccgpu.store import hostkeys, policies
from ccgpu.store.challenges import Challenges
from ccgpu.store.evidence.limits import content

_MAX_KEYS = 1024 * 1024  # bytes of a key set; real ones have 60 KB


@dataclass(frozen=True, slots=True)
class Asked:
    """What the user asks: the evidence, and everything that the verdict depends on besides.

    `at` is None for the time that the evidence was made, by its maker's word. `host_key`: a file or
    a fingerprint. `loaded` and `given`: the policy and what is in the folder of collateral, where
    these have been read already.
    """

    path: Path
    at: datetime | None
    policy: str | None = None
    format_: str | None = None
    nonce: bytes | None = None
    collateral: Path | None = None
    pins: Path | None = None
    record: Path | None = None
    nras_keys: Path | None = None
    maa_keys: Path | None = None
    short_nonce: bool = False
    skip_ocsp: bool = False
    known_nonce: bool = False
    vm_id: str | None = None
    host_key: str | None = None
    trust_identity: bool = False
    trust_nonce: bool = False
    simulated: bool = False
    loaded: tuple[Policy, PolicyOrigin | None] | None = None
    given: Evidence | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """The verdict, on what, and the file that golden values were written to, if any were."""

    appraisal: Appraisal
    evidence: Evidence
    recorded: Path | None = None


def verify(asked: Asked, state: Path) -> Answer:
    """Read everything, then judge. Nothing is believed because of where it was read from.

    `state`: the state folder, where this machine keeps the challenges that it sent.
    """
    written, origin = asked.loaded or policies.load_with_origin(asked.policy)
    policy = written.loosened(
        short_nonce=asked.short_nonce,
        skip_ocsp=asked.skip_ocsp,
        known_nonce=asked.known_nonce,
        trust_identity=asked.trust_identity,
        trust_nonce=asked.trust_nonce,
    )
    brought = found = files.read(asked.path, asked.format_)
    if asked.collateral is not None:
        found = _with(found, asked.given or _given(asked.collateral))
    known = _known(asked, found, Challenges(state / "challenges"))
    question = Question(
        at=_time(asked, found),
        nonce=known.nonce,
        vm_id=known.vm_id,
        host_key=known.host_key,
        challenge_sent=known.sent_at,
        at_of_maker=asked.at is None,
        pins=None if asked.pins is None else policies.pins(asked.pins),
        recording=asked.record is not None,
        policy_origin=origin,
        keys=Keys(
            nras=None if asked.nras_keys is None else content(asked.nras_keys, _MAX_KEYS),
            maa=None if asked.maa_keys is None else content(asked.maa_keys, _MAX_KEYS),
        ),
        suppliers=suppliers(brought, found),
    )
    roots = roots_of(found) if asked.simulated else None
    appraisal = appraise(found, policy, question, roots)
    found = replace(found, ignored=(*found.ignored, *appraisal.not_read))
    return Answer(appraisal, found, _recorded(asked, policy, appraisal))


def _known(asked: Asked, found: Evidence, challenges: Challenges) -> Known:
    """What the user says of the challenge, and for the rest this machine's own record of it.

    The evidence's nonce only finds the record: nobody else knows a nonce that was sent from here.
    """
    key = None if asked.host_key is None else hostkeys.digest(asked.host_key)
    given = Known(asked.nonce, asked.vm_id, key)
    nonces = (asked.nonce, found.claimed.nonce, *(gpu.nonce for gpu in found.gpus))
    nonce = next((each for each in nonces if each), None)
    if nonce is None or None not in (given.nonce, given.vm_id, given.host_key):
        return given
    record = challenges.find(nonce)
    if record is None:
        return given
    return Known(
        record.nonce,
        asked.vm_id or record.vm_id,
        key or hostkey.sha256(record.host_key),
        record.sent_at,
    )


def read_once(asked: Asked) -> Asked:
    """The question with its policy and collateral read, for many verdicts.

    What the caller gave beside the evidence and cannot be read is refused before any of them.
    """
    if asked.pins is not None:
        policies.pins(asked.pins)
    if asked.host_key is not None:
        hostkeys.digest(asked.host_key)
    for keys in (asked.nras_keys, asked.maa_keys):
        if keys is not None:
            content(keys)
    given = None if asked.collateral is None else _given(asked.collateral)
    return replace(asked, loaded=policies.load_with_origin(asked.policy), given=given)


def _with(found: Evidence, folder: Evidence) -> Evidence:
    ignored = (*found.ignored, *folder.ignored)
    return replace(found, given=found.given + folder.given, ignored=ignored)


def _given(path: Path) -> Evidence:
    """What is in the caller's folder: as its manifest lists it, or loose files without one.

    `InvalidFile` for a folder that is not as `collateral fetch` wrote it: a manifest or a
    revocation list that is lost on the way must not be lost in silence.
    """
    # What fetches, and lxml: a verdict without such a folder loads neither.
    from ccgpu.collateral import folder
    from ccgpu.collateral.needs import Fetched
    from ccgpu.workflows import supplies

    if folder.has_manifest(path):
        return supplies.supplied(Evidence("folder"), Fetched(folder.read_whole(path)))
    return files.with_collateral(Evidence("folder"), path)


def _time(asked: Asked, found: Evidence) -> datetime:
    at = asked.at or found.claimed.made_at
    if at is None:
        raise UsageProblem(
            "the evidence does not say when it was made", hint="give a time: `--at TIME`"
        )
    return at


def _recorded(asked: Asked, policy: Policy, appraisal: Appraisal) -> Path | None:
    """Golden values on first use: of accepted evidence, and only of PCRs that were quoted."""
    if asked.record is None or appraisal.verdict != "accepted":
        return None
    if not appraisal.pcrs:
        raise UsageProblem(f"policy {policy.name} checks no PCRs: there is nothing to record")
    pcrs = {str(index): value.hex() for index, value in sorted(appraisal.pcrs.items())}
    policies.record(asked.record, Pins(image=asked.path.name, pcrs=pcrs))
    return asked.record


def bundled(answer: Answer, verdict: Mapping[str, Any]) -> Bundle:
    """The evidence as a bundle, with the verdict as a note; without a time, that of the verdict."""
    return bundle.of(
        answer.evidence,
        made_at=answer.evidence.claimed.made_at or answer.appraisal.at,
        tool=f"ccgpu {__version__}",
        policy=answer.appraisal.policy,
        verdict=verdict,
    )
