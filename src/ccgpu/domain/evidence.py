"""Evidence as it was collected: bytes and who says so. Nothing here has been parsed or believed."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal

Binding = Literal["ccgpu-bind-v1", "nonce"]


@dataclass(frozen=True, slots=True)
class CpuEvidence:
    """What an Azure confidential VM says of itself, and the certificates that go with it.

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
    """What is said of a GPU, from NVML. `ready` is recorded: it is set after the verdict only.

    `cc_mode`: confidential computing is on. `dev_tools`: its developer mode, which opens it.
    """

    cc_mode: bool
    dev_tools: bool
    ready: bool | None = None


@dataclass(frozen=True, slots=True)
class GpuEvidence:
    """What one GPU says of itself: SPDM request and response, and its certificate chain (PEM).

    `arch` as NVIDIA's tools write it ("HOPPER"). `nonce`: what the collector says was asked.
    `state_document`: the GPU's state as the guest collected it (JSON), a piece of what the quote
    covers. `state`: the same as the evidence's maker tells it, which no signature covers.
    """

    arch: str
    report: bytes
    chain: bytes
    nonce: bytes | None = None
    state: ReportedGpuState | None = None
    state_document: bytes | None = None


@dataclass(frozen=True, slots=True)
class GpuCollateral:
    """What NVIDIA publishes and a GPU verdict needs: manifests (XML), OCSP answers (DER).

    A manifest is found by the version it is signed for, an OCSP answer by its CertID: names of
    files mean nothing.
    """

    rims: tuple[bytes, ...] = ()
    ocsp: tuple[bytes, ...] = ()
    ocsp_nonces: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class NamedManifest:
    """A reference manifest of the caller's: the name of its file without the suffix, and the XML.

    NVIDIA's service names it by its RIM id; a manifest does not say its own.
    """

    name: str
    xml: bytes


@dataclass(frozen=True, slots=True)
class CallerCollateral:
    """Collateral that the caller gives, of any number of machines; it comes before the evidence's.

    `veks`: VCEK or VLEK certificates. `chains`: ASK and ARK (PEM) of one product each. `crls`:
    AMD's revocation lists. `rims`: reference manifests. `ocsp`: OCSP answers.
    """

    veks: tuple[bytes, ...] = ()
    chains: tuple[bytes, ...] = ()
    crls: tuple[bytes, ...] = ()
    rims: tuple[NamedManifest, ...] = ()
    ocsp: tuple[bytes, ...] = ()

    def __add__(self, other: "CallerCollateral") -> "CallerCollateral":
        """Both, in this order."""
        return CallerCollateral(
            (*self.veks, *other.veks),
            (*self.chains, *other.chains),
            (*self.crls, *other.crls),
            (*self.rims, *other.rims),
            (*self.ocsp, *other.ocsp),
        )


@dataclass(frozen=True, slots=True)
class UnverifiedContext:
    """What the maker of a bundle says it saw itself: its word, unless the caller gives the value.

    `nonce`: what was sent (32 bytes). `binding`: how it went into the evidence. `host_key`: SSH
    public-key blob of the one pinned key. `recipient_key`: X25519 (32 bytes) or empty. `vm_id`:
    ARM's `properties.vmId`.
    """

    nonce: bytes | None = None
    binding: Binding = "nonce"
    host_key: bytes | None = None
    recipient_key: bytes = b""
    vm_id: str | None = None
    made_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class AttestationTokens:
    """Second opinions: NVIDIA's detached EAT (JSON) and Microsoft's token (compact JWS)."""

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
    """Everything one verdict looks at.

    `collateral` is what the evidence's maker sent along, `given` what the caller gives for it.
    `format` is how it was read, `ignored` what lay beside it and was not. `simulated_roots`: DER
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
    """The evidence with the caller's collateral as its own, to be kept in one; each piece once."""
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
