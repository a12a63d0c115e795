"""Evidence as it was collected: bytes, neither parsed nor verified."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal

Binding = Literal["ccgpu-bind-v1", "nonce"]

MAX_MANIFEST = 256 * 1024  # bytes of one reference manifest; NVIDIA's have 20 KB


@dataclass(frozen=True, slots=True)
class CpuEvidence:
    """The evidence of an Azure confidential VM, with AMD's certificates and revocation lists.

    `hcl`: HCL blob (NV index 0x01400001; 2048 or 2600 bytes). `report`: SNP report (1184 bytes);
    with `hcl` it is cut out of it, and must be the same where both are given. `vek`: VCEK or VLEK
    certificate (DER or PEM). `chain`: ASK and ARK (PEM), if they came along. `crl`: AMD's
    revocation list (DER or PEM). `quote`: TPMS_ATTEST; `signature`: TPMT_SIGNATURE or bare RSA.
    `pcrs`: SHA-256 bank, index to 32 bytes; or `pcr_file`, what tpm2-tools wrote them to. `ak`: the
    key that a bare quote is said to be of (PEM); never believed for a verdict. `event_log`: TCG2
    crypto-agile. `thim`: the answer of Azure's certificate service, kept as it came. `runtime`: the
    exact bytes of Azure's runtime claims, where they lie beside a bare report instead of in `hcl`.
    `veks` and `crls`: further certificates and lists that came along, of whatever machine and
    product.
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
    veks: tuple[bytes, ...] = ()
    crls: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class ReportedGpuState:
    """The state of a GPU by NVML, as somebody states it. `ready` is set after the verdict only.

    `cc_mode`: confidential computing is on. `dev_tools`: developer mode, which voids it.
    """

    cc_mode: bool
    dev_tools: bool
    ready: bool | None = None


@dataclass(frozen=True, slots=True)
class GpuEvidence:
    """The evidence of one GPU: SPDM request and response (`report`), certificate chain (PEM).

    `arch`: as NVIDIA's tools write it ("HOPPER"). `nonce`: as the collector states it (32 bytes).
    `state_document`: the GPU's state as the guest collected it (JSON), which the quote covers.
    `state`: the same, stated by the evidence's maker; no signature covers it.
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
    """A reference manifest of the caller's: file name without suffix, and XML.

    The name is the RIM id if the file is as NVIDIA's service names it; the XML does not hold it.
    """

    name: str
    xml: bytes


@dataclass(frozen=True, slots=True)
class CallerCollateral:
    """Collateral that the caller gives, of any number of machines; preferred to the evidence's.

    `veks`: VCEK or VLEK certificates. `chains`: ASK and ARK (PEM) of one product each. `crls`:
    AMD's revocation lists. `rims`: reference manifests. `ocsp`: OCSP answers.
    """

    veks: tuple[bytes, ...] = ()
    chains: tuple[bytes, ...] = ()
    crls: tuple[bytes, ...] = ()
    rims: tuple[NamedManifest, ...] = ()
    ocsp: tuple[bytes, ...] = ()

    def __add__(self, other: "CallerCollateral") -> "CallerCollateral":
        """The pieces of both, in this order."""
        return CallerCollateral(
            (*self.veks, *other.veks),
            (*self.chains, *other.chains),
            (*self.crls, *other.crls),
            (*self.rims, *other.rims),
            (*self.ocsp, *other.ocsp),
        )


@dataclass(frozen=True, slots=True)
class UnverifiedContext:
    """What the maker of a bundle states of the challenge, unverified.

    `nonce`: as it was sent (32 bytes). `binding`: how it is bound into the evidence. `host_key`:
    SSH public-key blob of the one pinned key. `recipient_key`: X25519 (32 bytes) or empty. `vm_id`:
    ARM's `properties.vmId`. `made_at`: when the evidence was collected.
    """

    nonce: bytes | None = None
    binding: Binding = "nonce"
    host_key: bytes | None = None
    recipient_key: bytes = b""
    vm_id: str | None = None
    made_at: datetime | None = None


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

    `collateral` is what the evidence's maker sent along, `given` what the caller gives for it.
    `format`: as it was read. `ignored`: files beside it that were not read. `simulated_roots`: DER
    certificates by role, in simulated evidence only.
    """

    format: EvidenceFormat
    claimed: UnverifiedContext = field(default_factory=UnverifiedContext)
    cpu: CpuEvidence | None = None
    gpus: tuple[GpuEvidence, ...] = ()
    collateral: GpuCollateral = field(default_factory=GpuCollateral)
    tokens: AttestationTokens = field(default_factory=AttestationTokens)
    simulated_roots: Mapping[str, bytes] | None = None
    ignored: tuple[str, ...] = ()
    given: CallerCollateral = field(default_factory=CallerCollateral)


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
            # Of several, no more is known here than that each is of one product.
            chain=cpu.chain or (given.chains[0] if len(given.chains) == 1 else None),
            crl=next(iter(crls), None),
            crls=crls[1:],
        )
    rims = _unique(*(each.xml for each in given.rims), *there.rims)
    collateral = replace(there, rims=rims, ocsp=_unique(*given.ocsp, *there.ocsp))
    return replace(evidence, cpu=cpu, collateral=collateral, given=CallerCollateral())


def _unique(*values: bytes | None) -> tuple[bytes, ...]:
    return tuple(dict.fromkeys(each for each in values if each is not None))
