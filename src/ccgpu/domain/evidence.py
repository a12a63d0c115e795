"""Evidence as it was collected: bytes, neither parsed nor verified."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal

Binding = Literal["ccgpu-bind-v1", "nonce"]

MAX_MANIFEST = 256 * 1024  # the size limit of a reference manifest, in bytes; NVIDIA's have 20 KB


@dataclass(frozen=True, slots=True)
class CpuEvidence:
    """The evidence of an Azure confidential VM, with AMD's certificates and revocation lists.

    hcl: HCL blob (NV index 0x01400001; 2048 or 2600 bytes).
    report: SNP report (1184 bytes). `hcl` contains it, too; both must be equal.
    vek: VCEK or VLEK certificate (DER or PEM).
    chain: ASK and ARK certificates (PEM).
    crl: AMD's revocation list (DER or PEM).
    quote: TPMS_ATTEST.
    signature: The quote's TPMT_SIGNATURE, or its bare RSA signature.
    pcrs: The SHA-256 bank, index to 32 bytes.
    pcr_file: The same, as a file of tpm2-tools.
    ak: The claimed attestation key of a bare quote (PEM). A verdict never trusts it.
    event_log: TCG2 crypto-agile event log.
    thim: The response of Azure's certificate service (THIM), unchanged.
    runtime: The exact bytes of Azure's runtime claims, if they are not in `hcl`.
    workload_log: The guest's log of workloads (JSON Lines), which PCR 13 was extended with.
    veks, crls: Further certificates and lists, of any machine and product.
    """

    hcl: bytes | None = None
    report: bytes | None = None
    vek: bytes | None = None
    chain: bytes | None = None
    crl: bytes | None = None
    quote: bytes | None = None
    signature: bytes | None = None
    pcrs: Mapping[int, bytes] | None = None
    pcr_file: bytes | None = None
    ak: bytes | None = None
    event_log: bytes | None = None
    thim: bytes | None = None
    runtime: bytes | None = None
    workload_log: bytes | None = None
    veks: tuple[bytes, ...] = ()
    crls: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class ReportedGpuState:
    """An unsigned claim about a GPU's NVML state. `ready` is set only after the verdict.

    cc_mode: Confidential computing is on.
    dev_tools: Developer mode is on, which voids confidential computing.
    """

    cc_mode: bool
    dev_tools: bool
    ready: bool | None = None


@dataclass(frozen=True, slots=True)
class GpuEvidence:
    """The evidence of one GPU: SPDM request and response (`report`), certificate chain (PEM).

    arch: The architecture in the spelling of NVIDIA's tools ("HOPPER").
    nonce: The nonce that the collector claims (32 bytes).
    state_document: The GPU's state, collected in the guest (JSON). The vTPM's quote covers it.
    state: The GPU's state, claimed by the evidence's maker. No signature covers it.
    """

    arch: str
    report: bytes
    chain: bytes
    nonce: bytes | None = None
    state: ReportedGpuState | None = None
    state_document: bytes | None = None


@dataclass(frozen=True, slots=True)
class GpuCollateral:
    """Collateral of NVIDIA: reference manifests (XML), OCSP answers (DER), their nonces.

    A manifest is selected by the version in it, an OCSP answer by its CertID, never by a file name.
    """

    rims: tuple[bytes, ...] = ()
    ocsp: tuple[bytes, ...] = ()
    ocsp_nonces: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class NamedManifest:
    """A reference manifest from the caller: file name without suffix, and XML.

    The name is the RIM id if NVIDIA's service named the file. The XML does not contain the id.
    """

    name: str
    xml: bytes


@dataclass(frozen=True, slots=True)
class CallerCollateral:
    """Collateral from the caller, for any number of machines; preferred to the evidence's own.

    veks: VCEK or VLEK certificates.
    chains: ASK and ARK certificates (PEM), of one product each.
    crls: AMD's revocation lists.
    rims: Reference manifests.
    ocsp: OCSP responses.
    """

    veks: tuple[bytes, ...] = ()
    chains: tuple[bytes, ...] = ()
    crls: tuple[bytes, ...] = ()
    rims: tuple[NamedManifest, ...] = ()
    ocsp: tuple[bytes, ...] = ()

    def __add__(self, other: "CallerCollateral") -> "CallerCollateral":
        """The collateral of both, in this order."""
        return CallerCollateral(
            (*self.veks, *other.veks),
            (*self.chains, *other.chains),
            (*self.crls, *other.crls),
            (*self.rims, *other.rims),
            (*self.ocsp, *other.ocsp),
        )


@dataclass(frozen=True, slots=True)
class UnverifiedContext:
    """The unverified claims of a bundle's maker about the challenge.

    nonce: The nonce that was sent (32 bytes).
    binding: How the nonce is bound into the evidence.
    host_key: SSH public-key blob of the pinned host key.
    recipient_key: X25519 key (32 bytes) or empty.
    vm_id: ARM's `properties.vmId`.
    made_at: The time of the collection.
    collector: The name and version of the program in the VM that collected it.
    sent_at: When the nonce was sent, by the client's clock.
    """

    nonce: bytes | None = None
    binding: Binding = "nonce"
    host_key: bytes | None = None
    recipient_key: bytes = b""
    vm_id: str | None = None
    made_at: datetime | None = None
    collector: str | None = None
    sent_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class AttestationTokens:
    """Tokens of attestation services: NVIDIA's detached EAT (JSON), Microsoft's compact JWS."""

    nras: bytes | None = None
    maa: bytes | None = None


EvidenceFormat = Literal[
    "bundle",
    "folder",
    "trustee",
    "attestation-rs",
    "hcl-report",
    "snp-report",
    "nvattest",
    "nras-request",
    "token",
]


@dataclass(frozen=True, slots=True)
class Evidence:
    """All evidence and collateral of one verdict.

    format: The format of the files.
    collateral: Collateral from the evidence's maker.
    simulated_roots: DER certificates by role, only in simulated evidence.
    noted: The verdict that the bundle's maker noted. It is shown, and never believed.
    ignored: Files in the folder that were not read.
    given: Collateral from the caller.
    file_sha256: Of the file that was read (hex); None for a folder, or for no file.
    """

    format: EvidenceFormat
    claimed: UnverifiedContext = field(default_factory=UnverifiedContext)
    cpu: CpuEvidence | None = None
    gpus: tuple[GpuEvidence, ...] = ()
    collateral: GpuCollateral = field(default_factory=GpuCollateral)
    tokens: AttestationTokens = field(default_factory=AttestationTokens)
    simulated_roots: Mapping[str, bytes] | None = None
    noted: str | None = None
    ignored: tuple[str, ...] = ()
    given: CallerCollateral = field(default_factory=CallerCollateral)
    file_sha256: str | None = field(default=None, compare=False)


def merge_caller_collateral(evidence: Evidence) -> Evidence:
    """The evidence with the caller's collateral merged into its own, each piece once."""
    if evidence.given == CallerCollateral():
        return evidence
    given, there, cpu = evidence.given, evidence.collateral, evidence.cpu
    if cpu is not None:
        veks = _unique(*given.veks, cpu.vek, *cpu.veks)
        crls = _unique(*given.crls, cpu.crl, *cpu.crls)
        cpu = replace(
            cpu,
            vek=next(iter(veks), None),
            veks=veks[1:],
            # The product is not known here, so one of several chains cannot be chosen.
            chain=cpu.chain or (given.chains[0] if len(given.chains) == 1 else None),
            crl=next(iter(crls), None),
            crls=crls[1:],
        )
    rims = _unique(*(each.xml for each in given.rims), *there.rims)
    collateral = replace(there, rims=rims, ocsp=_unique(*given.ocsp, *there.ocsp))
    return replace(evidence, cpu=cpu, collateral=collateral, given=CallerCollateral())


def _unique(*values: bytes | None) -> tuple[bytes, ...]:
    """The values, each once: of one in DER and in PEM, the first."""
    found: dict[bytes, bytes] = {}
    for value in values:
        if value is not None:
            found.setdefault(_der(value), value)
    return tuple(found.values())


def _der(value: bytes) -> bytes:
    """The bytes in PEM of one block (RFC 7468, §2); any other value as it is."""
    if not value.startswith(b"-----BEGIN ") or value.count(b"-----BEGIN ") != 1:
        return value
    body = [line for line in value.splitlines()[1:-1] if not line.startswith(b"-----")]
    try:
        return base64.b64decode(b"".join(body), validate=True)
    except ValueError:
        return value
