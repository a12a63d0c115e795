"""The section `workloads` of an appraisal policy: which workloads may have run, and which must."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

# defer_build: a model is built when it is first used by itself; these are parts of a policy.
_CONFIG = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, defer_build=True)

Sha256Digest = Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]
Commit = Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")]


class AllowedWorkload(BaseModel):
    """A workload that may run. A matcher that is left out accepts any value."""

    model_config = _CONFIG

    image_digest: Annotated[Sha256Digest, Field(description="The container image.")]
    command: Annotated[
        tuple[str, ...] | None,
        Field(description="The run line after the engine's name, word for word."),
    ] = None
    model_manifest: Annotated[
        Sha256Digest | None, Field(description="The model's list of files and their hashes.")
    ] = None
    model_commit: Annotated[Commit | None, Field(description="The model's commit.")] = None

    def __str__(self) -> str:
        given = ((name, value) for name, value in self if value is not None)
        return ", ".join(f"{name} {value}" for name, value in given)


class WorkloadPolicy(BaseModel):
    """What is demanded of the log of workloads. It must replay to PCR 13, in any case."""

    model_config = _CONFIG

    allowed: Annotated[
        tuple[AllowedWorkload, ...],
        Field(max_length=256, description="Workloads that may run."),
    ]
    only: Annotated[bool, Field(description="Nothing else may have run since the boot.")]
    required: Annotated[bool, Field(description="One of them at least must have been started.")]

    @model_validator(mode="after")
    def _can_be_met(self) -> "WorkloadPolicy":
        if self.required and not self.allowed:
            raise ValueError("required needs a workload that is allowed: list it in allowed")
        return self
