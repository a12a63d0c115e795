"""What this machine remembers of a verdict: the attested host key, the verdict and its evidence.

A verdict is of one boot of one VM. A command that ends the boot forgets it first.
"""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from ccgpu.azure.context import AzureContext
from ccgpu.domain import hostkey
from ccgpu.domain.attestation import AttestationRecord, CurrentAttestation
from ccgpu.domain.desired import Names
from ccgpu.domain.given_image import GivenImage
from ccgpu.domain.known_host import KnownHostKey
from ccgpu.domain.verdict_age import counts_until, is_in_time
from ccgpu.errors import InvalidFile, StateUnusable, UsageProblem
from ccgpu.scheduling.clock import rfc3339
from ccgpu.store.attestations import Attestations
from ccgpu.store.known_hosts import KnownHosts
from ccgpu.workflows.record_names import record_name_of

if TYPE_CHECKING:
    from ccgpu.attest.attestation import Attestation
    from ccgpu.domain.evidence import Evidence
    from ccgpu.domain.policy import Policy
    from ccgpu.workflows.attest import AttestMeans


def record_host_key(cloud: AzureContext, names: Names, judged: "Attestation", vm_id: str) -> None:
    """Record the host key that accepted evidence is bound to: it is attested from now."""
    challenge, at = judged.challenge, rfc3339(judged.appraisal.at.timestamp())
    known = KnownHostKey(vm_id, challenge.host_key, "attested", at)
    recorded = record_name_of(cloud, names)
    KnownHosts(cloud.journals.folder).record(cloud.subscription, recorded, known)


def record_verdict(
    cloud: AzureContext,
    names: Names,
    judged: "Attestation",
    means: "AttestMeans",
    vm_id: str,
) -> "Attestation":
    """Record a verdict with its evidence. Without a verdict, what is recorded stays as it is.

    Raises:
        StateUnusable: It cannot be recorded.
    """
    from ccgpu.workflows.verify import make_bundle

    appraisal, challenge = judged.appraisal, judged.challenge
    if appraisal.verdict == "no_verdict":
        return judged
    record = AttestationRecord(
        vm_id=vm_id,
        boot_id=judged.boot_id,
        verdict=appraisal.verdict,
        policy=means.policy_name,
        policy_sha256=None if means.origin is None else means.origin.sha256,
        nonce=challenge.nonce,
        host_key=challenge.host_key,
        at=rfc3339(appraisal.at.timestamp()),
        until=_end_of_verdict(appraisal.at, means.policy)
        if appraisal.verdict == "accepted"
        else None,
        reasons=appraisal.reasons,
        pins=None if judged.pins is None else judged.pins.path,
        pins_sha256=None if judged.pins is None else judged.pins.sha256,
        **image_fields(means.image),
    )
    place = (cloud.subscription, record_name_of(cloud, names))
    attestations = Attestations(cloud.journals.folder)
    attestations.record(*place, record, make_bundle(judged.evidence, appraisal))
    return replace(judged, bundle=str(attestations.bundle(*place)), until=record.until)


def image_fields(image: GivenImage | None) -> dict[str, str | None]:
    """What a record names of the measured image that the VM was held to."""
    config = None if image is None else image.config
    return {
        "image": None if image is None else image.file.path,
        "image_sha256": None if image is None else image.file.sha256,
        "config": None if config is None else config.path,
        "config_sha256": None if config is None else config.sha256,
    }


def recorded_image(record: AttestationRecord) -> GivenImage | None:
    """The measured image of a record, read anew: `UsageProblem` if a file is not what it was."""
    from ccgpu.store import image_files

    paths = (None if each is None else Path(each) for each in (record.image, record.config))
    image = image_files.load_given(*paths)
    now = image_fields(image)
    if any(getattr(record, name) != value for name, value in now.items()):
        raise UsageProblem("the manifest or the config of the image has changed")
    return image


def _end_of_verdict(at: datetime, policy: "Policy") -> str | None:
    end = counts_until(at, policy.max_age)
    return None if end is None else rfc3339(end.timestamp())


def forget_verdict(cloud: AzureContext, names: Names, vm_id: str | None) -> None:
    """Forget the verdict on a VM whose boot is about to end; None: on whichever VM."""
    attestations, place = _attestations(cloud, names)
    try:
        record = attestations.find(*place)
    except StateUnusable:  # nothing says that it is of another VM
        record = None
    if record is None or vm_id is None or record.vm_id == vm_id.lower():
        attestations.forget(*place)


def current_attestation(
    cloud: AzureContext, names: Names, vm_id: str | None
) -> CurrentAttestation | None:
    """The last verdict on this VM, if it still counts.

    `accepted` counts until it is too old for its policy, and if the recorded evidence is accepted
    now, too: its collateral may be out of date, or a file that it rests on (policy, golden PCR
    values, image manifest, config) may have changed. `rejected` counts until the next attestation.

    Raises:
        StateUnusable: The record is damaged.
    """
    record, _ = _current_record(cloud, names, vm_id)
    if record is None:
        return None
    path = str(bundle_of(cloud, names))
    age = int(cloud.wall() - datetime.fromisoformat(record.at).timestamp())
    return CurrentAttestation(
        record.verdict, record.policy, record.at, age, record.until, path, record.reasons
    )


def accepted_record(
    cloud: AzureContext, names: Names, vm_id: str | None
) -> AttestationRecord | None:
    """The record of the last verdict on this VM, if it is `accepted` and still counts.

    Raises:
        StateUnusable: The record is damaged.
    """
    record, _ = _current_record(cloud, names, vm_id)
    return record if record is not None and record.verdict == "accepted" else None


def accepted_evidence(
    cloud: AzureContext, names: Names, vm_id: str | None
) -> "tuple[AttestationRecord, Evidence] | None":
    """As `accepted_record`, with the very evidence that is accepted now.

    Another reading of its file could find another one.
    """
    record, evidence = _current_record(cloud, names, vm_id)
    return None if record is None or evidence is None else (record, evidence)


def bundle_of(cloud: AzureContext, names: Names) -> Path:
    """The path of the evidence of the last verdict on a deployment's VM."""
    attestations, place = _attestations(cloud, names)
    return attestations.bundle(*place)


def _attestations(cloud: AzureContext, names: Names) -> tuple[Attestations, tuple[str, str]]:
    """The records of verdicts, and subscription and name of those on one deployment."""
    place = (cloud.subscription, record_name_of(cloud, names))
    return Attestations(cloud.journals.folder), place


def _current_record(
    cloud: AzureContext, names: Names, vm_id: str | None
) -> "tuple[AttestationRecord | None, Evidence | None]":
    """The last verdict on this VM, if it still counts, and the evidence of an accepted one."""
    attestations, place = _attestations(cloud, names)
    record = attestations.find(*place)
    if record is None or vm_id is None or record.vm_id != vm_id.lower():
        return None, None
    if record.verdict != "accepted":
        return record, None
    evidence = _accepted_now(cloud, record, attestations.bundle(*place))
    return (None, None) if evidence is None else (record, evidence)


def _accepted_now(cloud: AzureContext, record: AttestationRecord, path: Path) -> "Evidence | None":
    """The recorded evidence, if the verdict is not too old, and it is accepted at this time."""
    # Imported here: a machine without a verdict needs none of it.
    from ccgpu.store import policies, reference_values
    from ccgpu.workflows.verify import VerifyRequest, verify

    try:
        loaded = policies.load_with_origin(record.policy)
        if (loaded[1] and loaded[1].sha256) != record.policy_sha256:
            return None
        pins = None if record.pins is None else reference_values.load(Path(record.pins))
        if (pins and pins.sha256) != record.pins_sha256:
            return None
        now = datetime.fromtimestamp(cloud.wall(), UTC)
        if not is_in_time(datetime.fromisoformat(record.at), loaded[0].max_age, now):
            return None
        request = VerifyRequest(
            path,
            now,
            nonce=record.nonce,
            vm_id=record.vm_id,
            host_key=hostkey.fingerprint(hostkey.sha256(record.host_key)),
            simulated=cloud.simulated,
            loaded=loaded,
            values=None if pins is None else pins.values,
            measured=recorded_image(record),
        )
        result = verify(request, path.parent)
    except (InvalidFile, UsageProblem):
        return None
    return result.evidence if result.appraisal.verdict == "accepted" else None
