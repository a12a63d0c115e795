"""What a run is asked to do, decided on this machine before the VM is asked anything."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ccgpu.domain.model_manifest import ModelManifest
from ccgpu.domain.spec.secrets import SecretSource
from ccgpu.domain.workload.container import ContainerPlan
from ccgpu.domain.workload.values import WorkloadKind
from ccgpu.errors import UsageProblem
from ccgpu.guest.workload_requests import FileText, HashedFile, ModelFiles


@dataclass(frozen=True, slots=True)
class RunRequest:
    """One workload to run.

    plan: every word of the container. section: the section of a spec that it was made from, without
    defaults. manifest: the files of its model. sources: where this
    machine reads secrets, by their names. wait: whether to stream the log until the job has ended.
    output_dir: where its outputs go; None if they are not fetched. replace: stop a workload of this
    name that runs. then_delete: delete the deployment afterwards. resumes: whether a workload that
    this machine has started in the same way in this boot is gone on with. os_disk: whether /mnt may
    lie on the OS disk.
    """

    plan: ContainerPlan
    section: Mapping[str, Any]
    manifest: ModelManifest | None = None
    sources: Mapping[str, SecretSource] = field(default_factory=dict)
    wait: bool = False
    output_dir: Path | None = None
    replace: bool = False
    then_delete: bool = False
    resumes: bool = False
    os_disk: bool = False

    def require_usable(self) -> None:
        """Refuse what could not be carried out, before anything is sent.

        Raises:
            UsageProblem: An input does not exist, a server is waited for, or the folder for the
                outputs has files.
        """
        for one in self.plan.inputs:
            if not Path(one.local).exists():
                raise UsageProblem(f"the input {one.local} does not exist")
        if self.wait and self.plan.kind is not WorkloadKind.JOB:
            raise UsageProblem(
                f"{self.plan.name} does not end by itself, so it is not waited for",
                hint=f"leave out --wait; `ccgpu logs NAME --workload {self.plan.name} --follow` "
                "shows what it prints",
            )
        if self.then_delete and self.plan.kind is WorkloadKind.JOB and not self.wait:
            raise UsageProblem(
                "--then-delete would delete the VM before the job has ended",
                hint="give --wait, too",
            )
        if self.output_dir is None:
            return
        if self.plan.kind is not WorkloadKind.JOB or not self.wait:
            raise UsageProblem("outputs are fetched when a job has ended", hint="give --wait, too")
        if self.plan.outputs is None:
            raise UsageProblem(
                f"the workload {self.plan.name} has no folder for outputs",
                hint="give `workload.outputs` in the spec, such as /outputs",
            )
        require_free_folder(self.output_dir)

    def require_sources(self) -> None:
        """Refuse a secret of which this machine does not know where it comes from.

        Raises:
            UsageProblem: It does not; a new VM holds none.
        """
        unknown = [one.name for one in self.plan.secrets if one.name not in self.sources]
        if unknown:
            raise UsageProblem(
                f"the spec does not say where the secret {', '.join(unknown)} comes from",
                hint="add it under `secrets:`",
            )

    @property
    def model(self) -> ModelFiles | None:
        """The model with all its files."""
        manifest = self.manifest
        if manifest is None:
            return None
        files = tuple(HashedFile(one.path, one.size, one.sha256) for one in manifest.files)
        return ModelFiles(manifest.repository, manifest.commit, manifest.digest, files)

    @property
    def hub_token(self) -> str | None:
        """The secret with which the model is downloaded; None if it needs none."""
        names = [one.name for one in self.plan.secrets if not one.is_mounted]
        return names[0] if names else None

    @property
    def texts(self) -> tuple[FileText, ...]:
        """The files of ccgpu's own that the VM keeps for it."""
        return tuple(FileText(one.name, one.text) for one in self.plan.files)


def require_free_folder(folder: Path) -> None:
    """Refuse a folder with files in it, since nothing is overwritten, or that cannot be made.

    Raises:
        UsageProblem: It has some, is no folder, or its place cannot be written.
    """
    try:
        if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
            _require_writable_place(folder)
            return
    except OSError as err:
        raise UsageProblem(f"{folder}: {err.strerror}") from err
    what = "is not empty" if folder.is_dir() else "is not a folder"
    raise UsageProblem(f"{folder} {what}", hint="give a new folder: nothing is overwritten")


def _require_writable_place(folder: Path) -> None:
    """Refuse what the end of the job would find out, when the outputs may be lost with the VM."""
    above = next(one for one in folder.absolute().parents if one.exists())
    if not above.is_dir() or not os.access(above, os.W_OK | os.X_OK):
        what = "cannot be written" if above.is_dir() else "is not a folder"
        raise UsageProblem(f"{folder} cannot be made: {above} {what}", hint="give another folder")
