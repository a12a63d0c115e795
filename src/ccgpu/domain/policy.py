"""The appraisal policy (RFC 9334, §8.5): requirements on evidence beyond its authenticity.

Every field that decides a verdict is required. A field that loosens a verdict is called `unsafe_…`,
is off by default, and is listed in every verdict.
"""

import re
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)
from pydantic_core import ErrorDetails

from ccgpu.domain.image_pcrs import IMAGE_PCRS
from ccgpu.domain.overrides import Overrides
from ccgpu.domain.reference_values import in_words
from ccgpu.domain.spec.problems import FieldProblem, message_for
from ccgpu.domain.verdict_age import PATTERN, check_max_age
from ccgpu.domain.workload_policy import WorkloadPolicy

SCHEMA = "ccgpu.policy/1"
DIALECT = "https://json-schema.org/draft/2020-12/schema"

# defer_build: a model is built when it is first used by itself, and most are only parts of another.
_CONFIG = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, defer_build=True)

Part = Literal["cpu", "gpu"]
Product = Literal["Genoa", "Milan", "Turin"]


def _number(value: object) -> object:
    """AMD writes SVNs and masks in hex: `0x17` is 23, in YAML as in JSON; `true` is no number."""
    if isinstance(value, bool):
        raise ValueError("must be a number, as in 23 or 0x17")  # noqa: TRY004  # pydantic's way
    if isinstance(value, str) and re.fullmatch(r"0x[0-9a-fA-F]{1,16}", value):
        return int(value, 16)
    return value


Svn = Annotated[int, BeforeValidator(_number), Field(ge=0, le=255)]
GuestSvn = Annotated[int, BeforeValidator(_number), Field(ge=0, le=2**32 - 1)]
Mitigations = Annotated[int, BeforeValidator(_number), Field(ge=0, le=2**64 - 1)]
Sha384 = Annotated[str, Field(pattern=r"^[0-9a-f]{96}$")]
PcrIndex = Annotated[int, BeforeValidator(_number), Field(ge=0, le=23)]
DriverVersion = Annotated[str, Field(pattern=r"^[0-9]{1,4}(\.[0-9]{1,4}){1,3}$")]
VbiosVersion = Annotated[str, Field(pattern=r"^[0-9A-F]{2}(\.[0-9A-F]{2}){4}$")]
MaxAge = Annotated[
    str, AfterValidator(check_max_age), Field(json_schema_extra={"pattern": PATTERN})
]
Issuer = Annotated[str, Field(pattern=r"^https://[a-z0-9.-]+$", max_length=253)]


class MinimumTcb(BaseModel):
    """The lowest security version numbers (SVN, 0-255) of AMD's firmware that are accepted."""

    model_config = _CONFIG

    bootloader: Svn
    tee: Svn
    snp: Svn
    microcode: Svn


class CpuPolicy(BaseModel):
    """What is demanded of the confidential VM and of the processor it runs on."""

    model_config = _CONFIG

    products: Annotated[
        tuple[Product, ...],
        Field(min_length=1, description="AMD products that are accepted."),
    ]
    minimum_tcb: Annotated[
        MinimumTcb, Field(description="Floor of the reported, committed, current and launch TCB.")
    ]
    required_mitigations: Annotated[
        Mitigations,
        Field(
            description="Bits that must be set in both mitigation vectors of the report. A report "
            "before version 5 has none, and is refused unless this is 0."
        ),
    ]
    unsafe_allow_provisional_firmware: Annotated[
        bool, Field(description="Firmware that the host can still roll back is accepted.")
    ] = False
    require_alias_check: Annotated[
        bool, Field(description="PLATFORM_INFO bit 5: memory aliases were looked for (BadRAM).")
    ]
    id_key_digests: Annotated[
        tuple[Sha384, ...],
        Field(min_length=1, description="Who may have signed the paravisor."),
    ]
    minimum_guest_svn: Annotated[
        GuestSvn, Field(description="Lowest security version of the paravisor (GUEST_SVN).")
    ]
    require_secure_boot: Annotated[
        bool, Field(description="The VM was configured with secure boot; false needs the next.")
    ]
    unsafe_allow_no_secure_boot: bool = False
    require_event_log: Annotated[
        bool, Field(description="The boot's event log must be there; one that is there is checked.")
    ]
    require_crl: Annotated[
        bool, Field(description="AMD's revocation list must be there, current and signed.")
    ]
    required_pcrs: Annotated[
        tuple[PcrIndex, ...],
        Field(min_length=1, description="PCRs that the quote must cover."),
    ]
    require_pins: Annotated[
        bool, Field(description="Golden PCR values must be given (`--pins`) and match.")
    ]
    require_image: Annotated[
        bool,
        Field(
            description="A measured image must be given (`--image`), and every PCR be what it "
            "leads to; secure boot may be off then, as all that boots is pinned."
        ),
    ]

    @model_validator(mode="after")
    def _says_what_it_allows(self) -> "CpuPolicy":
        if self.require_secure_boot and self.unsafe_allow_no_secure_boot:
            raise ValueError(
                "require_secure_boot and unsafe_allow_no_secure_boot must not have the same value"
            )
        if not (self.require_secure_boot or self.unsafe_allow_no_secure_boot or self.require_image):
            raise ValueError(
                "require_secure_boot may be false with unsafe_allow_no_secure_boot or "
                "require_image only"
            )
        return self

    @model_validator(mode="after")
    def _quotes_what_an_image_pins(self) -> "CpuPolicy":
        if self.require_image and (left := {*IMAGE_PCRS} - {*self.required_pcrs}):
            raise ValueError(f"require_image needs PCR {in_words(left)} in required_pcrs")
        return self


class GpuPolicy(BaseModel):
    """What is demanded of the GPU."""

    model_config = _CONFIG

    architectures: Annotated[tuple[Literal["HOPPER"], ...], Field(min_length=1)]
    count: Annotated[
        int,
        BeforeValidator(_number),
        Field(ge=1, le=1, description="GPUs of the VM; the series has one."),
    ]
    minimum_driver: Annotated[
        DriverVersion, Field(description="Older drivers attest unreliably (NVIDIA's advisory).")
    ]
    minimum_secure_drivers: Annotated[
        tuple[DriverVersion, ...],
        Field(
            description="The first driver of each branch with NVIDIA's security fixes. A branch "
            "that is not named is refused unless it is newer than all that are; none: any driver."
        ),
    ]
    denied_drivers: Annotated[
        tuple[DriverVersion, ...], Field(description="Versions that NVIDIA warns of.")
    ]
    minimum_vbios: Annotated[
        VbiosVersion, Field(description="Lowest VBIOS that is accepted; it is compared as hex.")
    ]
    allowed_vbios: Annotated[
        tuple[VbiosVersion, ...],
        Field(description="VBIOS versions that are accepted; none: any with a RIM."),
    ]
    denied_vbios: Annotated[tuple[VbiosVersion, ...], Field()]
    require_state: Annotated[
        bool,
        Field(description="The guest's word on CC mode and developer tools must be there."),
    ]
    require_ocsp: Annotated[
        bool, Field(description="Revocation is asked of OCSP; false needs the next.")
    ]
    unsafe_skip_ocsp: bool = False
    unsafe_known_nonce: bool = False
    unsafe_ocsp_grace_hours: Annotated[int, BeforeValidator(_number), Field(ge=0, le=720)] = 0
    unsafe_allow_hold: bool = False

    @model_validator(mode="after")
    def _names_a_branch_once(self) -> "GpuPolicy":
        branches = [int(version.split(".")[0]) for version in self.minimum_secure_drivers]
        if len(set(branches)) != len(branches):
            raise ValueError("minimum_secure_drivers names a driver branch twice")
        return self

    @model_validator(mode="after")
    def _says_what_it_allows(self) -> "GpuPolicy":
        if self.require_ocsp == self.unsafe_skip_ocsp:
            raise ValueError("require_ocsp and unsafe_skip_ocsp must not have the same value")
        return self


class TokenPolicy(BaseModel):
    """Tokens of attestation services. A given one is verified; a required one must be given."""

    model_config = _CONFIG

    require_nras: bool
    nras_issuers: Annotated[tuple[Issuer, ...], Field()]
    require_maa: bool
    maa_issuers: Annotated[tuple[Issuer, ...], Field()]


class Policy(BaseModel):
    """One appraisal policy."""

    model_config = _CONFIG

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]{0,62}$")]
    requires: Annotated[tuple[Part, ...], Field(min_length=1, description="What must be proven.")]
    binding: Annotated[
        Literal["ccgpu-bind-v1", "nonce"],
        Field(
            description="ccgpu-bind-v1: evidence is bound to the VM and SSH key that the caller "
            "names, and answers a nonce that the caller sent. nonce: a bare nonce of 32 bytes or "
            "more is enough."
        ),
    ]
    max_age: Annotated[
        MaxAge,
        Field(
            description="How long an accepted verdict of `attest` counts, as in 90m, 24h or 7d; "
            "none: as long as its evidence is accepted. `verify` does not look at it."
        ),
    ]
    unsafe_short_nonce: bool = False
    unsafe_trust_bundle_identity: Annotated[
        bool, Field(description="vmId and SSH host key may be the word of the evidence's maker.")
    ] = False
    unsafe_trust_bundle_nonce: Annotated[
        bool, Field(description="The nonce may be the word of the evidence's maker.")
    ] = False
    cpu: CpuPolicy | None = None
    gpu: GpuPolicy | None = None
    tokens: TokenPolicy
    workloads: Annotated[
        WorkloadPolicy | None,
        Field(description="Which workloads may have run; left out, none is asked about."),
    ] = None

    @model_validator(mode="after")
    def _has_what_it_requires(self) -> "Policy":
        for part in ("cpu", "gpu"):
            if (part in self.requires) != (getattr(self, part) is not None):
                raise ValueError(
                    f"requires must list {part} if there is a section {part}, and only then"
                )
        if len(set(self.requires)) != len(self.requires):
            raise ValueError("requires lists an entry twice")
        if self.workloads is not None and self.cpu is None:
            raise ValueError("a section workloads needs cpu in requires: PCR 13 is the CPU's")
        return self

    @property
    def unsafe(self) -> tuple[str, ...]:
        """The `unsafe_…` fields that are on, as `unsafe_…`, `cpu.unsafe_…` or `gpu.unsafe_…`."""
        parts = ((self, ""), (self.cpu, "cpu."), (self.gpu, "gpu."))
        return tuple(
            f"{prefix}{field}"
            for part, prefix in parts
            if part is not None
            for field, value in vars(part).items()
            if field.startswith("unsafe_") and value
        )

    def with_overrides(self, given: Overrides) -> "Policy":
        """This policy with the given flags on as well; a flag that is on already stays on."""
        gpu = self.gpu
        if gpu is not None:
            skip_ocsp = given.skip_ocsp or gpu.unsafe_skip_ocsp
            changes = {
                "unsafe_skip_ocsp": skip_ocsp,
                "require_ocsp": not skip_ocsp,
                "unsafe_known_nonce": given.known_nonce or gpu.unsafe_known_nonce,
            }
            gpu = gpu.model_copy(update=changes)
        identity = given.trust_identity or self.unsafe_trust_bundle_identity
        own = {
            "unsafe_short_nonce": given.short_nonce or self.unsafe_short_nonce,
            "unsafe_trust_bundle_identity": identity,
            "unsafe_trust_bundle_nonce": given.trust_nonce or self.unsafe_trust_bundle_nonce,
        }
        return self.model_copy(update={"gpu": gpu, **own})


def policy_problems(error: ValidationError, schema: str = "policy") -> tuple[FieldProblem, ...]:
    """Pydantic's errors as messages for the author; `ccgpu schema SCHEMA` prints the fields."""
    errors = error.errors(include_url=False, include_input=False)
    return tuple(FieldProblem(each["loc"], _message(each, schema)) for each in errors)


def _message(error: ErrorDetails, schema: str) -> str:
    if error["type"] == "value_error":
        return str(error["ctx"]["error"])
    if error["type"] == "extra_forbidden":
        return f"is not a field here, `ccgpu schema {schema}` prints them all"
    return message_for(error)


def schema() -> dict[str, Any]:
    """The JSON Schema of a policy file."""
    body = Policy.model_json_schema()
    body.pop("title")
    properties = {"$schema": {"type": "string"}} | body.pop("properties")
    return {"$schema": DIALECT, "title": "ccgpu policy"} | body | {"properties": properties}
