"""A deployment from a measured image: what its VM is held to, by every command that proves it.

Which deployments are of this kind is known from this machine's record, and besides from the VM's
tags, which the host can change: they only ever make a verdict ask for more.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ccgpu.azure.context import AzureContext
from ccgpu.domain.desired import Names
from ccgpu.domain.guest_config import config_sha256
from ccgpu.domain.measured_boot import says_measured
from ccgpu.domain.measured_record import MeasuredRecord
from ccgpu.domain.resource import Body
from ccgpu.errors import UsageProblem
from ccgpu.store import image_files, policies
from ccgpu.store.known_hosts import KnownHosts
from ccgpu.store.measured_records import MeasuredRecords
from ccgpu.workflows.record_names import record_name_of

if TYPE_CHECKING:
    from ccgpu.domain.given_image import GivenImage
    from ccgpu.domain.image_manifest import ImageFile
    from ccgpu.workflows.attest import AttestMeans

POLICY = "measured"
_ELSEWHERE = (
    "{} boots a measured image, and this machine has neither its manifest nor its config: another "
    "one has created it"
)
_GIVE = "give them: `--image FILE --config FILE`; the machine that created it shows both in `show`"
_CHANGED = "the manifest of {} has changed: {} has SHA-256 {}, and the VM was created from {}"
_OTHER = "--image and --config are not what {} was created with: {} has SHA-256 {}, instead of {}"
_RESTORE = "restore the file; or create the VM anew from this image: `ccgpu create {} --replace`"
_LESS = (
    "{} boots a measured image, and policy {} does not ask for it: the verdict does not say which "
    "software runs"
)


def record_of(cloud: AzureContext, names: Names) -> MeasuredRecord | None:
    """What measured image this machine has created the deployment from; None if from none."""
    recorded = record_name_of(cloud, names)
    return MeasuredRecords(cloud.journals.folder).find(cloud.subscription, recorded)


def is_measured(cloud: AzureContext, names: Names, vm: Body | None) -> bool:
    """Whether the VM of a deployment boots a measured image, by the record or by its tags."""
    return says_measured(vm) or record_of(cloud, names) is not None


def forget_key_of_boot(cloud: AzureContext, names: Names, vm: Body) -> None:
    """Forget the host key of a boot that is about to end: a measured image makes another one."""
    if is_measured(cloud, names, vm):
        recorded = record_name_of(cloud, names)
        KnownHosts(cloud.journals.folder).forget(cloud.subscription, recorded)


def record_boot(
    cloud: AzureContext, name: str, image: "ImageFile | None", config: bytes | None
) -> None:
    """Record what the VM that is about to be created boots; None: no measured image."""
    records = MeasuredRecords(cloud.journals.folder)
    known = records.find(cloud.subscription, name)
    if image is None or config is None:
        records.forget(cloud.subscription, name)
        return
    record = MeasuredRecord(image.path, image.sha256, config, config_sha256(config))
    if known is not None and record == replace(known, config_file=""):
        return
    records.record(cloud.subscription, name, record)


def held_to_its_image(
    cloud: AzureContext,
    names: Names,
    vm: Body,
    means: "AttestMeans",
    note: Callable[[str], None] = lambda _: None,
) -> "AttestMeans":
    """The means with the image that the VM has to run, and the policy that asks for it.

    Of another deployment they stay as they are. A policy that the user has chosen stays; a note
    says if it asks for less.

    Raises:
        UsageProblem: The manifest or the config is not known here, or is not that of the VM.
        InvalidFile: The manifest cannot be read.
        StateUnusable: The record is damaged.
    """
    name, record = names.deployment, record_of(cloud, names)
    if record is None and not says_measured(vm):
        return means
    image = _image(name, record, means.image)
    if image is None and not means.chosen:
        raise UsageProblem(_ELSEWHERE.format(name), hint=_GIVE)
    cpu = means.policy.cpu
    if means.chosen:
        if cpu is None or not cpu.require_image:
            note(_LESS.format(name, means.policy_name))
        return replace(means, image=image)
    policy, origin = policies.load_with_origin(POLICY)
    return replace(means, policy=policy, origin=origin, image=image, chosen=True)


def _image(
    name: str, record: MeasuredRecord | None, given: "GivenImage | None"
) -> "GivenImage | None":
    """The image that is given, checked against the record; else that of the record."""
    from ccgpu.domain.given_image import GivenConfig, GivenImage  # commands without a verdict

    if record is None:
        return given
    config = GivenConfig(record.config_file, record.config_sha256)
    if given is None:
        file = image_files.load_manifest(Path(record.manifest))
        if file.sha256 != record.manifest_sha256:
            told = _CHANGED.format(name, file.path, file.sha256, record.manifest_sha256)
            raise UsageProblem(told, hint=_RESTORE.format(name))
        return GivenImage(file, config)
    given = replace(given, config=given.config or config)
    for found, wanted in (
        (given.file, record.manifest_sha256),
        (given.config or config, record.config_sha256),
    ):
        if found.sha256 != wanted:
            raise UsageProblem(
                _OTHER.format(name, found.path, found.sha256, wanted),
                hint="leave them out: this machine knows both",
            )
    return given
