"""The evidence bundle `ccgpu.bundle/1`: evidence and collateral as one JSON document.

A bundle can be verified again offline. Nothing in it is trusted. `tool`, `collector`, `sent_at`,
`policy`, `policy_content`, `reference_values` and `verdict` are recorded for people and never
affect a new verdict. Bytes are base64 (RFC 4648, §4), nonces hex in lower case: each value has
one spelling, so that a changed character never means the same.
"""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    WithJsonSchema,
)

from ccgpu.domain import canonical_base64, evidence
from ccgpu.domain.evidence import Evidence
from ccgpu.domain.moments import in_utc

SCHEMA = "ccgpu.bundle/1"
DIALECT = "https://json-schema.org/draft/2020-12/schema"

# defer_build: a model is built when it is first used by itself, and most are only parts of another.
_CONFIG = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, defer_build=True)


_Moment = Annotated[AwareDatetime, AfterValidator(in_utc)]


def _from_base64(value: object) -> object:
    """The bytes of a text; pydantic refuses other types."""
    if not isinstance(value, str):
        return value
    return canonical_base64.decode(value)


def _from_hex(value: object) -> object:
    """The bytes of a text; pydantic refuses other types."""
    if not isinstance(value, str):
        return value
    try:
        data = binascii.unhexlify(value)
    except ValueError as err:
        raise ValueError(f"is not hex: {err}") from err
    if data.hex() != value:
        raise ValueError("is hex with upper-case letters: write them in lower case")
    return data


Base64 = Annotated[
    bytes,
    BeforeValidator(_from_base64),
    PlainSerializer(lambda value: base64.b64encode(value).decode(), return_type=str),
    WithJsonSchema({"type": "string", "contentEncoding": "base64"}),
]
Hex = Annotated[
    bytes,
    BeforeValidator(_from_hex),
    # Not `bytes.hex`: pydantic tokenizes the signature of a built-in, which takes it 6 ms.
    PlainSerializer(lambda value: value.hex(), return_type=str),
    WithJsonSchema({"type": "string", "pattern": "^([0-9a-f]{2})*$"}),
]
_GUID = r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"  # RFC 9562, §4, as it is written


def _x25519(value: bytes) -> bytes:
    """Check an X25519 key: 32 bytes (RFC 7748, §5), or empty for none."""
    if len(value) not in (0, 32):
        raise ValueError("is an X25519 key of 32 bytes, or empty")
    return value


# The most VEK certificates, or revocation lists, in one bundle.
_MAX_LISTED = 100
PcrName = Annotated[str, Field(pattern=r"^([0-9]|1[0-9]|2[0-3])$")]


class Cpu(BaseModel):
    """Evidence of the confidential VM; the fields of `CpuEvidence`."""

    model_config = _CONFIG

    hcl: Base64 | None = None
    report: Base64 | None = None
    vek: Base64 | None = None
    chain: Base64 | None = None
    crl: Base64 | None = None
    quote: Base64 | None = None
    signature: Base64 | None = None
    pcrs: dict[PcrName, Hex] | None = None
    pcr_file: Base64 | None = None
    ak: Base64 | None = None
    event_log: Base64 | None = None
    thim: Base64 | None = None
    runtime: Base64 | None = None
    workload_log: Base64 | None = None
    veks: Annotated[tuple[Base64, ...], Field(max_length=_MAX_LISTED)] = ()
    crls: Annotated[tuple[Base64, ...], Field(max_length=_MAX_LISTED)] = ()


class GpuState(BaseModel):
    """The maker's word on a GPU; bound evidence needs the guest's `state_document`."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, defer_build=True)

    cc_mode: bool
    dev_tools: bool
    ready: bool | None = None


class Gpu(BaseModel):
    """Evidence of one GPU; the fields of `GpuEvidence`."""

    model_config = _CONFIG

    arch: Annotated[str, Field(max_length=32)]
    report: Base64
    chain: Base64
    nonce: Hex | None = None
    state: GpuState | None = None
    state_document: Base64 | None = None


class Collateral(BaseModel):
    """Reference manifests and OCSP answers."""

    model_config = _CONFIG

    rims: tuple[Base64, ...] = ()
    ocsp: tuple[Base64, ...] = ()
    ocsp_nonces: tuple[Hex, ...] = ()


class Tokens(BaseModel):
    """Second opinions."""

    model_config = _CONFIG

    nras: Base64 | None = None
    maa: Base64 | None = None


class EvidenceBundle(BaseModel):
    """One bundle."""

    model_config = _CONFIG

    schema_: Annotated[Literal["ccgpu.bundle/1"], Field(alias="schema")] = "ccgpu.bundle/1"
    made_at: _Moment
    tool: Annotated[str, Field(max_length=100)]
    collector: Annotated[str, Field(max_length=100)] | None = None
    sent_at: _Moment | None = None
    nonce: Hex | None = None
    binding: Literal["ccgpu-bind-v1", "nonce"] = "nonce"
    host_key: Base64 | None = None
    recipient_key: Annotated[Base64, AfterValidator(_x25519)] = b""
    vm_id: Annotated[str, Field(pattern=_GUID)] | None = None
    cpu: Cpu | None = None
    gpus: Annotated[tuple[Gpu, ...], Field(max_length=16)] = ()
    collateral: Collateral = Collateral()
    tokens: Tokens = Tokens()
    simulated_roots: dict[str, Base64] | None = None
    policy: str | None = None
    policy_content: dict[str, Any] | None = None
    reference_values: dict[str, Any] | None = None
    verdict: dict[str, Any] | None = None

    def evidence(self) -> Evidence:
        """Convert the bundle to evidence."""
        return Evidence(
            "bundle",
            claimed=evidence.UnverifiedContext(
                self.nonce,
                self.binding,
                self.host_key,
                self.recipient_key,
                self.vm_id,
                self.made_at,
                self.collector,
                self.sent_at,
            ),
            cpu=None if self.cpu is None else _cpu(self.cpu),
            gpus=tuple(_gpu(each) for each in self.gpus),
            collateral=evidence.GpuCollateral(
                self.collateral.rims, self.collateral.ocsp, self.collateral.ocsp_nonces
            ),
            tokens=evidence.AttestationTokens(self.tokens.nras, self.tokens.maa),
            simulated_roots=self.simulated_roots,
            noted=_noted(self.verdict or {}),
        )


def _noted(verdict: Mapping[str, Any]) -> str | None:
    noted = verdict.get("verdict")
    return noted if noted in ("accepted", "rejected", "no_verdict") else None


def _cpu(part: Cpu) -> evidence.CpuEvidence:
    fields = {name: getattr(part, name) for name in Cpu.model_fields if name != "pcrs"}
    pcrs = None if part.pcrs is None else {int(i): value for i, value in part.pcrs.items()}
    return evidence.CpuEvidence(**fields, pcrs=pcrs)


def _gpu(part: Gpu) -> evidence.GpuEvidence:
    state = None
    if part.state is not None:
        state = evidence.ReportedGpuState(
            part.state.cc_mode, part.state.dev_tools, part.state.ready
        )
    return evidence.GpuEvidence(
        part.arch, part.report, part.chain, part.nonce, state, part.state_document
    )


@dataclass(frozen=True, slots=True)
class BundleNotes:
    """How the evidence was judged when the bundle was made. A later verdict reads none of it.

    policy: its name. policy_content: all of its fields, with the flags of the command line.
    reference_values: the golden PCR values that were given. verdict: `ccgpu.verdict/1`.
    """

    policy: str | None = None
    policy_content: dict[str, Any] | None = None
    reference_values: dict[str, Any] | None = None
    verdict: dict[str, Any] | None = None


def from_evidence(
    source: Evidence,
    *,
    made_at: datetime,
    tool: str,
    notes: BundleNotes | None = None,
) -> EvidenceBundle:
    """Convert evidence to a bundle; `EvidenceBundle.evidence` is the inverse."""
    notes = notes or BundleNotes()
    source = evidence.merge_caller_collateral(source)
    cpu = source.cpu
    return EvidenceBundle(
        made_at=made_at,
        tool=tool,
        collector=source.claimed.collector,
        sent_at=source.claimed.sent_at,
        nonce=source.claimed.nonce,
        binding=source.claimed.binding,
        host_key=source.claimed.host_key,
        recipient_key=source.claimed.recipient_key,
        vm_id=source.claimed.vm_id and source.claimed.vm_id.lower(),
        cpu=None if cpu is None else _bundle_cpu(cpu),
        gpus=tuple(_bundle_gpu(each) for each in source.gpus),
        collateral=Collateral(
            rims=source.collateral.rims,
            ocsp=source.collateral.ocsp,
            ocsp_nonces=source.collateral.ocsp_nonces,
        ),
        tokens=Tokens(nras=source.tokens.nras, maa=source.tokens.maa),
        simulated_roots=None if source.simulated_roots is None else dict(source.simulated_roots),
        policy=notes.policy,
        policy_content=notes.policy_content,
        reference_values=notes.reference_values,
        verdict=notes.verdict,
    )


def _bundle_cpu(cpu: evidence.CpuEvidence) -> Cpu:
    fields = {name: getattr(cpu, name) for name in Cpu.model_fields if name != "pcrs"}
    pcrs = None if cpu.pcrs is None else {str(i): value for i, value in sorted(cpu.pcrs.items())}
    return Cpu(**fields, pcrs=pcrs)


def _bundle_gpu(gpu: evidence.GpuEvidence) -> Gpu:
    state = None
    if gpu.state is not None:
        claimed = gpu.state
        state = GpuState(cc_mode=claimed.cc_mode, dev_tools=claimed.dev_tools, ready=claimed.ready)
    return Gpu(
        arch=gpu.arch,
        report=gpu.report,
        chain=gpu.chain,
        nonce=gpu.nonce,
        state=state,
        state_document=gpu.state_document,
    )


def schema() -> dict[str, Any]:
    """The JSON Schema of a bundle."""
    body = EvidenceBundle.model_json_schema(by_alias=True)
    body.pop("title")
    return {"$schema": DIALECT, "title": SCHEMA} | body
